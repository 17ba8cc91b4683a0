"""Check labels by upstream's tests: run them on candidates that wargames found valid.

>>> with open_suite(vulnerability, choose(), cache) as suite:  # doctest: +SKIP
...     suite.refutations(candidate.name, candidate.diff)
()

A test is *kept* if it passes twice on the fixed release and once on the vulnerable release with only the fix
applied, and if it uses no name that the vulnerable release lacks. A *regression* test is a kept test that
fails on the vulnerable release. A *refutation* is a kept test that fails on a candidate. A person has to
interpret each refutation: the tests run in the patch's own process, and many require a name or a message that
only upstream's fix has.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from crisol import diff
from crisol.errors import SandboxError, VulnerabilityError
from crisol.sandbox import Ending, Limits, Role, Script
from crisol.wargaming.candidates import read_source, reference
from crisol.wargaming.description import ReleasePair, UpstreamTests
from crisol.wargaming.release import Archive, unpacked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from crisol.sandbox import Sandbox, Target
    from crisol.wargaming.vulnerability import Vulnerability

__all__ = ["Audit", "Refutation", "Suite", "audit", "open_suite"]

_PROBE = Path(__file__).parent / "pytest_probe.py"
_PROCESSES, _SCRATCH_MB, _OUTPUT_BYTES = 64, 256, 1 << 20
_WORD = re.compile(r"[^\W\d]\w*")
_BINDING = re.compile(r"\b(?:def|class)\s+(\w+)|\b([^\W\d]\w*)[ \t]*(?::[^=\n]*)?=(?!=)")
_PASSED = "passed"
_Overlay = dict[str, bytes | None]


@dataclass(frozen=True, slots=True)
class Refutation:
    """A kept upstream test that fails on a candidate.

    ``candidate`` is the name of the patch, ``test`` the test in pytest's notation, ``message`` the first
    lines of the failure.
    """

    candidate: str
    test: str
    message: str


@dataclass(frozen=True, slots=True)
class Audit:
    """The result of running upstream's tests on candidates of one vulnerability.

    ``vulnerability`` is the vulnerability's id. ``kept`` is the number of tests that were run; ``regression``
    names the tests among them that fail on the vulnerable release. ``candidates`` is the number of patches.
    ``refutations`` has one entry for each patch and each test that fails on it. ``seconds`` is the wall time.
    """

    vulnerability: str
    kept: int
    regression: tuple[str, ...]
    candidates: int
    refutations: tuple[Refutation, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class _Report:
    """The report on one run of the suite.

    ``tests`` maps each test to (outcome, message), ``broken`` each file that cannot be imported to a message.
    ``names`` maps a test to the names in its code that the vulnerable release lacks and the fixed release
    defines.
    """

    tests: Mapping[str, tuple[str, str]]
    names: Mapping[str, tuple[str, ...]]
    broken: Mapping[str, str]

    @property
    def passed(self) -> frozenset[str]:
        return frozenset(test for test, (outcome, _) in self.tests.items() if outcome == _PASSED)

    def failure(self, test: str) -> str:
        outcome, message = self.tests.get(test, ("", ""))
        if not outcome:
            file = test.partition("::")[0]
            return self.broken.get(file) or "the test is not found"
        return message or outcome


@dataclass(frozen=True, slots=True)
class Suite:
    """The upstream tests of one vulnerability, ready to run on patches.

    :func:`open_suite` makes it. All its tests pass on the fixed release. ``kept`` names the tests that are
    run: the reference passes them, they can be imported with the vulnerable release, and they use no name
    that this release lacks. ``regression`` names the kept tests that fail on the vulnerable release.
    ``left_out`` maps the name of each test that is not run to the reason. Names have pytest's notation, such
    as ``tests/test_a.py::test_b``.
    """

    kept: tuple[str, ...]
    regression: tuple[str, ...]
    left_out: Mapping[str, str]
    _runner: _Runner
    _target: Target
    _tree: Path

    def refutations(self, candidate: str, patch: str) -> tuple[Refutation, ...]:
        """Run the kept tests on a patched release, and return one refutation for each test that fails.

        ``patch`` is a unified diff; ``candidate`` is its name in the result. A test counts if it fails in two
        runs. Raises :class:`~crisol.errors.DiffError` if ``patch`` is no unified diff,
        :class:`~crisol.errors.PatchDoesNotApply` if it does not fit the release, and
        :class:`~crisol.errors.SandboxError` if the sandbox fails.
        """
        overlay = self._runner.overlay(patch, self._tree)
        failed: dict[str, str] = {}
        for attempt in range(2):
            report = self._runner.run(self._target, overlay)
            tests = failed if attempt else self.kept
            failed = {
                test: report if isinstance(report, str) else report.failure(test)
                for test in tests
                if isinstance(report, str) or test not in report.passed
            }
            if not failed:
                break
        return tuple(Refutation(candidate, test, message) for test, message in failed.items())


class _Runner:
    """A runner of upstream tests; its reports say which of the names ``wanted`` each test uses."""

    def __init__(self, tests: UpstreamTests, wanted: frozenset[str]) -> None:
        self._tests = tests
        limits = tests.limits
        self.limits = Limits(
            limits.seconds,
            limits.cpu_seconds,
            limits.memory_mb,
            processes=_PROCESSES,
            output_bytes=_OUTPUT_BYTES,
            scratch_mb=_SCRATCH_MB,
        )
        ignored = [f"--deselect={name}" if "::" in name else f"--ignore={name}" for name in tests.excluded]
        job = {"paths": tests.paths, "options": [*tests.options, *ignored], "wanted": sorted(wanted)}
        # pytest's hooks have a parameter named report, which in the text of a probe would hide its report().
        source = _PROBE.read_text(encoding="utf-8")
        text = f"probe = {{}}\nexec({source!r}, probe)\nreport(probe['main'](ARGUMENTS))\n"
        self._script = Script(_PROBE.name, text, Role.PROBE, json.dumps(job).encode())

    def run(self, target: Target, overlay: _Overlay) -> _Report | str:
        """Run the tests on a release with ``overlay``; return the report, or a message why there is none."""
        run = target.run(self._script, overlay, self.limits)
        last = run.stderr.strip().rpartition("\n")[2]
        if run.ending is not Ending.EXITED or not run.report:
            return f"the run of the tests ended as {run.ending}: {last}"[:300]
        try:
            told = json.loads(run.report)
            if not told["tests"] and not told["broken"]:
                return f"the run of the tests came to no test: {last}"[:300]
            return _Report(
                {
                    str(test): (str(outcome), str(message))
                    for test, (outcome, message) in told["tests"].items()
                },
                {str(test): tuple(map(str, names)) for test, names in told["names"].items()},
                {str(file): str(message) for file, message in told["broken"].items()},
            )
        except (ValueError, TypeError, KeyError, AttributeError):
            return "the run of the tests ended with a report that is not the probe's"

    def overlay(self, patch: str, tree: Path) -> _Overlay:
        """Return the files that a patch changes, except the upstream tests, which always run unchanged."""
        files = diff.apply(diff.parse(patch), lambda path: read_source(tree, path))
        return {
            path: None if text is None else text.encode()
            for path, text in files.items()
            if not any(path == own or path.startswith(f"{own}/") for own in self._tests.paths)
        }


def audit(
    vulnerability: Vulnerability, candidates: Iterable[tuple[str, str]], sandbox: Sandbox, cache: Path
) -> Audit:
    """Run the upstream tests of a vulnerability on candidates; return the tests that fail, with counts.

    ``candidates`` are pairs (name, unified diff). ``sandbox`` isolates the runs; ``cache`` is the folder of
    downloaded releases. Raises :class:`~crisol.errors.VulnerabilityError` if the vulnerability names no
    upstream tests or none of them can be used, :class:`~crisol.errors.IndexUnavailable` if an archive cannot
    be downloaded, :class:`~crisol.errors.InputError` for a candidate that does not apply, and
    :class:`~crisol.errors.SandboxError` if the sandbox fails.
    """
    start = time.monotonic()
    with open_suite(vulnerability, sandbox, cache) as suite:
        told = [suite.refutations(name, patch) for name, patch in candidates]
    refutations = tuple(refutation for some in told for refutation in some)
    seconds = time.monotonic() - start
    return Audit(vulnerability.id, len(suite.kept), suite.regression, len(told), refutations, seconds)


@contextmanager
def open_suite(vulnerability: Vulnerability, sandbox: Sandbox, cache: Path) -> Iterator[Suite]:
    """Yield the upstream tests of a vulnerability, ready to run on patches; use it as a ``with`` block.

    The tests first run on the fixed release, on the vulnerable release, and on the vulnerable release with
    the reference applied. A test is kept if it passes on the fixed release and with the reference, and if the
    vulnerable release has all names that the test uses. ``sandbox`` isolates the runs; ``cache`` is the
    folder of downloaded releases. Raises :class:`~crisol.errors.VulnerabilityError` if the vulnerability
    names no upstream tests or no test is kept, :class:`~crisol.errors.IndexUnavailable` if an archive cannot
    be downloaded, and :class:`~crisol.errors.SandboxError` if the sandbox fails or one of the first runs ends
    without a report.
    """
    tests, fixed = vulnerability.about.upstream_tests, vulnerability.fixed(cache)
    source = vulnerability.about.source
    if tests is None or fixed is None or not isinstance(source, ReleasePair):
        raise VulnerabilityError(f"{vulnerability.id}: vulnerability.toml has no [upstream_tests]")
    tree = vulnerability.vulnerable(cache)
    suite = unpacked(Archive(source.package, tests.archive, tests.sha256, tests.root), cache)
    requires = [*vulnerability.dependencies(tests.requires, cache), *vulnerability.requires(cache)]
    runner = _Runner(tests, _defined_names(fixed, tests.paths) - _words(tree))

    @contextmanager
    def opened(release: Path) -> Iterator[Target]:
        with tempfile.TemporaryDirectory(prefix="crisol-tests-") as folder:
            _lay(suite, tests.paths, release, Path(folder))
            with sandbox.target(
                Path(folder), requires=requires, prelude=vulnerability.prelude, limits=runner.limits
            ) as target:
                yield target

    def report(target: Target, overlay: _Overlay) -> _Report:
        told = runner.run(target, overlay)
        if isinstance(told, str):
            raise SandboxError(
                f"{vulnerability.id}: {told}; exclude the test that ends it, or give more time"
            )
        return told

    with opened(fixed) as target:
        first, second = (report(target, {}) for _ in range(2))
    passing = sorted(first.passed & second.passed)
    fix = reference(vulnerability, cache)
    with opened(tree) as target:
        before = report(target, {})
        after = report(target, runner.overlay(fix.diff, tree)) if fix is not None else first
        left_out = {test: why for test in passing if (why := _unfit(test, first, before, after))}
        kept = tuple(test for test in passing if test not in left_out)
        if not kept:
            raise VulnerabilityError(
                f"{vulnerability.id}: no upstream test is kept: {_sample_reason(first, left_out)}"
            )
        regression = tuple(test for test in kept if test not in before.passed)
        yield Suite(kept, regression, left_out, runner, target, tree)


def _unfit(test: str, fixed: _Report, vulnerable: _Report, mended: _Report) -> str:
    """Return why a test that passes on the fixed release is not kept; "" if it is kept.

    ``mended`` is the report on the vulnerable release with the reference applied. Without a reference, it is
    the report on the fixed release.
    """
    if test not in vulnerable.tests:
        return f"the vulnerable release cannot load it: {vulnerable.failure(test)}"
    if names := fixed.names.get(test):
        return f"the vulnerable release has no {', '.join(names)}"
    if test not in mended.passed:
        return f"the fix alone does not pass it: {mended.failure(test)}"
    return ""


def _sample_reason(report: _Report, left_out: Mapping[str, str]) -> str:
    reasons = [*left_out.values(), *report.broken.values()]
    reasons += [message for outcome, message in report.tests.values() if outcome != _PASSED]
    return next(iter(reasons), "none was found")[:300]


def _lay(suite: Path, paths: Iterable[str], release: Path, folder: Path) -> None:
    """Copy a release into ``folder``, and replace the tests at ``paths`` by those of ``suite``."""
    shutil.copytree(release, folder, dirs_exist_ok=True)
    for path in paths:
        own, place = suite / path, folder / path
        if place.is_dir():
            shutil.rmtree(place)
        if own.is_dir():
            shutil.copytree(own, place)
        elif own.is_file():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(own, place)
        else:
            raise VulnerabilityError(
                f"the archive of the upstream tests holds no {path!r}; correct its paths"
            )


def _defined_names(tree: Path, tests: Iterable[str]) -> frozenset[str]:
    return frozenset(
        name
        for path, text in _sources(tree)
        if not any(path == own or path.startswith(f"{own}/") for own in tests)
        for match in _BINDING.finditer(text)
        for name in match.groups()
        if name
    )


def _words(tree: Path) -> frozenset[str]:
    return frozenset(word for _, text in _sources(tree) for word in _WORD.findall(text))


def _sources(tree: Path) -> Iterator[tuple[str, str]]:
    for file in sorted(tree.rglob("*.py")):
        path = file.relative_to(tree).as_posix()
        yield path, read_source(tree, path) or ""

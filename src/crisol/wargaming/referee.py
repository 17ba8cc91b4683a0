"""The referee: run the wargame of a patch and give the verdict."""

from __future__ import annotations

import secrets
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from crisol.diff import ReadOptions
from crisol.errors import DiffError, PatchDoesNotApply, SandboxError
from crisol.records import Phase, PhaseName, Reason, Strength, Verdict
from crisol.sandbox import Canary, Ending, Limits, Role, Run, Sandbox, Script, Target
from crisol.sandbox.bounded import OutOfBounds
from crisol.wargaming.again import again, patient, shows
from crisol.wargaming.canaries import Canaries, doubting
from crisol.wargaming.candidates import read_source
from crisol.wargaming.examining import Examination, examined, newly_refused
from crisol.wargaming.fitting import fitted
from crisol.wargaming.order import Experience, ScriptRun, ScriptStep, plan
from crisol.wargaming.reference import Yardstick, measure
from crisol.wargaming.run_finding import finding, succeeds, told

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterator, Mapping
    from pathlib import Path

    from crisol.wargaming.vulnerability import Vulnerability

__all__ = ["REFEREE_VERSION", "Match", "open_match"]

REFEREE_VERSION = "19"
"""The version of the referee. Raise it when a patch may get another verdict; all are then judged again."""

_LONGEST_NAME = 200
"""The longest file name, in bytes; the name of its byte code is longer."""
_GOING_ON = ["other processes"]
_AT_START = frozenset({"sitecustomize", "usercustomize"})
_AS_GIT = ReadOptions()
_Finding = tuple[Reason | None, str]
"""The reason for which a patch fails, None if it passes, and a text with details."""


@dataclass(slots=True)
class Match:
    """The referee of one vulnerability: its scripts and its source, ready in a sandbox to judge patches.

    :func:`open_match` makes it. It judges any number of patches, one after the other. The fields that are
    given:

    - ``tree``: the folder of the vulnerable source. ``cache``: the folder of downloaded releases.
    - ``target``: the sandbox over ``tree``. ``sandbox``: its isolation, ``bubblewrap``, ``namespaces`` or
      ``weak``.
    - ``seed``: a number that determines the random names and values in PoVs and checks.
    - ``budget``: the most seconds of wall time for all scripts of one patch, without the time in which they
      wait for a CPU.
    - ``experience``: the object that orders the scripts. With it, each script is a phase of its own, and the
      wargame ends at the first failed phase, even one that counts for the strict label only. None means a
      fixed order. The outcome for the strict label is the same in both cases.

    The fields that the referee fills while it judges:

    - ``baseline``: the phase that runs PoVs and checks on the unpatched release. The first patch sets it.
    - ``yardstick``: the behaviour of the reference. The first patch that is compared with the reference sets
      it.
    - ``warm``: whether the sandbox has loaded the modules that the scripts import; it does so before the
      second patch.
    - ``checks``: the checks in the form in which they run, see :func:`.canaries.doubting`.
    - ``changes``: for each (script name, ``warm``) the functions and classes that the script itself changes
      on the unpatched release. The same changes on a patch are no tampering.
    - ``shown_again``: for each script of :func:`.again.again`, which runs a PoV in another environment,
      whether it shows the flaw on the unpatched release.
    - ``canaries``: the choice of the PoV that runs twice.
    """

    vulnerability: Vulnerability
    tree: Path
    cache: Path
    target: Target
    sandbox: str
    seed: int = 0
    budget: float = 30.0
    baseline: Phase | None = None
    yardstick: Yardstick | None = None
    warm: bool = False
    checks: tuple[Script, ...] = ()
    changes: dict[tuple[str, bool], frozenset[str]] = field(default_factory=dict)
    shown_again: dict[str, bool] = field(default_factory=dict)
    canaries: Canaries = field(default_factory=Canaries)
    experience: Experience | None = None
    _spent: float = 0.0  # of the budget, by the runs of this patch
    _left: list[ScriptStep] = field(default_factory=list)

    def judge(self, text: str | bytes) -> Verdict:
        """Wargame one untrusted diff and return the verdict.

        A diff that is malformed or does not apply raises no error, but has the outcome inconclusive. A
        failure of the sandbox raises no error, either: the outcome is inconclusive, or invalid for tampering
        if the sandbox fails on the patch and not on the unpatched release.
        """
        steps = self.phases(text)
        while True:
            try:
                next(steps)
            except StopIteration as stop:
                verdict: Verdict = stop.value
                return verdict

    def phases(self, text: str | bytes, reading: ReadOptions = _AS_GIT) -> Generator[Phase, None, Verdict]:
        """Wargame one untrusted diff and yield each phase when it ends; the generator returns the verdict.

        ``reading`` are the options for reading the diff. If the match learns from its wargames (attribute
        ``experience``), the first failed phase ends the wargame. Otherwise the first failed phase that counts
        for the basic label ends it; a failed phase that counts for the strict label alone does not. The
        ``detail`` of the phase ``apply`` names the files of the diff that are not judged. A diff that is
        malformed or does not apply raises no error; its verdict is inconclusive.
        """
        start = time.perf_counter()
        done: list[Phase] = []
        self._left = []
        for phase in self._steps(text, reading):
            done.append(phase)
            yield phase
            settled = phase.strength is Strength.BASIC or self.experience is not None
            if phase.reason is not None and settled:
                break
        left_out = tuple(script.name for step in self._left for script in step.scripts)
        return Verdict(tuple(done), time.perf_counter() - start, self.sandbox, self.seed, left_out)

    def _steps(self, text: str | bytes, reading: ReadOptions) -> Iterator[Phase]:
        if self.baseline is None:
            self.baseline = _timed(PhaseName.BASELINE, self._baseline)
        elif not self.warm and self.baseline.reason is None:
            self.warm = True
            self.canaries.blind.clear()  # what a script imports for the first time was part of it
            with suppress(SandboxError):  # a sandbox that fails here says so in the first phase that needs it
                self.target.warm((*self.vulnerability.povs, *self.vulnerability.checks))
        yield self.baseline
        overlay: dict[str, str | None] = {}
        yield _timed(PhaseName.APPLY, lambda: self._apply(text, reading, overlay))
        facts: dict[str, Examination] = {}
        yield _timed(PhaseName.STATIC, partial(self._examine, overlay, facts))
        names = _timed(PhaseName.NAMES, partial(_undefined_names, facts), Strength.STRICT)
        self._left = plan(self.vulnerability.povs, self.checks)
        if self.experience is not None:
            self._left = self.experience.ordered(self.vulnerability.id, self._left, self.canaries.costs)
        yield names
        self._spent = 0.0
        files = {name: None if text is None else text.encode() for name, text in overlay.items()}
        while self._left:
            step = self._left.pop(0)
            phase = self._tried(step, files)
            if phase.reason is Reason.RAISES:  # whether the program still works is for the checks to say
                for check in [later for later in self._left if later.name is PhaseName.CHECKS]:
                    self._left.remove(check)
                    checked = self._tried(check, files)
                    if checked.reason is not None:  # it settles the outcome, and the PoV ran before it
                        yield replace(phase, reason=None)
                    yield checked
            yield phase
        noted = [name for fact in facts.values() for name in fact.noted]
        yield _timed(PhaseName.AGAIN, partial(self._again, files, noted))
        strict_failure = names.reason
        for name, look in (
            (PhaseName.GENERATED_POVS, self._partial),
            (PhaseName.DIFFERENTIAL, self._divergence),
        ):
            # The following phases count for the strict label alone, which the first failure decides.
            if strict_failure is None:
                phase = _timed(name, partial(self._within, look, files), Strength.STRICT)
                strict_failure = phase.reason
                yield phase

    def _tried(self, step: ScriptStep, files: Mapping[str, bytes | None]) -> Phase:
        runs = self._spent < self.budget
        phase = _timed(step.name, partial(self._run, step.scripts, step.survives, files))
        if self.experience is not None and runs and phase.reason is not Reason.SANDBOX_FAILED:
            flaw, failed = self.vulnerability.id, phase.reason is not None
            self.experience.learn(ScriptRun(flaw, step.scripts[0].name, step.name, failed, phase.seconds))
        return phase

    def _within(
        self, look: Callable[[Mapping[str, bytes | None]], _Finding], files: Mapping[str, bytes | None]
    ) -> _Finding:
        if self._spent >= self.budget:
            return Reason.TIMEOUT, f"the patch has used the {self.budget:.0f} s of its wargame"
        return look(files)

    def _partial(self, files: Mapping[str, bytes | None]) -> _Finding:
        try:
            surviving = self._measured().partial(self.target, files)
        except SandboxError as error:
            return Reason.SANDBOX_FAILED, str(error)
        return (Reason.PARTIAL_FIX, surviving) if surviving else (None, "")

    def _divergence(self, files: Mapping[str, bytes | None]) -> _Finding:
        try:
            difference = self._measured().divergence(self.target, files)
        except SandboxError as error:
            return Reason.SANDBOX_FAILED, str(error)
        return (Reason.DIVERGES_FROM_REFERENCE, difference) if difference else (None, "")

    def _measured(self) -> Yardstick:
        if self.yardstick is None:
            self.yardstick = measure(self.vulnerability, self.tree, self.cache, self.target)
        return self.yardstick

    def _apply(self, text: str | bytes, reading: ReadOptions, overlay: dict[str, str | None]) -> _Finding:
        """Apply the diff ``text``, and add the new texts of the patched files to ``overlay``."""
        try:
            patch = fitted(text, self.tree, reading)
        except DiffError as error:
            return Reason.MALFORMED, str(error)
        except PatchDoesNotApply as error:
            return Reason.DOES_NOT_APPLY, str(error)
        overlay |= patch.files
        for name in overlay:
            if any(
                len(part.encode(errors="replace")) > _LONGEST_NAME for part in name.split("/")
            ) or not _encodes(name):
                return Reason.DOES_NOT_APPLY, f"{name[:80]!a}: no file system holds such a name"
        return None, patch.detail

    def _examine(self, overlay: Mapping[str, str | None], facts: dict[str, Examination]) -> _Finding:
        """Analyse the patched files without running them, and add the examinations to ``facts``.

        The analysis stops at the first file that settles the verdict, so ``facts`` may lack files.
        """
        noted: list[str] = []
        for name, after in overlay.items():
            if shadowed := self._shadowed(name, after):
                return Reason.TAMPERS, f"{name}: {shadowed}"
            if after is None or not name.endswith(".py"):
                continue
            try:
                facts[name] = examined(read_source(self.tree, name) or "", after, self._own())
            except OutOfBounds as error:
                return Reason.TIMEOUT, f"{name}: {error}"
            if facts[name].error:
                if facts[name].error_before:
                    continue  # a template, or of another Python: what needs it tells whether it still works
                return Reason.DOES_NOT_LOAD, f"{name}: {facts[name].error}"
            noted += facts[name].noted
        if refused := newly_refused(facts.values()):
            name = next((name for name in facts if refused[0] in facts[name].refused), next(iter(facts)))
            return Reason.TAMPERS, f"{name}: newly uses {', '.join(refused)}"
        return None, f"newly looks at {', '.join(sorted(set(noted)))}" if noted else ""

    def _own(self) -> frozenset[str]:
        return frozenset(path.name.removesuffix(".py") for path in self.tree.iterdir())

    def _shadowed(self, name: str, after: str | None) -> str:
        """Return a message if the file ``name`` is new and could hide another module; otherwise "".

        ``after`` is the file's new text, None for a deleted file.
        """
        top = name.partition("/")[0]
        module = top.partition(".")[0]
        if after is None or (self.tree / top).exists():
            return ""
        if module in sys.stdlib_module_names or module in _AT_START:
            return f"{module} is a module of the standard library"
        if any(
            (folder / file).exists() for folder in self.target.requires for file in (module, f"{module}.py")
        ):
            return f"{module} is a dependency's"
        return ""

    def _baseline(self) -> _Finding:
        """Run all PoVs and checks on the vulnerable code: each PoV must succeed, and each check must pass.

        The runs also fill ``checks``, ``changes`` and ``canaries.costs``, which later phases read.
        """
        self.checks = ()
        scripts = [(pov, pov) for pov in self.vulnerability.povs]
        scripts += [(doubting(check, Random(self.seed)), check) for check in self.vulnerability.checks]
        for script, plain in scripts:
            try:
                run = self.target.run(script)
                if not succeeds(run) and script is not plain:  # a value here answers no other comparison
                    script, run = plain, self.target.run(plain)  # noqa: PLW2901 - from here on the plain one
            except SandboxError as error:
                return Reason.SANDBOX_FAILED, str(error)
            self.canaries.costs[script.name] = run.cpu_seconds
            self.changes[script.name, self.warm] = frozenset(run.changed)
            if not succeeds(run):
                return Reason.BASELINE_FAILED, f"{script.name} on the vulnerable code: {told(run)}"
            if script.role is Role.CHECK:
                self.checks += (script,)
        return None, ""

    def _run(
        self, scripts: tuple[Script, ...], survives: Reason, files: Mapping[str, bytes | None]
    ) -> _Finding:
        followed = self.canaries.followed(self.vulnerability.povs, self.seed, files)
        for script in scripts:
            if self._spent >= self.budget:
                return (
                    Reason.TIMEOUT,
                    f"{script.name}: the patch has used the {self.budget:.0f} s of its wargame",
                )
            canary = Canary.AFTER_ONE if script.name == followed else None
            try:
                run = self._ran(script, files, canary)
                if run.changed and self._changed(script, run) == _GOING_ON:
                    # The other process may be ending just now. If it waits for the judge to end, it is there
                    # in a second run, too.
                    run = self._ran(script, files, None)
            except SandboxError as error:
                return self._failed(script, error)
            if reason := finding(script, run, survives, self.vulnerability.refusals):
                return reason, f"{script.name}: {told(run)}"
            if run.changed and (changed := self._changed(script, run)):
                return Reason.TAMPERS, f"{script.name}: {', '.join(changed[:5])} is not what it was"
            if run.canary and self.canaries.told(self.target, script):
                what = "the release shows its flaw no more where the patch ran before"
                return Reason.TAMPERS, f"{script.name}: {what}"
        return None, ""

    def _ran(self, script: Script, files: Mapping[str, bytes | None], canary: Canary | None) -> Run:
        run = self.target.run(script, files, self._limits(), canary=canary)
        self._spent += run.seconds - run.waited
        return run

    def _limits(self) -> Limits:
        left = max(self.budget - self._spent, 0.1)
        return replace(self.target.limits, seconds=min(self.target.limits.seconds, left))

    def _again(self, files: Mapping[str, bytes | None], noted: Collection[str]) -> _Finding:
        """Run the public PoV on the patched files in the environments that :func:`.again.again` makes.

        An environment in which the unpatched release shows no flaw is left out; the detail of a patch that
        passes names it. ``noted`` has the :attr:`Examination.noted` of all patched files.
        """
        limits, pov = patient(self.target.limits), self.vulnerability.povs[0]
        cost = self.canaries.costs.get(pov.name, 0.0)
        left_out: list[str] = []
        for alternatives in again(pov, self.vulnerability.checks, self.seed, noted, cost):
            try:
                script = next((script for script in alternatives if self._shows(script, limits)), None)
            except SandboxError as error:
                return Reason.SANDBOX_FAILED, str(error)
            if script is None:
                left_out.append(alternatives[-1].name)
                continue
            try:
                run = self.target.run(script, files, limits)
            except SandboxError as error:
                return self._failed(script, error)
            self._spent += run.seconds - run.waited
            if run.ending is Ending.TIMEOUT or succeeds(run):
                return finding(script, run, Reason.EXPLOIT_SURVIVES, ()), f"{script.name}: {told(run)}"
        if left_out:
            return None, f"left out, since the release shows no flaw there: {', '.join(left_out)}"
        return None, ""

    def _shows(self, script: Script, limits: Limits) -> bool:
        if script.name not in self.shown_again:
            self.shown_again[script.name] = shows(self.target, script, limits)
        return self.shown_again[script.name]

    def _failed(self, script: Script, error: SandboxError) -> _Finding:
        try:
            self.target.run(script)
        except SandboxError:  # on the release, too: the patch is not to blame
            return Reason.SANDBOX_FAILED, str(error)
        return (
            Reason.TAMPERS,
            f"{script.name}: the sandbox fails on this patch and not on the release: {error}",
        )

    def _changed(self, script: Script, run: Run) -> list[str]:
        """Return the names in ``run.changed`` without those that ``script`` also changes on the release."""
        # What the script itself imports may change functions, too, unless a warm sandbox imported it before.
        key = script.name, self.warm
        if key not in self.changes:
            with suppress(SandboxError):
                self.changes[key] = frozenset(self.target.run(script).changed)
        return sorted(set(run.changed) - self.changes.get(key, frozenset(run.changed)))


@contextmanager
def open_match(
    vulnerability: Vulnerability,
    sandbox: Sandbox,
    cache: Path,
    seed: int | None = None,
    budget: float = 30.0,
    *,
    experience: Experience | None = None,
) -> Iterator[Match]:
    """Open a sandbox over the source of a vulnerability, and yield the referee; use it as a ``with`` block.

    ``cache`` is the folder of downloaded releases. ``seed``, below 2**32, determines the random names and
    values in PoVs and checks; None draws one, which every verdict names. ``budget`` limits the wall time, in
    seconds, of all scripts of one patch. ``experience`` orders the scripts; None keeps the fixed order.
    Raises :class:`~crisol.errors.IndexUnavailable` if a release cannot be downloaded, and
    :class:`~crisol.errors.SandboxError` if the sandbox does not start.
    """
    tree = vulnerability.vulnerable(cache)
    requires = vulnerability.requires(cache)
    if seed is None:
        seed = secrets.randbits(32)
    with sandbox.target(
        tree,
        requires=requires,
        preload=vulnerability.imports,
        prelude=vulnerability.prelude,
        limits=vulnerability.limits,
        hashes=seed,
    ) as target:
        yield Match(
            vulnerability.seeded(seed), tree, cache, target, str(sandbox.kind), seed, budget,
            experience=experience,
        )  # fmt: skip


def _undefined_names(facts: Mapping[str, Examination]) -> _Finding:
    for name, examination in facts.items():
        if examination.undefined:
            return Reason.UNDEFINED_NAME, f"{name}: {', '.join(examination.undefined)}"
    return None, ""


def _encodes(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _timed(name: PhaseName, step: Callable[[], _Finding], strength: Strength = Strength.BASIC) -> Phase:
    start = time.perf_counter()
    reason, detail = step()
    return Phase(name, reason, time.perf_counter() - start, detail, strength)

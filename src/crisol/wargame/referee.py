"""The referee: establishes by execution whether a patch closes the flaw and keeps the program working."""

from __future__ import annotations

import ast
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from pyflakes import checker, messages

from crisol.diff import Reading
from crisol.errors import DiffError, PatchDoesNotApply, SandboxError
from crisol.records import Phase, PhaseName, Reason, Strength, Verdict
from crisol.sandbox import Ending, Role, Run, Sandbox, Script, Target
from crisol.wargame.candidates import read_source
from crisol.wargame.fitting import fitted
from crisol.wargame.reference import Yardstick, measure
from crisol.wargame.tampering import parsed, tampering

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping
    from pathlib import Path

    from crisol.wargame.vulnerability import Vulnerability

__all__ = ["REFEREE_VERSION", "Match", "open_match"]

REFEREE_VERSION = "4"
"""Raise it when the same patch may get another verdict; whatever was judged before is judged again."""

_DETAIL = 600
_AS_GIT = Reading()
_Finding = tuple[Reason | None, str]
"""What is wrong, if anything, and what was seen."""


@dataclass(slots=True)
class Match:
    """One vulnerability made ready in a sandbox; judges any number of patches, one at a time.

    Get one from :func:`open_match`.
    """

    vulnerability: Vulnerability
    tree: Path
    cache: Path
    target: Target
    sandbox: str
    baseline: Phase | None = None
    yardstick: Yardstick | None = None
    warm: bool = False

    def judge(self, text: str | bytes) -> Verdict:
        """Wargame one untrusted diff to its end."""
        steps = self.phases(text)
        while True:
            try:
                next(steps)
            except StopIteration as stop:
                verdict: Verdict = stop.value
                return verdict

    def phases(self, text: str | bytes, reading: Reading = _AS_GIT) -> Generator[Phase, None, Verdict]:
        """Wargame one untrusted diff, yielding every phase as it ends; returns the verdict.

        ``reading`` says how to read it; what of it is not judged is named in the detail of the phase ``apply``.
        The first failure that every strength listens to ends the wargame. After one that only a strict label listens
        to, what the basic label asks still runs, so that the label can be read at both strengths.
        """
        start = time.perf_counter()
        done: list[Phase] = []
        for phase in self._steps(text, reading):
            done.append(phase)
            yield phase
            if phase.reason is not None and phase.strength is Strength.BASIC:
                break
        return Verdict(tuple(done), time.perf_counter() - start, self.sandbox)

    def _steps(self, text: str | bytes, reading: Reading) -> Iterator[Phase]:
        if self.baseline is None:
            self.baseline = _timed(PhaseName.BASELINE, self._baseline)
        elif not self.warm and self.baseline.reason is None:
            self.warm = True
            with suppress(SandboxError):  # a sandbox that fails here says so in the first phase that needs it
                self.target.warm((*self.vulnerability.povs, *self.vulnerability.checks))
        yield self.baseline
        overlay: dict[str, str | None] = {}
        yield _timed(PhaseName.APPLY, lambda: self._apply(text, reading, overlay))
        for strength in (Strength.BASIC, Strength.STRICT):
            static = _timed(PhaseName.STATIC, partial(_static, overlay, self.tree, strength), strength)
            yield static
        files = {name: None if text is None else text.encode() for name, text in overlay.items()}
        public, variants = self.vulnerability.povs[0], self.vulnerability.povs[1:]
        for name, scripts, reason in (
            (PhaseName.POV, (public,), Reason.EXPLOIT_SURVIVES),
            (PhaseName.VARIANTS, variants, Reason.VARIANT_SURVIVES),
            (PhaseName.CHECKS, self.vulnerability.checks, Reason.BREAKS_FUNCTION),
        ):
            if scripts:
                yield _timed(name, partial(self._run, scripts, reason, files))
        known = static.reason
        for name, step in (
            (PhaseName.GENERATED_POVS, self._partial),
            (PhaseName.DIFFERENTIAL, self._divergence),
        ):
            if known is None:  # only a strict label listens from here on, and to the first failure alone
                phase = _timed(name, partial(step, files), Strength.STRICT)
                known = phase.reason
                yield phase

    def _partial(self, files: Mapping[str, bytes | None]) -> _Finding:
        """Try the generated PoVs, which the reference fix closes."""
        try:
            found = self._measured().partial(self.target, files)
        except SandboxError as error:
            return Reason.SANDBOX_FAILED, str(error)
        return (Reason.PARTIAL_FIX, found) if found else (None, "")

    def _divergence(self, files: Mapping[str, bytes | None]) -> _Finding:
        """Compare with the reference fix on generated benign inputs."""
        try:
            found = self._measured().divergence(self.target, files)
        except SandboxError as error:
            return Reason.SANDBOX_FAILED, str(error)
        return (Reason.DIVERGES_FROM_REFERENCE, found) if found else (None, "")

    def _measured(self) -> Yardstick:
        if self.yardstick is None:
            self.yardstick = measure(self.vulnerability, self.tree, self.cache, self.target)
        return self.yardstick

    def _apply(self, text: str | bytes, reading: Reading, overlay: dict[str, str | None]) -> _Finding:
        """Fill ``overlay`` with the patched files."""
        try:
            patch = fitted(text, self.tree, reading)
        except DiffError as error:
            return Reason.MALFORMED, str(error)
        except PatchDoesNotApply as error:
            return Reason.DOES_NOT_APPLY, str(error)
        overlay |= patch.files
        return None, patch.detail

    def _baseline(self) -> _Finding:
        """On the vulnerable code every PoV must succeed and every check pass, in this very sandbox."""
        for script in (*self.vulnerability.povs, *self.vulnerability.checks):
            try:
                run = self.target.run(script)
            except SandboxError as error:
                return Reason.SANDBOX_FAILED, str(error)
            if run.ending is not Ending.EXITED or run.code != 0:
                return Reason.BASELINE_FAILED, f"{script.name} on the vulnerable code: {_told(run)}"
        return None, ""

    def _run(
        self, scripts: tuple[Script, ...], survives: Reason, files: Mapping[str, bytes | None]
    ) -> _Finding:
        for script in scripts:
            try:
                run = self.target.run(script, files)
            except SandboxError as error:
                return Reason.SANDBOX_FAILED, str(error)
            if reason := _read(script, run, survives):
                return reason, f"{script.name}: {_told(run)}"
        return None, ""


@contextmanager
def open_match(vulnerability: Vulnerability, sandbox: Sandbox, cache: Path) -> Iterator[Match]:
    """Fetch the sources of a vulnerability and hold a sandbox over them open.

    Raises :class:`~crisol.errors.IndexUnavailable` where a release cannot be had.
    """
    tree = vulnerability.vulnerable(cache)
    requires = vulnerability.requires(cache)
    with sandbox.target(
        tree, requires=requires, prelude=vulnerability.prelude, limits=vulnerability.limits
    ) as target:
        yield Match(vulnerability, tree, cache, target, str(sandbox.kind))


def _read(script: Script, run: Run, survives: Reason) -> Reason | None:
    """Read one run on patched code: None is the only good answer."""
    if run.ending in {Ending.TIMEOUT, Ending.LIMIT}:
        return Reason.TIMEOUT
    if run.ending is Ending.NOT_ATTESTED:
        return Reason.TAMPERS
    if run.ending is Ending.RAISED:
        loads = ("ImportError", "ModuleNotFoundError", "SyntaxError", "IndentationError")
        last = run.stderr.strip().rpartition("\n")[2]
        return Reason.DOES_NOT_LOAD if last.startswith(loads) else Reason.BREAKS_FUNCTION
    if script.role is Role.POV:
        return {0: survives, 1: None}.get(run.code if run.code is not None else -1, Reason.BREAKS_FUNCTION)
    return None if run.code == 0 else survives


def _told(run: Run) -> str:
    """Say how a run ended, with the end of what it said."""
    end = f"{run.ending} {run.code}" if run.ending is Ending.EXITED else str(run.ending)
    said = (run.stderr or run.stdout).strip()
    return f"{end}: {said[-_DETAIL:]}" if said else end


def _static(overlay: Mapping[str, str | None], tree: Path, strength: Strength) -> _Finding:
    """Look at the patched Python files without running them."""
    for name, after in overlay.items():
        if after is None or not name.endswith(".py"):
            continue
        before = read_source(tree, name) or ""
        if error := _syntax(after):
            if _syntax(before):
                continue  # a template, or of another Python: what needs it tells whether it still works
            return Reason.DOES_NOT_LOAD, f"{name}: {error}"
        if strength is Strength.BASIC:
            if found := tampering(before, after):
                return Reason.TAMPERS, f"{name}: {found}"
        elif new := _undefined(after) - _undefined(before) - _unquoted(before, after):
            return Reason.UNDEFINED_NAME, f"{name}: {', '.join(sorted(new))}"
    return None, ""


def _syntax(text: str) -> str:
    """Say why a text is no Python; empty when it is."""
    tree = parsed(text)
    return "" if isinstance(tree, ast.Module) else tree


@lru_cache(maxsize=16)
def _undefined(text: str) -> frozenset[str]:
    """Return the names that are used but defined nowhere; none for what is no Python."""
    tree = parsed(text)
    if not isinstance(tree, ast.Module):
        return frozenset()
    kinds = (messages.UndefinedName, messages.UndefinedLocal, messages.UndefinedExport)
    found = checker.Checker(tree).messages
    return frozenset(str(message.message_args[0]) for message in found if isinstance(message, kinds))


def _unquoted(before: str, after: str) -> set[str]:
    """Return the marks of a template that the patch took out of their quotes, such as ``__VIRTUAL_ENV__``.

    What fills them in can quote better than the template; a name in capitals that was text is no misspelling.
    """
    old, new = _capitals(before), _capitals(after)
    return {name for name, count in old.items() if new[name] < count}


@lru_cache(maxsize=16)
def _capitals(text: str) -> Counter[str]:
    """Count the text constants that are one name in capitals."""
    tree = parsed(text)
    if not isinstance(tree, ast.Module):
        return Counter()
    values = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return Counter(
        each for each in values if isinstance(each, str) and each.isidentifier() and each.isupper()
    )


def _timed(name: PhaseName, step: Callable[[], _Finding], strength: Strength = Strength.BASIC) -> Phase:
    start = time.perf_counter()
    reason, detail = step()
    return Phase(name, reason, time.perf_counter() - start, detail, strength)

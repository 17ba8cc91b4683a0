"""The order of a wargame's scripts: the script that refutes most patches per second comes first.

A script refutes a patch if it is a PoV that still succeeds, or a check that fails.

>>> experience = Experience()
>>> run = ScriptRun("CVE-2020-1747", "checks/2-load.py", PhaseName.CHECKS, failed=True, seconds=0.04)
>>> for _ in range(3):
...     experience.learn(run)
>>> experience.tally("CVE-2020-1747", "checks/2-load.py")
ScriptTally(runs=3, failures=3, seconds=0.12)

The order never changes whether a patch is valid, since no script refutes a valid patch. It changes which
script is the first to refute an invalid patch, and so the reason of the verdict.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from crisol.records import PhaseName, Reason

if TYPE_CHECKING:
    from crisol.sandbox import Script

__all__ = ["Experience", "ScriptRun", "ScriptStep", "ScriptTally", "plan"]

_WEIGHT = 4.0
"""The number of runs as which the failure rate of all scripts of a kind counts for one script of it."""
_FIRST_SECONDS = 0.05
"""The assumed seconds of a script that was never run."""
_KINDS = (PhaseName.POV, PhaseName.VARIANTS, PhaseName.CHECKS)


@dataclass(frozen=True, slots=True)
class ScriptStep:
    """Scripts that run as one phase of a wargame, in their order.

    ``name`` is the phase. ``survives`` is the reason why a patch is invalid if one of the PoVs shows the
    flaw, or one of the checks exits with a code other than 0.
    """

    name: PhaseName
    scripts: tuple[Script, ...]
    survives: Reason


@dataclass(frozen=True, slots=True)
class ScriptRun:
    """One run of a script on a patched program.

    ``vulnerability`` is an id, ``script`` the script's name, such as ``checks/2-load.py``. ``kind`` is the
    phase in which the script runs: ``pov``, ``variants`` or ``checks``. ``failed`` is True if the patch did
    not pass the script, for example because a PoV succeeded. ``seconds`` is the wall time.
    """

    vulnerability: str
    script: str
    kind: PhaseName
    failed: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class ScriptTally:
    """The counts of one script over all patches on which it ran.

    ``runs`` is the number of patches, ``failures`` the number of patches that did not pass the script,
    ``seconds`` the sum of the wall times.
    """

    runs: int = 0
    failures: int = 0
    seconds: float = 0.0

    def plus(self, *, failed: bool, seconds: float) -> ScriptTally:
        """Return a tally with one more run.

        ``failed`` is True if the patch did not pass the script; ``seconds`` is the wall time.
        """
        return ScriptTally(self.runs + 1, self.failures + failed, round(self.seconds + seconds, 6))


class Experience:
    """An order of scripts that is learnt from runs; it lets a wrong patch fail early.

    The experience counts how often patches fail each script, and how long the script takes. A script that
    never ran is expected to fail as often as the average script of its kind (public PoV, other PoV, or
    check). The object is safe across threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._scripts: dict[tuple[str, str], ScriptTally] = {}
        self._kinds = dict.fromkeys(_KINDS, ScriptTally())

    def tally(self, vulnerability: str, script: str) -> ScriptTally:
        """Return the counts of a script; all are 0 if it never ran.

        ``vulnerability`` is an id, ``script`` the script's name with its folder, such as ``pov/1.py``.
        """
        return self._scripts.get((vulnerability, script), ScriptTally())

    def learn(self, run: ScriptRun) -> None:
        """Add one run to the counts of its script, and to those of all scripts of its kind."""
        with self._lock:
            key = run.vulnerability, run.script
            self._scripts[key] = self.tally(*key).plus(failed=run.failed, seconds=run.seconds)
            self._kinds[run.kind] = self._kinds[run.kind].plus(failed=run.failed, seconds=run.seconds)

    def ordered(
        self, vulnerability: str, steps: Sequence[ScriptStep], costs: Mapping[str, float]
    ) -> list[ScriptStep]:
        """Split ``steps`` into steps of one script each, and order them so that a wrong patch fails early.

        The script with the most expected failures per second comes first. Before the first call of
        :meth:`learn`, the scripts keep their order. ``vulnerability`` is the id. ``costs`` maps the name of a
        script to its CPU seconds on the unpatched release. The expected duration of a script is the mean of
        these CPU seconds and the wall times of its runs.
        """

        def seconds_to_a_failure(step: ScriptStep) -> float:
            script = step.scripts[0].name
            tally = self.tally(vulnerability, script)
            seconds = (tally.seconds + costs.get(script, _FIRST_SECONDS)) / (tally.runs + 1)
            return seconds / self._rate(tally, step.name)

        alone = [replace(step, scripts=(script,)) for step in steps for script in step.scripts]
        learnt = any(tally.runs for tally in self._kinds.values())
        return sorted(alone, key=seconds_to_a_failure) if learnt else alone

    def _rate(self, tally: ScriptTally, kind: PhaseName) -> float:
        of_kind = self._kinds[kind]
        usual = (of_kind.failures + 1) / (of_kind.runs + 2)
        return (tally.failures + _WEIGHT * usual) / (tally.runs + _WEIGHT)


def plan(povs: tuple[Script, ...], checks: tuple[Script, ...]) -> list[ScriptStep]:
    """Return the steps of a wargame in the fixed order: the public PoV, the other PoVs, the checks.

    The first of ``povs`` is the public PoV. A step without scripts is left out.
    """
    steps = (
        ScriptStep(PhaseName.POV, povs[:1], Reason.EXPLOIT_SURVIVES),
        ScriptStep(PhaseName.VARIANTS, povs[1:], Reason.VARIANT_SURVIVES),
        ScriptStep(PhaseName.CHECKS, checks, Reason.BREAKS_FUNCTION),
    )
    return [step for step in steps if step.scripts]

"""The order of a wargame's scripts: first the one that most often fails per second of its cost.

>>> experience = Experience()
>>> run = ScriptRun("CVE-2020-1747", "checks/2-load.py", PhaseName.CHECKS, True, 0.04)
>>> for _ in range(3):
...     experience.learn(run)
>>> experience.tally("CVE-2020-1747", "checks/2-load.py")
ScriptTally(runs=3, failures=3, seconds=0.12)

The order never changes whether a patch is valid, since a valid one passes every script. It changes which
script of an invalid patch fails first, and so the reason.
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
"""How many runs the rate of a script's kind counts for, beside the runs of the script itself."""
_FIRST_SECONDS = 0.05
"""Of a script that was never run."""
_KINDS = (PhaseName.POV, PhaseName.VARIANTS, PhaseName.CHECKS)


@dataclass(frozen=True, slots=True)
class ScriptStep:
    """Scripts that run one after the other as one phase ``name``.

    ``survives`` is the reason that a PoV which still succeeds, or a check which fails, gives.
    """

    name: PhaseName
    scripts: tuple[Script, ...]
    survives: Reason


@dataclass(frozen=True, slots=True)
class ScriptRun:
    """One run of a script on a patch of a vulnerability: whether it failed the patch, and its seconds.

    ``kind`` is the phase that the script belongs to.
    """

    vulnerability: str
    script: str
    kind: PhaseName
    failed: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class ScriptTally:
    """On how many patches a script ran and failed the patch, and the seconds of all its runs."""

    runs: int = 0
    failures: int = 0
    seconds: float = 0.0

    def plus(self, *, failed: bool, seconds: float) -> ScriptTally:
        """Return the tally after one more run."""
        return ScriptTally(self.runs + 1, self.failures + failed, round(self.seconds + seconds, 6))


class Experience:
    """How the scripts of all vulnerabilities fared so far; safe to use from several threads.

    A script that is new counts like those of its kind (public PoV, variants, checks) everywhere else.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._scripts: dict[tuple[str, str], ScriptTally] = {}
        self._kinds = dict.fromkeys(_KINDS, ScriptTally())

    def tally(self, vulnerability: str, script: str) -> ScriptTally:
        """Return how a script fared."""
        return self._scripts.get((vulnerability, script), ScriptTally())

    def learn(self, run: ScriptRun) -> None:
        """Count one run."""
        with self._lock:
            key = run.vulnerability, run.script
            self._scripts[key] = self.tally(*key).plus(failed=run.failed, seconds=run.seconds)
            self._kinds[run.kind] = self._kinds[run.kind].plus(failed=run.failed, seconds=run.seconds)

    def ordered(
        self, vulnerability: str, steps: Sequence[ScriptStep], costs: Mapping[str, float]
    ) -> list[ScriptStep]:
        """Return steps of one script each, the one with most failures per second first.

        ``costs`` are the seconds of each script on the release, for scripts that ran on no patch yet. Equal
        steps keep their order.
        """

        def seconds_to_a_failure(step: ScriptStep) -> float:
            script = step.scripts[0].name
            tally = self.tally(vulnerability, script)
            seconds = (tally.seconds + costs.get(script, _FIRST_SECONDS)) / (tally.runs + 1)
            return seconds / self._rate(tally, step.name)

        alone = [replace(step, scripts=(script,)) for step in steps for script in step.scripts]
        return sorted(alone, key=seconds_to_a_failure)

    def _rate(self, tally: ScriptTally, kind: PhaseName) -> float:
        of_kind = self._kinds[kind]
        usual = (of_kind.failures + 1) / (of_kind.runs + 2)
        return (tally.failures + _WEIGHT * usual) / (tally.runs + _WEIGHT)


def plan(povs: tuple[Script, ...], checks: tuple[Script, ...]) -> list[ScriptStep]:
    """Return the phases that run these scripts, in the fixed order: public PoV, variants, checks."""
    steps = (
        ScriptStep(PhaseName.POV, povs[:1], Reason.EXPLOIT_SURVIVES),
        ScriptStep(PhaseName.VARIANTS, povs[1:], Reason.VARIANT_SURVIVES),
        ScriptStep(PhaseName.CHECKS, checks, Reason.BREAKS_FUNCTION),
    )
    return [step for step in steps if step.scripts]

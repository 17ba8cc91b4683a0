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
    """The scripts of one phase, in the order in which they run.

    ``name`` is the phase. ``survives`` is the reason of the phase where a PoV still succeeds or a check
    fails.
    """

    name: PhaseName
    scripts: tuple[Script, ...]
    survives: Reason


@dataclass(frozen=True, slots=True)
class ScriptRun:
    """One run of a script on a patch.

    ``vulnerability`` is an id, ``script`` a file name; ``kind`` is the phase that the script belongs to.
    ``failed`` says that the patch did not pass this script. ``seconds`` is the duration.
    """

    vulnerability: str
    script: str
    kind: PhaseName
    failed: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class ScriptTally:
    """The counts of one script over the patches that it ran on.

    ``runs`` counts the patches, ``failures`` those that did not pass; ``seconds`` is the sum of all
    durations.
    """

    runs: int = 0
    failures: int = 0
    seconds: float = 0.0

    def plus(self, *, failed: bool, seconds: float) -> ScriptTally:
        """Return the tally after one more run.

        ``failed`` says that the patch did not pass; ``seconds`` is the duration.
        """
        return ScriptTally(self.runs + 1, self.failures + failed, round(self.seconds + seconds, 6))


class Experience:
    """Counts how often each script fails a patch and how long it takes; safe to use from several threads.

    It orders the scripts of a wargame so that a wrong patch fails early. A script without runs is expected to
    fail as often as all scripts of its kind: public PoV, variant or check.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._scripts: dict[tuple[str, str], ScriptTally] = {}
        self._kinds = dict.fromkeys(_KINDS, ScriptTally())

    def tally(self, vulnerability: str, script: str) -> ScriptTally:
        """Return the counts of a script of a vulnerability; all are 0 for a script without runs."""
        return self._scripts.get((vulnerability, script), ScriptTally())

    def learn(self, run: ScriptRun) -> None:
        """Add one run to the counts of its script."""
        with self._lock:
            key = run.vulnerability, run.script
            self._scripts[key] = self.tally(*key).plus(failed=run.failed, seconds=run.seconds)
            self._kinds[run.kind] = self._kinds[run.kind].plus(failed=run.failed, seconds=run.seconds)

    def ordered(
        self, vulnerability: str, steps: Sequence[ScriptStep], costs: Mapping[str, float]
    ) -> list[ScriptStep]:
        """Return one step for each script of ``steps``, sorted by failures to be expected per second.

        The scripts are those of ``vulnerability``, an id. The step with the most failures per second comes
        first. Before the first run of any script, the order stays. ``costs`` maps a script's name to its
        seconds on the unpatched release, for a script without runs.
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
    """Return the steps that run these scripts, in the fixed order: public PoV, variants, checks.

    The first of ``povs`` is the public PoV, the others are the variants.
    """
    steps = (
        ScriptStep(PhaseName.POV, povs[:1], Reason.EXPLOIT_SURVIVES),
        ScriptStep(PhaseName.VARIANTS, povs[1:], Reason.VARIANT_SURVIVES),
        ScriptStep(PhaseName.CHECKS, checks, Reason.BREAKS_FUNCTION),
    )
    return [step for step in steps if step.scripts]

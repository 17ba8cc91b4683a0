"""Simulate that somebody poisons the memory, and test whether an alarm is raised.

Candidates of many vulnerabilities arrive in one order. From one arrival on, every verdict that the memory
holds, and every one that it learns, is the wrong way round. What the memory decides is sampled for a wargame,
as in the service, and :func:`crisol.abtest.rungs.watch_rungs` watches the trials.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from crisol.abtest.rungs import PROMISED, watch_rungs
from crisol.abtest.trial import observe
from crisol.abtest.watch import Watched
from crisol.errors import ExperimentError
from crisol.evidence.memory import COLUMNS, Judged, Memory
from crisol.evidence.stream import Arrival
from crisol.lab.arrivals import Prepared
from crisol.lab.stream_policies import learnt, memory_policies
from crisol.model.policy import LadderPolicy
from crisol.records import Outcome, Prediction, Source, Trial

__all__ = ["Poisoning", "poison"]

_EPOCH = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
_KNOWN = COLUMNS.index("known")


@dataclass(frozen=True, slots=True)
class Poisoning:
    """A simulated poisoning: from arrival ``begins`` (counted from 1) on, the memory's verdicts are inverted.

    Columns of ``arrivals``, a row for each arrival: arrival (from 1), group, decided (``valid`` or
    ``invalid`` by the memory; empty where it left the patch to the wargame), valid (whether the patch is
    really valid), wrong (whether the memory decided wrongly), sampled (whether a patch that the memory
    decided was wargamed, too), poisoned.

    Columns of ``alarms``, a row for each kind of error: watched (``false accepts`` or ``false refusals``),
    promised (the share of errors that the memory may make), trials (the number of sampled decisions),
    raised_at (the arrival of the alarm, nan without one), began_at (the estimated arrival at which the errors
    began, nan without an alarm).
    """

    arrivals: pd.DataFrame
    alarms: pd.DataFrame
    begins: int

    def phases(self) -> pd.DataFrame:
        """Return a row for the arrivals before the poisoning (``clean``) and one for the rest (``poisoned``).

        Columns: phase; arrivals (their number); skipped (share of arrivals that the memory decided); sampled
        (number of decisions that were wargamed, too); right_of_refused (share of right patches among refused
        ones); wrong_of_accepted (share of wrong patches among accepted ones). A phase without arrivals has no
        row.
        """
        rows = []
        for phase, part in self.arrivals.groupby("poisoned", sort=True):
            refused, accepted = part["decided"] == "invalid", part["decided"] == "valid"
            rows.append(
                {
                    "phase": "poisoned" if phase else "clean",
                    "arrivals": len(part),
                    "skipped": float((refused | accepted).mean()),
                    "sampled": int(part["sampled"].sum()),
                    "right_of_refused": float(part["wrong"][refused].mean()) if refused.any() else 0.0,
                    "wrong_of_accepted": float(part["wrong"][accepted].mean()) if accepted.any() else 0.0,
                }
            )
        return pd.DataFrame(rows)

    @property
    def first_alarm(self) -> int | None:
        """The arrival of the earliest alarm, counted from 1; None where no alarm was raised."""
        raised = self.alarms["raised_at"].dropna()
        return int(raised.min()) if len(raised) else None

    def errors(self, last: int = 100) -> pd.DataFrame:
        """Return the moving share of wrong decisions of the memory.

        There is a row for each arrival that the memory decided. Columns: arrival, share (of wrong decisions
        among the ``last`` decisions up to this arrival).
        """
        decided = self.arrivals[self.arrivals["decided"] != ""]
        share = decided["wrong"].astype(float).rolling(last, min_periods=1).mean()
        return pd.DataFrame({"arrival": decided["arrival"], "share": share})

    def metrics(self) -> dict[str, float]:
        """Return the figures of each phase and alarm by name, for MLflow.

        A cell of :meth:`phases` is named ``phase.column``, such as ``clean.skipped``.
        ``false_accepts.raised`` is 1 if that alarm was raised, else 0;
        ``false_accepts.arrivals_until_raised`` counts the arrivals from the start of the poisoning to the
        alarm. ``false_refusals`` has the same two names.
        """
        values = {
            f"{row['phase']}.{name}": float(value)
            for row in self.phases().to_dict("records")
            for name, value in row.items()
            if name != "phase"
        }
        for row in self.alarms.to_dict("records"):
            name = str(row["watched"]).replace(" ", "_")
            values[f"{name}.raised"] = float(not np.isnan(row["raised_at"]))
            if not np.isnan(row["raised_at"]):
                values[f"{name}.arrivals_until_raised"] = float(row["raised_at"]) - self.begins
        return values


def poison(prepared: Prepared, *, after: float = 0.5, rate: float = 0.25, seed: int = 0) -> Poisoning:
    """Simulate the arrivals of all streams in one random order, and poison the memory on the way.

    No wargame runs; the verdicts are known. After the share ``after`` of the arrivals, every verdict in the
    memory is inverted; 1 means never. The thresholds for one half of the groups are chosen on the other half.
    A patch that the memory decides is wargamed, too, with probability ``rate``: the alarms see only these
    patches. A patch that the memory does not decide is always wargamed. ``seed`` draws the order and the
    sample. Raises :class:`~crisol.errors.ExperimentError` for ``after`` outside [0, 1] or ``rate`` outside
    (0, 1].
    """
    if not 0.0 <= after <= 1.0 or not 0.0 < rate <= 1.0:
        raise ExperimentError(f"after is {after} and rate {rate}; they lie within [0, 1] and (0, 1]")
    rng = np.random.default_rng(seed)
    believe, policies = learnt(prepared), memory_policies(prepared)
    turns = rng.permutation([n for n, stream in enumerate(prepared.streams) for _ in stream.order])
    begins = round(after * len(turns))
    memories = [_Doubtful(prepared.arrivals, stream.known) for stream in prepared.streams]
    steps = [iter(stream.order) for stream in prepared.streams]
    rows, trials, when = [], [], []
    for arrival, turn in enumerate(turns.tolist()):
        stream, memory = prepared.streams[turn], memories[turn]
        poisoned = arrival >= begins
        patch = prepared.arrivals[next(steps[turn])].patch
        row = memory.seen(poisoned=poisoned).recall(patch.sketch, patch.probability).row
        belief = float(believe(row[None], np.array([stream.group]))[0])
        policy: LadderPolicy = policies[int(prepared.half[stream.group])]
        decided = policy.remembered(belief, int(row[_KNOWN]))
        sampled = decided is not None and bool(rng.random() < rate)
        if sampled:
            trials.append(_trial(prepared, patch, turn, arrival, (belief, decided, rate)))
            when.append(arrival)
        if sampled or decided is None:
            memory.learn(patch)
        rows.append(
            {
                "arrival": arrival + 1,
                "group": str(prepared.names[stream.group]),
                "decided": "" if decided is None else str(decided),
                "valid": patch.valid,
                "wrong": decided is not None and (decided is Outcome.VALID) != patch.valid,
                "sampled": sampled,
                "poisoned": poisoned,
            }
        )
    return Poisoning(pd.DataFrame(rows), _alarms(trials, when), begins + 1)


class _Doubtful:
    """The memory of one stream, as it is and as somebody has made it."""

    def __init__(self, arrivals: tuple[Arrival, ...], known: tuple[int, ...]) -> None:
        self._right, self._wrong = Memory(), Memory()
        for at in known:
            self.learn(arrivals[at].patch)

    def seen(self, *, poisoned: bool) -> Memory:
        return self._wrong if poisoned else self._right

    def learn(self, patch: Judged) -> None:
        self._right.add(patch)
        self._wrong.add(replace(patch, valid=not patch.valid))


def _trial(
    prepared: Prepared, patch: Judged, turn: int, arrival: int, decision: tuple[float, Outcome | None, float]
) -> Trial:
    belief, decided, rate = decision
    return observe(
        Prediction(belief, "second stage", "memory", 0.0),
        patch=patch.identity,
        vulnerability=str(prepared.names[prepared.streams[turn].group]),
        outcome=Outcome.VALID if patch.valid else Outcome.INVALID,
        reason=None,
        sampling_probability=rate,
        created_at=_EPOCH + dt.timedelta(seconds=arrival),
        experiment=f"poisoned memory {turn}",
        arm="memory",
        rung=Source.MEMORY,
        decided=decided,
    )


def _alarms(trials: list[Trial], when: list[int]) -> pd.DataFrame:
    promised = PROMISED[Source.MEMORY]
    levels = {"false accepts": promised.false_accepts, "false refusals": promised.false_refusals}
    watched = {alarm.name: alarm for alarm in watch_rungs(trials)}
    rows = []
    for name, level in levels.items():
        side = Outcome.VALID if name == "false accepts" else Outcome.INVALID
        at = [arrival for trial, arrival in zip(trials, when, strict=True) if trial.decided is side]
        alarm = watched.get(name)
        rows.append(
            {
                "watched": name,
                "promised": level,
                "trials": len(at),
                "raised_at": _arrival(at, alarm, lambda alarm: alarm.raised_at),
                "began_at": _arrival(at, alarm, lambda alarm: alarm.began_at),
            }
        )
    return pd.DataFrame(rows)


def _arrival(at: list[int], alarm: Watched | None, of: Callable[[Watched], int | None]) -> float:
    """Return the arrival, from 1, of a watched trial; nan for none."""
    trial = None if alarm is None else of(alarm)
    return float("nan") if trial is None else float(at[trial - 1] + 1)

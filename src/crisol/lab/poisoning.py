"""Simulate that somebody inverts the verdicts in the memory, and test whether an alarm is raised.

Candidates of many vulnerabilities arrive in random order. Once a share of them has arrived, all verdicts in
the memory are inverted: those that it holds, and those that it learns later. As in the service, a random
sample of the patches that the memory decides is also wargamed. The trials of this sample can raise the alarm,
by :func:`crisol.abtest.rungs.watch_rungs`.
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
    """The result of a simulation in which somebody inverts the verdicts in the memory.

    Valid becomes invalid, and invalid becomes valid. ``begins`` is the first arrival, counted from 1, at
    which the verdicts are inverted. If they never are, it is the number of arrivals plus 1.

    ``arrivals`` has a row for each arrival. Columns:

    - arrival: its number, from 1. group: the name of its group.
    - decided: ``valid`` or ``invalid``, the decision of the memory; "" if the memory did not decide.
    - valid: whether the patch is valid by its true verdict. wrong: whether the memory decided otherwise.
    - sampled: whether the patch was wargamed although the memory decided it.
    - poisoned: whether the verdicts were inverted when the patch arrived.

    ``alarms`` has two rows, one for each kind of error of the memory. Columns:

    - watched: ``false accepts`` or ``false refusals``.
    - promised: the largest share of these errors that the memory promises.
    - trials: the number of sampled arrivals that the memory accepted, or refused.
    - raised_at: the arrival at which the alarm was raised; nan without an alarm.
    - began_at: the estimated arrival of the first errors; nan without an alarm.
    """

    arrivals: pd.DataFrame
    alarms: pd.DataFrame
    begins: int

    def phases(self) -> pd.DataFrame:
        """Return a table with a row for each phase: before and after the inversion of the verdicts.

        Columns: phase (``clean`` or ``poisoned``); arrivals (number); skipped (share of arrivals that the
        memory decided); sampled (number of the memory's decisions whose patch was wargamed, too);
        right_of_refused (share of valid patches among those that the memory rejected); wrong_of_accepted
        (share of invalid patches among those that it accepted). Where the memory rejected or accepted no
        patch, that share is 0. A phase without arrivals has no row.
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
        """The arrival of the first alarm, counted from 1; None if no alarm was raised."""
        raised = self.alarms["raised_at"].dropna()
        return int(raised.min()) if len(raised) else None

    def errors(self, last: int = 100) -> pd.DataFrame:
        """Return a table of the memory's error rate, a moving average over ``last`` decisions.

        There is a row for each arrival that the memory decided. Columns: arrival (its number, from 1), and
        share: the share of wrong decisions among this decision and the ``last`` - 1 decisions before it. If
        there are fewer decisions before it, all of them count.
        """
        decided = self.arrivals[self.arrivals["decided"] != ""]
        share = decided["wrong"].astype(float).rolling(last, min_periods=1).mean()
        return pd.DataFrame({"arrival": decided["arrival"], "share": share})

    def metrics(self) -> dict[str, float]:
        """Return the figures of phases and alarms by name, as MLflow metrics.

        A cell of :meth:`phases` has a name such as ``clean.skipped``; a phase without arrivals has no
        figures. ``false_accepts.raised`` is 1 if the alarm for false accepts was raised, 0 if not. If it was
        raised, ``false_accepts.arrivals_until_raised`` is the number of arrivals from the arrival ``begins``
        to the alarm, negative for an earlier alarm. ``false_refusals.raised`` and
        ``false_refusals.arrivals_until_raised`` are the same for the alarm for false refusals.
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
    """Simulate that somebody inverts the verdicts in the memory, and see whether an alarm is raised.

    The arrivals of all streams are mixed at random; each stream keeps its own order. After the share
    ``after`` of all arrivals, in [0, 1], all verdicts in the memory are inverted, also those that it learns
    later. An ``after`` of 1 means never. Nothing is executed, since the verdicts are known.

    A patch that the memory decides is also wargamed with the probability ``rate``, in (0, 1]; only trials of
    such patches can raise an alarm. A patch that the memory does not decide is always wargamed. The
    thresholds for one half of the groups are chosen on the other half. ``seed`` draws the mixture and the
    patches that are also wargamed. Raises :class:`~crisol.errors.ExperimentError` for ``after`` or ``rate``
    out of range.
    """
    if not 0.0 <= after <= 1.0 or not 0.0 < rate <= 1.0:
        raise ExperimentError(f"after is {after} and rate {rate}; they lie within [0, 1] and (0, 1]")
    rng = np.random.default_rng(seed)
    believe, policies = learnt(prepared), memory_policies(prepared)
    turns = rng.permutation([n for n, stream in enumerate(prepared.streams) for _ in stream.order])
    begins = round(after * len(turns))
    memories = [_TwoMemories(prepared.arrivals, stream.known) for stream in prepared.streams]
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


class _TwoMemories:
    """Two memories of one stream: one with the true verdicts, one with all verdicts inverted."""

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
    """Return the arrival of the trial ``of(alarm)``, both counted from 1; nan without an alarm or a trial.

    ``at`` has the arrival of each trial, counted from 0.
    """
    trial = None if alarm is None else of(alarm)
    return float("nan") if trial is None else float(at[trial - 1] + 1)

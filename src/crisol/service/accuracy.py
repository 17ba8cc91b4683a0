"""How accurate the model is in production, estimated from the A/B trials.

Results are cached for five minutes.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from crisol.abtest.confusion import METRICS, metrics
from crisol.abtest.store import TrialFilter, utc_now
from crisol.abtest.tally import Slice, Tally
from crisol.errors import InputError
from crisol.resilience.kinds import Kind
from crisol.service.sampling import EXPERIMENT, LEARNT
from crisol.service.schemas import AccuracyReport, EstimateReport, TrialReport

if TYPE_CHECKING:
    from crisol.service.core import Service

__all__ = ["Accuracy"]

_RANGE = re.compile(r"([1-9][0-9]{0,4})([mhd])", re.ASCII)
_MINUTES = {"m": 1, "h": 60, "d": 1440}
_CELLS: tuple[Literal["tp", "fp", "fn", "tn"], ...] = ("tp", "fp", "fn", "tn")


@dataclass(frozen=True, slots=True)
class _Grouped:
    groups: tuple[tuple[str, Tally], ...]
    seconds: float
    """The time of the request, in seconds since 1970."""


CONFUSION: Kind[_Grouped] = Kind("confusion_matrix", _Grouped)


class Accuracy:
    """Estimates of the model's accuracy, from the trials of A/B testing in the trial store of ``service``.

    Estimates are cached for five minutes. Every method raises :class:`~crisol.errors.UnavailableError` if the
    trial store fails or its circuit breaker is open, and ``TimeoutError`` if the store takes too long.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    async def report(self, time_range: str, model_version: str | None) -> AccuracyReport:
        """Return a report that compares predictions with verdicts, over a time range that ends now.

        ``time_range`` is a number of minutes, hours or days, such as ``90m``, ``24h`` or ``7d``, up to ten
        years, or ``all``; any other text raises :class:`~crisol.errors.InputError`. A ``model_version`` of
        None means the trials of all versions. An estimate for which there are no trials is None in the
        report.
        """
        tallies = await self._tallies(time_range, model_version, None)
        return _report(dict(tallies.groups).get("", Tally()), time_range, model_version, tallies.seconds)

    async def by(self, by: Slice, time_range: str, model_version: str | None) -> dict[str, AccuracyReport]:
        """Return, for each group of trials, a report that compares predictions with verdicts.

        ``by`` is the property by which trials are grouped, such as ``Slice.CWE``. The keys of the result are
        the values of that property, such as ``CWE-22``; the result is empty if there are no trials. With
        ``Slice.RUNG``, the answers that callers got are compared with the verdicts, instead of the model's
        predictions. ``time_range`` and ``model_version`` select the trials, as in :meth:`report`. Raises
        :class:`~crisol.errors.InputError` for a ``time_range`` that :meth:`report` does not accept.
        """
        tallies = await self._tallies(time_range, model_version, by)
        return {
            name: _report(tally, time_range, model_version, tallies.seconds) for name, tally in tallies.groups
        }

    async def recent(self, limit: int) -> list[TrialReport]:
        """Return the ``limit`` newest trials in the trial store, or all if there are fewer, the newest first.

        Only the trials of services are among them, not those of experiments that a user ran.
        """
        trials = self._service.trials
        both = [
            trial
            for experiment in (EXPERIMENT, LEARNT)
            for trial in await trials.ask(trials.store.latest, limit, TrialFilter(experiment=experiment))
        ]
        latest = sorted(both, key=lambda trial: (trial.created_at, trial.id), reverse=True)[:limit]
        return [
            TrialReport(
                created_at=trial.created_at,
                vulnerability=trial.vulnerability,
                cwe=trial.cwe,
                patch=trial.patch,
                model_version=trial.model_version,
                probability=trial.probability,
                outcome=trial.outcome,
                reason=trial.reason,
                correct=trial.correct,
                sampling_probability=trial.sampling_probability,
                learnt=trial.experiment == LEARNT,
            )
            for trial in latest
        ]

    async def _tallies(self, time_range: str, model_version: str | None, by: Slice | None) -> _Grouped:
        span = _span(time_range)

        async def compute() -> _Grouped:
            now = utc_now()
            where = TrialFilter(
                experiment=EXPERIMENT,
                model_version=model_version,
                since=None if span is None else now - span,
            )
            slices = () if by is None else (by,)
            trials = self._service.trials
            tallies = await trials.ask(trials.store.tallies, where, slices)
            groups = tuple((key[0] if key else "", tally) for key, tally in tallies.items())
            return _Grouped(groups, now.timestamp())

        key = CONFUSION.key(time_range, model_version, by)
        cached = await self._service.shared.cache.get_or_compute(CONFUSION, key, compute, tags=("trials",))
        assert cached is not None
        return cached


def _span(text: str) -> dt.timedelta | None:
    if text == "all":
        return None
    match = _RANGE.fullmatch(text)
    minutes = int(match[1]) * _MINUTES[match[2]] if match else 0
    if not 0 < minutes <= 3653 * 1440:
        raise InputError(f"time_range {text!r}: write minutes, hours or days such as 90m, 24h or 7d, or all")
    return dt.timedelta(minutes=minutes)


def _report(tally: Tally, time_range: str, model_version: str | None, started: float) -> AccuracyReport:
    figures = metrics(tally)
    return AccuracyReport(
        time_range=time_range,
        model_version=model_version,
        trials=tally.n + tally.inconclusive,
        inconclusive=tally.inconclusive,
        confusion={cell: getattr(tally, cell).n for cell in _CELLS},
        weighted={cell: getattr(tally, cell).weight for cell in _CELLS},
        metrics={
            name: EstimateReport(
                value=_known(estimate.value),
                low=_known(estimate.low),
                high=_known(estimate.high),
                n=estimate.n,
                effective_n=estimate.effective_n,
            )
            for name, estimate in ((name, getattr(figures, name)) for name in METRICS)
        },
        as_of=dt.datetime.fromtimestamp(started, dt.UTC),
    )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value

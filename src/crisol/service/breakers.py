"""The circuit breakers of all workers of this machine, reported and reset together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crisol.metrics import names
from crisol.resilience.breaker import State
from crisol.service.problems import Problem
from crisol.service.schemas import BreakerReport

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from crisol.metrics import Metrics
    from crisol.metrics.names import Family
    from crisol.resilience.guard import CircuitBreaker
    from crisol.service.core import Service

__all__ = ["BreakerView"]

_WORST = (State.FORCED_OPEN, State.OPEN, State.HALF_OPEN, State.CLOSED, State.METRICS_ONLY, State.DISABLED)


class BreakerView:
    """A view of the circuit breakers of all workers of this machine, which reports and resets them.

    ``service`` is the service of this worker, ``metrics`` are its metrics. The workers read each other's
    metrics from files in a folder. When another worker changes a breaker, a report shows the new state at
    once, and the new counters of the breaker after at most ten seconds.
    """

    def __init__(self, service: Service, metrics: Metrics) -> None:
        self._service = service
        self._metrics = metrics
        self._folder = service.settings.metrics
        self._seen = self._asked()
        service.breakers.add_listener(lambda *_: metrics.refresh())
        service.on_refresh.append(self.follow)

    def report(self) -> list[BreakerReport]:
        """Return a report on each circuit breaker: its worst state in any worker, and its counters.

        The states, from the worst: forced open, open, half open, closed, metrics only, disabled. The counters
        are sums over the workers.
        """
        values = self._metrics.gather()
        return [_report(breaker, values) for breaker in self._service.breakers]

    def reset(self, name: str) -> BreakerReport:
        """Close the circuit breaker ``name`` in all workers; return the report on it.

        In this worker the breaker is closed at once, in the others within ten seconds; its recent calls are
        forgotten. The names are ``cache``, ``database``, ``ml_model`` and ``sandbox``. Raises
        :class:`~crisol.service.problems.Problem` with status 404 for another name.
        """
        try:
            breaker = self._service.breakers[name]
        except KeyError:
            names = ", ".join(candidate.name for candidate in self._service.breakers)
            raise Problem(404, f"no breaker {name!r}; there are {names}") from None
        breaker.reset()
        if self._folder is not None:
            (self._folder / f"{name}.reset").touch()
        self._seen = self._asked()
        return _report(breaker, self._metrics.gather())

    async def follow(self) -> None:
        """Close the circuit breakers of this worker that another worker has reset since the last call.

        The first call closes those that were reset since this object was made.
        """
        requests = self._asked()
        for name, time in requests.items():
            if time != self._seen[name]:
                self._service.breakers[name].reset()
        self._seen = requests

    def _asked(self) -> dict[str, int]:
        return {breaker.name: _reset_time(self._folder, breaker.name) for breaker in self._service.breakers}


def _report(
    breaker: CircuitBreaker, values: Mapping[str, Mapping[tuple[str, ...], list[float]]]
) -> BreakerReport:
    name = breaker.name
    states = {
        worker: state
        for (of, state, worker), (value,) in values[names.BREAKER_STATE.name].items()
        if of == name and value
    }

    def count(family: Family, *labels: str) -> int:
        return int(values[family.name][name, *labels][0])

    timeouts = count(names.BREAKER_FAILURES, "timeout")
    return BreakerReport(
        name=name,
        state=min(map(State, states.values()), key=_WORST.index).value,
        workers=states,
        retry_after=breaker.retry_after(),
        successes=count(names.BREAKER_SUCCESSES),
        failures=timeouts + count(names.BREAKER_FAILURES, "error"),
        timeouts=timeouts,
        rejections=count(names.BREAKER_REJECTIONS),
        recovered=count(names.BREAKER_RECOVERIES, "success"),
        relapsed=count(names.BREAKER_RECOVERIES, "failure"),
    )


def _reset_time(folder: Path | None, name: str) -> int:
    if folder is None:
        return 0
    try:  # BreakerView.reset touches this file
        return (folder / f"{name}.reset").stat().st_mtime_ns
    except OSError:
        return 0

"""Switch off rungs that make too many errors, in all workers of this machine, until a person enables them.

An alarm of :func:`crisol.abtest.rungs.watch_rungs` switches a rung off. Two files for each rung keep its
state over a restart: ``RUNG.off`` exists while the rung is off and contains the reason; the modification time
of ``RUNG.on`` is the time at which a person last enabled the rung. Only trials of the rung after that time
count. If ``RUNG.off`` cannot be written, the rung is off only in the worker that saw the alarm. A rung whose
``RUNG.off`` cannot be read counts as off.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from crisol.abtest.rungs import PROMISED, watch_rungs
from crisol.abtest.store import TrialFilter
from crisol.errors import CrisolError, unwritable
from crisol.records import Source
from crisol.service.problems import Problem
from crisol.service.sampling import EXPERIMENT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from crisol.records import Trial
    from crisol.service.core import Service

__all__ = ["RungGuard"]

_EVERY = 60.0
_TRIALS = 2_000
_log = logging.getLogger(__name__)


class RungGuard:
    """The object that examines the latest trials of the model in use, and switches off rungs.

    A rung is switched off if it makes more errors in these trials than :data:`~crisol.abtest.rungs.PROMISED`
    allows. ``service`` is the service of this worker. ``off`` maps each rung that is switched off (a
    :class:`~crisol.records.Source`) to the reason, a sentence. ``folder`` holds the files that keep the state
    of the rungs; all workers of this machine share it, and it is made when it is needed. ``trials`` is the
    number of trials in the last examination, None before the first one.
    """

    def __init__(self, service: Service, folder: Path) -> None:
        self.off: dict[Source, str] = {}
        self.trials: int | None = None
        self._service = service
        self._folder = folder
        self._next = 0.0
        self._unwritten: dict[Source, tuple[str, dt.datetime]] = {}
        """The rungs that are off in this worker alone, because their files could not be written.

        Each has the reason, and the time since when it is off.
        """
        self._follow()
        service.on_refresh.append(self.refresh)

    async def refresh(self) -> None:
        """Read which rungs other workers switched off or on; once a minute, also examine the latest trials.

        The examination is :meth:`watch`. If the trial store is unavailable, the next call examines the
        trials.
        """
        await asyncio.to_thread(self._follow)
        if time.monotonic() < self._next:
            return
        trials, version = self._service.trials, self._service.validator.model.served.version[0]
        where = TrialFilter(experiment=EXPERIMENT, model_version=version)
        with suppress(CrisolError, TimeoutError):
            latest = await trials.ask(trials.store.latest, _TRIALS, where)
            await asyncio.to_thread(self.watch, latest[::-1])
            self._next = time.monotonic() + _EVERY

    def watch(self, trials: Sequence[Trial]) -> None:
        """Switch off every rung that makes more errors in ``trials`` than it may.

        :data:`~crisol.abtest.rungs.PROMISED` has the largest error rates of each rung. ``trials`` must be
        sorted, the oldest first. A trial from before the time at which a person last enabled its rung does
        not count. A file in the guard's folder switches the rung off for all workers. If the file cannot be
        written, the rung is off in this worker alone, until the worker ends or the rung is enabled.
        """
        self.trials = len(trials)
        since = {rung.value: self._enabled_at(rung) for rung in PROMISED}
        counted = [trial for trial in trials if trial.rung in since and trial.created_at > since[trial.rung]]
        for watched in watch_rungs(counted):
            rung = Source(watched.arm)
            if watched.raised_at is None or rung in self.off:
                continue
            why = f"more {watched.name} than promised, shown by trial {watched.raised_at} of its own"
            _log.error("the rung %s is off: %s", rung, why)
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                (self._folder / f"{rung}.off").write_text(why, encoding="utf-8")
            except OSError as error:
                _log.exception("other workers do not know it: %s", unwritable(self._folder, error))
                self._unwritten[rung] = why, dt.datetime.now(dt.UTC)
        self._follow()

    def enable(self, name: str) -> None:
        """Let the rung ``name`` decide again; only trials after this call count for switching it off again.

        The names are ``equivalent``, ``untouched``, ``memory`` and ``model``. The other workers follow within
        ten seconds. Raises :class:`~crisol.service.problems.Problem` with status 404 for another name. Raises
        :class:`~crisol.errors.StoreError` if the guard's folder cannot be written; the rung then stays off.
        """
        if name not in PROMISED:
            raise Problem(404, f"no rung {name!r}; there are {', '.join(PROMISED)}")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            enabled = self._folder / f"{name}.on"
            enabled.touch()
            # The file system's own clock lags by milliseconds, and a rung may have been off for less.
            os.utime(enabled, ns=(time.time_ns(), time.time_ns()))
            (self._folder / f"{name}.off").unlink(missing_ok=True)
        except OSError as error:
            raise unwritable(self._folder, error) from None
        self._follow()

    def _follow(self) -> None:
        off = {rung: why for rung, (why, since) in self._unwritten.items() if self._enabled_at(rung) < since}
        self._unwritten = {rung: self._unwritten[rung] for rung in off}
        for rung in PROMISED:
            try:
                off[rung] = (self._folder / f"{rung}.off").read_text(encoding="utf-8", errors="replace")
            except FileNotFoundError:
                continue
            except OSError as error:
                # The rung may be off: whoever cannot tell must not let it decide.
                off[rung] = f"it is unknown whether it is off: {error.strerror}"
        self.off = off
        self._service.validator.off = frozenset(off)

    def _enabled_at(self, rung: Source) -> dt.datetime:
        try:
            seconds = (self._folder / f"{rung}.on").stat().st_mtime
        except OSError:
            seconds = 0.0
        return dt.datetime.fromtimestamp(seconds, dt.UTC)

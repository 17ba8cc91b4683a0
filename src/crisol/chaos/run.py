"""Run one fault: put a service under steady load, inject the fault, end it, and record what happened."""

from __future__ import annotations

import contextlib
import http.client
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import Self

import pandas as pd
from pydantic import SecretStr

from crisol import diff
from crisol.abtest.store import TrialFilter, utc_now
from crisol.abtest.trial import CLOCK_SKEW
from crisol.chaos.clock import WallClock
from crisol.chaos.episode import Episode
from crisol.chaos.faults import Fault, Stage, allowance
from crisol.config import Settings
from crisol.errors import UnavailableError
from crisol.loadtest.material import Item, Material, policy_leaving, prepare
from crisol.loadtest.plan import LoadPlan, Loop, Shape
from crisol.loadtest.run import Load
from crisol.loadtest.service import ask, serving
from crisol.model.serving import open_serving
from crisol.records import Trial
from crisol.servers import PostgresServer, RedisServer, SlowProxy
from crisol.servers.enclosure import Enclosure
from crisol.wiring import open_journaled_trials

__all__ = ["Schedule", "breakers_open", "material_of", "suffer"]

_HEALTH_EVERY = 4
# Only the limit of ml-first asks Redis, so that its faults reach every decision.
_LIMITS = "ml-first=60000/60:10000,validate=off,ml-accuracy=off,ab-testing=off,cache=off,breakers=off"
_WIDTH = 0.25
_PATCHES = 30
_UNSURE = 0.4
_DECISIONS_EVERY, _VERDICTS_EVERY = 4, 16
_WARM_SECONDS = 60.0
_DISK_MB = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The plan of a chaos test's load: its duration, in seconds, and its requests.

    ``calm`` is the time before the fault, ``fault`` the time during it and ``after`` the time after it.
    ``rate`` is the number of requests a second, always the same. ``seed`` is the seed of the order of the
    patches.
    """

    calm: float = 3.0
    fault: float = 5.0
    after: float = 10.0
    rate: float = 10.0
    seed: int = 0

    def of(self, fault: Fault) -> Schedule:
        """Return a copy of this schedule, lengthened as ``fault`` requires.

        Its time during the fault is at least ``fault.seconds``; its time after the fault is longer by
        ``fault.waits`` seconds.
        """
        return replace(self, fault=max(self.fault, fault.seconds), after=self.after + fault.waits)

    @property
    def seconds(self) -> float:
        """The seconds of the whole load: before, during and after the fault."""
        return self.calm + self.fault + self.after


def suffer(settings: Settings, material: Material, fault: Fault, schedule: Schedule) -> Episode:
    """Start a service under steady load, inject one fault, end it, and return the observations.

    ``settings`` says where vulnerabilities and the cache folder are. The servers that the fault needs are
    started, too. ``material`` is the patches and the model, from :func:`material_of`; ``schedule`` is
    lengthened for the fault by :meth:`Schedule.of`. Every patch is wargamed once before the load begins.
    Cached decisions are deleted every second, so that the model and the stores stay in use. Cached verdicts
    are deleted every four seconds if ``fault.fresh`` is set. Raises :class:`~crisol.errors.UnavailableError`
    if a server or the service does not start.
    """
    schedule = schedule.of(fault)
    with ExitStack() as stack:
        changes = {"AB_TEST_RATE": "0.2", "CRISOL_RATE_LIMITS": _LIMITS, **fault.changes}
        redis = proxy = postgres = None
        if fault.redis:
            redis = RedisServer.start()
            stack.callback(redis.close)
            proxy = stack.enter_context(SlowProxy(redis.url))
            changes["REDIS_URL"] = proxy.url
        if fault.postgres:
            postgres = PostgresServer.start(disk_mb=_DISK_MB if fault.disk else 0)
            stack.callback(postgres.close)
            changes["DATABASE_URL"] = postgres.dsn
        # The fault damages a copy, because other services read the model.
        model = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crisol-model-"))) / "model"
        shutil.copytree(material.model, model)
        enclosure = stack.enter_context(Enclosure(Path())) if fault.enclosed else None
        clock = None
        if fault.clocked:
            clock = WallClock.made(
                Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crisol-clock-")))
            )
            changes |= clock.environment
        service = stack.enter_context(
            serving(
                settings,
                model=model,
                policy=material.policy,
                workers=fault.workers,
                enclosure=enclosure,
                changes=changes,
            )
        )
        _warm_up(service.url, material)
        stage = Stage(service, model, redis, proxy, postgres, clock)
        begin = time.monotonic() + 1.0 + schedule.calm
        load = Load(service.url, material, _steady(schedule), begin=begin - schedule.calm)
        dropped = {f"model:{open_serving(model).model_version}": _DECISIONS_EVERY}
        if fault.fresh:
            dropped |= {f"vulnerability:{item.vulnerability}": _VERDICTS_EVERY for item in material.items}
        attack = _second_load(stage, fault, load, schedule) if fault.flood or fault.hostile else None
        started = utc_now()
        with _Observer(service.url, dropped) as observer, stage.held:
            ended = _inject(stage, fault, load, attack, begin=begin, schedule=schedule)
        service.stop()
        # The samples before the fault count, too: none of their requests may fail either.
        due = _trials_due(load)
        trials = _stored_trials(settings, service.root, postgres)
        stored = {(trial.patch, trial.vulnerability) for trial in trials}
        early, late = started - CLOCK_SKEW, utc_now() + CLOCK_SKEW
        return Episode(
            fault=fault,
            load=load.result,
            begin=begin,
            end=ended,
            breakers=observer.table(),
            refused=observer.refused,
            due=len(due),
            lost=len(due - stored),
            skewed=sum(not early < trial.created_at < late for trial in trials),
            admitted=_admitted_ratio(attack) if fault.flood and attack is not None else float("nan"),
        )


def material_of(settings: Settings, frame: pd.DataFrame, seed: int) -> Material:
    """Train a model; return it with the 30 conclusive patches that have the shortest wargames, and a policy.

    ``frame`` is the corpus table; if it has fewer than 30 conclusive patches, all are taken. ``seed`` is the
    seed of the training. The model is stored in the cache folder of ``settings``. The returned policy leaves
    about 40 % of the patches to a wargame, so that trials are stored all the time. Raises
    :class:`~crisol.errors.DatasetError` for a table without both valid and invalid patches.
    """
    whole = prepare(settings, frame, seed)
    items = tuple(sorted(whole.items, key=lambda item: item.seconds)[:_PATCHES])
    return replace(whole, items=items, policy=policy_leaving([item.probability for item in items], _UNSURE))


def _warm_up(url: str, material: Material) -> None:
    # These requests store no trials.
    wishes = [{"diff": item.diff, "vulnerability": item.vulnerability} for item in material.items]
    with ThreadPoolExecutor(2) as pool:
        for status, answer in pool.map(
            lambda wish: ask(url, "/wargaming/validate", wish, seconds=_WARM_SECONDS), wishes
        ):
            if status != 200:
                raise UnavailableError(f"a wargame failed before there was a fault: {status} {answer}")


def _steady(schedule: Schedule) -> LoadPlan:
    return LoadPlan(
        loop=Loop.OPEN, shape=Shape.CONSTANT, rate=schedule.rate, seconds=schedule.seconds, connections=64,
        sources=16,
        zipf=0.5, warm_up=0.0, timeout=8.0, seed=schedule.seed,
    )  # fmt: skip


def _inject(
    stage: Stage, fault: Fault, load: Load, attack: Load | None, *, begin: float, schedule: Schedule
) -> float:
    """Run the loads, inject the fault at the time ``begin``, and return its end; both in monotonic seconds.

    The load of an ``attack`` lasts as long as the fault, the steady ``load`` beyond it. The call returns when
    both have ended; if anything raises, both are cancelled.
    """
    with ThreadPoolExecutor(2, thread_name_prefix="load") as pool:
        steady = pool.submit(load.finish)
        try:
            _wait(begin)
            fault.start(stage)
            second = None if attack is None else pool.submit(attack.finish)
            while time.monotonic() < begin + schedule.fault:
                fault.during(stage)
                time.sleep(fault.every)
            if second is not None:
                second.result()
            fault.stop(stage)
            stage.held.close()
            ended = time.monotonic()
            steady.result()
        except BaseException:
            # Without this the pool would wait for loads whose results are no longer needed.
            for client in (load, attack):
                if client is not None:
                    client.cancel()
            raise
    return ended


def _second_load(stage: Stage, fault: Fault, load: Load, schedule: Schedule) -> Load:
    """Return the load of the attacker or hostile client of ``fault``, not started yet.

    ``fault`` must have one of them; ``load`` is the steady load. If ``fault.flood`` is above 1, the requests
    name that many false client addresses.
    """
    material = load.material
    if fault.hostile:
        material = replace(material, items=_hostile_items(material.items[0]))
    elif fault.pace:
        # The load sends a single patch, so that trials of other patches can arise during the fault.
        material = replace(material, items=material.items[:1])
    plan = LoadPlan(
        loop=Loop.OPEN if fault.pace else Loop.CLOSED, shape=Shape.CONSTANT, rate=fault.pace or 1.0,
        requests=200 if fault.hostile else 20_000, connections=16, seconds=schedule.fault, warm_up=0.0,
        timeout=2.0, zipf=0.0,
        spoofed=fault.flood if fault.flood > 1 else 0,
    )  # fmt: skip
    return Load(stage.service.url, material, plan)


def _admitted_ratio(attack: Load) -> float:
    samples = attack.result.samples
    granted = samples[~samples["status"].isin([0, HTTPStatus.TOO_MANY_REQUESTS])]
    return len(granted) / allowance(float(samples["received"].max() - samples["sent"].min()))


def _hostile_items(item: Item) -> tuple[Item, ...]:
    head = "--- a/app.py\n+++ b/app.py\n"
    texts = (
        "--- a/../../etc/passwd\n+++ b/../../etc/passwd\n@@ -1 +1 @@\n-a\n+b\n",
        head + "@@ -1,999999999 +1,999999999 @@\n" + "+x\n" * 50_000,
        "\x00" * 1_000,
        head + "@@ -1 +1 @@\n" * 20_000,
        # Python runs a sitecustomize.py when it starts.
        "--- /dev/null\n+++ b/sitecustomize.py\n@@ -0,0 +1 @@\n+import os; os._exit(0)\n",
    )
    return tuple(replace(item, diff=text) for text in texts)


def _trials_due(load: Load) -> set[tuple[str, str]]:
    """Return (patch identity, vulnerability id) of each answer for which a trial must be stored."""
    samples = load.result.samples
    rows = samples[(samples["source"] == "wargame") & samples["probability"].notna()]
    answered = [load.asked(which)[1] for which in set(rows["which"])]
    return {(diff.parse(item.diff).identity, item.vulnerability) for item in answered}


def _stored_trials(settings: Settings, root: Path, postgres: PostgresServer | None) -> list[Trial]:
    """Replay the service's journal, and return the trials of the experiment ``live`` from its trial store.

    ``root`` is the service's workspace, which holds the journal. If ``postgres`` is None, the trial store is
    the DuckDB file in ``root``.
    """
    dsn = None if postgres is None else SecretStr(postgres.dsn)
    own = settings.model_copy(
        update={"root": root, "database_url": dsn, "postgres_host": None, "redis_url": None}
    )
    with closing(open_journaled_trials(own)) as store:
        store.replay()
        return list(store.read(TrialFilter(experiment="live")))


class _Observer:
    """A thread that polls the service's breakers and invalidates tags of its cache, four polls a second.

    ``dropped`` maps each tag to a number n: every n-th poll invalidates the tag. ``refused`` is True once the
    service has reported that it refuses a model.
    """

    def __init__(self, url: str, dropped: Mapping[str, int]) -> None:
        self.refused = False
        self._url = url
        self._dropped = dropped
        self._rows: list[tuple[float, str]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="observer", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def table(self) -> pd.DataFrame:
        return pd.DataFrame(self._rows, columns=["time", "open"])

    def _run(self) -> None:
        for number in _ticks(self._ended):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError, http.client.HTTPException):
                status, breakers = ask(self._url, "/wargaming/breakers", seconds=1.0)
                if status == 200:
                    self._rows.append((time.monotonic(), ",".join(breakers_open(breakers))))
                if number % _HEALTH_EVERY == 0:
                    _, health = ask(self._url, "/health/detailed", seconds=1.0)
                    self.refused |= "is refused" in health["components"]["model"]["detail"]
                for tag, every in self._dropped.items():
                    if number % every == 0:
                        ask(self._url, "/wargaming/cache/invalidate", {"tag": tag}, seconds=1.0)


def breakers_open(breakers: Sequence[dict[str, object]]) -> list[str]:
    """Return the names of the circuit breakers that are not closed, sorted.

    ``breakers`` is the decoded JSON answer of ``GET /wargaming/breakers``: a list of objects with ``name``
    and ``state``, which is a value of :class:`~crisol.resilience.breaker.State`, such as ``half_open``.
    """
    return sorted(str(breaker["name"]) for breaker in breakers if breaker["state"] != "closed")


def _ticks(ended: threading.Event) -> Iterator[int]:
    number = 0
    while not ended.wait(_WIDTH):
        yield number
        number += 1


def _wait(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))

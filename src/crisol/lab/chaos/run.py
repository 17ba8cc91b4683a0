"""One fault under steady load: before it, during it, after it, and what that amounts to."""

from __future__ import annotations

import contextlib
import http.client
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pandas as pd
from pydantic import SecretStr

from crisol import diff
from crisol.abtest.store import TrialFilter
from crisol.config import Settings
from crisol.lab.chaos.faults import Fault, Stage
from crisol.lab.load.material import Item, Material
from crisol.lab.load.plan import Loop, Plan, Shape
from crisol.lab.load.result import Result, timeline
from crisol.lab.load.run import Load
from crisol.lab.load.service import ask, serving
from crisol.lab.servers import PostgresServer, RedisServer, SlowProxy
from crisol.model.serving import open_serving
from crisol.wiring import open_journaled_trials

__all__ = ["Episode", "Schedule", "breakers_open", "suffer"]

_LIMITS = "ml-first=60000/60:10000,validate=off,ml-accuracy=off,ab-testing=off,cache=off,breakers=off"  # asked in Redis
_WIDTH = 0.25
_SHOWN = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Seconds of calm, of the fault, and of what comes after; and the requests a second all along."""

    calm: float = 3.0
    fault: float = 5.0
    after: float = 15.0
    rate: float = 10.0
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Episode:
    """What was seen: the load's result, when the fault began and ended, and the breakers that were not closed.

    ``breakers`` has the columns time and open, the names with commas; times are of the monotonic clock.
    """

    fault: Fault
    load: Result
    begin: float
    end: float
    breakers: pd.DataFrame
    lost: int

    @property
    def timeline(self) -> pd.DataFrame:
        """See :func:`crisol.lab.load.result.timeline`; the fault's span is :attr:`span`."""
        return timeline(self.load.samples, _SHOWN)

    @property
    def span(self) -> tuple[float, float, str]:
        """From and to, in seconds of the timeline, and the name."""
        start = float(self.load.samples["intended"].min())
        return self.begin - start, self.end - start, self.fault.name

    @property
    def open_spans(self) -> list[tuple[float, float, str]]:
        """When which breakers were not closed, in seconds of the timeline."""
        start = float(self.load.samples["intended"].min())
        seen = self.breakers[self.breakers["open"] != ""]
        names = sorted({name for text in seen["open"] for name in text.split(",")})
        found = []
        for name in names:
            times = seen.loc[[name in text.split(",") for text in seen["open"]], "time"]
            found.append((float(times.min()) - start, float(times.max()) - start, name))
        return found

    @property
    def metrics(self) -> dict[str, float]:
        """Return detect_s and recover_s, failed, trials_lost, wrong_answers, and latency during the fault.

        Detected is the first sign after the beginning: a breaker that is not closed, an answer that says what it
        lacks, or a failure; NaN where there was none. Recovered is the last sign, counted from the end; 0 where all was
        well by then, and infinite where signs went on until the load ended.
        """
        signs = self._signs()
        during = self.load.samples[
            (self.load.samples["intended"] >= self.begin) & (self.load.samples["intended"] < self.end)
        ]
        last = float(self.load.samples["intended"].max())
        recover = max(0.0, float(signs.max()) - self.end) if len(signs) else 0.0
        if len(signs) and signs.max() > last - min(1.0, (last - self.end) / 2):
            recover = float("inf")
        failed = self.load.samples["failed"]
        p99 = during.loc[~during["failed"], "latency_ms"]
        return {
            "detect_s": float(signs.min()) - self.begin if len(signs) else float("nan"),
            "recover_s": recover,
            "requests": float(len(self.load.samples)),
            "failed": float(failed.sum()),
            "failed_share": float(failed.mean()),
            "trials_lost": float(self.lost),
            "wrong_answers": self.load.metrics["wrong_answers"],
            "p99_during_ms": float(np.percentile(p99, 99)) if len(p99) else float("nan"),
        }

    def _signs(self) -> pd.Series[float]:
        samples = self.load.samples
        bad = samples.loc[samples["failed"] | (samples["degraded"] != ""), "intended"]
        signs = pd.concat([bad, self.breakers.loc[self.breakers["open"] != "", "time"]]).astype(float)
        late: pd.Series[float] = signs[signs >= self.begin]
        return late


def suffer(settings: Settings, material: Material, fault: Fault, schedule: Schedule) -> Episode:
    """Start what the fault needs, put steady load on a service, inject the fault, end it, and sum up.

    Every second the decisions in the cache are dropped, so that model and stores are really asked all along;
    verdicts stay, or the load would be one of wargames alone. Raises
    :class:`~crisol.errors.UnavailableError` where a server or the service does not start.
    """
    with ExitStack() as stack:
        changes = {"AB_TEST_RATE": "0.2", "CRISOL_RATE_LIMITS": _LIMITS, **fault.changes}
        redis = proxy = postgres = None
        if fault.redis:
            redis = RedisServer.start()
            stack.callback(redis.close)
            proxy = stack.enter_context(SlowProxy(redis.url))
            changes["REDIS_URL"] = proxy.url
        if fault.postgres:
            postgres = PostgresServer.start()
            stack.callback(postgres.close)
            changes["DATABASE_URL"] = postgres.dsn
        service = stack.enter_context(
            serving(
                settings,
                model=material.model,
                accept=material.accept,
                reject=material.reject,
                workers=fault.workers,
                changes=changes,
            )
        )
        if fault.name == "model_corrupt":
            # A copy, because the next load test wants the model whole.
            shutil.copytree(material.model, service.root / "model")
            service.stop()
            service.environment["CRISOL_MODEL"] = str(service.root / "model")
            service.start()
        stage = Stage(service, redis, proxy, postgres)
        begin = time.monotonic() + 1.0 + schedule.calm
        load = Load(service.url, material, _steady(schedule), begin=begin - schedule.calm)
        with _Observer(service.url, open_serving(material.model).model_version) as observer, stage.held:
            ended = _inject(stage, fault, load, begin, schedule)
        service.stop()
        # The samples of the calm count, too: nothing may fail there either.
        return Episode(
            fault, load.result, begin, ended, observer.table(),
            _lost(settings, service.root, postgres, load, material),
        )  # fmt: skip


def _steady(schedule: Schedule) -> Plan:
    seconds = schedule.calm + schedule.fault + schedule.after
    return Plan(
        loop=Loop.OPEN, shape=Shape.CONSTANT, rate=schedule.rate, seconds=seconds, connections=64, sources=16,
        zipf=0.5, warm_up=0.0, timeout=8.0, seed=schedule.seed,
    )  # fmt: skip


def _inject(stage: Stage, fault: Fault, load: Load, begin: float, schedule: Schedule) -> float:
    """Return when the fault ended; steady load goes on before, during and after it."""
    attack = _second(stage, fault, load, schedule) if fault.flood or fault.hostile else None
    with ThreadPoolExecutor(2, thread_name_prefix="load") as pool:
        steady = pool.submit(load.finish)
        try:
            _wait(begin)
            fault.start(stage)
            second = None if attack is None else pool.submit(attack.finish)
            while time.monotonic() < begin + schedule.fault:
                fault.during(stage)
                time.sleep(_WIDTH)
            if second is not None:
                second.result()
            fault.stop(stage)
            stage.held.close()
            ended = time.monotonic()
            steady.result()
        except BaseException:
            # Else the pool would wait for loads that nobody wants any more.
            for one in (load, attack):
                if one is not None:
                    one.cancel()
            raise
    return ended


def _second(stage: Stage, fault: Fault, load: Load, schedule: Schedule) -> Load:
    """Return the load of whoever attacks, from an address of its own."""
    material = load.material
    if fault.hostile:
        material = replace(material, items=_hostile(material.items[0]))
    plan = Plan(
        requests=20_000, connections=16, seconds=schedule.fault, warm_up=0.0, timeout=2.0, zipf=0.0,
        spoofed=fault.flood if fault.flood > 1 else 0,
    )  # fmt: skip
    return Load(stage.service.url, material, replace(plan, requests=200) if fault.hostile else plan)


def _hostile(item: Item) -> tuple[Item, ...]:
    """Return patches that attack: paths outside, endless hunks, no diff at all, counts that lie, a planted start-up file."""
    head = "--- a/app.py\n+++ b/app.py\n"
    texts = (
        "--- a/../../etc/passwd\n+++ b/../../etc/passwd\n@@ -1 +1 @@\n-a\n+b\n",
        head + "@@ -1,999999999 +1,999999999 @@\n" + "+x\n" * 50_000,
        "\x00" * 1_000,
        head + "@@ -1 +1 @@\n" * 20_000,
        "--- /dev/null\n+++ b/sitecustomize.py\n@@ -0,0 +1 @@\n+import os; os._exit(0)\n",
    )
    return tuple(replace(item, diff=text) for text in texts)


def _lost(
    settings: Settings, root: object, postgres: PostgresServer | None, load: Load, material: Material
) -> int:
    """Return how many patches were answered by a wargame that is no trial now: neither stored nor in the journal."""
    dsn = None if postgres is None else SecretStr(postgres.dsn)
    own = settings.model_copy(
        update={"crisol_root": root, "database_url": dsn, "postgres_host": None, "redis_url": None}
    )
    with closing(open_journaled_trials(own)) as store:
        store.replay()
        kept = {(trial.patch, trial.vulnerability) for trial in store.read(TrialFilter(experiment="live"))}
    samples = load.result.samples
    seen = samples[(samples["source"] == "wargame") & samples["probability"].notna()]
    answered = {material.items[which] for which in set(seen["which"])}
    return sum((diff.parse(item.diff).identity, item.vulnerability) not in kept for item in answered)


class _Observer:
    """Asks the breakers four times a second, and drops the cached decisions every second."""

    def __init__(self, url: str, model: str) -> None:
        self._url = url
        self._tag = {"tag": f"model:{model}"}
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
            with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
                status, found = ask(self._url, "/wargaming/breakers", seconds=1.0)
                if status == 200:
                    self._rows.append((time.monotonic(), ",".join(breakers_open(found))))
                if number % 4 == 0:
                    ask(self._url, "/wargaming/cache/invalidate", self._tag, seconds=1.0)


def breakers_open(found: Sequence[dict[str, object]]) -> list[str]:
    """Return the names of the breakers that are not closed."""
    return sorted(str(one["name"]) for one in found if one["state"] != "closed")


def _ticks(ended: threading.Event) -> Iterator[int]:
    number = 0
    while not ended.wait(_WIDTH):
        yield number
        number += 1


def _wait(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))

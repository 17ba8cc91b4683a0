"""The faults of chaos tests: how each begins and ends, and which servers it needs."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import redis

from crisol.chaos import models
from crisol.chaos.clock import WallClock
from crisol.errors import ExperimentError
from crisol.loadtest.service import ServiceProcess
from crisol.servers import PostgresServer, RedisServer, SlowProxy
from crisol.servers.reaper import family

__all__ = ["FAULTS", "Fault", "Stage", "allowance", "chosen"]

_SLOW_SECONDS = 0.2
_LORIS = 200
_MANY = 10_000


@dataclass(slots=True)
class Stage:
    """The running processes on which a fault acts; a process that the fault does not need is None.

    ``service`` always runs. It reaches ``redis`` through ``proxy``, and ``postgres`` directly. ``clock`` is
    the service's wall clock. ``model`` is the folder of the model that the service uses, a copy that a fault
    may damage. ``held`` is a stack of calls that undo the fault: the fault adds them, and its end runs them,
    the last one first.
    """

    service: ServiceProcess
    model: Path
    redis: RedisServer | None = None
    proxy: SlowProxy | None = None
    postgres: PostgresServer | None = None
    clock: WallClock | None = None
    held: ExitStack = field(default_factory=ExitStack)


def _nothing(_: Stage) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault of a chaos test: how it begins and ends, and which servers and clients it needs.

    ``story`` describes the fault in words.

    - ``start(stage)`` begins the fault, ``stop(stage)`` ends it. ``during(stage)`` is called every ``every``
      seconds in between.
    - ``seconds``: the least duration of the fault. ``waits``: the seconds by which the load after the fault
      is longer than usual, because the service needs this time to recover.
    - ``redis``, ``postgres``: whether the service uses this server. ``workers``: the number of its workers.
    - ``disk`` gives PostgreSQL a small disk. ``enclosed`` gives the service Linux namespaces of its own,
      ``clocked`` a wall clock of its own.
    - ``changes``: environment variables of the service.
    - ``flood``: 0 means no attacker, 1 an attacker who sends requests from one address. A larger number is
      the number of false client addresses that the attacker's requests name.
    - ``pace``: the attacker's requests a second; 0 means as many as possible.
    - ``hostile`` adds a client that sends malicious patches.
    - ``fresh``: whether cached verdicts are deleted during the load, so that wargames run.
    """

    name: str
    story: str
    redis: bool = False
    postgres: bool = False
    workers: int = 1
    start: Callable[[Stage], None] = _nothing
    stop: Callable[[Stage], None] = _nothing
    during: Callable[[Stage], None] = _nothing
    every: float = 0.25
    flood: int = 0
    pace: float = 0.0
    hostile: bool = False
    seconds: float = 0.0
    waits: float = 0.0
    fresh: bool = False
    disk: bool = False
    enclosed: bool = False
    clocked: bool = False
    changes: Mapping[str, str] = field(default_factory=dict)


def _redis(stage: Stage) -> RedisServer:
    assert stage.redis is not None
    return stage.redis


def _postgres(stage: Stage) -> PostgresServer:
    assert stage.postgres is not None
    return stage.postgres


def _clock(stage: Stage) -> WallClock:
    assert stage.clock is not None
    return stage.clock


def _jump(stage: Stage) -> None:
    _clock(stage).jump()


def _delay(stage: Stage, seconds: float) -> None:
    assert stage.proxy is not None
    stage.proxy.delay = seconds


def _fill_redis(stage: Stage) -> None:
    with redis.Redis.from_url(_redis(stage).url) as client:
        # Redis holds more than 1 byte already, and refuses every write when it may evict nothing.
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", "1")


def _empty_redis(stage: Stage) -> None:
    with redis.Redis.from_url(_redis(stage).url) as client:
        client.config_set("maxmemory", "0")


def _fill_disk(stage: Stage) -> None:
    with psycopg.connect(_postgres(stage).dsn, autocommit=True) as connection:
        # Without this, new trials would fit into free space in the pages that the table already has.
        connection.execute("ALTER TABLE trials SET (fillfactor = 10)")
    _postgres(stage).fill()


def _kill_children(stage: Stage) -> None:
    for pid in family(stage.service.pid)[1:]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _refuse(stage: Stage) -> None:
    enclosure = stage.service.enclosure
    assert enclosure is not None
    enclosure.allow(0)
    stage.held.callback(enclosure.allow, _MANY)


def _kill_worker(stage: Stage) -> None:
    # The children with less memory are resource trackers and sandboxes.
    os.kill(max(family(stage.service.pid)[1:], key=_resident), signal.SIGKILL)


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError):
        return 0


def _kill_service(stage: Stage) -> None:
    stage.service.kill()


def _loris(stage: Stage) -> None:
    where = urlsplit(stage.service.url)
    for _ in range(_LORIS):
        with contextlib.suppress(OSError):
            slow = socket.create_connection((where.hostname or "", where.port or 80), timeout=2.0)
            stage.held.callback(slow.close)
            slow.sendall(b"POST /wargaming/ml-first HTTP/1.1\r\nhost: localhost\r\n")


def _truncate_model(folder: Path) -> None:
    path = next(folder / name for name in ("model.onnx", "model.skops") if (folder / name).is_file())
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    # The service notices the change by the time of this file.
    (folder / "serving.json").touch()


def _spoil(stage: Stage, damage: Callable[[Path], None]) -> None:
    contents = {path.name: path.read_bytes() for path in stage.model.iterdir() if path.is_file()}
    damage(stage.model)

    def mend() -> None:
        for name, content in contents.items():
            (stage.model / name).write_bytes(content)

    stage.held.callback(mend)


_BURST, _A_SECOND = 100, 10
_LIMITED = {
    "CRISOL_RATE_LIMITS": (
        f"ml-first={_A_SECOND}/1:{_BURST},validate=off,cache=off,ab-testing=off,breakers=off"
    )
}
_HARDLY_SAMPLED = {"AB_TEST_RATE": "0.01"}
_DATABASE_SECONDS = 18.0
"""Seconds until the database's breaker opens: after three calls, which time out after five seconds each.
"""

_PACE, _EVERY_JUMP, _JUMPS_SECONDS = 60.0, 1.25, 7.5
_REFRESH, _CACHE_WAITS, _DATABASE_WAITS, _MODEL_WAITS, _SANDBOX_WAITS = 10.0, 10.0, 15.0, 30.0, 30.0

FAULTS: Mapping[str, Fault] = {
    fault.name: fault
    for fault in (
        Fault(name="redis_killed", story="Redis is killed and comes back empty", redis=True,
              waits=_CACHE_WAITS,
              start=lambda s: _redis(s).kill(), stop=lambda s: _redis(s).restart()),
        Fault(name="redis_hung", story="Redis is stopped: it accepts and never answers", redis=True,
              waits=_CACHE_WAITS,
              start=lambda s: _redis(s).stop(), stop=lambda s: _redis(s).cont()),
        Fault(name="redis_slow", story="every answer of Redis takes 0.2 s longer", redis=True,
              waits=_CACHE_WAITS,
              start=lambda s: _delay(s, _SLOW_SECONDS), stop=lambda s: _delay(s, 0.0)),
        Fault(name="redis_full", story="Redis refuses every write", redis=True, waits=_CACHE_WAITS,
              start=_fill_redis, stop=_empty_redis),
        Fault(name="postgres_killed", story="PostgreSQL is killed and comes back", postgres=True,
              seconds=_DATABASE_SECONDS, waits=_DATABASE_WAITS,
              start=lambda s: _postgres(s).kill(), stop=lambda s: _postgres(s).restart()),
        Fault(name="postgres_hung", story="PostgreSQL is stopped: it accepts and never answers",
              postgres=True, seconds=_DATABASE_SECONDS, waits=_DATABASE_WAITS,
              start=lambda s: _postgres(s).stop(), stop=lambda s: _postgres(s).cont()),
        Fault(name="postgres_restarted", story="PostgreSQL is restarted at once", postgres=True,
              waits=_DATABASE_WAITS,
              start=lambda s: _postgres(s).restart()),
        Fault(name="postgres_disk_full", story="PostgreSQL's disk is full", postgres=True, disk=True,
              seconds=_DATABASE_SECONDS, waits=_DATABASE_WAITS,
              start=_fill_disk, stop=lambda s: _postgres(s).empty()),
        Fault(name="model_corrupt", story="the model's file is cut in half on disk",
              start=lambda s: _spoil(s, _truncate_model), seconds=_REFRESH + 2, waits=_REFRESH),
        Fault(name="model_raising", story="a new model is loaded that raises whenever it is asked",
              start=lambda s: _spoil(s, models.raising), seconds=_REFRESH + 5, waits=_REFRESH + _MODEL_WAITS),
        Fault(name="model_slow",
              story="a new model is loaded that takes half a second of a core for each answer",
              start=lambda s: _spoil(s, models.slow), seconds=_REFRESH + 5, waits=_REFRESH + _MODEL_WAITS),
        Fault(name="sandbox_killed", story="every sandbox is killed four times a second",
              during=_kill_children,
              fresh=True, changes=_HARDLY_SAMPLED, waits=_SANDBOX_WAITS),
        Fault(name="sandbox_refused", story="the kernel refuses the namespaces that a sandbox is made of",
              fresh=True, enclosed=True,
              changes=_HARDLY_SAMPLED, waits=_SANDBOX_WAITS, start=_refuse),
        Fault(name="worker_killed", story="one of two workers is killed", redis=True, postgres=True,
              workers=2,
              waits=_CACHE_WAITS, start=_kill_worker),
        Fault(name="service_killed", story="the only worker is killed and started anew at the end",
              start=_kill_service, stop=lambda s: s.service.start()),
        Fault(name="flood", story="one client asks without pause", flood=1, changes=_LIMITED),
        Fault(name="spoofed_flood", story="one client asks without pause under 100,000 false names",
              flood=100_000,
              changes=_LIMITED),
        Fault(name="slow_loris", story="200 connections send half a head", start=_loris),
        Fault(name="clock_jump", story="the service's wall clock jumps forward and backward", during=_jump,
              stop=lambda s: _clock(s).mend(), clocked=True, every=_EVERY_JUMP, seconds=_JUMPS_SECONDS,
              flood=1, pace=_PACE, changes=_LIMITED),
        # The process has no cache of its own, so that every lookup reads Redis.
        Fault(name="clock_skew", story="it jumps against the clocks of Redis and PostgreSQL", redis=True,
              postgres=True, during=_jump,
              stop=lambda s: _clock(s).mend(), clocked=True, every=_EVERY_JUMP, seconds=_JUMPS_SECONDS,
              flood=1, pace=_PACE,
              changes=_LIMITED | {"CRISOL_CACHE_MB": "0"}),
        Fault(name="hostile_patches", story="a burst of patches that attack the parser", hostile=True),
    )
}  # fmt: skip


def allowance(seconds: float) -> float:
    """Return how many requests of an attacker the rate limit admits within ``seconds``.

    In tests with an attacker the limit for one client is 10 requests a second with a burst of 100.
    """
    return _BURST + _A_SECOND * seconds


def chosen(names: list[str]) -> list[Fault]:
    """Return the faults with the given names, in the order of ``names``; nothing is injected.

    No names give no faults. Raises :class:`~crisol.errors.ExperimentError`, which lists all faults, for an
    unknown name.
    """
    for name in names:
        if name not in FAULTS:
            raise ExperimentError(f"no fault {name!r}; there are {', '.join(FAULTS)}")
    return [FAULTS[name] for name in names]

"""The command `crisol serve`, as a process: one worker, and several behind one port."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from crisol.abtest import MemoryStore
from crisol.abtest.journal import Journal
from crisol.servers.postgres import alive
from support.served import FLAW, ROOT, foreign, model_folder, wrong

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from crisol.servers import RedisServer

pytestmark = pytest.mark.integration


class Process:
    """A running `crisol serve`."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.port = int(url.rpartition(":")[2])

    def ask(self, method: str, path: str, content: Any = None) -> tuple[int, Any]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        body = None if content is None else json.dumps(content)
        try:
            connection.request(method, path, body, {"content-type": "application/json"})
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        return answer.status, json.loads(text) if "json" in answer.headers["content-type"] else text

    def workers(self) -> set[str]:
        """Return the workers that report a breaker."""
        return set(self.ask("GET", "/wargaming/breakers")[1][0]["workers"])


@contextmanager
def serving(root: Path, *arguments: str, **environment: str) -> Iterator[Process]:
    (root / "data").symlink_to(ROOT / "data")
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("CRISOL_", "POSTGRES"))
    }
    process = subprocess.Popen(
        [Path(sys.executable).with_name("crisol"), "serve", "--port", "0", *arguments],
        env=inherited | {"CRISOL_ROOT": str(root), "CRISOL_MODEL": str(model_folder()), **environment},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        yield Process(process, process.stderr.readline().strip())
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError, HTTPException):
            if condition():
                return
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.1)


def test_it_says_where_and_stops_clean(tmp_path: Path) -> None:
    """To be told to stop is no failure, and nothing is printed on the way out."""
    with serving(tmp_path, LOG_LEVEL="WARNING") as server:
        assert server.ask("GET", "/health") == (200, {"status": "alive"})
        server.process.send_signal(signal.SIGTERM)
        _, rest = server.process.communicate(timeout=30)
        assert (server.process.returncode, rest) == (0, "")


def test_commands_read_and_change_the_trials_of_a_service_that_runs(tmp_path: Path) -> None:
    """It has the trials in a DuckDB file, which one process at a time can open."""

    def crisol(*arguments: str) -> str:
        done = subprocess.run(
            [Path(sys.executable).with_name("crisol"), *arguments],
            env=os.environ | {"CRISOL_ROOT": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    with serving(tmp_path, LOG_LEVEL="ERROR") as server:
        until(lambda: server.ask("GET", "/wargaming/ab-testing/status")[1].get("rate") == 0.1)
        assert json.loads(crisol("ab", "status", "--json"))["trials"] == 0
        assert "missing" not in crisol("db", "status")
        crisol("ab", "enable", "--rate", "0.375")
        until(lambda: server.ask("GET", "/wargaming/ab-testing/status")[1].get("rate") == 0.375)


def test_what_a_wargame_answered_is_a_trial_even_if_the_worker_is_killed_at_once(tmp_path: Path) -> None:
    """Its database is away and takes seconds to say so; SIGKILL comes with the answer."""
    diffs = [wrong(), wrong(1)]
    away = "postgresql://127.0.0.1:9/none"
    patches = set()
    for diff in diffs:
        with serving(
            tmp_path, DATABASE_URL=away, LOG_LEVEL="ERROR", CRISOL_RATE_LIMITS="ml-first=off"
        ) as server:
            status, answer = server.ask("POST", "/wargaming/ml-first", {"diff": diff, "vulnerability": FLAW})
            server.process.kill()
        assert (status, answer["source"]) == (200, "wargame")
        patches.add(answer["patch"])
        (tmp_path / "data").unlink()
    store = MemoryStore()
    assert Journal(tmp_path / "mlruns" / "trials.journal").replay(store.append).replayed == 2
    assert {trial.patch for trial in store.read()} == patches


@pytest.mark.parametrize(
    ("environment", "arguments", "words"),
    [
        ({"PORT": "ninety"}, (), "PORT"),
        ({"CRISOL_HOST": "0.0.0.0"}, (), "CRISOL_API_TOKEN"),
        ({"CRISOL_RATE_LIMITS": "ml-first=fast"}, (), "CRISOL_RATE_LIMITS"),
        ({"REDIS_URL": "http://localhost"}, (), "REDIS_URL"),
        ({}, ("--workers", "2"), "REDIS_URL"),
    ],
)
def test_wrong_settings_end_with_one_clear_line(
    tmp_path: Path, environment: dict[str, str], arguments: tuple[str, ...], words: str
) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("crisol"), "serve", *arguments],
        env={"PATH": os.environ["PATH"], "PORT": "0", "CRISOL_ROOT": str(tmp_path), "LOG_LEVEL": "ERROR"}
        | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 64
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_workers_share_limits_cache_switch_breakers_and_metrics(
    tmp_path: Path, redis_server: Callable[..., RedisServer], postgres_dsn: str
) -> None:
    """Whichever of them answers: never more than the burst, one cache, one switch, one reset, one sum."""
    schema = "serve_workers"
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
    database = make_conninfo(postgres_dsn, options=f"-csearch_path={schema}")
    shared = {"REDIS_URL": redis_server().url, "DATABASE_URL": database, "LOG_LEVEL": "ERROR"}
    limits = "ml-first=40/6000,breakers=off,ab-testing=off,cache=off"
    with serving(tmp_path, "--workers", "2", CRISOL_RATE_LIMITS=limits, **shared) as server:
        until(lambda: len(server.workers()) == 2)
        with ThreadPoolExecutor(8) as pool:
            statuses = list(
                pool.map(
                    lambda number: server.ask("POST", "/wargaming/ml-first", {"diff": foreign(number % 4)})[
                        0
                    ],
                    range(100),
                )
            )
        assert (statuses.count(200), statuses.count(429)) == (40, 60)

        _, metrics = server.ask("GET", "/metrics")
        assert 'rate_limit_requests_total{endpoint="ml-first",result="allowed"} 40.0' in metrics
        assert 'rate_limit_requests_total{endpoint="ml-first",result="rejected"} 60.0' in metrics

        def everywhere(path: str, key: str, wanted: object) -> bool:
            """Ask often enough that both workers have answered."""
            return all(server.ask("GET", path)[1][key] == wanted for _ in range(12))

        assert server.ask("POST", "/wargaming/ab-testing/enable", {"rate": 0.375})[0] == 200
        until(lambda: everywhere("/wargaming/ab-testing/status", "rate", 0.375))

        status, report = server.ask("POST", "/wargaming/breakers/cache/reset", {})
        assert (status, report["state"], len(report["workers"])) == (200, "closed", 2)


def test_workers_follow_a_reset_and_share_what_one_of_them_found(
    tmp_path: Path, redis_server: Callable[..., RedisServer], postgres_dsn: str
) -> None:
    """What one wargamed the other answers from the cache; a breaker that is reset closes in both."""
    schema = "serve_reset"
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
    redis = redis_server()
    limits = ",".join(f"{name}=off" for name in ("ml-first", "breakers", "cache"))
    shared = {
        "REDIS_URL": redis.url,
        "DATABASE_URL": make_conninfo(postgres_dsn, options=f"-csearch_path={schema}"),
        "CRISOL_RATE_LIMITS": limits,
        "LOG_LEVEL": "ERROR",
    }
    with serving(tmp_path, "--workers", "2", **shared) as server:
        until(lambda: len(server.workers()) == 2)
        wish = {"diff": wrong(), "vulnerability": FLAW}
        sources = [server.ask("POST", "/wargaming/ml-first", wish)[1]["source"] for _ in range(16)]
        assert sources == ["wargame", *["cache"] * 15]
        _, metrics = server.ask("GET", "/metrics")
        # Sixteen connections reach both workers, and only one of them had to run it.
        assert 'wargames_total{outcome="invalid",reason="exploit_survives"} 1.0' in metrics
        shared_hit = re.compile(r'cache_lookups_total\{kind="decision",result="shared_hits"\} [1-9]')
        until(lambda: shared_hit.search(server.ask("GET", "/metrics")[1]) is not None)

        def states() -> set[str]:
            reports = server.ask("GET", "/wargaming/breakers")[1]
            return {
                state
                for report in reports
                if report["name"] == "cache"
                for state in report["workers"].values()
            }

        def strained() -> bool:
            server.ask("POST", "/wargaming/ml-first", {"diff": foreign(int(time.monotonic() * 1e6) % 10**9)})
            return states() == {"open"}

        redis.kill()
        until(strained)
        redis.restart()
        assert server.ask("POST", "/wargaming/breakers/cache/reset", {})[0] == 200
        until(lambda: states() == {"closed"})


def test_workers_end_with_whoever_started_them(
    tmp_path: Path, redis_server: Callable[..., RedisServer], postgres_dsn: str
) -> None:
    """SIGKILL leaves the supervisor no time to stop them."""
    shared = {"REDIS_URL": redis_server().url, "DATABASE_URL": postgres_dsn, "LOG_LEVEL": "ERROR"}
    with serving(tmp_path, "--workers", "2", CRISOL_RATE_LIMITS="breakers=off", **shared) as server:
        until(lambda: len(server.workers()) == 2)
        pids = [int(worker) for worker in server.workers()]
        server.process.kill()
        until(lambda: not any(alive(pid) for pid in pids))

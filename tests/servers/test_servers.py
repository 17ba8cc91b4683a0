"""The servers themselves: what chaos and other tests rely on when they kill, stop and restart one."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
import redis

from crisol.servers import PostgresServer, RedisServer, ServerMissing, SlowProxy
from crisol.servers.enclosure import Enclosure, EnclosureRefused
from support.processes import are_gone, descendants

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.integration


def test_shared_redis_answers(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.ping() is True


def test_shared_postgres_answers(postgres_dsn: str) -> None:
    with psycopg.connect(postgres_dsn) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_redis_can_be_killed_stopped_and_restarted(redis_server: Callable[..., RedisServer]) -> None:
    server = redis_server("--maxmemory", "5mb")
    with redis.Redis.from_url(server.url, socket_timeout=0.1) as client:
        assert client.config_get("maxmemory") == {"maxmemory": "5242880"} or client.ping()
        server.stop()
        with pytest.raises(redis.TimeoutError):
            client.ping()
        server.cont()
        client.set("k", "v")
        server.kill()
        with pytest.raises(redis.ConnectionError):
            client.ping()
        server.restart()
        assert client.get("k") is None
    server.close()
    assert not server.folder.exists()


def test_no_command_line_shows_the_password_of_redis(redis_server: Callable[..., RedisServer]) -> None:
    server = redis_server()
    assert server.process is not None
    command = Path(f"/proc/{server.process.pid}/cmdline").read_text(encoding="utf-8")
    assert server.password not in command


def test_postgres_keeps_committed_rows_over_a_kill(postgres_server: Callable[..., PostgresServer]) -> None:
    server = postgres_server("max_connections=20")
    connection = psycopg.connect(server.dsn, autocommit=True)
    connection.execute("CREATE TABLE t AS SELECT 7 AS n")
    server.kill()
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    connection.close()
    server.restart()
    with psycopg.connect(server.dsn, autocommit=True) as again:
        assert again.execute("SELECT n FROM t").fetchone() == (7,)
        assert again.execute("SHOW max_connections").fetchone() == ("20",)
        server.stop()
        assert server.process is not None
        with pytest.raises(subprocess.TimeoutExpired):
            server.process.wait(timeout=0.05)
        server.cont()
        assert again.execute("SELECT 1").fetchone() == (1,)


def test_a_proxy_holds_answers_back_for_as_long_as_it_is_told(
    redis_server: Callable[..., RedisServer],
) -> None:
    with (
        SlowProxy(redis_server().url) as proxy,
        redis.Redis.from_url(proxy.url, socket_timeout=5.0) as client,
    ):
        assert client.ping() is True
        proxy.delay = 0.2
        start = time.perf_counter()
        assert client.ping() is True
        assert time.perf_counter() - start >= 0.2


def test_without_a_program_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crisol.servers.programs.shutil.which", lambda _: None)
    monkeypatch.setattr("crisol.servers.programs.importlib.util.find_spec", lambda _: None)
    with pytest.raises(ServerMissing, match=r"crisol\[servers\]"):
        RedisServer.start()
    assert ServerMissing.exit_code == 69


HOLDS_BOTH = """
import sys, time
from crisol.servers import PostgresServer, RedisServer
redis, postgres = RedisServer.start(), PostgresServer.start()
postgres.stop()
print(redis.folder, postgres.folder, flush=True)
time.sleep(600)
"""


def test_servers_do_not_outlive_whoever_started_them_not_even_when_stopped() -> None:
    """SIGKILL leaves no time to end them; a stopped PostgreSQL reacts to nothing but SIGKILL."""
    with subprocess.Popen([sys.executable, "-c", HOLDS_BOTH], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        folders = holder.stdout.readline().split()
        if not folders:
            pytest.skip("a server's program is missing; the tests above say which")
        below = descendants(holder.pid)
        holder.kill()
    assert sum("redis-server" in command for command in below.values()) == 1
    assert sum("postgres" in command for command in below.values()) > 3
    assert are_gone(below)
    assert not any(Path(folder).exists() for folder in folders)


def test_a_full_disk_refuses_and_an_emptied_one_takes_again() -> None:
    try:
        server = PostgresServer.start(disk_mb=128)
    except (EnclosureRefused, ServerMissing) as missing:
        pytest.skip(str(missing))
    try:
        with psycopg.connect(server.dsn, autocommit=True) as connection:
            connection.execute("CREATE TABLE t (n text)")
            server.fill()
            with pytest.raises(psycopg.errors.DiskFull):
                connection.execute("INSERT INTO t SELECT repeat('x', 1000) FROM generate_series(1, 20000)")
        server.empty()
        with psycopg.connect(server.dsn, autocommit=True) as connection:
            connection.execute("INSERT INTO t VALUES ('x')")
            assert connection.execute("SELECT count(*) FROM t").fetchone() == (1,)
    finally:
        server.close()
    assert not server.folder.exists()


def test_an_enclosure_has_a_disk_of_its_own_and_gives_out_no_more_namespaces_than_it_may(
    tmp_path: Path,
) -> None:
    attempt = "from crisol.sandbox import kernel; kernel.unshare(kernel.CLONE_NEWNS | kernel.CLONE_NEWUSER)"
    try:
        with Enclosure(tmp_path, 1) as enclosure:

            def run(code: str) -> int:
                command = enclosure.command([sys.executable, "-c", code])
                return subprocess.run(command, capture_output=True, check=False).returncode

            assert run(f"open({str(tmp_path / 'large')!r}, 'wb').write(bytes(1 << 21))") == 1
            assert enclosure.path(tmp_path / "large").stat().st_size <= 1 << 20
            assert run(attempt) == 0
            enclosure.allow(0)
            assert run(attempt) == 1
            enclosure.allow(1_000)
            assert run(attempt) == 0
    except EnclosureRefused as refused:
        pytest.skip(str(refused))
    assert list(tmp_path.iterdir()) == []

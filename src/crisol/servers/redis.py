"""A private Redis server for tests, demonstrations and chaos tests."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import redis

from crisol.errors import UnavailableError
from crisol.servers.programs import START_SECONDS, redis_program
from crisol.servers.reaper import Reaper

__all__ = ["RedisServer"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class RedisServer:
    """A private Redis server on 127.0.0.1 that keeps no data on disk; make one with :meth:`start`.

    ``folder`` holds the server's log; ``port`` is 0 before the start. Clients need the random ``password``.
    ``options`` are command-line options of Redis. ``process`` is the server's process, None before the start;
    ``reaper`` kills the server if the process that called :meth:`start` dies.
    """

    folder: Path
    port: int = 0
    password: str = field(default_factory=lambda: secrets.token_hex(16))
    options: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    reaper: Reaper = field(init=False)

    def __post_init__(self) -> None:
        self.reaper = Reaper(self.folder)

    @classmethod
    def start(cls, *options: str) -> Self:
        """Start a server on a free port, and return it.

        ``options`` are command-line options such as ``"--maxmemory", "3mb"``. Raises
        :class:`~crisol.servers.programs.ServerMissing` if ``redis-server`` is not found,
        :class:`~crisol.errors.UnavailableError` if the server ends at once on each of five ports, and
        ``TimeoutError`` if it does not answer.
        """
        server = cls(Path(tempfile.mkdtemp(prefix="crisol-redis-")), options=options)
        try:
            server._launch_somewhere()
        except BaseException:
            server.close()
            raise
        return server

    @property
    def url(self) -> str:
        """The URL by which clients connect to the server; it contains the password."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def _launch_somewhere(self) -> None:
        for _ in range(5):
            self.port = _free_port()
            with contextlib.suppress(ChildProcessError):
                self._launch()
                return
        raise UnavailableError("redis-server did not start on any of five free ports")

    def _launch(self) -> None:
        # Every user of the machine can read a command line, but not the folder.
        password = self.folder / "password.conf"
        password.touch(mode=0o600)
        password.write_text(f"requirepass {self.password}\n", encoding="ascii")
        command = [str(redis_program()), str(password), "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--save", "", "--appendonly", "no"]
        command += ["--dir", str(self.folder), "--loglevel", "warning", *self.options]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        self.reaper.hold(self.process.pid)
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
        """Kill the server (SIGKILL): connections are reset and all data are lost."""
        self._signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()

    def stop(self) -> None:
        """Pause the server (SIGSTOP): its port still accepts connections, but no answer comes."""
        self._signal(signal.SIGSTOP)

    def cont(self) -> None:
        """Resume the server (SIGCONT) after :meth:`stop`: it answers again."""
        self._signal(signal.SIGCONT)

    def restart(self) -> None:
        """Kill the server and start it, empty, on the same port with the same password.

        Raises ``ChildProcessError`` or ``TimeoutError`` if the server does not start.
        """
        self.kill()
        self._launch()

    def close(self) -> None:
        """Kill the server and remove its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.reaper.dismiss()

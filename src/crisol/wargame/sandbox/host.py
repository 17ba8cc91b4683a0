"""The host's side: starts one isolated process per script and reads its report."""

from __future__ import annotations

import base64
import functools
import json
import os
import re
import secrets
import selectors
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from crisol.errors import SandboxError, SandboxUnavailable
from crisol.wargame.sandbox.protocol import Ending, Limits, Role, Run, SandboxKind, Script

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Sandbox", "Target", "choose"]

_USAGE = re.compile(rb"(\d{1,6}\.\d{6}) ([01])")
"""CPU seconds of the script, and whether they ran out: the last word of the namespace's first process."""
_GRACE = 1.0
"""Seconds beyond the script's own that the set-up may take before the whole is killed."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A way to run untrusted scripts; get one from :func:`choose`."""

    kind: SandboxKind

    @contextmanager
    def target(
        self,
        tree: Path,
        *,
        requires: Sequence[Path] = (),
        prelude: str = "",
        limits: Limits = Limits(),  # noqa: B008 - frozen
    ) -> Iterator[Target]:
        """Hold a source tree ready to be run, first on the import path, ``requires`` behind it, all read-only.

        ``prelude`` is trusted source that is executed before each script.
        """
        with tempfile.TemporaryDirectory(prefix="crisol-") as scratch:
            yield Target(
                self.kind,
                tree.resolve(),
                [path.resolve() for path in requires],
                prelude,
                limits,
                Path(scratch),
            )


@dataclass(frozen=True, slots=True)
class Target:
    """A source tree in a sandbox; for one thread at a time."""

    kind: SandboxKind
    tree: Path
    requires: list[Path]
    prelude: str
    limits: Limits
    scratch: Path

    def run(
        self, script: Script, overlay: Mapping[str, bytes | None] | None = None, limits: Limits | None = None
    ) -> Run:
        """Execute a script, with the files of ``overlay`` (None: deleted) over the tree for this run only.

        Whatever the code does ends in a :class:`Run`; :class:`~crisol.errors.SandboxError` is our failure alone.
        """
        limits = limits or self.limits
        nonce = secrets.token_hex(16)
        files = {_inside(name): content for name, content in (overlay or {}).items()}
        reading, channel = os.pipe()
        request = {
            "nonce": nonce,
            "channel": channel,
            "isolated": self.kind is not SandboxKind.WEAK,
            "name": script.name,
            "source": script.source,
            "tree": str(self.tree),
            "requires": [str(path) for path in self.requires],
            "overlay": {
                name: None if c is None else base64.b64encode(c).decode() for name, c in files.items()
            },
            "prelude": self.prelude,
            "mountpoint": str(self.scratch),
            "prefixes": _prefixes(),
            "memory_mb": limits.memory_mb,
            "cpu_seconds": limits.cpu_seconds,
            "uid": 200_000 + secrets.randbelow(800_000),
            "processes": limits.processes,
            "file_mb": limits.file_mb,
            "scratch_mb": limits.scratch_mb,
        }
        start = time.perf_counter()
        try:
            process = subprocess.Popen(
                [_interpreter(), "-I", "-S", "-B", "-c", _guest()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={},
                cwd="/",
                pass_fds=[channel],
                start_new_session=True,
            )
        except OSError as error:
            os.close(reading)
            os.close(channel)
            raise SandboxError(f"cannot start the interpreter: {error}") from None
        os.close(channel)
        try:
            said = _Conversation(process, reading, limits)
            expired = said.hold(json.dumps(request).encode(), start + limits.seconds + _GRACE)
        finally:
            _kill(process)
            os.close(reading)
        return _judged(said, nonce, expired, time.perf_counter() - start, limits)


def choose(kind: str = "auto") -> Sandbox:
    """Return the strongest sandbox of this machine, or the one that is named.

    Raises :class:`~crisol.errors.SandboxUnavailable` where it cannot be had; nothing ever runs unprotected unless
    ``weak`` is asked for by name.
    """
    if kind == "weak":
        return Sandbox(SandboxKind.WEAK)
    if kind not in {"auto", SandboxKind.NAMESPACES}:
        raise SandboxUnavailable(f"no sandbox is called {kind!r}; use auto, namespaces or weak")
    problem = _probe()
    if problem:
        raise SandboxUnavailable(
            f"this machine offers no namespaces ({problem}); allow unprivileged user namespaces, or accept "
            "--sandbox=weak, which isolates nothing and marks every verdict so"
        )
    return Sandbox(SandboxKind.NAMESPACES)


@functools.cache
def _probe() -> str:
    """Run one trivial script in the strong sandbox; the empty string means that it works."""
    script = Script("probe.py", "import sys\nsys.exit(0)\n", Role.CHECK)
    strong = Sandbox(SandboxKind.NAMESPACES)
    with tempfile.TemporaryDirectory(prefix="crisol-") as tree, strong.target(Path(tree)) as target:
        try:
            run = target.run(script)
        except SandboxError as error:
            return str(error)
    return (
        ""
        if run.ending is Ending.EXITED and run.code == 0
        else f"the probe ended as {run.ending}: {run.stderr}"
    )


class _Conversation:
    """Feeds the request, reads three pipes within their bounds, stops at the deadline."""

    def __init__(self, process: subprocess.Popen[bytes], reading: int, limits: Limits) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._stdin = process.stdin
        self._ends = {process.stdout.fileno(): "stdout", process.stderr.fileno(): "stderr", reading: "report"}
        self._limit = limits.output_bytes
        self.read = {"stdout": bytearray(), "stderr": bytearray(), "report": bytearray()}
        self.flooded = False

    def hold(self, request: bytes, deadline: float) -> bool:
        """Return whether the deadline passed."""
        pending = memoryview(request)
        os.set_blocking(self._stdin.fileno(), False)
        with selectors.DefaultSelector() as selector:
            for end in self._ends:
                selector.register(end, selectors.EVENT_READ)
            selector.register(self._stdin, selectors.EVENT_WRITE)
            while selector.get_map():
                left = deadline - time.perf_counter()
                if left <= 0:
                    return True
                for key, _ in selector.select(left):
                    if key.fileobj is self._stdin:
                        pending = self._feed(pending)
                        if not pending:
                            selector.unregister(self._stdin)
                            self._stdin.close()
                    elif not self._take(key.fd):
                        selector.unregister(key.fd)
                if self.flooded:
                    return False
        return False

    def _feed(self, pending: memoryview) -> memoryview:
        try:
            return pending[os.write(self._stdin.fileno(), pending[:65_536]) :]
        except BrokenPipeError:
            return pending[:0]

    def _take(self, end: int) -> bool:
        chunk = os.read(end, 65_536)
        buffer = self.read[self._ends[end]]
        buffer += chunk
        self.flooded = self.flooded or len(buffer) > self._limit
        return bool(chunk)


def _judged(said: _Conversation, nonce: str, expired: bool, seconds: float, limits: Limits) -> Run:
    """Read how the run ended from what the pipes brought; only a line with the nonce is believed."""
    errors, _, tail = bytes(said.read["stderr"]).rpartition(b"\0")
    usage = _USAGE.fullmatch(tail)
    cpu = float(usage[1]) if usage else 0.0
    overrun = usage is not None and (usage[2] == b"1" or cpu >= limits.cpu_seconds)
    stderr = _text(errors if usage else said.read["stderr"], limits)
    _, ready, report = bytes(said.read["report"]).partition(b"ready\n")
    if not ready and not expired and not said.flooded:
        raise SandboxError(f"the sandbox did not start: {stderr.strip() or 'no word from it'}")
    ending, code = Ending.NOT_ATTESTED, None
    parts = report.decode(errors="replace").split(":")
    if len(parts) == 3 and secrets.compare_digest(parts[0].encode(), nonce.encode()):
        ending = Ending(parts[1])
        code = int(parts[2]) if ending is Ending.EXITED else None
    elif said.flooded:
        ending = Ending.LIMIT
    elif expired or overrun:
        ending = Ending.TIMEOUT
    return Run(ending, code, _text(said.read["stdout"], limits), stderr, seconds, cpu)


def _text(content: bytes | bytearray, limits: Limits) -> str:
    return bytes(content[-limits.output_bytes :]).decode(errors="replace")


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the launcher; the namespace's first process dies with it, and everything in the namespace with that."""
    process.kill()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()
    process.wait()


def _inside(name: str) -> str:
    """Return a path that stays in the tree, or refuse it."""
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\0" in name:
        raise SandboxError(f"the overlay names {name!r}, which is outside the tree")
    return name


@functools.cache
def _guest() -> str:
    return (Path(__file__).parent / "guest.py").read_text()


@functools.cache
def _interpreter() -> str:
    """Return the interpreter itself, not a virtual environment's link to it."""
    return os.path.realpath(sys.executable)


@functools.cache
def _prefixes() -> list[str]:
    """Return the folders outside /usr that the interpreter needs."""
    prefix = os.path.realpath(sys.base_prefix)
    return [] if prefix == "/usr" or prefix.startswith("/usr/") else [prefix]

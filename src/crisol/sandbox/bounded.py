r"""Call functions that parse or compile untrusted text in a process with limits on memory and CPU time.

>>> head = {"name": "app.py", "before": False}
>>> bounded("crisol.sandbox.reading:prepare", head, [b"a = 1\n"])  # doctest: +SKIP

The example calls ``prepare(head, [b"a = 1\n"])`` in a worker process. A hostile text can make a parser use
gigabytes or minutes, or crash the interpreter; in a worker process it harms nothing else. A worker that
exceeds its limits or crashes is replaced. Workers are kept for later texts; each serves one caller at a time.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from typing import Any

from crisol.sandbox import frames

__all__ = ["OutOfBounds", "bounded"]

_CPU_SECONDS = 10.0
_WAIT_SECONDS = 120.0
"""The limit of wall time, in seconds; a busy machine alone never takes that long."""
_MEMORY_MB = 768
_STACK = 64 << 20
_DEPTH = 30_000
"""The recursion limit while a text is analysed, so that deep trees can be walked."""
_BOOT = (
    "import sys; sys.path[:0] = {path!r}; from crisol.sandbox.bounded import serve; serve(int(sys.argv[1]))"
)


class OutOfBounds(Exception):
    """A function in a worker process failed: it exceeded a limit, raised an exception or ended the process.

    The limits are 10 s of CPU time, 120 s of wall time and 768 MiB of memory.
    """


_Answer = tuple[dict[str, Any], list[bytes]]
_idle: list[_Worker] = []
_lock = threading.Lock()


def bounded(function: str, head: dict[str, Any], blobs: list[bytes]) -> _Answer:
    """Call a function in a worker process with limits on time and memory, and return its result.

    ``function`` is the name of the function as ``module:function``. It is called with ``head``, a dict that
    JSON can hold, and ``blobs``, a list of byte strings, and must return a pair of the same two types. Raises
    :class:`OutOfBounds`, which names the limits, if the call exceeds one, raises an exception or ends the
    process.
    """
    with _lock:
        worker = _idle.pop() if _idle else None
    worker = worker or _Worker()
    try:
        answer = worker.ask(function, head, blobs)
    except BaseException:
        worker.close()
        raise
    with _lock:
        _idle.append(worker)
    return answer


class _Worker:
    """A worker process and the host's socket to it.

    If :meth:`ask` raises an exception, the caller must close the object and not use it again.
    """

    def __init__(self) -> None:
        self._channel, far = socket.socketpair()
        self._owner = os.getpid()
        with far:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", _BOOT.format(path=sys.path), str(far.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"PYTHONHASHSEED": "0"},
                pass_fds=[far.fileno()],
            )
        self._channel.settimeout(_WAIT_SECONDS)

    def ask(self, function: str, head: dict[str, Any], blobs: list[bytes]) -> _Answer:
        try:
            request = {"function": function, "head": head, "seconds": _CPU_SECONDS}
            frames.send(self._channel, request, blobs)
            answer, made = frames.receive(self._channel, 1 << 27)
        except TimeoutError:
            raise OutOfBounds(f"it is not read within {_WAIT_SECONDS:.0f} s") from None
        except (frames.ClosedError, OSError):
            if self._process.wait(_WAIT_SECONDS) == -signal.SIGPROF:
                seconds = f"{_CPU_SECONDS:g} s of processor time"
                raise OutOfBounds(f"it takes more than {seconds} to read") from None
            raise OutOfBounds("reading it ended the process that did so") from None
        if "failed" in answer:
            raise OutOfBounds(f"it cannot be read: {answer['failed']}")
        return answer["head"], made

    def close(self) -> None:
        self._channel.close()
        if self._owner == os.getpid():
            self._process.kill()
            self._process.wait()


def _close_all() -> None:
    with _lock:
        while _idle:
            _idle.pop().close()


def _forget_workers() -> None:
    # The workers are children of the parent, which still uses them.
    _idle.clear()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_workers)


def serve(descriptor: int) -> None:
    """Run as a worker process that answers the calls of :func:`bounded`, with a limit on its memory.

    ``descriptor`` is the file descriptor of the socket on which calls arrive. The function returns when the
    socket is closed.
    """
    limit = _MEMORY_MB << 20
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    threading.stack_size(_STACK)
    thread = threading.Thread(target=_serve, args=(socket.socket(fileno=descriptor),))
    thread.start()
    thread.join()


def _serve(channel: socket.socket) -> None:
    calls: dict[str, Any] = {}
    while True:
        try:
            request, blobs = frames.receive(channel)
        except frames.ClosedError:
            return
        name = request["function"]
        try:
            if name not in calls:
                module, _, function = name.partition(":")
                calls[name] = getattr(importlib.import_module(module), function)
            signal.setitimer(signal.ITIMER_PROF, request["seconds"])  # its signal ends the process
            head, made = calls[name](request["head"], blobs)
            answer = {"head": head}
        except BaseException as error:  # noqa: BLE001 - the host says it
            answer, made = {"failed": f"{type(error).__name__}: {error}"[:500]}, []
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0.0)
        frames.send(channel, answer, made)


@contextlib.contextmanager
def deep() -> Any:
    """Return a context manager that sets Python's recursion limit to 30,000 calls inside its ``with`` block.

    Code needs this limit to walk deeply nested syntax trees. It holds for the whole process; the end of the
    block restores the old limit.
    """
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(_DEPTH)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)

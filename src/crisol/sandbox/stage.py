"""The process in which a script and its target run, and the report that only the script's own end produces.

Runs inside. The thread that becomes this process has no Python frame below the script but :func:`perform`, whose
frame holds nothing: everything that happens before and after is a chain of C iterators (see :func:`open_stage`).
So the nonce that makes a report believable is in no frame, global, file, environment or readable descriptor
while the target runs. What is still possible from inside the process is written down in the decision record.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # its functions leave no Python frame; it has no stub
import _thread
import gc
import linecache
import marshal
import os
import resource
import signal
import socket
import sys
import traceback
import types
from collections import deque
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from crisol.sandbox import frames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from crisol.sandbox import recall

__all__ = ["LOOKING", "STARTED", "Inherited", "open_stage"]

STARTED = b"S"
"""Comes first on the channel: what fails before it is ours, whatever follows is the run's."""

EXITED, RAISED, LIMIT = b"E", b"R", b"L"
_SPARE_PROCESSES = 8
"""The keepers and the zygote count for the same user as the script's processes do."""
_DESCRIPTORS = 256

_SIGNALS = signal.valid_signals()
_exit, _getpid, _write = os._exit, os.getpid, os.write
_code_of = SystemExit.__dict__["code"].__get__
_trace_of = BaseException.__dict__["__traceback__"].__get__
_OUT_OF = frozenset({27, 28, 122})
"""EFBIG, ENOSPC, EDQUOT."""


class Inherited(NamedTuple):
    """What a run has of the zygote: the names of the modules of a bare interpreter, and code that is read already."""

    known: frozenset[str]
    finder: recall.Finder


def open_stage(
    pipes: tuple[int, int, socket.socket], nonce: bytes, confine: Callable[[], None], inherited: Inherited
) -> int:
    """Fork the process that will run one script, and return its id.

    ``pipes`` are its standard output, its standard error and the socket on which it gets its job and reports.
    It is forked from a thread that consists of C code alone, so that this thread, the child's only one, carries no
    Python frames of ours. ``confine`` gives up privileges, in the child.
    """
    born = _thread.allocate_lock()
    born.acquire()
    box: list[int] = []
    errors: list[BaseException] = []
    facts: list[Any] = []
    anything = object()
    lines: Iterable[Any] = [(box, born)]
    lines = map(_fork, lines)
    lines = map(partial(_wait_for_job, pipes, confine, inherited, facts), lines)
    lines = map(_alone(_perform), lines)
    lines = map(partial(_judge, facts, errors), lines)
    lines = map(
        itemgetter(0),
        zip(
            lines,
            # From here on no code of the target runs again in this thread until the report is out.
            iter(partial(_signal.pthread_sigmask, signal.SIG_BLOCK, _SIGNALS), anything),
            iter(partial(sys.settrace, None), anything),
            iter(partial(sys.setprofile, None), anything),
            iter(gc.disable, anything),
            strict=False,
        ),
    )
    lines = map(partial(_write, pipes[2].fileno()), map(nonce.__add__, lines))
    lines = map(partial(_epilogue, errors), lines)
    _thread.start_new_thread(deque, (lines, 0))
    born.acquire()
    return box[0]


def _fork(line: tuple[Any, ...]) -> None:
    box, born = line
    child = os.fork()
    if child:
        box.append(child)
        born.release()
        raise SystemExit  # ends this thread of the keeper, silently


def _alone(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function with globals of its own, so that its frame leads to nothing else."""
    assert isinstance(function, types.FunctionType)
    names = {"__builtins__": {"exec": exec, "BaseException": BaseException}}
    return types.FunctionType(function.__code__, names, function.__name__)


def _perform(job: tuple[Any, ...]) -> BaseException | None:
    try:
        exec(job[0], job[1])  # noqa: S102 - running it is the point
    except BaseException as error:  # noqa: BLE001 - every ending is a finding
        return error
    return None


class _Ways:
    """What the mark in a script's code is replaced by: the two ways in which a script ends itself."""

    __slots__ = ("exit", "report")

    def __init__(self, kind: type[SystemExit]) -> None:
        def exit(code: object = None) -> None:  # noqa: A001 - what the script called it
            raise kind(code)

        def report(data: bytes) -> None:
            raise kind(bytes(data))

        self.exit, self.report = exit, report


def _wait_for_job(
    pipes: tuple[int, int, socket.socket],
    confine: Callable[[], None],
    inherited: Inherited,
    facts: list[Any],
    _forked: None,
) -> tuple[Any, ...]:
    """Shut every door, wait for the job, and return what :func:`_perform` needs; ``facts`` are for the judge."""
    try:
        out, err, channel = pipes
        os.dup2(out, 1)
        os.dup2(err, 2)
        keep = channel.fileno()
        os.closerange(3, keep)
        os.closerange(keep + 1, _DESCRIPTORS * 4)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        frames.rehearse()
        confine()
        os.environ.clear()
        loaded = _loaded(inherited.known)
        kind = type("ScriptExit", (SystemExit,), {})
        ways = _Ways(kind)
        main = types.ModuleType("__main__")
        main.__dict__.update(__file__="", __builtins__=dict(vars(sys.modules["builtins"])))
        sys.modules["__main__"] = main
        try:
            job, (code, arguments, source) = frames.receive(channel)
        except frames.ClosedError:
            _exit(0)
        channel.shutdown(socket.SHUT_RD)
        channel.detach()
        os.chdir(job["work"])
        _limit(job)
        for name in job["shadows"]:
            for shadowed in loaded.get(name, ()):
                del sys.modules[shadowed]
        sys.path[:0] = job["path"]
        sys.path_importer_cache.clear()
        if job["changed"] is not None:
            inherited.finder.install(job["changed"])
        name = job["name"]
        linecache.cache[name] = (len(source), None, source.decode().splitlines(keepends=True), name)
        sys.argv[:] = [name]
        main.__dict__["__file__"] = name
        if job["probe"]:
            main.__dict__["ARGUMENTS"] = arguments
        codes: list[types.CodeType] = []
        script = _with_ways(marshal.loads(code), job["mark"].encode("latin-1"), ways, codes)  # noqa: S302 - from the host
        facts[:] = [kind, (ways.exit.__code__, ways.report.__code__), codes, _getpid()]
        if job["guarded"]:
            sys.addaudithook(_guard(job["guarded"]))
        gc.enable()
        _signal.pthread_sigmask(signal.SIG_SETMASK, ())
        _write(keep, STARTED)
    except BaseException:  # noqa: BLE001 - whatever it is, the run did not start
        _write(2, traceback.format_exc().encode(errors="replace"))
        _exit(125)
    return script, main.__dict__


def _with_ways(code: types.CodeType, mark: bytes, ways: _Ways, codes: list[types.CodeType]) -> types.CodeType:
    """Return the code with the mark replaced, in nested functions as well; collect all of them."""
    constants = tuple(
        _with_ways(each, mark, ways, codes)
        if isinstance(each, types.CodeType)
        else ways
        if type(each) is bytes and each == mark
        else each
        for each in code.co_consts
    )
    made = code.replace(co_consts=constants)
    codes.append(made)
    return made


def _loaded(known: frozenset[str]) -> dict[str, list[str]]:
    """Forget our own modules, and return all others by the first part of their names.

    A file of the target may stand before one of them; those that a bare interpreter has loaded stay whatever happens.
    """
    found: dict[str, list[str]] = {}
    for name in list(sys.modules):
        top = name.partition(".")[0]
        if top == "crisol":
            del sys.modules[name]
        elif name not in known:
            found.setdefault(top, []).append(name)
    return found


def _limit(job: dict[str, Any]) -> None:
    cpu = int(job["cpu_seconds"]) + 2  # the keeper's clock is finer, this is for those it does not watch
    processes = job["processes"] + _SPARE_PROCESSES if job["isolated"] else resource.RLIM_INFINITY
    for kind, soft, hard in (
        (resource.RLIMIT_AS, job["memory_mb"] << 20, job["memory_mb"] << 20),
        (resource.RLIMIT_FSIZE, job["file_mb"] << 20, job["file_mb"] << 20),
        (resource.RLIMIT_NOFILE, _DESCRIPTORS, _DESCRIPTORS),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_CPU, cpu, cpu + 1),
        (resource.RLIMIT_NPROC, processes, processes),
    ):
        current = resource.getrlimit(kind)[1]
        if current != resource.RLIM_INFINITY:
            soft, hard = (current if each < 0 else min(each, current) for each in (soft, hard))  # noqa: PLW2901 - never raise what is lower already
        try:
            resource.setrlimit(kind, (soft, hard))
        except (ValueError, OSError):
            if sys.platform == "linux":
                raise


def _judge(  # noqa: PLR0911 - one return for each way to end
    facts: list[Any], errors: list[BaseException], error: BaseException | None
) -> bytes:
    """Tell how the script ended, in bytes that mean nothing without the nonce; unattested endings end here."""
    kind, doors, codes, process = facts
    if _getpid() != process:
        _exit(0)
    if error is None:
        return _told(EXITED, 0, b"")
    if type(error) is kind and _from_script(error, doors, codes):
        code = _code_of(error)
        if type(code) is bytes:
            return _told(EXITED, 0, code)
        if code is None:
            return _told(EXITED, 0, b"")
        if type(code) is int or type(code) is bool:
            return _told(EXITED, code & 0xFF, b"")
        if type(code) is str:
            _write(2, code.encode(errors="replace") + b"\n")
        return _told(EXITED, 1, b"")
    errors.append(error)
    if isinstance(error, SystemExit):
        _write(2, b"SystemExit was raised, but not by the script itself\n")
        _exit(1)
    if type(error) is MemoryError or (type(error) is OSError and error.errno in _OUT_OF):
        return _told(LIMIT, 0, b"")
    return _told(RAISED, 0, b"")


def _told(kind: bytes, code: int, data: bytes) -> bytes:
    return kind + bytes([code]) + len(data).to_bytes(8, "big") + data


def _from_script(
    error: BaseException, doors: Sequence[types.CodeType], codes: Sequence[types.CodeType]
) -> bool:
    """Whether the exception was raised by an exit that stands in the script's own text."""
    trace, before = _trace_of(error), None
    while trace is not None and trace.tb_next is not None:
        trace, before = trace.tb_next, trace
    if trace is None or before is None:
        return False
    door, caller = trace.tb_frame.f_code, before.tb_frame.f_code
    return any(door is each for each in doors) and any(caller is each for each in codes)


def _epilogue(errors: list[BaseException], _written: int) -> None:
    """Show the traceback, after the report: what the target's objects say of themselves can change nothing now."""
    for error in errors:
        trace = error.__traceback__
        shown = traceback.format_exception(type(error), error, trace.tb_next if trace else None)
        _write(2, "".join(shown).encode(errors="replace"))
    _exit(0)


_NEVER = frozenset({"gc.get_objects", "gc.get_referrers", "gc.get_referents"})
"""What would find the nonce's holder; refused to everybody, because a new thread hides who asked."""
_REACHING = frozenset({
    "sys._current_frames", "sys._current_exceptions",
    "sys.settrace", "sys.setprofile", "sys.addaudithook", "ctypes.dlopen", "ctypes.dlsym", "ctypes.dlsym/handle",
    "ctypes.call_function", "ctypes.cdata", "ctypes.cdata/buffer", "ctypes.string_at", "ctypes.addressof",
    "ctypes.PyObj_FromPtr",
})  # fmt: skip
LOOKING = frozenset(
    {"tb_frame", "gi_frame", "cr_frame", "ag_frame", "f_code", "gi_code", "cr_code", "__code__"}
)
"""Attributes that lead to a script's code."""


def _guard(files: dict[str, list[list[int]]]) -> Callable[[str, tuple[Any, ...]], None]:
    """Return an audit hook that ends the process when code of the patched files reaches into the interpreter.

    ``files`` maps each of them to the ranges of lines that the patch left as they were. From there it may look at
    frames and code, unless other lines of a patched file asked it to.
    """
    busy: set[int] = set()
    me, frame_at = _thread.get_ident, sys._getframe  # noqa: SLF001 - there is no public one

    def stop(event: str) -> None:
        _write(2, f"a patched file reached into the interpreter ({event})\n".encode())
        _exit(1)

    def hook(event: str, arguments: Sequence[Any]) -> None:
        if event in _NEVER:
            stop(event)
        reaching = event in _REACHING
        looking = event == "sys._getframe" or (
            event == "object.__getattr__" and len(arguments) > 1 and arguments[1] in LOOKING
        )
        if not (reaching or looking) or me() in busy:
            return
        busy.add(me())
        try:
            frame: types.FrameType | None = frame_at(0).f_back
            while frame is not None and looking and frame.f_code.co_filename.endswith("/inspect.py"):
                frame = frame.f_back
            while frame is not None:
                kept = files.get(frame.f_code.co_filename)
                if kept is not None and not (looking and _within(frame.f_lineno, kept)):
                    stop(event)
                frame = None if looking and kept is None else frame.f_back
        finally:
            busy.discard(me())

    return hook


def _within(line: int, ranges: list[list[int]]) -> bool:
    return any(first <= line <= last for first, last in ranges)

"""The process in which a script and its target run; only the script can report its exit code to the keeper.

Runs inside the sandbox. Two random secrets of the host stand for the exit codes 0 and 1. They are constants
of the script's code, and nothing else in the process holds them. A script that exits sends one of them to the
keeper at once and waits to be killed, so no code of the target runs between the exit and the report. Below
the script's frame on the Python stack is only the frame of :func:`_perform`, which holds no object of Crisol.
All steps before and after :func:`_perform` are a chain of C iterators, which have no frames (see
:func:`open_stage`).
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
from typing import TYPE_CHECKING, Any, NamedTuple

from crisol.sandbox import frames, guard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from crisol.sandbox import recall, watch

__all__ = ["DECIDED", "LIMIT", "OTHER", "RAISED", "STARTED", "Inherited", "open_stage"]

STARTED = b"S"
"""The first byte on the channel: a failure before it is the sandbox's, one after it the run's."""

DECIDED, OTHER, RAISED, LIMIT = b"D", b"O", b"R", b"L"
"""The ways in which a run ends: by exit code 0 or 1, which a secret attests; by another exit code; by an
exception; by an exception for an exhausted resource."""
_MAX_CHANGED = 1 << 16
_SPARE_PROCESSES = 8
"""Processes added to the limit, since keepers and zygote have the same user as the script's processes."""
_DESCRIPTORS = 256
_NAMES = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/tmp", "SHELL": "/bin/sh"}  # noqa: S108 - inside

_SIGNALS = signal.valid_signals()
_LIBRARY = tuple(sys.path)
_exit, _getcwd, _getpid, _write = os._exit, os.getcwd, os.getpid, os.write
_TIMERS = {
    signal.ITIMER_REAL: signal.SIGALRM, signal.ITIMER_VIRTUAL: signal.SIGVTALRM,
    signal.ITIMER_PROF: signal.SIGPROF,
}  # fmt: skip
_OUT_OF = frozenset({27, 28, 122})
"""The error numbers of an exhausted resource: EFBIG, ENOSPC, EDQUOT."""


class Inherited(NamedTuple):
    """The objects that the zygote makes once, and that each run inherits by the fork.

    ``finder`` is the import hook, with the byte code of the target's modules. ``watch`` is a snapshot of the
    functions and classes of all modules that the zygote has loaded; no module of the target is among them.
    """

    finder: recall.Finder
    watch: watch.Watch


def open_stage(
    pipes: tuple[int, int, socket.socket], confine: Callable[[], None], inherited: Inherited
) -> int:
    """Fork the process that is to run one script, and return its process id.

    ``pipes`` are (descriptor of its standard output, descriptor of its standard error, socket for job and
    answer). ``confine()`` is called in the child, and takes away the rights that a script must not have.
    ``inherited`` holds the import hook and the snapshot of functions that the child uses. The child starts
    with an empty Python stack, so that untrusted code finds no frames of Crisol on it.
    """
    born = _thread.allocate_lock()
    born.acquire()
    box: list[int] = []
    errors: list[BaseException] = []
    lines: Iterable[Any] = [(box, born)]
    lines = map(_fork, lines)
    lines = map(partial(_wait_for_job, pipes, confine, inherited), lines)
    lines = map(_alone(_perform), lines)
    lines = map(partial(_tell, errors, pipes[2].fileno()), lines)
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
    """Copy ``function`` without its globals, so that untrusted code finds nothing of Crisol in its frame."""
    assert isinstance(function, types.FunctionType)
    names = {"__builtins__": {"exec": exec, "BaseException": BaseException}}
    return types.FunctionType(function.__code__, names, function.__name__)


def _perform(job: list[Any]) -> BaseException | None:
    try:
        exec(job.pop(), job.pop())  # noqa: S102 - running it is the point
    except BaseException as error:  # noqa: BLE001 - every ending is a finding
        return error
    return None


def _unhook(hooks: tuple[tuple[Callable[[], object], Callable[[None], None]], ...]) -> None:
    for hooked, hook in hooks:
        # The audit hook ends the process if a setter is called while a patched function is on the stack.
        if hooked() is not None:
            hook(None)


def _ways(
    channel: socket.socket, inherited: Inherited, guarded: dict[str, list[list[int]]]
) -> dict[int, Callable[..., None]]:
    """Return the functions that run at a script's exits, by the last byte of the constant that each replaces.

    Each reports an exit code, or the result of a probe, on ``channel``, and never returns to the script. It
    holds no secret: the script passes one as argument. ``guarded`` is the dict that the audit hook reads.
    """
    process, thread, told, place = _getpid(), _thread.get_ident(), channel.fileno(), _place()
    changed, block, perform = inherited.watch.changed, _signal.pthread_sigmask, _alone(_perform)
    unhook = partial(_unhook, ((sys.gettrace, sys.settrace), (sys.getprofile, sys.setprofile)))

    def say(kind: bytes, secret: bytes, code: int, data: bytes) -> None:
        if _getpid() != process:
            _exit(code)
        if _thread.get_ident() != thread:
            raise SystemExit(code)
        block(signal.SIG_BLOCK, _SIGNALS)
        unhook()
        gc.disable()
        moved = [] if _place() == place else ["the working folder"]
        seen = "\n".join([*changed(), *moved]).encode(errors="replace")[:_MAX_CHANGED]
        head = kind + secret + bytes([code]) + len(seen).to_bytes(4, "big") + len(data).to_bytes(8, "big")
        left = memoryview(head + seen + data)
        while left:
            left = left[_write(told, left) :]
        guarded.clear()  # the canary runs unpatched files, which need no audit
        if error := perform(_wait_for_canary(channel, inherited)):
            _write(2, "".join(traceback.format_exception(error)).encode(errors="replace"))
        _exit(1)

    def leave(secret: bytes) -> None:
        say(DECIDED, secret, 0, b"")

    def leave_by_value(value: object, zero: bytes, one: bytes) -> None:
        if value is None:
            leave(zero)
        if type(value) is int or type(value) is bool:
            if 0 <= value <= 1:
                leave(one if value else zero)
            say(OTHER, zero, value & 0xFF, b"")
        if type(value) is str:
            _write(2, value.encode(errors="replace") + b"\n")
        leave(one)

    def report(data: bytes, secret: bytes) -> None:
        say(DECIDED, secret, 0, bytes(data))

    return {b"e"[0]: leave, b"v"[0]: leave_by_value, b"r"[0]: report}


def _place() -> str:
    try:
        return _getcwd()
    except OSError:  # it is gone
        return ""


def _wait_for_canary(channel: socket.socket, inherited: Inherited) -> list[Any]:
    """Wait for the job of a canary, and return [globals, code] of the canary, for :func:`_perform`.

    The canary is a second run of the PoV in this process, over the unpatched files. Its job comes after the
    report of the first run, so that code of that run cannot know whether a canary follows.
    """
    try:
        job, (code, zero, one) = frames.receive(channel)
    except frames.ClosedError:
        _exit(1)
    gone = {name for name, module in list(sys.modules.items()) if _comes_from(module, job["target"])}
    for name in gone:
        del sys.modules[name]
    if logging := sys.modules.get("logging"):  # a filter of its own logger's is a patch's good right
        loggers, tops = logging.root.manager.loggerDict, {name.partition(".")[0] for name in gone}
        for name in [name for name in loggers if name.partition(".")[0] in tops]:
            del loggers[name]
    sys.path[:] = [*_LIBRARY, *job["path"]]
    sys.path_importer_cache.clear()
    inherited.finder.install((), list(sys.path))
    os.mkdir(job["work"])  # noqa: PTH102 - no import may follow the target's
    os.chdir(job["work"])
    for timer, number in _TIMERS.items():
        signal.setitimer(timer, 0)
        signal.signal(number, signal.SIG_IGN)  # drops one that waits
        signal.signal(number, signal.SIG_DFL)
    main = sys.modules["__main__"]
    ways = _ways(channel, inherited, {})
    constants = {**ways, b"p"[0]: partial(setattr, main), b"0"[0]: zero, b"1"[0]: one}
    script = _with_constants(marshal.loads(code), job["mark"].encode("latin-1"), constants)  # noqa: S302 - from the host
    gc.enable()
    _signal.pthread_sigmask(signal.SIG_SETMASK, ())
    return [_script_globals(job["name"]), script]


def _comes_from(module: object, folder: str) -> bool:
    if not isinstance(module, types.ModuleType):
        return False
    names = vars(module)  # a patched module that has overwritten both stays loaded
    places = [names.get("__file__"), *(names.get("__path__") or ())]
    return any(type(path) is str and path.startswith(folder) for path in places)


def _script_globals(name: str) -> dict[str, Any]:
    return {"__name__": "__main__", "__file__": name, "__builtins__": dict(vars(sys.modules["builtins"]))}


def _wait_for_job(
    pipes: tuple[int, int, socket.socket], confine: Callable[[], None], inherited: Inherited, _forked: None
) -> list[Any]:
    """Confine this process, wait for the job, and return [globals, code] of the script, for :func:`_perform`.

    The process ends with status 0 if the keeper closes the socket, and with status 125 if a step fails.
    """
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
        _forget_crisol()
        main = types.ModuleType("__main__")
        names = _script_globals("")
        sys.modules["__main__"] = main
        try:
            job, (code, arguments, source, zero, one) = frames.receive(channel)
        except frames.ClosedError:
            _exit(0)
        os.chdir(job["work"])
        os.environ.update(_NAMES, **job["names"])
        _limit(job)
        sys.path.extend(job["path"])
        sys.path_importer_cache.clear()
        if job["changed"] is not None:
            inherited.finder.install(job["changed"], list(sys.path))
        name = job["name"]
        linecache.cache[name] = (len(source), None, source.decode().splitlines(keepends=True), name)
        sys.argv[:] = [name]
        names["__file__"] = main.__file__ = name
        if job["probe"]:
            names["ARGUMENTS"] = arguments
        if job["seen"] is not None:
            names |= {"OUTPUT": arguments.decode(errors="replace"), "CPU_USED": job["seen"]}
        ways = _ways(channel, inherited, job["guarded"])
        constants = {**ways, b"p"[0]: partial(setattr, main), b"0"[0]: zero, b"1"[0]: one}
        script = _with_constants(marshal.loads(code), job["mark"].encode("latin-1"), constants)  # noqa: S302 - from the host
        if job["guarded"]:
            sys.addaudithook(guard.guard(job["guarded"]))
        gc.enable()
        _signal.pthread_sigmask(signal.SIG_SETMASK, ())
        _write(keep, STARTED)
    except BaseException:  # noqa: BLE001 - whatever it is, the run did not start
        _write(2, traceback.format_exc().encode(errors="replace"))
        _exit(125)
    return [names, script]


def _with_constants(code: types.CodeType, mark: bytes, made: dict[int, Any]) -> types.CodeType:
    """Return ``code``, and the functions nested in it, with each placeholder replaced.

    A placeholder is a constant that equals ``mark`` plus one byte; ``made`` maps this byte to the new
    constant.
    """
    constants = tuple(
        _with_constants(value, mark, made)
        if isinstance(value, types.CodeType)
        else made[value[-1]]
        if type(value) is bytes and value[:-1] == mark
        else value
        for value in code.co_consts
    )
    return code.replace(co_consts=constants)


def _forget_crisol() -> None:
    # A run could find the modules by name.
    for name in list(sys.modules):
        if name.partition(".")[0] == "crisol":
            del sys.modules[name]


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
            soft, hard = (current if bound < 0 else min(bound, current) for bound in (soft, hard))  # noqa: PLW2901 - never raise what is lower already
        try:
            resource.setrlimit(kind, (soft, hard))
        except (ValueError, OSError):
            if sys.platform == "linux":
                raise


def _tell(errors: list[BaseException], channel: int, error: BaseException | None) -> None:
    """Report to the keeper that ``error`` ended the script, and append ``error`` to ``errors``.

    If the script ended by ``SystemExit``, or without an exception (None), it bypassed the exits that can
    report its exit code: nothing is reported, and the process ends with status 1.
    """
    _signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    if sys.gettrace() is not None:
        sys.settrace(None)
    if error is None:  # its last statement leaves; something else got in between
        _exit(1)
    errors.append(error)
    if isinstance(error, SystemExit):
        _write(2, b"SystemExit was raised, but not by the script itself\n")
        _exit(1)
    ran_out = type(error) is MemoryError or (type(error) is OSError and error.errno in _OUT_OF)
    _write(channel, LIMIT if ran_out else RAISED)


def _epilogue(errors: list[BaseException], _told: None) -> None:
    # This comes after the report, as it may run code of the target, such as ``__str__`` of an exception.
    for error in errors:
        trace = error.__traceback__
        shown = traceback.format_exception(type(error), error, trace.tb_next if trace else None)
        _write(2, "".join(shown).encode(errors="replace"))
    _exit(0)

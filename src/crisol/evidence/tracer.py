"""Runs inside the sandbox: executes one PoV under a tracer and reports the executed lines of the target.

The text of this module is the source of a probe, which ends with ``report(main(ARGUMENTS))``. The vulnerable
program and its PoV are not expected to deceive the tracer, which has no defence against them. The key
``lost`` of the report names the events that the tracer could not follow.
"""

from __future__ import annotations

import builtins
import json
import os
import re
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import CodeType, FrameType

__all__ = ["main"]

_COMMANDS = {"subprocess.Popen", "os.posix_spawn", "os.spawn", "os.system"}
_UNFOLLOWED = {"os.fork", "os.forkpty", "os.exec", "pty.spawn", "resource.setrlimit", "resource.prlimit"}
_CALLS = 2000


class _Recorder:
    """The record of a run of a PoV; code and files outside of the folder ``place`` are left out.

    ``place`` ends with a slash. ``source`` is the text of the PoV. ``lost`` names the events that could not
    be followed, such as the start of another interpreter.
    """

    def __init__(self, place: str, source: str, *, lines: bool) -> None:
        self.place, self.source, self.lines = place, source, lines
        self.places: dict[tuple[str, str, int], set[int]] = {}
        # Code that needs no tracing: outside of the target, or all of its lines have run, or none are traced.
        self.whole: set[CodeType] = set()
        # For other code the lines that have not run yet, and those that have.
        self.inside: dict[CodeType, tuple[set[int], set[int]]] = {}
        self.imports: set[str] = set()
        self.opened: set[str] = set()
        self.listed: set[str] = set()
        self.lost: set[str] = set()
        self.events = 0

    def on_call(self, frame: FrameType, event: str, argument: Any) -> Any:  # noqa: ARG002 - a trace function
        self.events += 1
        code = frame.f_code
        if code in self.whole:
            return None
        if code not in self.inside:
            name = code.co_filename
            if not name.startswith(self.place):
                self.whole.add(code)
                return None
            key = (name[len(self.place) :], code.co_name, code.co_firstlineno)
            seen = self.places.setdefault(key, set())
            self.inside[code] = ({line for _, _, line in code.co_lines() if line is not None}, seen)
        if self.lines:
            return self.on_line
        self.whole.add(code)
        return None

    def on_line(self, frame: FrameType, event: str, argument: Any) -> Any:  # noqa: ARG002 - a trace function
        self.events += 1
        if event == "line":
            left, seen = self.inside[frame.f_code]
            seen.add(frame.f_lineno)
            left.discard(frame.f_lineno)
            if not left:
                self.whole.add(frame.f_code)
                return None
        return self.on_line

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:  # noqa: ARG002 - a finder
        # The result None lets Python ask the next finder.
        self.imports.add(name)

    def on_audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _UNFOLLOWED:
            self.lost.add(event)
        elif event in _COMMANDS:
            # Only an interpreter can execute the target; another program is known by what it answers.
            words = repr(arguments) + self.source
            if "python" in words or "sys.executable" in words or self.place[:-1] in words:
                self.lost.add(event)
        elif event == "_thread.start_new_thread":
            if getattr(arguments[0], "__name__", "") != "_bootstrap":
                self.lost.add(event)
            elif re.search("timeout|Timer|wait|join", self.source):
                self.lost.add("threads that are waited for")
        elif event in {"open", "os.listdir", "os.scandir"}:
            if sys._getframe(1).f_code.co_filename.startswith("<frozen importlib"):  # noqa: SLF001 - no other way
                return
            name = arguments[0]
            name = name.decode(errors="replace") if isinstance(name, bytes) else name
            if isinstance(name, str):
                name = os.path.realpath(name) + ("" if event == "open" else "/")
                if name.startswith(self.place):
                    (self.opened if event == "open" else self.listed).add(name[len(self.place) :])

    def cost(self) -> float:
        """Return the processor seconds that a trace event takes; then this thread has no trace function."""

        def nothing() -> int:
            return 1

        worst = 0.0
        for _ in range(5):
            took = []
            for trace in (None, self.on_call):
                sys.settrace(trace)
                start = time.process_time()
                for _ in range(_CALLS):
                    nothing()
                took.append(time.process_time() - start)
            sys.settrace(None)
            worst = max(worst, (took[1] - took[0]) / _CALLS)
        return worst


def _stretch(factor: float) -> list[float]:
    """Make the timers of ``signal`` run ``factor`` times longer; return a list that collects their seconds.

    Each later call of ``setitimer`` or ``alarm`` appends the seconds that the caller asked for, unless 0.
    """
    timers: list[float] = []
    set_timer, set_alarm = signal.setitimer, signal.alarm

    def setitimer(which: int, seconds: float, interval: float = 0.0) -> tuple[float, float]:
        timers.extend([seconds] if seconds else [])
        return set_timer(which, seconds * factor, interval * factor)

    def alarm(seconds: int) -> int:
        timers.extend([seconds] if seconds else [])
        return set_alarm(int(seconds * factor))

    signal.setitimer, signal.alarm = setitimer, alarm
    return timers


def _run(recorder: _Recorder, name: str, source: str) -> object:
    """Execute a PoV as the main program; return its exit code, of any type, or its exception as text."""
    module = type(sys)("__main__")
    module.__dict__.update(__file__=name, __builtins__=dict(vars(builtins)))
    sys.modules["__main__"] = module
    code = compile(source, name, "exec", dont_inherit=True)
    trace = recorder.on_call
    # The tracer's own frames must not end a recursion earlier than it would have ended.
    sys.setrecursionlimit(sys.getrecursionlimit() + 16)
    threading.settrace(trace)
    sys.settrace(trace)
    ended: object = 0
    try:
        exec(code, module.__dict__)  # noqa: S102 - running it is the point
    except SystemExit as error:
        ended = 0 if error.code is None else error.code
    except BaseException as error:  # noqa: BLE001 - every other end is told
        ended = repr(error)[:200]
    if sys.gettrace() is not trace:
        recorder.lost.add("the tracer was replaced")
    sys.settrace(None)
    threading.settrace(None)
    return ended


def main(arguments: bytes) -> bytes:
    """Trace one PoV and return what it executed and read, as JSON.

    ``arguments`` is JSON with ``name`` and ``source`` of the PoV, ``lines`` (a bool: whether lines are
    traced) and ``stretch`` (the factor by which the PoV's own time limits grow). The result is an object with
    five lists:

    - ``places``: for each executed code object of the target its file, name, first line, and the sorted lines
      that ran;
    - ``imports``: the names of the modules that imports looked for;
    - ``opened``: the files of the target that were opened;
    - ``listed``: the folders of the target that were listed;
    - ``lost``: the reasons why the trace may be incomplete, as texts; empty if there are none.
    """
    job = json.loads(arguments)
    place = sys.path[-1] + "/"  # the target stands last
    price = _Recorder(place, "", lines=False).cost()
    recorder = _Recorder(place, job["source"], lines=job["lines"])
    timers = _stretch(job["stretch"])
    sys.meta_path.insert(0, recorder)
    sys.addaudithook(recorder.on_audit)
    ended = _run(recorder, job["name"], job["source"])
    if ended != 0 or isinstance(ended, bool):
        recorder.lost.add(f"the traced PoV ended with {ended!r}")
    if not recorder.places:
        recorder.lost.add("nothing of the target ran")
    if timers and recorder.events * price > (job["stretch"] - 1) * min(timers):
        recorder.lost.add("too slow under the tracer")
    answer = {
        "places": [[*key, sorted(lines)] for key, lines in recorder.places.items()],
        **{name: sorted(getattr(recorder, name)) for name in ("imports", "opened", "listed", "lost")},
    }
    return json.dumps(answer).encode()

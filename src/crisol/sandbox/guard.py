"""An audit hook that ends a run if code of a patched file could reach the script's secrets by introspection.

The hook reacts to access to frames and code objects, to trace functions and audit hooks, and to ctypes.
"""

from __future__ import annotations

import _thread
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import types
    from collections.abc import Callable, Sequence

__all__ = ["LOOKING", "guard"]

_exit, _write = os._exit, os.write

_NEVER = frozenset({"gc.get_objects", "gc.get_referrers", "gc.get_referents"})
"""The events by which code could find the object that holds the run's secret.

They end the process for any caller, because a new thread hides the caller.
"""
_REACHING = frozenset({
    "sys._current_frames", "sys._current_exceptions",
    "sys.settrace", "sys.setprofile", "sys.addaudithook", "ctypes.dlopen", "ctypes.dlsym",
    "ctypes.dlsym/handle",
    "ctypes.call_function", "ctypes.cdata", "ctypes.cdata/buffer", "ctypes.string_at", "ctypes.addressof",
    "ctypes.PyObj_FromPtr",
})  # fmt: skip
LOOKING = frozenset(
    {"tb_frame", "gi_frame", "cr_frame", "ag_frame", "f_code", "gi_code", "cr_code", "__code__"}
)
"""Attributes that lead to a script's code."""

_HEARD = _NEVER | _REACHING | {"sys._getframe", "object.__getattr__"}
"""The events that the hook examines; all others, such as imports and opened files, return at once."""


def guard(files: dict[str, list[list[int]]]) -> Callable[[str, tuple[Any, ...]], None]:
    """Return an audit hook (PEP 578) that ends the process if code of patched files breaks the rules below.

    Code on changed lines of a patched file must not access frames or code objects. Code on unchanged lines
    may, unless code on changed lines called it. No line of a patched file may set a trace or profile
    function, add an audit hook, read the frames of other threads or use ctypes. One rule holds for all code,
    patched or not: it must not call ``gc.get_objects``, ``gc.get_referrers`` or ``gc.get_referents``. The
    hook writes the reason to standard error, and ends the process with status 1.

    ``files`` maps the path of each patched file to the line ranges that the patch left unchanged. The path is
    absolute inside the sandbox, as in ``co_filename``; a range is [first, last], both included, from 1.
    """
    busy: set[int] = set()
    me, frame_at = _thread.get_ident, sys._getframe  # noqa: SLF001 - there is no public one

    def stop(event: str) -> None:
        _write(2, f"a patched file reached into the interpreter ({event})\n".encode())
        _exit(1)

    def hook(event: str, arguments: Sequence[Any]) -> None:
        if event not in _HEARD:
            return
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

"""How a command ends: its exit code, and the line on standard error that says why it failed.

A command that fails prints one line. A traceback is printed only for an unexpected error, if ``LOG_LEVEL`` is
DEBUG.

======  ==============================================================================
code    meaning
======  ==============================================================================
0       valid, or done
1       invalid: the patch is invalid, or the check that the command makes failed
2       not judged: the wargame could not decide, which is never counted against a patch
64      wrong use: an option, a setting, a patch or a file that cannot be used
65      content that does not match its hash, checksum or schema
66      no input: a file that is not there, or closed standard input
69      something that Crisol needs is not available: sandbox, store, index, port
70      a fault of Crisol's own
73      an output file that cannot be created
74      output that could not be written: full disk, closed pipe
130     interrupted
143     ended by SIGTERM
======  ==============================================================================
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import traceback
from enum import IntEnum
from importlib.metadata import metadata, requires
from typing import TYPE_CHECKING, Any

import typer

from crisol.cli.console import err
from crisol.errors import CrisolError, redacted

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Exit", "run"]


class Exit(IntEnum):
    """The exit codes of the command ``crisol``; those from 64 to 78 have the meaning of BSD's ``sysexits.h``.

    - ``VALID`` (0): the patch is valid, or the command succeeded.
    - ``INVALID`` (1): the patch is invalid, or the check that the command makes failed.
    - ``NOT_JUDGED`` (2): the wargame could not judge the patch.
    - ``USAGE`` (64): wrong use of the command.
    - ``DATA`` (65): content that does not match its hash, checksum or schema.
    - ``NO_INPUT`` (66): an input that cannot be read.
    - ``UNAVAILABLE`` (69): a dependency that is not available.
    - ``INTERNAL`` (70): a fault of Crisol.
    - ``CANNOT_CREATE`` (73): an output that cannot be created.
    - ``OUTPUT`` (74): an output that cannot be written.
    - ``INTERRUPTED`` (130): an interruption by SIGINT.
    - ``TERMINATED`` (143): an end by SIGTERM.
    """

    VALID = 0
    INVALID = 1
    NOT_JUDGED = 2
    USAGE = 64
    DATA = 65
    NO_INPUT = 66
    UNAVAILABLE = 69
    INTERNAL = 70
    CANNOT_CREATE = 73
    OUTPUT = 74
    INTERRUPTED = 130
    TERMINATED = 143


def run(command: Callable[[], Any]) -> int:
    """Call ``command()`` and return the exit code of the process.

    An int that the command returns is the exit code; any other result gives 0. If the command raises an
    exception, the function prints it as one line on standard error, and returns the member of :class:`Exit`
    for its class. Only ``SystemExit`` is raised again, unless a closed pipe caused it. If standard output is
    closed, the command is not called, and the exit code is ``Exit.OUTPUT``.
    """
    if not _open_streams():
        return _say(Exit.OUTPUT, "standard output is closed")
    try:
        code = command()
        sys.stdout.flush()
    except SystemExit as stop:
        # The option parser ends with 1 if the reader of the pipe has ended.
        if not isinstance(stop.__context__, BrokenPipeError):
            raise
        return _end(stop.__context__)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - whatever it is, it ends in one line
        return _end(error)
    return code if isinstance(code, int) else Exit.VALID


def _open_streams() -> bool:
    """Make standard output and error usable; return False if standard output was closed.

    Closed streams are opened to the null device, but ``sys.stdin`` stays None if standard input was closed.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # Otherwise the next opened file gets this number, and is read or written by mistake.
            os.open(os.devnull, os.O_RDWR)
    closed = sys.stdout is None
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 - to the end
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    return not closed


def _end(error: BaseException) -> int:
    """Print one line about a command's exception on standard error, and return the exit code.

    Nothing is printed for an interrupt or a closed pipe. If ``LOG_LEVEL`` is DEBUG, the traceback of an
    unexpected exception is printed, too.
    """
    show = getattr(error, "show", None)
    if isinstance(error, typer.Abort | KeyboardInterrupt):
        code = Exit.INTERRUPTED
    elif isinstance(error, CrisolError):
        return _say(error.exit_code, f"{type(error).__name__}: {error}")
    elif isinstance(error, BrokenPipeError):
        # The reader, such as `head`, has read enough; the exit code tells a script that output is missing.
        return _say(Exit.OUTPUT, "")
    elif isinstance(error, OSError):
        return _say(_system_code(error), _system_words(error))
    elif isinstance(error, ModuleNotFoundError) and (extra := _extra_of(error.name or "")):
        hint = f"install Crisol's extra {extra}, in a checkout by pip install '.[{extra}]'"
        return _say(Exit.UNAVAILABLE, f"this needs {error.name}: {hint}")
    elif show is not None:  # the option parser's own errors know how to show themselves
        code = Exit.USAGE
        with contextlib.suppress(OSError):
            show()
    else:
        if os.environ.get("LOG_LEVEL", "").upper() == "DEBUG":
            err.print(redacted("".join(traceback.format_exception(error))), soft_wrap=True)
        place = traceback.extract_tb(error.__traceback__)[-1]
        text = f"{type(error).__name__}: {error} ({place.filename}, line {place.lineno})"
        return _say(
            Exit.INTERNAL, f"{text}; a fault of Crisol's own: LOG_LEVEL=DEBUG shows where, please report it"
        )
    return code


def _extra_of(module: str) -> str:
    from packaging.requirements import Requirement

    name = module.partition(".")[0].replace("_", "-")
    requirements = list(map(Requirement, requires("crisol") or ()))
    brought = {
        extra: {
            need.name
            for need in requirements
            if need.marker is not None and need.marker.evaluate({"extra": extra})
        }
        for extra in metadata("crisol").get_all("Provides-Extra") or ()
    }
    # An extra may contain others; the smallest one with the package is named.
    fitting = [extra for extra, names in brought.items() if name in names]
    return min(fitting, key=lambda extra: len(brought[extra]), default="")


def _system_code(error: OSError) -> Exit:
    if isinstance(error, FileNotFoundError):
        return Exit.NO_INPUT
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return Exit.CANNOT_CREATE
    if isinstance(error, ConnectionError) and not isinstance(error, BrokenPipeError):
        return Exit.UNAVAILABLE
    return Exit.OUTPUT


def _system_words(error: OSError) -> str:
    words = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {words}" if error.filename else f"output could not be written: {words}"


def _say(code: int, text: str) -> int:
    with contextlib.suppress(OSError):
        if text:
            err.print("crisol: ", style="bold red", end="")
            err.print(redacted(text), soft_wrap=True)
    # Buffered output cannot be written either; Python would report that once more at its end.
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    if code == Exit.OUTPUT:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
    return code

"""Shared parts of the commands: consoles, options for reading a patch, exit codes and the printing of errors.

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
import json
import logging
import math
import os
import re
import sys
import traceback
from enum import IntEnum
from importlib.metadata import metadata, requires
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console, ConsoleDimensions
from rich.text import Text
from typer.core import TyperCommand, TyperGroup

from crisol.errors import CannotCreate, CrisolError, NoInput, redacted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import ConsoleOptions, RenderableType
    from rich.segment import Segment

__all__ = [
    "App",
    "Exit",
    "Json",
    "Recount",
    "Strip",
    "creatable",
    "creatable_folder",
    "emit",
    "err",
    "log_to_stderr",
    "out",
    "printable",
    "read_patch",
    "run",
]


class Exit(IntEnum):
    """The exit codes of the command ``crisol``; those from 64 to 78 have the meaning of BSD's ``sysexits.h``.

    ``VALID`` (0) means valid or success, ``INVALID`` (1) invalid or a failed check, ``NOT_JUDGED`` (2) that
    the wargame could not decide; ``USAGE`` (64) wrong usage, ``DATA`` (65) bad content, ``NO_INPUT`` (66) an
    input that cannot be read, ``UNAVAILABLE`` (69) a missing dependency, ``INTERNAL`` (70) an internal
    failure, ``CANNOT_CREATE`` (73) an output that cannot be created, ``OUTPUT`` (74) an input/output error,
    ``INTERRUPTED`` (130) interrupted by SIGINT, ``TERMINATED`` (143) ended by SIGTERM.
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


_UNLIMITED = 10_000
"""The width of output that is no terminal, in characters: more than any table has."""


class _Console(Console):
    """A console that prints text without interpreting markup, and replaces the control characters in it.

    Output that is no terminal has lines of any length, unless ``COLUMNS`` limits them.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        # A name such as "[/red]" would otherwise be markup; coloured text is a Text with a style.
        super().__init__(stderr=stderr, highlight=False, markup=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return ``text`` as rich's ``Text``, with its control characters replaced by escape sequences."""
        return super().render_str(printable(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """Yield the segments of a renderable, with the control characters in their text replaced.

        Rich calls this method for all output, including cells of tables and live displays.
        """
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))

    @property  # type: ignore[misc]  # nothing sets the size of these consoles
    def size(self) -> ConsoleDimensions:
        """The width and height in characters; a pipe or file has room for every table."""
        size, columns = super().size, os.environ.get("COLUMNS", "")
        if columns.isdigit() and int(columns):
            return ConsoleDimensions(int(columns), size.height)
        # A program reads what goes through a pipe: an id that was cut there would name nothing.
        return size if self.is_terminal else ConsoleDimensions(_UNLIMITED, size.height)

    def on_broken_pipe(self) -> None:
        """Raise BrokenPipeError; rich would end the process with 1, which means invalid here."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


out = _Console()
err = _Console(stderr=True)

# C0 without tab and line feed, DEL and C1, and what reorders or hides text (bidirectional controls, zero
# width).
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


def printable(text: object) -> str:
    r"""Return the text with each control character replaced by its escape sequence in Python.

    A terminal can then print untrusted text without obeying it. Tabs and line feeds are kept. Characters
    that reorder or hide text are replaced, too.

    >>> printable("a\x1b[31mb\u202ec")
    'a\\x1b[31mb\\u202ec'
    """
    return _CONTROLS.sub(lambda match: match[0].encode("unicode_escape", "surrogatepass").decode(), str(text))


class _LogLines(logging.Formatter):
    """A log formatter that removes the passwords of URLs and replaces control characters."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text: the message and, if there is one, the traceback."""
        return printable(redacted(super().format(record)))


def log_to_stderr() -> None:
    """Print log records of level WARNING and above, of Crisol and of its libraries, on standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(_LogLines())
    logging.basicConfig(handlers=[handler])


def run(command: Callable[[], Any]) -> int:
    """Call a command without arguments and return its exit code.

    If the command returns an int, this is the exit code; any other result gives 0. An exception is printed as
    one line on standard error, and its class determines the exit code, a member of :class:`Exit`. If standard
    output is closed the command is not called. Raises ``SystemExit`` if the command does.
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


class _Command(TyperCommand):
    """A command whose help names no type for its flags: they take no value."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters; those of flags show no type."""
        return _without_types(super().get_params(ctx))


class _Group(TyperGroup):
    """A group of commands whose help names no type for the group's own flags."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters; those of flags show no type."""
        return _without_types(super().get_params(ctx))


def _without_types(parameters: list[Any]) -> list[Any]:
    for parameter in parameters:
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
    return parameters


class App(typer.Typer):
    """A group of commands of ``crisol``: a :class:`typer.Typer` with the form of help that Crisol uses.

    Called without arguments it prints its help. The keyword arguments are those of ``typer.Typer``.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(cls=_Group, no_args_is_help=True, pretty_exceptions_enable=False, **options)

    def command(self, name: str | None = None, **options: Any) -> Callable[[Any], Any]:
        """Return a decorator that adds a function to the group as a command.

        ``name`` None names the command after the function. ``options`` are further arguments of
        :meth:`typer.Typer.command`.
        """
        return super().command(name, cls=_Command, **options)


Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Strip = Annotated[
    int | None,
    typer.Option(help="Number of leading folders to remove from every path, as patch -p does.", min=0),
]
Recount = Annotated[
    bool, typer.Option("--recount", help="Count the lines of each hunk; ignore the counts in its header.")
]


def emit(document: Any) -> None:
    """Print ``document`` as JSON, one line, on standard output.

    ``document`` may contain values that JSON lacks: NaN and infinities become null; any other such value
    becomes the text that ``str`` returns for it.
    """
    print(json.dumps(_plain(document), default=str))  # noqa: T201 - machines read this


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_patch(path: Path) -> bytes:
    """Return the content of a file as bytes; the path ``-`` means standard input, up to 2 MiB of it.

    The rest of a longer standard input is not read, which is no error here; the parser refuses a diff above
    1 MiB. Raises :class:`~crisol.errors.NoInput` if the file or standard input cannot be read.
    """
    if str(path) != "-":
        try:
            return path.read_bytes()
        except OSError as error:
            raise NoInput(f"{path}: {error.strerror}") from None
    if sys.stdin is None:
        raise NoInput("standard input is closed; name the file of the patch")
    try:
        return sys.stdin.buffer.read(1 << 21)
    except OSError as error:
        raise NoInput(f"standard input: {error.strerror}") from None


def creatable(path: Path | None) -> Path | None:
    """Check that a file can be written at ``path``, and return ``path``; None is returned as None.

    The check leaves no new file behind, and does not change an existing one. A command makes the check before
    its work, so as not to fail afterwards. Raises :class:`~crisol.errors.CannotCreate` if no file can be
    written.
    """
    if path is None:
        return None
    new = not path.exists()
    try:
        with path.open("ab"):
            pass
        if new:
            path.unlink()
    except OSError as error:
        raise CannotCreate(f"{path}: {error.strerror}") from None
    return path


def creatable_folder(path: Path) -> Path:
    """Create the folder ``path`` if there is none, check that files can be written in it, and return it.

    Raises :class:`~crisol.errors.CannotCreate` if no file can be written in the folder.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise CannotCreate(f"{path}: {error.strerror}") from None
    return path


def _open_streams() -> bool:
    """Make standard input, output and error usable, and return whether standard output is open.

    A closed stream is replaced by the null device. A character that the encoding of output or error lacks is
    written as a backslash escape.
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
    """Print the error that a command raised in one line on standard error, and return the exit code.

    An interruption, or output whose reader has closed the pipe, prints nothing. An error of the option parser
    is printed by the parser, with its hints. If ``LOG_LEVEL`` is DEBUG, an unexpected error is printed with
    its traceback.
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
    """Return the extra of the package ``crisol`` that installs the module ``module``; "" if none does.

    An extra is an optional part, such as ``scale`` in ``crisol[scale]``; the metadata of the installed
    package lists them. If several extras install the module, the one with the fewest requirements is
    returned.
    """
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

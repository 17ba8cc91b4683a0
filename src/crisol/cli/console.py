"""Shared parts of the commands: the consoles, the options, and the reading and checking of files."""

from __future__ import annotations

import errno
import json
import logging
import math
import os
import re
import sys
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console, ConsoleDimensions
from rich.text import Text
from typer.core import TyperCommand, TyperGroup

from crisol.errors import CannotCreate, NoInput, redacted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import ConsoleOptions, RenderableType
    from rich.segment import Segment

__all__ = [
    "App",
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
    "read_stdin",
]


_UNLIMITED = 10_000
"""The width of output that is no terminal, in characters: more than any table has."""


class _Console(Console):
    def __init__(self, *, stderr: bool = False) -> None:
        # A name such as "[/red]" would otherwise be markup; coloured text is a Text with a style.
        super().__init__(stderr=stderr, highlight=False, markup=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(printable(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        # Rich calls this method for all output, including cells of tables and live displays.
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))

    @property  # type: ignore[misc]  # nothing sets the size of these consoles
    def size(self) -> ConsoleDimensions:
        size, columns = super().size, os.environ.get("COLUMNS", "")
        if columns.isdigit() and int(columns):
            return ConsoleDimensions(int(columns), size.height)
        # A program reads what goes through a pipe: an id that was cut there would name nothing.
        return size if self.is_terminal else ConsoleDimensions(_UNLIMITED, size.height)

    def on_broken_pipe(self) -> None:
        # Rich would end the process with exit code 1, which means "invalid".
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
    def format(self, record: logging.LogRecord) -> str:
        return printable(redacted(super().format(record)))


def log_to_stderr() -> None:
    """Print log records of level WARNING and above, of Crisol and of its libraries, on standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(_LogLines())
    logging.basicConfig(handlers=[handler])


class _Command(TyperCommand):
    def get_params(self, ctx: Any) -> list[Any]:
        return _without_types(super().get_params(ctx))


class _Group(TyperGroup):
    def get_params(self, ctx: Any) -> list[Any]:
        return _without_types(super().get_params(ctx))


def _without_types(parameters: list[Any]) -> list[Any]:
    # A flag takes no value, so its help names no type.
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
    return read_stdin(1 << 21)


def read_stdin(most: int) -> bytes:
    """Return the first ``most`` bytes of standard input, or all of a shorter one.

    Raises :class:`~crisol.errors.NoInput` if standard input is closed or cannot be read.
    """
    if sys.stdin is None:
        raise NoInput("standard input is closed; name the file of the patch")
    try:
        return sys.stdin.buffer.read(most)
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
    try:
        new = not path.exists()
        with path.open("ab"):
            pass
        if new:
            # The path may be a symbolic link to a file that did not exist; the link stays.
            path.resolve().unlink()
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

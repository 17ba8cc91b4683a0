r"""Compare programs by meaning: patches that make the same program have one identity.

>>> tree = ProgramTree({"app.py": "def read(name):\n    return open(name)\n"})
>>> tree.identity({"app.py": "def read(name):  # by name\n    return (open(name))\n"}) == VULNERABLE
True

Comments, layout, redundant parentheses and most docstrings do not count for the identity. These exceptions
count:

- the whole text of the changed files, if the program reads its own source text, line numbers or byte code
  (``inspect.getsource``, ``linecache``, ``f_lineno``, ``co_code``, an opened ``__file__``, …);
- docstrings, if the program reads docstrings (``__doc__``, ``doctest``, ``docopt``, ``pydoc``);
- a docstring without a space, because the referee's static analysis looks at texts that are a single name;
- the whole text of a file that is not Python, does not parse, or declares a rare encoding. A documentation
  file, recognised by its name, counts only if a source file of the program names it.

The habits of a tree (:class:`Habits`) say what the program reads of its own text. A tree without habits is
compared as if the program read none of it. A corpus build compares its candidates by such trees, and leaves
out a candidate that makes the same program as an earlier one.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from crisol.wargaming.candidates import read_source
from crisol.wargaming.parsing import parsed, source_lines

__all__ = [
    "VULNERABLE",
    "Habits",
    "Module",
    "ProgramTree",
    "habits",
    "is_documentation",
    "is_program",
    "kept",
    "open_tree",
    "same",
]

_IMPORTS = r"(?m:^[ \t]*(?:import[ \t][^#\n]*|from[ \t]+))\b(?:{})\b"
_READS_SOURCE = re.compile(
    _IMPORTS.format("traceback|linecache")
    + r"|\b(?:getsource\w*|findsource|getblock|findCaller|getframeinfo)\b|\binspect\.(?:stack|trace)\b"
    r"|\b(?:f_lineno|tb_lineno|co_(?:firstlineno|lines|lnotab|code|consts|names))\b"
    r"|\bopen(?:_code)?[ \t]*\([^()\n]{0,40}__file__"
)
_READS_DOCSTRINGS = re.compile(r"__doc__|\bgetdoc\b|" + _IMPORTS.format("doctest|docopt|pydoc"))
_COOKIE = re.compile(r"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", re.MULTILINE)
_KEEPS_ASCII = re.compile(r"(?:utf-?8|latin|iso-?8859|(?:us-)?ascii|cp125|koi8)")
"""Encodings that leave ASCII alone; with others, a comment may hold code."""
_TESTS = re.compile(r"(?:^|/)(?:tests?|testing)/|(?:^|/)(?:test_[^/]*|[^/]*_test|conftest)\.py$")
_DOCUMENTATION = re.compile(
    r"\.(?:md|rst|markdown)$|(?:^|/)(?:docs?/.*\.txt"
    r"|(?:changes|changelog|news|readme|authors|history|licen[cs]e|todo)"
    r"(?:\.txt)?)$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Habits:
    """The parts of its own source text that a program reads while it runs.

    A change of these parts may change the program's behaviour. ``source`` is true if the program reads source
    lines, line numbers or byte code, ``docstrings`` if it reads docstrings. ``words`` is the text of all its
    Python files together; a documentation file whose name occurs in this text may be read, too.
    """

    source: bool = False
    docstrings: bool = False
    words: str = ""


@dataclass(frozen=True, slots=True)
class Module:
    """A parsed Python source: the statements of its ``body``, and its declared encoding.

    ``lines`` are the lines to which the line numbers of the statements refer. ``cookie`` is the encoding that
    a comment in the first two lines declares, "" if none does.
    """

    lines: tuple[str, ...]
    body: tuple[ast.stmt, ...]
    cookie: str

    @classmethod
    def of(cls, text: str, before: Module | None = None) -> Module | None:
        """Parse a source; return None if it does not parse, is too large, or declares a rare encoding.

        The limits are those of :func:`~crisol.wargaming.parsing.parsed`. Without ``before`` the whole source
        is parsed. Otherwise ``before`` is the module before a change, and ``text`` the source after it. The
        statements of ``before`` that are unchanged at the beginning and the end are reused, with their line
        numbers. Only the text between them is parsed; its lines are appended to the lines of ``before``, so
        that ``lines`` of the result is not the source.
        """
        lines = tuple(source_lines(text))
        cookie = _COOKIE.search("\n".join(lines[:2]))
        said = cookie[1].lower() if cookie else ""
        if said and not _KEEPS_ASCII.match(said):
            return None
        if before is not None and (spliced := _spliced(lines, before)) is not None:
            return cls(*spliced, said)
        tree = parsed(text)
        return None if tree is None else cls(lines, tuple(tree.body), said)


class ProgramTree:
    """A vulnerable program, with which patched versions of it are compared by meaning instead of by text.

    ``read`` is a mapping from paths to texts, or a function that takes a path and returns the text, None if
    there is no such file. Each file is read once. ``habits`` says which parts of its own text the program
    reads, such as docstrings.
    """

    def __init__(
        self, read: Callable[[str], str | None] | Mapping[str, str], habits: Habits = Habits()
    ) -> None:
        self._read = read.get if isinstance(read, Mapping) else read
        self.habits = habits
        self._texts: dict[str, str] = {}
        self._modules: dict[str, Module | None] = {}

    def read(self, path: str) -> str | None:
        """Return the text of a file of the vulnerable program; None if there is no such file."""
        text = self._texts.get(path)
        if text is None:
            text = self._read(path)
            if text is not None:  # a patch may name any number of files that are not there
                self._texts[path] = text
        return text

    def module(self, path: str) -> Module | None:
        """Return a parsed file of the vulnerable program; None if it does not exist or does not parse."""
        if path not in self._modules:
            text = self.read(path)
            if text is None:
                return None
            self._modules[path] = Module.of(text)
        return self._modules[path]

    def identity(self, after: Mapping[str, str | None]) -> str:
        """Return the identity of a patched program, 64 hexadecimal digits; equal programs have the same one.

        ``after`` maps the path of each changed file to its new text, None for a deleted file. Changes of
        comments, layout and documentation do not change the identity, unless the program reads them. A file
        that is no Python, or does not parse, counts by its text. The identity of a program that a patch does
        not change is :data:`VULNERABLE`.
        """
        digest = hashlib.sha256(b"crisol-program-2")
        for path, text in sorted(after.items()):
            if text == self.read(path) or self.ignores(path):
                continue
            form = self._form(path, text)
            if form is not None:
                digest.update(repr((path, form)).encode(errors="surrogatepass"))
        return digest.hexdigest()

    def ignores(self, path: str) -> bool:
        """Return whether ``path`` names a documentation file that the program does not mention.

        A change of such a file does not change the program.
        """
        return is_documentation(path) and PurePosixPath(path).name not in self.habits.words

    def _form(self, path: str, text: str | None) -> object:
        """Return a value whose ``repr`` represents the change of one file; None if it has no effect."""
        if text is None:
            return ("gone",)
        old = self.module(path)
        new = Module.of(text, old) if path.endswith(".py") else None
        if new is None or self.habits.source:
            return ("text", text)
        if old is None:
            return ("new", new.cookie, [_digest(node, self.habits) for node in new.body])
        middle = _difference((old, old.body), (new, new.body), self.habits)
        return None if middle is None and old.cookie == new.cookie else ("changed", new.cookie, middle)


VULNERABLE = ProgramTree({}).identity({})
"""The identity of the unpatched tree."""


def _spliced(lines: tuple[str, ...], before: Module) -> tuple[tuple[str, ...], tuple[ast.stmt, ...]] | None:
    """Parse only the changed part of a source; return (lines, statements of the module), or None.

    The result has all lines of ``before``, followed by the lines of the changed part; the statements' line
    numbers refer to this sequence. Unchanged statements are the same objects as in ``before``. None means
    that the changed part cannot be parsed alone.
    """
    old = before.lines
    # The parser ends a line there, too, or begins its column anew.
    if any(mark in text for text in ("\n".join(old), "\n".join(lines)) for mark in "\r\f"):
        return None
    starts = [_first_line(node) for node in before.body]
    if any(node.col_offset for node in before.body) or any(
        start <= (node.end_lineno or 0) for start, node in zip(starts[1:], before.body, strict=False)
    ):
        return None
    same = min(len(old), len(lines))
    head = next((at for at in range(same) if old[at] != lines[at]), same)
    tail = next((at for at in range(same - head) if old[-1 - at] != lines[-1 - at]), same - head)
    # One more statement on either side, since a comment or a continuation may belong to the line before.
    first = max(sum(start <= head for start in starts) - 1, 0)
    last = min(sum(start <= len(old) - tail for start in starts) + 1, len(starts))
    from_line = starts[first] - 1 if first else 0
    to_line = starts[last] - 1 if last < len(starts) else len(old)
    middle = lines[from_line : to_line + len(lines) - len(old)]
    if middle and middle[-1].endswith("\\"):
        return None
    tree = parsed("\n" * len(old) + "\n".join(middle) + "\n")
    if tree is None:
        return None
    return (*old, *middle), (*before.body[:first], *tree.body, *before.body[last:])


def _first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def open_tree(folder: Path) -> ProgramTree:
    """Return the program in a source folder, for comparisons with patched versions of it.

    All Python files of the program, except tests, are searched to find its :class:`Habits`: whether it reads
    its own source text or docstrings.
    """
    texts = [
        path.read_text(encoding="utf-8", errors="replace")
        for path in sorted(folder.rglob("*.py"))
        if path.is_file() and not _TESTS.search(path.relative_to(folder).as_posix())
    ]
    return ProgramTree(lambda path: read_source(folder, path), habits(texts))


def habits(texts: Sequence[str]) -> Habits:
    """Return which parts of its own text a program reads; ``texts`` are its source files.

    A program is taken to read docstrings if its source contains ``__doc__`` or a similar name, and source
    lines if it contains a name such as ``getsource``.
    """
    words = "\n".join(texts)
    return Habits(_READS_SOURCE.search(words) is not None, _READS_DOCSTRINGS.search(words) is not None, words)


def is_program(files: Mapping[str, str | None]) -> bool:
    """Return whether every Python file in ``files`` parses; other files are ignored.

    ``files`` maps paths to texts, None for a deleted file. Without a Python file the result is True.
    """
    return all(
        text is None or not path.endswith(".py") or parsed(text) is not None for path, text in files.items()
    )


def is_documentation(path: str) -> bool:
    """Return whether a path looks like documentation by its name, such as ``README.md`` or ``docs/*.txt``."""
    return _DOCUMENTATION.search(path) is not None


def same(old: tuple[Module, ast.stmt], new: tuple[Module, ast.stmt], habits: Habits) -> bool:
    """Return whether two statements, of an old and a new module, have the same meaning.

    ``old`` and ``new`` are pairs (module, statement in it). Differences in layout are ignored. Differences in
    docstrings are ignored unless ``habits`` says that the program reads docstrings.
    """
    (before, left), (after, right) = old, new
    if left is right:
        return True
    if type(left) is not type(right):
        return False
    if left.col_offset == right.col_offset and _text(before, left) == _text(after, right):
        return True
    return _digest(left, habits) == _digest(right, habits)


def _text(module: Module, node: ast.stmt) -> tuple[str, ...]:
    return module.lines[_first_line(node) - 1 : node.end_lineno]


def _difference(
    old: tuple[Module, Sequence[ast.stmt]], new: tuple[Module, Sequence[ast.stmt]], habits: Habits
) -> object:
    """Return a value that represents how two bodies differ; None if they have the same meaning.

    A body is (module, statements of it or of a class in it). Two new bodies with the same old body and equal
    values have the same meaning.
    """
    before, after = [kept(body, habits) for _, body in (old, new)]
    head = 0
    while head < min(len(before), len(after)) and same((old[0], before[head]), (new[0], after[head]), habits):
        head += 1
    if head == len(before) == len(after):
        return None
    tail = 0
    while tail < min(len(before), len(after)) - head and same(
        (old[0], before[-1 - tail]), (new[0], after[-1 - tail]), habits
    ):
        tail += 1
    left, right = before[head : len(before) - tail], after[head : len(after) - tail]
    if len(left) == len(right) == 1:
        (old_class,), (new_class,) = left, right
        if (
            isinstance(old_class, ast.ClassDef)
            and isinstance(new_class, ast.ClassDef)
            and _header(old_class) == _header(new_class)
        ):
            return (
                head,
                tail,
                "class",
                _difference((old[0], old_class.body), (new[0], new_class.body), habits),
            )
    return (head, tail, [_digest(node, habits) for node in right])


def kept(body: Sequence[ast.stmt], habits: Habits) -> list[ast.stmt]:
    """Return the statements of a block that have an effect.

    ``body`` is the block. Statements without effect are ``pass`` and most statements that are only a
    constant. Two kinds of constants count as an effect: a text without a space, and a first statement if
    ``habits`` says that the program reads docstrings.
    """
    documented = habits.docstrings
    return [
        node
        for at, node in enumerate(body)
        if not isinstance(node, ast.Pass)
        and not (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and (at > 0 or not documented)
            and (not isinstance(node.value.value, str) or " " in node.value.value)
        )
    ]


def _header(node: ast.ClassDef) -> str:
    return ast.dump(ast.ClassDef(node.name, node.bases, node.keywords, [], node.decorator_list))


@lru_cache(maxsize=256)
def _digest(node: ast.AST, habits: Habits) -> str:
    said = "".join(_pieces(node, habits))
    return hashlib.sha256(said.encode(errors="surrogatepass")).hexdigest()


def _pieces(node: object, habits: Habits) -> list[str]:
    """Return texts that, joined, represent a syntax tree; this is much faster than :func:`ast.dump`."""
    out: list[str] = []
    left: list[object] = [node]
    while left:
        at = left.pop()
        if isinstance(at, ast.Constant):
            out.append(f"{type(at.value).__name__}:{at.value!r};")
        elif isinstance(at, ast.AST):
            out.append(f"({type(at).__name__} ")
            left.append(")")
            for name in reversed(at._fields):
                value = getattr(at, name, None)
                if isinstance(value, list):
                    if name == "body":
                        value = kept(value, habits)
                    left.append("]")
                    left.extend(reversed(value))
                    left.append("[")
                elif isinstance(value, ast.AST):
                    left.append(value)
                else:
                    left.append(None if value is None else f"{value!r},")
        else:
            out.append("-" if at is None else str(at))
    return out

"""The code lines of a hunk, without comments, docstrings, blank lines and version strings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

__all__ = ["code_lines"]

_SUSPECT = re.compile(r"\n[+-][ \t\r\f\v]*(?:\n|/\*|\*|--|_*[vV]ersion|_*VERSION)")
"""Finds lines whose beginning may make them comments or version strings."""
_IDLE = re.compile(
    r"#(?!include\b|define\b|ifn?def\b|endif\b|undef\b)|//|/\*|\*(?:\s|/|$)|--(?:\s|$)"
    r"|(?i:__)?(?i:version)(?i:_info)?(?:__)?\s*[=:]\s*[('\"]+v?\d[\w.+ ,'\"-]*[)'\"]*,?\s*(?:#|$)"
)
_QUOTES = re.compile(r"\"\"\"|'''")
_OPENING = re.compile(r"[rRuU]?(\"\"\"|''')")
_MARKS = {mark: re.compile(rf"\\.|['\"]|\s{mark}") for mark in ("#", "//")}
_STARTS = frozenset("#/*-_vV")
"""First characters of what :data:`_IDLE` matches."""
_SLASHES = frozenset(["c", "h", "cc", "cpp", "hpp", "cs", "go", "java", "js", "kt", "php", "rs", "ts"])
"""Endings of files whose comments begin with two slashes."""


def code_lines(lines: Sequence[str], path: str) -> Sequence[str]:
    """Return the lines of a hunk with only the changes of code, not those of comments or version strings.

    >>> code_lines(("+# why", "-a = 1", "+a = 2  # two"), "x.py")
    ['-a = 1', '+a = 2']

    A line begins with ``+`` (added), ``-`` (removed) or a space (context), as in a diff. A line has no code
    if it is blank, is a comment, belongs to a docstring, or sets a version string such as
    ``version = "1.2"``. An added line without code is left out; a removed line without code becomes a context
    line. A comment behind code is cut off; a line in which only the comment changes becomes a context line.
    The comments that are cut off begin with ``//`` if ``path`` has the file name extension of a language such
    as C, Java or JavaScript, otherwise with ``#``. A docstring is recognised only if the hunk contains its
    quotes.
    """
    text = "\n".join(["", *lines, ""])
    quoted = '"""' in text or "'''" in text
    if not (quoted or "#" in text or "//" in text or _SUSPECT.search(text)):
        return lines
    docs = _docstrings(lines) if quoted else set[int]()
    mark = "//" if path.rpartition(".")[2].lower() in _SLASHES else "#"
    out: list[str] = []
    shortened = False
    for at, line in enumerate(lines):
        if line[0] != " ":
            bare = line[1:].lstrip()
            if not bare or at in docs or (bare[0] in _STARTS and _IDLE.match(bare)):
                if line[0] == "+":
                    continue
                line = f" {line[1:]}"  # noqa: PLW2901 - a removed comment stands as context
            elif mark in bare:
                short = _cut(line, mark)
                shortened |= short != line
                line = short  # noqa: PLW2901 - the same line without its comment
        out.append(line)
    return _without_equal_ends(out) if shortened else out


def _without_equal_ends(lines: list[str]) -> list[str]:
    """Return a hunk's lines, with equal removed and added lines at the ends of each change as context.

    A change is a run of changed lines. In the result its removed lines come before its added ones.
    """
    out: list[str] = []
    for changed, run in groupby(lines, lambda line: line[0] != " "):
        if not changed:
            out += run
            continue
        sides: dict[str, list[str]] = {"-": [], "+": []}
        for line in run:
            sides[line[0]].append(line[1:])
        old, new = sides["-"], sides["+"]
        start, end = 0, min(len(old), len(new))
        while start < end and old[start] == new[start]:
            start += 1
        back = 0
        while back < end - start and old[-1 - back] == new[-1 - back]:
            back += 1
        out += [f" {line}" for line in old[:start]]
        out += [f"-{line}" for line in old[start : len(old) - back]]
        out += [f"+{line}" for line in new[start : len(new) - back]]
        out += [f" {line}" for line in old[len(old) - back :]]
    return out


def _cut(line: str, mark: str) -> str:
    """Return a changed line without the comment behind its code; ``mark`` is ``#`` or ``//``."""
    quote = ""
    for match in _MARKS[mark].finditer(line, 1):
        token = match[0]
        if token in {"'", '"'}:
            if not quote:
                quote = token
            elif token == quote:
                quote = ""
        elif token[0] != "\\" and not quote:
            return line[: match.start()].rstrip()
    return line


def _docstrings(lines: Sequence[str]) -> set[int]:
    quoted = [at for at, line in enumerate(lines) if '"""' in line or "'''" in line]
    docs: set[int] = set()
    for tags in (" -", " +"):
        for start, end in _spans(lines, [at for at in quoted if lines[at][0] in tags], tags):
            docs.update(at for at in range(start, end + 1) if lines[at][0] in tags)
    return docs


def _spans(lines: Sequence[str], quoted: list[int], tags: str) -> Iterator[tuple[int, int]]:
    """Yield (first, last), two indices of ``lines``, for each docstring of the text before or after a patch.

    ``tags`` are the first characters of the lines of that text: ``" -"`` before, ``" +"`` after the patch.
    ``quoted`` are the indices of its lines with triple quotes.
    """
    quote, since = "", -1
    for at in quoted:
        bare = lines[at][1:].strip()
        if quote:
            if quote in bare:
                quote = ""
                if since >= 0:
                    yield since, at
            continue
        mark = _QUOTES.findall(bare)[0]
        behind = bare.partition(mark)[2]
        opening = _OPENING.match(bare) is not None
        if at == quoted[0] and not behind and not _opens(lines, at, tags, alone=opening):
            # The hunk begins inside of a docstring, which ends here.
            yield 0, at
        elif mark not in behind:
            quote, since = mark, at if opening else -1
        elif opening:
            yield at, at
    if quote and since >= 0:
        yield since, len(lines) - 1


def _opens(lines: Sequence[str], at: int, tags: str, *, alone: bool) -> bool:
    """Return whether the triple quotes at the end of the line ``at`` open a string, by the code before them.

    ``alone`` means that the line holds nothing else; then the previous line decides. For ``tags`` see
    :func:`_spans`.
    """
    if not alone:
        return lines[at].rstrip()[:-3].rstrip().endswith(("=", "(", "[", "{", ",", "+", "return", "%", ":"))
    before = next((line for line in reversed(lines[:at]) if line[0] in tags), ":")
    return before.rstrip().endswith(":")

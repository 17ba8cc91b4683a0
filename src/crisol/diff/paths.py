"""Read the paths in a diff, which are untrusted, in the notations of git, diff, quilt and Subversion."""

from __future__ import annotations

import re

from crisol.errors import MalformedDiff, UnsafeDiff

__all__ = ["bare", "epoch", "named", "pair", "without_backup"]

_ESCAPE = re.compile(r'\\([0-7]{3}|[abtnvfr"\\])')
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_SIMPLE = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, '"': 34, "\\": 92}
# The prefixes that git writes before the two paths, also with diff.mnemonicPrefix, -R and --no-index.
_PREFIXES = {"ab", "ba", "iw", "wi", "ci", "ic", "cw", "wc", "ow", "wo", "12", "21"}
_STAMP = re.compile(
    r"\s+(?:\d{4}-\d\d-\d\d[ T]\d\d:|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} |\((?:revision|working) )"
)
_EPOCH = re.compile(r"\s(?:1970-01-01|1969-12-31|Thu Jan +1 .*1970|Wed Dec 31 .*1969)")
_BACKUP = re.compile(r"(?:\.orig|\.old|\.bak|\.org|_orig|_org|-orig|~)$")


def named(text: str) -> str:
    """Return the path from the text after ``---`` or ``+++`` in a diff, without the timestamp after it.

    The path keeps its quotes and its prefix, such as ``a/``.
    """
    text = text.split("\t", 1)[0].rstrip()
    return text[: match.start()] if (match := _STAMP.search(text)) else text


def epoch(text: str) -> bool:
    """Return whether the text after ``---`` or ``+++`` in a diff has the date 1970-01-01 or 1969-12-31.

    ``diff -N`` writes such a date for a file that does not exist: midnight of 1970-01-01 in UTC, which is
    still 1969-12-31 in some time zones.
    """
    return bool(_EPOCH.search(text))


def pair(left: str, right: str, strip: int | None, line: int) -> tuple[str, str]:
    """Return the old and the new path of a changed file, without prefixes such as ``a/`` and ``b/``.

    ``left`` and ``right`` are the two paths as they stand in the diff; ``/dev/null`` is returned unchanged.
    ``strip`` is the number of leading folders to remove, as in ``patch -p``; None removes the prefixes that
    git writes. ``line`` is the 1-based line number for error messages. Raises
    :class:`~crisol.errors.MalformedDiff` for a quoted path without its closing quote, and
    :class:`~crisol.errors.UnsafeDiff` for a path outside the project's folder or with fewer folders than
    ``strip``.
    """
    old, new = _plain(left, line), _plain(right, line)
    if strip is not None:
        return _stripped(old, strip, line), _stripped(new, strip, line)
    if "/dev/null" in {old, new}:
        return (
            (old, _safe(new.removeprefix("b/"), line))
            if old == "/dev/null"
            else (_safe(old.removeprefix("a/"), line), new)
        )
    if old[1:2] == new[1:2] == "/" and old[:1] + new[:1] in _PREFIXES:
        old, new = old[2:], new[2:]
    else:
        old, new = old.removeprefix("a/"), new.removeprefix("b/")
    return _safe(old, line), _safe(new, line)


def bare(text: str, strip: int | None, line: int) -> str:
    """Return a path from a line on which git writes no prefix ``a/`` or ``b/``, such as ``rename from PATH``.

    ``text`` is the path as it stands in the diff. ``strip`` is the number of leading folders that are removed
    from the diff's other paths; one fewer is removed here, because the prefix is missing. None removes
    nothing. ``line`` is the 1-based line number for error messages. Raises
    :class:`~crisol.errors.MalformedDiff` for a quoted path without its closing quote, and
    :class:`~crisol.errors.UnsafeDiff` for a path that lies outside the project's folder or has too few
    folders.
    """
    path = _plain(text, line)
    return _stripped(path, max(0, strip - 1), line) if strip is not None else _safe(path, line)


def without_backup(path: str) -> str:
    """Return a path without the mark of a backup copy: ``x.py`` for ``x.py.orig`` and for ``x_orig.py``.

    The mark is ``.orig``, ``.org``, ``.old``, ``.bak``, ``_orig``, ``_org``, ``-orig`` or ``~``, at the end
    of the path or before its last ending. Any other path is returned unchanged.
    """
    stem, dot, end = path.rpartition(".")
    if dot and "/" not in end and (match := _BACKUP.search(stem)):
        return f"{stem[: match.start()]}.{end}"
    return _BACKUP.sub("", path)


def _stripped(path: str, count: int, line: int) -> str:
    if path == "/dev/null":
        return path
    parts = path.split("/")
    if len(parts) <= count:
        raise UnsafeDiff(
            f"{path[:100]!r} has no more than {count} parts to strip; use a smaller --strip", line=line
        )
    return _safe("/".join(parts[count:]), line)


def _plain(text: str, line: int) -> str:
    path = _unquote(text, line) if text.startswith('"') else text
    while path.startswith("./"):
        path = path[2:]
    return path


def _safe(path: str, line: int) -> str:
    parts = path.split("/")
    if _CONTROL.search(path) or "\\" in path:
        raise UnsafeDiff("control characters and backslashes in a path are refused", line=line)
    if not path or path.startswith("/") or path[1:2] == ":":
        raise UnsafeDiff(f"{path[:100]!r} is not a relative path", line=line)
    if any(part in {"", ".", ".."} or part.lower() == ".git" or len(part) > 255 for part in parts):
        raise UnsafeDiff(f"{path[:100]!r} leaves the tree or is not a plain path", line=line)
    if len(path) > 1024:
        raise UnsafeDiff("a path of more than 1024 characters", line=line)
    return path


def _unquote(text: str, line: int) -> str:
    if len(text) < 2 or not text.endswith('"'):
        raise MalformedDiff("a quoted path without its closing quote", line=line)
    out, end = bytearray(), 0
    inner = text[1:-1]
    for match in _ESCAPE.finditer(inner):
        code = match[1]
        out += inner[end : match.start()].encode(errors="surrogatepass")
        out.append(_SIMPLE[code] if code in _SIMPLE else int(code, 8) & 0xFF)
        end = match.end()
    out += inner[end:].encode(errors="surrogatepass")
    try:
        return out.decode()
    except UnicodeDecodeError:
        raise UnsafeDiff("a path that is not UTF-8", line=line) from None

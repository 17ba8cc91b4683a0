"""Candidate patches of a vulnerability: the upstream fix, the ones written by hand, the ones taken in."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

from crisol import diff
from crisol.errors import DiffError, VulnerabilityError
from crisol.records import Candidate, Origin
from crisol.wargame.intake import kept

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from crisol.wargame.vulnerability import Vulnerability

__all__ = ["candidates", "read_source"]


def candidates(vulnerability: Vulnerability, cache: Path, inbox: Path) -> Iterator[Candidate]:
    """Yield the upstream fix (where a fixed release exists), every patch of the folder by name, and the inbox's.

    Raises :class:`~crisol.errors.VulnerabilityError` for an edit that does not fit the source.
    """
    tree = vulnerability.vulnerable(cache)
    if vulnerability.about.upstream:
        yield Candidate(vulnerability.id, "upstream", Origin.UPSTREAM, _upstream(vulnerability, cache))
    for path in sorted((vulnerability.folder / "patches").glob("*.*")):
        if path.suffix == ".diff":
            yield Candidate(vulnerability.id, path.stem, Origin.HAND, path.read_text())
        elif path.suffix == ".toml":
            yield Candidate(vulnerability.id, path.stem, Origin.HAND, _edited(path, tree))
    yield from kept(inbox, vulnerability.id)


def read_source(tree: Path, name: str) -> str | None:
    """Return the text of a file of a source tree, byte for byte, or None where there is none.

    Latin-1 sources of old releases are read as such. Never follows a link out of the tree.
    """
    path = tree / name
    if not path.is_file() or not path.resolve().is_relative_to(tree.resolve()):
        return None
    content = path.read_bytes()
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _upstream(vulnerability: Vulnerability, cache: Path) -> str:
    """Compute the difference of the two releases, reduced to the hunks that matter."""
    old, new = vulnerability.vulnerable(cache), vulnerability.fixed(cache)
    if new is None:
        raise VulnerabilityError(f"{vulnerability.id}: upstream hunks need a fixed release")
    wanted = vulnerability.about.upstream
    before: dict[str, str] = {}
    after: dict[str, str] = {}
    for name in sorted({hunk.file for hunk in wanted}):
        source, target = read_source(old, name), read_source(new, name)
        ranges = [range(h.old_start - 1, h.old_start + h.old_lines) for h in wanted if h.file == name]
        release = diff.between(_file(name, source), _file(name, target), context=0)
        (change,) = diff.parse(release).files
        hunks = tuple(hunk for hunk in change.hunks if any(_within(hunk, lines) for lines in ranges))
        if not all(any(_within(hunk, lines) for hunk in hunks) for lines in ranges):
            raise VulnerabilityError(
                f"{vulnerability.id}: the releases differ nowhere in an upstream hunk of {name}"
            )
        reduced = diff.Patch((diff.FileChange(change.old, change.new, hunks),))
        before |= _file(name, source)
        after |= _file(name, diff.apply(reduced, before.get)[name])
    return diff.between(before, after)


def _within(hunk: diff.Hunk, lines: range) -> bool:
    """Return whether the old side of a hunk without context lies inside a range of lines."""
    return hunk.old_start in lines and hunk.old_start + max(len(hunk.old), 1) - 1 in lines


def _file(name: str, text: str | None) -> dict[str, str]:
    return {} if text is None else {name: text}


def _edited(path: Path, tree: Path) -> str:
    """Turn a file of edits by line range into a unified diff."""
    try:
        edits = tomllib.loads(path.read_text())["edit"]
        return _apply_edits(edits, tree)
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError, DiffError) as error:
        raise VulnerabilityError(f"{path}: {error}; see docs/vulnerability-format.md") from None


def _apply_edits(edits: list[dict[str, Any]], tree: Path) -> str:
    before: dict[str, str] = {}
    lines: dict[str, list[str]] = {}
    # From the last line upwards, so that earlier numbers stay true.
    for edit in sorted(edits, key=lambda edit: edit["lines"], reverse=True):
        name, (first, last) = edit["file"], edit["lines"]
        if name not in before:
            source = read_source(tree, name)
            before[name] = source or ""
            lines[name] = before[name].split("\n")
            if source is None:
                raise ValueError(f"no file {name}")
        if not 1 <= first <= last + 1 <= len(lines[name]) + 1:
            raise ValueError(f"lines {first} to {last} are not in {name}")
        text = edit["text"].removesuffix("\n")
        lines[name][first - 1 : last] = text.split("\n") if text else []
    return diff.between(before, {name: "\n".join(parts) for name, parts in lines.items()})

"""The candidate patches of a vulnerability: upstream's fix, the patches in its folder, imported patches."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

from crisol import diff
from crisol.errors import DiffError, VulnerabilityError
from crisol.records import Candidate, Origin
from crisol.wargaming.intake import kept

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from crisol.wargaming.description import UpstreamHunk
    from crisol.wargaming.vulnerability import Vulnerability

__all__ = ["candidates", "own_candidates", "read_source", "reference"]

_CONTEXT = 3


def candidates(vulnerability: Vulnerability, cache: Path, inbox: Path) -> Iterator[Candidate]:
    """Yield all candidates of a vulnerability: upstream's fix, the patches in its folder, imported patches.

    ``cache`` is the folder of downloaded releases, ``inbox`` the folder of imported patches; if ``inbox`` is
    missing, there are no imported patches. Raises the errors of :func:`own_candidates`, and
    :class:`~crisol.errors.DatasetError` if the file of the imported patches is damaged.
    """
    yield from own_candidates(vulnerability, cache)
    yield from kept(inbox, vulnerability.id)


def own_candidates(vulnerability: Vulnerability, cache: Path) -> Iterator[Candidate]:
    """Yield upstream's fix, if there is one, then the patches in the vulnerability's folder.

    ``cache`` is the folder of downloaded releases. The patches in the folder ``patches`` have the origin
    ``hand``. Those in ``patches/agent`` follow, with the origin ``agent``; the file name without its ending
    is the name of the agent's instruction, and becomes the candidate's ``operator``. Within each folder the
    patches are sorted by file name. Raises :class:`~crisol.errors.VulnerabilityError` if upstream's hunks or
    the edits of a ``.toml`` patch do not fit the source; a ``.diff`` is not parsed. Raises
    :class:`~crisol.errors.IndexUnavailable` if a release cannot be downloaded.
    """
    tree = vulnerability.vulnerable(cache)
    if vulnerability.about.upstream:
        yield Candidate(vulnerability.id, "upstream", Origin.UPSTREAM, _upstream(vulnerability, cache))
    folder = vulnerability.folder / "patches"
    for path in sorted(folder.glob("*.*")):
        if (text := _diff(path, tree)) is not None:
            yield Candidate(vulnerability.id, path.stem, Origin.HAND, text)
    for path in sorted((folder / "agent").glob("*.*")):
        if (text := _diff(path, tree)) is not None:
            yield Candidate(vulnerability.id, f"agent-{path.stem}", Origin.AGENT, text, operator=path.stem)


def reference(vulnerability: Vulnerability, cache: Path) -> Candidate | None:
    """Return the reference: upstream's fix, or else the patch ``reference`` in the vulnerability's folder.

    None means that the vulnerability has neither. ``cache`` is the folder of downloaded releases. Raises the
    errors of :func:`own_candidates`.
    """
    named = {"upstream", "reference"}
    chosen = (candidate for candidate in own_candidates(vulnerability, cache) if candidate.name in named)
    return next(chosen, None)


def read_source(tree: Path, name: str) -> str | None:
    """Return the text of a source file, with its line ends; None if there is no such file.

    ``name`` is the file's path relative to the folder ``tree``. A symbolic link to a place outside ``tree``
    gives None. A file that is not UTF-8 is decoded as Latin-1.
    """
    path = tree / name
    try:
        if not path.is_file() or not path.resolve().is_relative_to(tree.resolve()):
            return None
        content = path.read_bytes()
    except (OSError, ValueError):  # a name that is too long, or that no file can have
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _upstream(vulnerability: Vulnerability, cache: Path) -> str:
    """Return upstream's fix as a diff: only the hunks that the vulnerability's description names.

    Raises :class:`~crisol.errors.VulnerabilityError` if there is no fixed release, or if the hunks of a file
    do not fit the two releases or change nothing, or if no release has the file.
    """
    old, new = vulnerability.vulnerable(cache), vulnerability.fixed(cache)
    if new is None:
        raise VulnerabilityError(f"{vulnerability.id}: upstream hunks need a fixed release")
    before: dict[str, str] = {}
    after: dict[str, str] = {}
    for name in sorted({hunk.file for hunk in vulnerability.about.upstream}):
        hunks = [hunk for hunk in vulnerability.about.upstream if hunk.file == name]
        source, target = read_source(old, name), read_source(new, name)
        if source is None and target is None:
            raise VulnerabilityError(f"{vulnerability.id}: upstream hunks of {name}, which no release has")
        before |= _file(name, source)
        changed = _spliced(source or "", target or "", hunks)
        if changed == source:
            raise VulnerabilityError(f"{vulnerability.id}: the upstream hunks of {name} change nothing")
        after |= _file(name, changed if target is not None else None)
    return diff.between(before, after)


def _spliced(source: str, target: str, hunks: Iterable[UpstreamHunk]) -> str:
    """Return the vulnerable file ``source`` with upstream's hunks; ``target`` is the fixed file.

    A hunk has only ranges of lines: the new lines come from ``target``, and get the line ends of ``source``.
    If ``source`` is empty, the result is ``target``.
    """
    if source and "\r\n" not in source:
        target = target.replace("\r\n", "\n")
    elif "\r\n" in source and "\r\n" not in target:
        target = target.replace("\n", "\r\n")
    lines, new = source.split("\n"), target.split("\n")
    if not source:
        return target
    # From the last hunk upwards, so that earlier numbers stay true.
    for hunk in sorted(hunks, key=lambda hunk: hunk.old_start, reverse=True):
        start, end = hunk.old_start - 1, hunk.old_start - 1 + hunk.old_lines
        head, tail, first = _locate(lines, new, hunk)
        lines[start + head : end - tail] = new[first + head : first + hunk.new_lines - tail]
    return "\n".join(lines)


def _locate(lines: list[str], new: list[str], hunk: UpstreamHunk) -> tuple[int, int, int]:
    """Find the place of ``hunk`` in ``new``, the lines of the fixed file; return (head, tail, index).

    The new side of the hunk begins at ``index``, counted from 0. ``head`` and ``tail`` are the numbers of
    unchanged lines at the two ends of the hunk: 3, or 0 at the top or the bottom of the file. If all these
    unchanged lines match nowhere, fewer are compared, because the releases may also differ near the fix.
    """
    start, end = hunk.old_start - 1, hunk.old_start - 1 + hunk.old_lines
    for context in range(_CONTEXT, 0, -1):
        # A hunk at either end of its file may have less context, but then its place is the same end.
        head = context if start else 0
        tail = context if end < len(lines) - 1 else 0
        before = lines[start + _CONTEXT - context :][:head]
        after = lines[end - _CONTEXT :][:tail]
        places = [
            at
            for at in range(len(new) - hunk.new_lines + 1)
            if new[at + _CONTEXT - context :][:head] == before
            and new[at + hunk.new_lines - _CONTEXT :][:tail] == after
            and (head or at == 0)
            and (tail or at + hunk.new_lines >= len(new) - 1)
        ]
        if places:
            first = min(places, key=lambda at: abs(at + 1 - hunk.new_start))
            return (_CONTEXT if head else 0), (_CONTEXT if tail else 0), first
    raise VulnerabilityError(f"{hunk.file}: the fixed release has nothing like the hunk at {hunk.old_start}")


def _file(name: str, text: str | None) -> dict[str, str]:
    return {} if text is None else {name: text}


def _diff(path: Path, tree: Path) -> str | None:
    if path.suffix == ".diff":
        return path.read_text(encoding="utf-8")
    return _edited(path, tree) if path.suffix == ".toml" else None


def _edited(path: Path, tree: Path) -> str:
    try:
        edits = tomllib.loads(path.read_text(encoding="utf-8"))["edit"]
        return _apply_edits(edits, tree)
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError, DiffError) as error:
        raise VulnerabilityError(f"{path}: {error}; see docs/vulnerability-format.md") from None


def _apply_edits(edits: list[dict[str, Any]], tree: Path) -> str:
    """Return edits by line range as a unified diff against the source in ``tree``.

    Lines are numbered from 1, in the unpatched file. Insertions before the same line keep their order. An
    edit of the lines 1 to 0 of a missing file creates the file. Raises ``ValueError`` if an edit does not fit
    the files or overlaps another, and ``TypeError`` if its text is no string.
    """
    before: dict[str, str] = {}
    made: dict[str, str] = {}
    lines: dict[str, list[str]] = {}
    starts: dict[str, int] = {}
    # From the last line upwards, so that earlier numbers stay true; at the same line, from the last edit.
    for edit in sorted(edits, key=lambda edit: edit["lines"])[::-1]:
        name, (first, last), text = edit["file"], edit["lines"], edit["text"]
        if not isinstance(text, str):
            raise TypeError(f"the text of lines {first} to {last} of {name} is no string")
        if name not in before:
            source = read_source(tree, name)
            if source is None and (first, last) == (1, 0) and name not in made:
                made[name] = text
                continue
            if source is None:
                raise ValueError(f"no file {name}")
            before[name] = source
            lines[name] = before[name].split("\n")
        if not 1 <= first <= last + 1 <= len(lines[name]) + 1:
            raise ValueError(f"lines {first} to {last} are not in {name}")
        if last >= starts.get(name, last + 1):
            raise ValueError(f"lines {first} to {last} of {name} overlap with another edit")
        starts[name] = first
        text = text.removesuffix("\n")
        new = text.split("\n") if text else []
        if before[name].count("\n") == before[name].count("\r\n") > 0:
            # Text after the file's last line feed is a line without an end.
            ended = max(0, len(new) - (last == len(lines[name])))
            new[:ended] = [line.removesuffix("\r") + "\r" for line in new[:ended]]
        lines[name][first - 1 : last] = new
    return diff.between(before, {name: "\n".join(parts) for name, parts in lines.items()} | made)

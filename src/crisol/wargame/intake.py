"""Candidates from outside: taken in once, kept beside the corpora, judged by the next build like all the others."""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from crisol import diff
from crisol.errors import DatasetError, DiffError
from crisol.records import Candidate, Origin

__all__ = ["Intake", "identity", "imported", "kept", "take"]

_MAX_CANDIDATES = 100_000
_MAX_BYTES = 1 << 30
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class Intake:
    """What an import did: how many candidates of each vulnerability were new, and how many were there already."""

    added: dict[str, int]
    known: int


def take(path: Path, inbox: Path, vulnerabilities: Sequence[str], vulnerability: str = "") -> Intake:
    """Take a JSONL file or a folder of ``.diff`` files into ``inbox/<vulnerability>.jsonl``.

    The whole file is checked before anything is written. A patch that is there already, by its identity, is not
    taken twice. Raises :class:`~crisol.errors.DatasetError` that names the place of whatever is wrong.
    """
    fresh: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in imported(path, vulnerability):
        if candidate.vulnerability not in vulnerabilities:
            raise DatasetError(
                f"{path}, {candidate.name}: there is no vulnerability {candidate.vulnerability!r}; "
                "crisol corpus list names those that were built"
            )
        fresh[candidate.vulnerability].append(candidate)
    if not fresh:
        raise DatasetError(f"{path}: no patch in it; expected .diff files, or lines of JSON with a diff")
    inbox.mkdir(parents=True, exist_ok=True)
    with FileLock(inbox / ".lock"):
        merged = {name: _merged(path, list(kept(inbox, name)), new) for name, new in fresh.items()}
        added = {}
        for name, (everything, count) in merged.items():
            added[name] = count
            _write(inbox / f"{name}.jsonl", everything)
    return Intake(added, sum(map(len, fresh.values())) - sum(added.values()))


def kept(inbox: Path, vulnerability: str) -> Iterator[Candidate]:
    """Yield the candidates of one vulnerability that were taken in, in the order in which they came."""
    path = inbox / f"{vulnerability}.jsonl"
    if path.is_file():
        yield from imported(path, vulnerability)


def imported(path: Path, vulnerability: str = "") -> Iterator[Candidate]:
    """Yield the candidates of a folder of ``.diff`` files or of a JSONL file.

    A folder serves one ``vulnerability``. A line of JSONL holds ``diff``, ``vulnerability`` (unless given) and
    optionally ``name`` and ``origin`` (``agent`` or ``import``). Raises :class:`~crisol.errors.DatasetError` with
    the file and the line.
    """
    try:
        yield from _folder(path, vulnerability) if path.is_dir() else _lines(path, vulnerability)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}") from None


def identity(text: str) -> str:
    """Return the identity of a diff, or, where it is none, the hash of its text."""
    try:
        return diff.parse(text).identity
    except DiffError:
        return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def _folder(path: Path, vulnerability: str) -> Iterator[Candidate]:
    if not vulnerability:
        raise DatasetError(f"{path}: name the vulnerability that these patches are for")
    for file in sorted(path.glob("*.diff")):
        text = file.read_text(encoding="utf-8", errors="replace")
        yield Candidate(vulnerability, _name(file.stem, str(file)), Origin.IMPORT, text)


def _lines(path: Path, vulnerability: str) -> Iterator[Candidate]:
    if path.stat().st_size > _MAX_BYTES:
        raise DatasetError(f"{path}: more than {_MAX_BYTES >> 20} MiB; split it")
    with path.open(encoding="utf-8", errors="replace") as stream:
        for number, line in enumerate(stream, start=1):
            if number > _MAX_CANDIDATES:
                raise DatasetError(f"{path}: more than {_MAX_CANDIDATES} lines; split it")
            if line.strip():
                yield _candidate(line, vulnerability, number, f"{path}, line {number}")


def _candidate(line: str, vulnerability: str, number: int, where: str) -> Candidate:
    try:
        row = json.loads(line)
        origin = Origin(row.get("origin", "import"))
        target, text = vulnerability or row["vulnerability"], row["diff"]
    except (ValueError, KeyError, AttributeError, RecursionError) as error:
        raise DatasetError(f"{where}: {error!r}; expected diff and vulnerability") from None
    if not isinstance(text, str) or not isinstance(target, str):
        raise DatasetError(f"{where}: diff and vulnerability must be text")
    name = _name(row.get("name", f"line-{number}"), where)
    return Candidate(target, name, origin if origin is Origin.AGENT else Origin.IMPORT, text)


def _name(name: object, where: str) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise DatasetError(
            f"{where}: {name!r:.120} is no name; letters, digits, dot, dash and underscore, at most 100"
        )
    return name


def _merged(path: Path, before: list[Candidate], new: Iterable[Candidate]) -> tuple[list[Candidate], int]:
    everything, identities = list(before), {identity(one.diff) for one in before}
    names = {one.name for one in before}
    for candidate in new:
        mark = identity(candidate.diff)
        if mark in identities:
            continue
        if candidate.name in names:
            raise DatasetError(
                f"{path}: {candidate.vulnerability} has another patch named {candidate.name!r}; rename one"
            )
        identities.add(mark)
        names.add(candidate.name)
        everything.append(candidate)
    return everything, len(everything) - len(before)


def _write(path: Path, candidates: Iterable[Candidate]) -> None:
    part = path.with_suffix(".part")
    rows = ({"name": one.name, "origin": one.origin, "diff": one.diff} for one in candidates)
    part.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    part.replace(path)

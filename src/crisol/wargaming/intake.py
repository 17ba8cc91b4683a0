"""Import candidate patches from outside; the next build of the corpus judges them."""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from filelock import FileLock

from crisol import diff
from crisol.errors import DatasetError, DiffError, PatchDoesNotApply, unwritable
from crisol.records import Candidate, Origin

__all__ = ["ImportBase", "Intake", "Manner", "Same", "identity", "imported", "kept", "remove", "take"]

_MAX_CANDIDATES = 100_000
_MAX_BYTES = 1 << 30
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_PATCHES = {".diff", ".patch", ".mbox", ".eml"}
_FROM_OUTSIDE = (Origin.AGENT, Origin.IMPORT)


@dataclass(frozen=True, slots=True)
class Manner:
    """The options of an import of patches.

    ``vulnerability`` is the id of the vulnerability of all patches; "" takes the id from each line of JSONL.
    ``origin`` and ``licence`` apply to every patch that does not state its own. ``reading`` says how to read
    the diffs. With ``skip`` a patch whose diff cannot be read or applied is left out; without it such a patch
    ends the import with an error. A malformed line of JSONL ends the import in any case. With ``dry_run``
    nothing is written.
    """

    vulnerability: str = ""
    origin: Origin = Origin.IMPORT
    licence: str = ""
    reading: diff.ReadOptions = field(default_factory=diff.ReadOptions)
    skip: bool = False
    dry_run: bool = False


_PLAIN = Manner()


@dataclass(frozen=True, slots=True)
class Same:
    """A patch of an import that makes the same change as another candidate of its vulnerability.

    ``vulnerability`` is the vulnerability's id, ``name`` the name of the patch, ``other`` the name of the
    other candidate. If the other candidate was itself imported, the patch is left out. If the other candidate
    is in the vulnerability's folder, the patch is left out if both have the same name, and otherwise
    imported.
    """

    vulnerability: str
    name: str
    other: str


@dataclass(frozen=True, slots=True)
class Intake:
    """The result of an import of patches.

    ``added`` maps ids of vulnerabilities to the number of new candidates. ``same`` lists the patches that
    make the same change as another candidate. ``cut`` has a message for each patch that was imported without
    some of its files, ``skipped`` a message for each patch that could not be read or applied.
    """

    added: dict[str, int]
    same: tuple[Same, ...] = ()
    cut: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportBase:
    """The facts about one vulnerability that an import of patches needs.

    ``fit`` takes a diff and the options for reading it, and returns the cut patch; it raises
    :class:`~crisol.errors.DiffError` for a diff that cannot be read, and
    :class:`~crisol.errors.PatchDoesNotApply` for one that cannot be applied. ``own`` are upstream's fix and
    the candidates in the vulnerability's folder.
    """

    fit: Callable[[str, diff.ReadOptions], diff.Fitted]
    own: tuple[Candidate, ...] = ()


def take(path: Path, inbox: Path, grounds: Callable[[str], ImportBase], manner: Manner = _PLAIN) -> Intake:
    """Import patches into the files ``<vulnerability>.jsonl`` of the folder ``inbox``.

    ``path`` is a patch file, a JSONL file, or a folder of patch files, see :func:`imported`. ``grounds``
    takes the id of a vulnerability and returns its :class:`ImportBase`. ``manner`` holds the options. Each
    patch is cut to the files of the release. If several patches make the same change, only the first is
    imported.

    Nothing is written before all patches are read. A patch that cannot be read or applied is left out with
    ``manner.skip``. Without it, :class:`~crisol.errors.DatasetError` is raised, which names the first such
    patch. The same error names a malformed line of JSONL. Raises :class:`~crisol.errors.StoreError` if
    ``inbox`` cannot be written. An error of ``grounds``, such as
    :class:`~crisol.errors.UnknownVulnerability`, ends the import even with ``manner.skip``.
    """
    fresh: dict[str, list[Candidate]] = defaultdict(list)
    cut: list[str] = []
    skipped: list[str] = []
    by_name: dict[str, ImportBase] = {}
    for candidate in imported(path, manner):
        ground = by_name.get(candidate.vulnerability) or grounds(candidate.vulnerability)
        by_name[candidate.vulnerability] = ground
        try:
            fitted = ground.fit(candidate.diff, manner.reading)
        except (DiffError, PatchDoesNotApply) as error:
            skipped.append(f"{candidate.name}: {error}")
            continue
        if fitted.detail:
            cut.append(f"{candidate.name}: {fitted.detail}")
        fresh[candidate.vulnerability].append(replace(candidate, diff=str(fitted.patch)))
    if skipped and not manner.skip:
        more = f" (and {len(skipped) - 1} more)" if len(skipped) > 1 else ""
        raise DatasetError(f"{path}, {skipped[0]}{more}; --skip takes the others")
    if not fresh and not skipped:
        raise DatasetError(
            f"{path}: no patch in it; expected .diff or .patch files, or lines of JSON with a diff"
        )
    with nullcontext() if manner.dry_run else _locked(inbox):
        merged = {
            name: _merged(path, list(kept(inbox, name)), by_name[name].own, new)
            for name, new in fresh.items()
        }
        if not manner.dry_run:
            for name, (everything, _, _) in merged.items():
                _write(inbox / f"{name}.jsonl", everything)
    added = {name: count for name, (_, count, _) in merged.items()}
    same = tuple(name for _, _, repeats in merged.values() for name in repeats)
    return Intake(added, same, tuple(cut), tuple(skipped))


def remove(inbox: Path, vulnerability: str, names: Iterable[str]) -> int:
    """Remove imported candidates, and return how many imported candidates the vulnerability still has.

    ``inbox`` is the folder of imported patches, ``vulnerability`` an id; ``names`` are the candidates' names.
    Raises :class:`~crisol.errors.DatasetError` for an unknown name; then nothing is removed. Raises
    :class:`~crisol.errors.StoreError` if ``inbox`` cannot be written.
    """
    gone = set(names)
    with _locked(inbox):
        there = list(kept(inbox, vulnerability))
        if missing := sorted(gone - {candidate.name for candidate in there}):
            has = ", ".join(candidate.name for candidate in there[:8]) or "none"
            raise DatasetError(
                f"{vulnerability}: nothing taken in is called {', '.join(missing)}; there are: {has}"
            )
        rest = [candidate for candidate in there if candidate.name not in gone]
        if rest:
            _write(inbox / f"{vulnerability}.jsonl", rest)
        else:
            (inbox / f"{vulnerability}.jsonl").unlink(missing_ok=True)
    return len(rest)


@contextmanager
def _locked(inbox: Path) -> Iterator[None]:
    """Lock the folder ``inbox`` for a ``with`` block; wait while another process or thread has the lock.

    An ``OSError`` in the ``with`` block becomes :class:`~crisol.errors.StoreError`, too.
    """
    try:
        inbox.mkdir(parents=True, exist_ok=True)
        with FileLock(inbox / ".lock"):
            yield
    except OSError as error:
        raise unwritable(inbox, error) from None


def kept(inbox: Path, vulnerability: str) -> Iterator[Candidate]:
    """Yield the imported candidates of one vulnerability, in the order of their import.

    ``inbox`` is the folder of imported patches, ``vulnerability`` an id. Nothing is yielded if ``inbox`` has
    no file for it. Raises :class:`~crisol.errors.DatasetError`, which names the line, if that file is
    damaged.
    """
    path = inbox / f"{vulnerability}.jsonl"
    if path.is_file():
        yield from imported(path, Manner(vulnerability))


def imported(path: Path, manner: Manner = _PLAIN) -> Iterator[Candidate]:
    """Yield the candidates in a patch file, a folder of patches or a JSONL file; no diff is checked.

    A patch file is one whose name ends in ``.diff``, ``.patch``, ``.mbox`` or ``.eml``. The candidate's name
    is the file's name without this ending. In a folder only the patch files are read, not the other files or
    the sub-folders. If ``path`` is neither a folder nor a patch file, it is read as JSONL: each line is an
    object with ``diff``, ``vulnerability`` (unless ``manner`` names it), and optionally ``name``, ``origin``
    (``agent`` or ``import``) and ``licence``. A line without a name is named after the identity of its diff.
    ``manner`` gives the values that a line or a patch file does not state; for patch files it must name the
    vulnerability. Raises :class:`~crisol.errors.DatasetError`, which names the file and line, if a file
    cannot be read, a line has another form, or a name has more than 100 characters or others than letters,
    digits, dots, dashes and underscores.
    """
    try:
        if path.is_dir():
            yield from _files(
                sorted(file for file in path.iterdir() if file.suffix in _PATCHES and file.is_file()),
                path,
                manner,
            )
        elif path.suffix in _PATCHES:
            yield from _files([path], path, manner)
        else:
            yield from _lines(path, manner)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}") from None


def identity(text: str) -> str:
    """Return the identity of a diff, 64 hexadecimal digits.

    For a text that is no diff it is the SHA-256 of the text.
    """
    try:
        return diff.parse(text).identity
    except DiffError:
        return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def _files(files: Iterable[Path], where: Path, manner: Manner) -> Iterator[Candidate]:
    if not manner.vulnerability:
        raise DatasetError(f"{where}: name the vulnerability that these patches are for")
    for file in files:
        if file.stat().st_size > diff.DiffLimits().bytes:
            raise DatasetError(
                f"{file}: more than {diff.DiffLimits().bytes >> 20} MiB; send the hunks that matter"
            )
        text = file.read_bytes().decode(errors="surrogateescape")
        name = _name(file.stem, str(file))
        yield Candidate(manner.vulnerability, name, manner.origin, text, licence=manner.licence)


def _lines(path: Path, manner: Manner) -> Iterator[Candidate]:
    if path.stat().st_size > _MAX_BYTES:
        raise DatasetError(f"{path}: more than {_MAX_BYTES >> 20} MiB; split it")
    with path.open(encoding="utf-8", errors="replace") as stream:
        for number, line in enumerate(stream, start=1):
            if number > _MAX_CANDIDATES:
                raise DatasetError(f"{path}: more than {_MAX_CANDIDATES} lines; split it")
            if line.strip():
                yield _candidate(line, manner, f"{path}, line {number}")


def _candidate(line: str, manner: Manner, where: str) -> Candidate:
    try:
        row = json.loads(line)
        origin = Origin(row.get("origin", manner.origin))
        target, text = manner.vulnerability or row["vulnerability"], row["diff"]
        licence = row.get("licence", manner.licence)
    except (ValueError, KeyError, AttributeError, RecursionError) as error:
        expected = (
            "expected a JSON object a line, with diff and vulnerability; a patch ends in .diff or .patch"
        )
        raise DatasetError(f"{where}: {error!r}; {expected}") from None
    if not all(isinstance(value, str) for value in (text, target, licence)):
        raise DatasetError(f"{where}: diff, vulnerability and licence must be text")
    if not text.strip():
        raise DatasetError(f"{where}: the diff is empty")
    name = _name(row["name"], where) if row.get("name") else f"patch-{identity(text)[:12]}"
    return Candidate(
        target, name, origin if origin in _FROM_OUTSIDE else Origin.IMPORT, text, licence=licence
    )


def _name(name: object, where: str) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise DatasetError(
            f"{where}: {name!r:.120} is no name; letters, digits, dot, dash and underscore, at most 100"
        )
    return name


def _merged(
    path: Path, before: list[Candidate], own: Sequence[Candidate], new: Iterable[Candidate]
) -> tuple[list[Candidate], int, list[Same]]:
    """Return (all candidates to keep, number of new ones among them, patches that repeat another candidate).

    ``before`` are the candidates imported earlier, ``own`` those in the vulnerability's folder. ``path`` is
    what is imported, for error messages.
    """
    everything = list(before)
    taken = {identity(candidate.diff): candidate.name for candidate in before}
    owned = [(identity(candidate.diff), candidate.name) for candidate in own]
    there = dict(reversed(owned))
    names = {candidate.name for candidate in (*before, *own)}
    same: list[Same] = []
    for candidate in new:
        mark = identity(candidate.diff)
        if other := taken.get(mark, there.get(mark, "")):
            same.append(Same(candidate.vulnerability, candidate.name, other))
        if mark in taken or (mark, candidate.name) in owned:
            continue
        if candidate.name in names:
            raise DatasetError(
                f"{path}: {candidate.vulnerability} has another patch named {candidate.name!r}; rename one"
            )
        taken[mark] = candidate.name
        names.add(candidate.name)
        everything.append(candidate)
    return everything, len(everything) - len(before), same


def _write(path: Path, candidates: Iterable[Candidate]) -> None:
    part = path.with_suffix(".part")
    rows = (
        {
            "name": candidate.name,
            "origin": candidate.origin,
            "diff": candidate.diff,
            **({"licence": candidate.licence} if candidate.licence else {}),
        }
        for candidate in candidates
    )
    try:
        part.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)

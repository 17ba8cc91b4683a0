"""Build the corpus table: wargame every candidate of every vulnerability, and store the verdicts.

Each vulnerability is one task, and its rows are one shard on disk, named by the hash of everything that
decides its content. A shard is written whole or not at all, so a build that was killed can be started again:
it goes on where it stopped, and stores no row twice.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import signal
import sys
import tempfile
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from crisol import diff
from crisol.errors import (
    DatasetError,
    IndexUnavailable,
    InputError,
    IntegrityError,
    VulnerabilityError,
    unwritable,
)
from crisol.records import Candidate, Outcome, Reason, Strength, Verdict
from crisol.sandbox import choose
from crisol.wargaming.candidates import candidates, read_source
from crisol.wargaming.fitting import fitted
from crisol.wargaming.intake import identity
from crisol.wargaming.mutants import mutants
from crisol.wargaming.program import ProgramTree, is_program
from crisol.wargaming.referee import REFEREE_VERSION, Match, open_match
from crisol.wargaming.vulnerability import Vulnerability, load

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "COLUMNS",
    "Plan",
    "Recheck",
    "Shard",
    "build",
    "content_hash",
    "judge",
    "load_table",
    "reexecute",
    "save_table",
    "updated",
]

_BUDGET = 600.0
"""Seconds for all runs of one candidate, so many that load on the machine does not decide a label."""
_FAILED_HERE = (str(Reason.BASELINE_FAILED), str(Reason.SANDBOX_FAILED))
"""Failures of this machine and not of the patch: the next build tries again."""
_PR_SET_PDEATHSIG = 1

COLUMNS = (
    "id", "vulnerability", "project", "cwe", "language", "corpus", "name", "origin", "parent", "operator",
    "diff", "outcome", "reason", "detail", "basic_outcome", "basic_reason", "seconds", "sandbox", "phases",
)  # fmt: skip


_ROWS = "3"
"""The version of a shard's rows. Raise it when the same verdicts give other rows, for example when candidates
are distinguished in another way."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of a corpus build: folders, number of mutants, seed and sandbox.

    ``cache`` is the folder of downloaded releases and of stored verdicts, ``inbox`` the folder of imported
    patches. ``mutants`` is the largest number of mutants for each vulnerability; there are never more than
    half as many mutants as other candidates. The same ``seed`` gives the same mutants. ``sandbox`` is the
    isolation: ``bubblewrap``, ``namespaces``, ``auto`` (the first of these two that works), or ``weak``,
    which does not isolate hostile code.
    """

    cache: Path
    inbox: Path
    mutants: int = 40
    seed: int = 0
    sandbox: str = "auto"


@dataclass(frozen=True, slots=True)
class Shard:
    """The rows of the corpus table that belong to one vulnerability.

    ``vulnerability`` is the vulnerability's id. ``rows`` has one row for each judged candidate. ``missing``
    is a message on why there are no rows, such as a release that cannot be downloaded; it is "" if there are
    rows. ``seconds`` is the sum of the wargames' durations, 0 if the rows were read from disk.
    """

    vulnerability: str
    rows: pd.DataFrame
    missing: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Recheck:
    """The strict label of one candidate before and after another wargame.

    ``vulnerability`` is an id, ``name`` the candidate's name. ``before`` and ``after`` have the form
    ``outcome:reason``, such as ``invalid:timeout``, or ``valid:`` without a reason.
    """

    vulnerability: str
    name: str
    before: str
    after: str


def build(
    vulnerabilities: Sequence[Vulnerability], plan: Plan, *, jobs: int = 0, executor: Executor | None = None
) -> Iterator[Shard]:
    """Wargame every candidate of the vulnerabilities; yield one :class:`Shard` for each vulnerability.

    The shards come in the order in which they are ready. ``plan`` names the folders, the mutants, the seed
    and the sandbox. Rows that an earlier build stored in ``plan.cache`` are read from there. ``jobs`` is the
    number of processes; 0 means one for each core. An ``executor``, such as Dask's, is used in place of these
    processes. If a vulnerability cannot be read, or its release cannot be downloaded or is damaged, its shard
    has no rows, and ``missing`` says why. Any other error ends the build, such as
    :class:`~crisol.errors.SandboxUnavailable` if the sandbox that ``plan`` names does not work here.
    """
    if executor is not None:
        yield from _gather(executor, vulnerabilities, plan)
        return
    with _pool(jobs) as pool:
        yield from _gather(pool, vulnerabilities, plan)


def reexecute(
    frame: pd.DataFrame, vulnerabilities: Sequence[Vulnerability], plan: Plan, *, jobs: int = 0
) -> Iterator[Recheck]:
    """Wargame the candidates of a corpus table again, and yield a :class:`Recheck` for each.

    The results of one vulnerability come together, in the order of the table, when all its wargames have
    ended. An inconclusive wargame gives a :class:`Recheck`, too. ``frame`` is the table; rows of other
    vulnerabilities than ``vulnerabilities`` are left out. ``plan`` names the folders and the sandbox.
    ``jobs`` is the number of processes; 0 means one for each core. Raises
    :class:`~crisol.errors.IndexUnavailable` if a release cannot be downloaded.
    """
    folders = {vulnerability.id: vulnerability.folder for vulnerability in vulnerabilities}
    columns = ["name", "diff", "outcome", "reason"]
    with _pool(jobs) as pool:
        futures = [
            pool.submit(_rejudge, folders[str(name)], rows[columns].to_numpy().tolist(), plan)
            for name, rows in frame.groupby("vulnerability")
            if str(name) in folders
        ]
        for future in as_completed(futures):
            yield from future.result()


def _rejudge(folder: Path, rows: list[list[str]], plan: Plan) -> list[Recheck]:
    vulnerability = load(folder)
    with _opened(vulnerability, plan) as match:
        checked = []
        for name, text, outcome, reason in rows:
            verdict = match.judge(text)
            after = f"{verdict.outcome}:{verdict.reason or ''}"
            checked.append(Recheck(vulnerability.id, name, f"{outcome}:{reason}", after))
    return checked


@contextmanager
def _pool(jobs: int) -> Iterator[ProcessPoolExecutor]:
    count = jobs or os.cpu_count() or 1
    others = set(active_children())
    # Forked processes would inherit the caller's threads and locks in an undefined state.
    context = get_context("spawn")
    with ProcessPoolExecutor(
        count, mp_context=context, initializer=_end_with, initargs=(os.getpid(),)
    ) as pool:
        try:
            yield pool
        except BaseException:
            # Nobody waits for the shards in work; a shard is written whole or not at all.
            for worker in set(active_children()) - others:
                worker.terminate()
            raise


def _end_with(parent: int) -> None:
    """Make Linux kill this worker when the process ``parent`` ends, even by SIGKILL.

    Linux also kills the worker when the thread that started it ends before the process.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def _gather(executor: Executor, vulnerabilities: Sequence[Vulnerability], plan: Plan) -> Iterator[Shard]:
    futures = [executor.submit(judge, vulnerability.folder, plan) for vulnerability in vulnerabilities]
    try:
        for future in as_completed(futures):
            yield future.result()
    finally:
        for future in futures:
            future.cancel()


def _opened(vulnerability: Vulnerability, plan: Plan) -> AbstractContextManager[Match]:
    # The seed and the long budget keep the labels the same in every build.
    seed = vulnerability.corpus_seed
    return open_match(vulnerability, choose(plan.sandbox), plan.cache, seed=seed, budget=_BUDGET)


def judge(folder: Path, plan: Plan) -> Shard:
    """Wargame all candidates of the vulnerability in ``folder``, and return their rows of the corpus table.

    The rows are stored below ``plan.cache``. A later call returns the stored rows if the vulnerability, its
    candidates, the versions of referee and Python, and ``mutants``, ``seed`` and ``sandbox`` of ``plan`` are
    the same. Rows are not stored if one of them has the reason ``baseline_failed`` or ``sandbox_failed``,
    because the cause may then be the machine and not the patch. If the vulnerability cannot be read, or its
    release cannot be downloaded or is damaged, the :class:`Shard` has no rows, and ``missing`` says why.
    """
    try:
        vulnerability = load(folder)
        path = plan.cache / "judged" / f"{vulnerability.id}-{_key(vulnerability, plan)}.parquet"
        if path.is_file():
            return Shard(vulnerability.id, pd.read_parquet(path))
        with _opened(vulnerability, plan) as match:
            rows = pd.DataFrame(_rows(match, plan), columns=list(COLUMNS))
    except (IndexUnavailable, IntegrityError, VulnerabilityError) as error:
        return Shard(folder.name, pd.DataFrame(columns=list(COLUMNS)), missing=str(error))
    if not rows["reason"].isin(_FAILED_HERE).any():
        save_table(rows, path)
    return Shard(vulnerability.id, rows, seconds=float(rows["seconds"].sum()))


def _rows(match: Match, plan: Plan) -> Iterator[dict[str, object]]:
    written = [
        _cut(candidate, match.tree) for candidate in candidates(match.vulnerability, plan.cache, plan.inbox)
    ]
    source = _touched(written, match.tree)
    tree = ProgramTree(source)
    parents: list[Candidate] = []
    programs: set[str] = set()
    for candidate in written:
        program = _program(candidate, tree)
        if program is not None and program in programs:
            continue
        row, verdict = _row(match, candidate)
        if program is not None:
            programs.add(program)
            if verdict.outcome is not Outcome.INCONCLUSIVE:
                parents.append(candidate)
        yield row
    # At most a third of the rows, because people and agents make other mistakes than mutants have.
    for mutant in mutants(parents, source, min(plan.mutants, len(parents) // 2), plan.seed):
        yield _row(match, mutant)[0]


def _cut(candidate: Candidate, tree: Path) -> Candidate:
    try:
        cut = fitted(candidate.diff, tree)
    except InputError:
        return candidate
    # Files that no wargame runs, such as tests, must not count for the features.
    return replace(candidate, diff=str(cut.patch)) if cut.left_out else candidate


def _touched(candidates: Sequence[Candidate], tree: Path) -> dict[str, str]:
    """Return the unpatched text, by path, of each existing file that a candidate changes."""
    paths: set[str] = set()
    for candidate in candidates:
        with suppress(InputError):
            paths |= set(diff.parse(candidate.diff).paths)
    return {path: text for path in sorted(paths) if (text := read_source(tree, path)) is not None}


def _program(candidate: Candidate, tree: ProgramTree) -> str | None:
    try:
        files = diff.apply(diff.parse(candidate.diff), tree.read)
    except InputError:
        return None
    return tree.identity(files) if is_program(files) else None


def _row(match: Match, candidate: Candidate) -> tuple[dict[str, object], Verdict]:
    verdict = match.judge(candidate.diff)
    vulnerability = match.vulnerability
    failed = next((phase for phase in verdict.phases if phase.reason is not None), None)
    row: dict[str, object] = asdict(candidate) | {
        "id": identity(candidate.diff),
        "project": vulnerability.project,
        "cwe": vulnerability.cwe,
        "language": vulnerability.about.language,
        "corpus": vulnerability.corpus,
        "outcome": str(verdict.outcome),
        "reason": str(verdict.reason or ""),
        "detail": failed.detail if failed else "",
        "basic_outcome": str(verdict.outcome_at(Strength.BASIC)),
        "basic_reason": str(verdict.reason_at(Strength.BASIC) or ""),
        "seconds": verdict.seconds,
        "sandbox": verdict.sandbox,
        "phases": json.dumps(
            [[phase.name, str(phase.reason or ""), phase.seconds] for phase in verdict.phases]
        ),
    }
    return row, verdict


def _key(vulnerability: Vulnerability, plan: Plan) -> str:
    digest = hashlib.sha256(
        f"{_ROWS}:{sys.version_info[:2]}:{REFEREE_VERSION}:{plan.mutants}:{plan.seed}:{plan.sandbox}".encode()
    )
    digest.update(vulnerability.content_hash.encode())
    taken = plan.inbox / f"{vulnerability.id}.jsonl"
    for path in [
        *sorted((vulnerability.folder / "patches").rglob("*.*")),
        *([taken] if taken.is_file() else []),
    ]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def updated(table: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Return a corpus table in which ``rows`` replace all rows of ``table`` on the same vulnerabilities.

    The result is a new table, sorted by vulnerability, origin and name; the arguments do not change.
    """
    others = table[~table["vulnerability"].isin(rows["vulnerability"])]
    whole = pd.concat([others, rows], ignore_index=True)
    return whole.sort_values(["vulnerability", "origin", "name"], ignore_index=True)


def save_table(rows: pd.DataFrame, path: Path) -> None:
    """Write a table to a Parquet file, in one step: a reader sees the old file or the whole new one.

    Missing parent folders are created. Raises :class:`~crisol.errors.StoreError` if the file cannot be
    written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
        os.close(handle)
        try:
            rows.to_parquet(name, index=False)
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(path.parent, error) from None


def load_table(path: Path) -> pd.DataFrame:
    """Return a corpus table from a Parquet file; it has at least the columns :data:`COLUMNS`.

    ``outcome`` and ``reason`` are the strict label as text, ``basic_outcome`` and ``basic_reason`` the basic
    one; a reason is "" for a valid patch. ``id`` is the identity of the diff. ``phases`` is a JSON list of
    [phase, reason, seconds]. Raises :class:`~crisol.errors.DatasetError` if the file is missing or is no
    corpus table.
    """
    try:
        frame = pd.read_parquet(path)
    except FileNotFoundError:
        raise DatasetError(f"{path}: no such table; build it with: crisol corpus build") from None
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: {error}; build it anew with: crisol corpus build") from None
    missing = [column for column in COLUMNS if column not in frame.columns]
    if missing:
        raise DatasetError(f"{path}: no column {', '.join(missing)}; build it anew with: crisol corpus build")
    return frame


def content_hash(frame: pd.DataFrame) -> str:
    """Return the SHA-256, 64 hexadecimal digits, of the candidates and labels in a corpus table.

    It depends on the identities and names of the candidates, their vulnerabilities, and the basic and strict
    labels with their reasons. Other columns, such as durations, and the order of the rows do not change it.
    """
    columns = ["id", "vulnerability", "name", "outcome", "reason", "basic_outcome", "basic_reason"]
    rows = sorted(frame[columns].fillna("").astype(str).itertuples(index=False, name=None))
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()

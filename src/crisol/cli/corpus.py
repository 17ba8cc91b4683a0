"""``crisol corpus``: build, show, verify, audit and export the corpus table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table

from crisol.cli.console import App, Json, creatable, creatable_folder, emit, err, out
from crisol.cli.intake import import_command, remove_command
from crisol.cli.progress import progress
from crisol.config import Settings, load_settings
from crisol.errors import (
    IndexUnavailable,
    IntegrityError,
    UnavailableError,
    UnknownVulnerability,
    VulnerabilityError,
)

if TYPE_CHECKING:
    import pandas as pd

    from crisol.wargaming.corpus import Plan
    from crisol.wargaming.upstream_tests import Audit
    from crisol.wargaming.vulnerability import Vulnerability

__all__ = ["Jobs", "app", "build", "composition", "plan"]

app = App(help="Build, show and check the corpus of wargamed candidates; import and export candidates.")

Jobs = Annotated[int, typer.Option(help="Number of worker processes; 0: one for each core.", min=0)]
Only = Annotated[
    list[str] | None,
    typer.Option(help="Id of a vulnerability to include; may be given more than once; default all."),
]
TablePath = Annotated[
    Path | None, typer.Option("--table", help="Path of the corpus table; default data/cache/corpus.parquet.")
]


@app.command("build")
def build_command(
    only: Only = None,
    jobs: Jobs = 0,
    mutants: Annotated[
        int, typer.Option(help="Largest number of mutants for each vulnerability.", min=0)
    ] = 40,
    seed: Annotated[int, typer.Option(help="Seed by which the mutants are chosen.")] = 0,
    output: Annotated[
        Path | None,
        typer.Option(
            help="File to write the table to; default data/cache/corpus.parquet.", callback=creatable
        ),
    ] = None,
    scheduler: Annotated[
        str, typer.Option(help="Address of the Dask scheduler whose workers run the wargames; default none.")
    ] = "",
) -> None:
    """Wargame every candidate of every vulnerability, and write the verdicts as the corpus table.

    Verdicts that an earlier build stored are not made again, so an interrupted
    build can be resumed. --only limits the build to some vulnerabilities; the
    default table then keeps its rows of all other vulnerabilities.
    """
    from crisol.wargaming.corpus import load_table, save_table, updated
    from crisol.wargaming.vulnerability import find

    settings = load_settings()
    chosen = find(settings.search_path, only=only or [], skip=None if only else left_out)
    default = _default(settings)
    before = load_table(default) if only and output is None and default.exists() else None
    frame = build(chosen, plan(settings, mutants, seed), jobs, scheduler)
    save_table(frame if before is None else updated(before, frame), output or default)
    composition(frame)


@app.command("list")
def list_command(table: TablePath = None, as_json: Json = False) -> None:
    """Print for each vulnerability how many candidates it has, in all and of each label, then the totals.

    The last lines print the AUC with which a candidate's label can be guessed from
    its origin alone and from its style alone; both should be near 0.5.
    """
    from crisol.lab.ground_truth import leaks
    from crisol.wargaming.census import basic_only, census
    from crisol.wargaming.corpus import load_table
    from crisol.wargaming.vulnerability import find

    settings = load_settings()
    frame = load_table(table or _default(settings))
    rows = []
    for name, group in frame.groupby("vulnerability"):
        counts = group["outcome"].value_counts()
        about = {"vulnerability": name, "cwe": group["cwe"].iloc[0], "project": group["project"].iloc[0]}
        labels = {outcome: int(counts.get(outcome, 0)) for outcome in ("valid", "invalid")}
        rows.append({**about, "candidates": len(group), **labels, "basic only": len(basic_only(group))})
    totals, guesses = list(census(frame, find(settings.search_path))), leaks(frame)
    if as_json:
        by_name = dict(totals)
        emit({"vulnerabilities": rows, "totals": by_name, "leaks": guesses.to_dict("records")})
        return
    # An id is never cut: in a narrow terminal the other columns become shorter.
    headers = [Column(name, no_wrap=name == "vulnerability") for name in (rows[0] if rows else ())]
    shown = Table(*headers, box=None, padding=(0, 1, 0, 0))
    for row in rows:
        # A program of the arena is a project of its own, which has the same name.
        project = "" if row["project"] == row["vulnerability"] else row["project"]
        shown.add_row(*map(str, (row | {"project": project}).values()))
    out.print(shown)
    for what, count in totals:
        out.print(f"{what}: {count}", soft_wrap=True)
    for leak, auc, low, high in guesses.itertuples(index=False, name=None):
        out.print(f"AUC of a guess by {leak} alone, all candidates: {auc:.3f} ({low:.3f} to {high:.3f})")


@app.command("show")
def show_command(
    vulnerability: Annotated[str, typer.Argument(help="Id of the vulnerability.")],
    table: TablePath = None,
    as_json: Json = False,
) -> None:
    """Print every candidate of one vulnerability with its outcome, reason and duration.

    The candidates are read from a corpus table; the default is
    data/cache/corpus.parquet.
    """
    from crisol.wargaming.corpus import load_table

    frame = load_table(table or _default(load_settings()))
    rows = frame[frame["vulnerability"] == vulnerability]
    if rows.empty:
        raise UnknownVulnerability(f"the table has no candidates of {vulnerability!r}")
    if as_json:
        columns = ["name", "origin", "outcome", "reason", "detail", "basic_outcome", "seconds", "diff"]
        emit(rows[columns].to_dict("records"))
        return
    others = [Column(name, no_wrap=True) for name in ("origin", "outcome", "reason", "ms")]
    shown = Table(Column("candidate", overflow="fold"), *others, box=None)
    for row in rows.itertuples():
        milliseconds = f"{float(row.seconds) * 1000:.0f}"  # type: ignore[arg-type]  # pandas types a row's fields as Any
        shown.add_row(str(row.name), str(row.origin), str(row.outcome), str(row.reason), milliseconds)
    out.print(shown)


@app.command("verify")
def verify_command(only: Only = None, jobs: Jobs = 0, table: TablePath = None, as_json: Json = False) -> None:
    """Wargame every candidate of a corpus table again, and print each label that changed; exit 1 if one did.

    The default table is data/cache/corpus.parquet. --only limits the work to some
    vulnerabilities.
    """
    from crisol.wargaming.corpus import load_table, reexecute
    from crisol.wargaming.vulnerability import find

    settings = load_settings()
    frame = load_table(table or _default(settings))
    chosen = find(settings.search_path, only=only or sorted(frame["vulnerability"].unique()))
    expected = int(frame["vulnerability"].isin([vulnerability.id for vulnerability in chosen]).sum())
    changed: list[dict[str, str]] = []
    total = 0
    with progress() as bar:
        task = bar.add_task("wargames", total=expected, note="")
        for row in reexecute(frame, chosen, plan(settings), jobs=jobs):
            total += 1
            bar.update(task, advance=1)
            if row.before != row.after:
                changed.append(asdict(row))
                if not as_json:
                    out.print(f"{row.vulnerability} {row.name}: {row.before} became {row.after}")
    if as_json:
        emit({"candidates": total, "changed": changed})
    else:
        out.print(f"{total} candidates executed again, {len(changed)} labels changed")
    raise typer.Exit(1 if changed else 0)


@app.command("audit")
def audit_command(
    only: Only = None,
    table: TablePath = None,
    as_json: Json = False,
) -> None:
    """Run upstream's tests on each valid candidate, and print the tests that fail; exit 1 if one does.

    The candidates are read from a corpus table; the default is
    data/cache/corpus.parquet. --only limits the work to some vulnerabilities. No
    label changes.
    """
    from crisol.sandbox import choose
    from crisol.wargaming.corpus import load_table
    from crisol.wargaming.upstream_tests import audit
    from crisol.wargaming.vulnerability import find

    settings = load_settings()
    frame = load_table(table or _default(settings))
    valid = frame[frame["outcome"] == "valid"]
    chosen = find(settings.search_path, only=only or [])
    chosen = [vulnerability for vulnerability in chosen if only or vulnerability.about.upstream_tests]
    sandbox, audits = choose(settings.sandbox), []
    with progress() as bar:
        task = bar.add_task("audits", total=len(chosen), note="")
        for vulnerability in chosen:
            rows = valid[valid["vulnerability"] == vulnerability.id]
            candidates = zip(rows["name"], rows["diff"], strict=True)
            try:
                audits.append(audit(vulnerability, candidates, sandbox, settings.cache))
            except (IndexUnavailable, IntegrityError) as error:
                left_out(error)
            bar.update(task, advance=1)
    if as_json:
        emit([asdict(audited) for audited in audits])
    else:
        _show_audits(audits)
    raise typer.Exit(1 if any(audited.refutations for audited in audits) else 0)


def _show_audits(audits: Sequence[Audit]) -> None:
    columns = ("kept", "regression", "candidates", "refuted", "seconds")
    shown = Table(Column("vulnerability", no_wrap=True), *columns, box=None)
    for audited in audits:
        refuted = {refutation.candidate for refutation in audited.refutations}
        counts = [audited.kept, len(audited.regression), audited.candidates, len(refuted)]
        shown.add_row(audited.vulnerability, *map(str, counts), f"{audited.seconds:.1f}")
    out.print(shown)
    for audited in audits:
        for refutation in audited.refutations:
            out.print(f"{audited.vulnerability} {refutation.candidate}: {refutation.test}", soft_wrap=True)
            for line in refutation.message.splitlines():
                out.print(f"    {line}", soft_wrap=True)


app.command("import")(import_command)
app.command("remove")(remove_command)


@app.command("export")
def export_command(
    folder: Annotated[
        Path,
        typer.Argument(help="Folder to write to; it is created if it is missing.", callback=creatable_folder),
    ],
    table: TablePath = None,
) -> None:
    """Write the corpus table as Parquet and JSONL to FOLDER, with a data sheet that describes its content.

    The default table is data/cache/corpus.parquet.
    """
    from crisol.wargaming.corpus import load_table
    from crisol.wargaming.datasheet import export
    from crisol.wargaming.vulnerability import find

    settings = load_settings()
    written = export(load_table(table or _default(settings)), find(settings.search_path), folder)
    for file in written:
        out.print(str(file))


def plan(settings: Settings, mutants: int = 40, seed: int = 0) -> Plan:
    """Return the plan of a corpus build, which :func:`build` carries out; nothing is built yet.

    ``settings`` name the sandbox and the folders to use. ``mutants`` is the largest number of mutants for
    each vulnerability. The same ``seed`` gives the same mutants.
    """
    from crisol.wargaming.corpus import Plan

    return Plan(settings.cache, settings.inbox, mutants, seed, settings.sandbox)


def build(chosen: Sequence[Vulnerability], plan: Plan, jobs: int, scheduler: str = "") -> pd.DataFrame:
    """Return the corpus table of the vulnerabilities ``chosen``, sorted by vulnerability, origin and name.

    Candidates without a stored verdict are wargamed; a progress bar is shown. ``plan`` is the result of
    :func:`plan`. ``jobs`` is the number of processes; 0 means one for each core. ``scheduler`` is the address
    of a Dask scheduler, whose workers then do the work; "" means none. A vulnerability whose release cannot
    be downloaded is left out with a message. Raises :class:`~crisol.errors.UnknownVulnerability` if
    ``chosen`` is empty, and :class:`~crisol.errors.UnavailableError` if no vulnerability could be judged.
    """
    from contextlib import nullcontext

    import pandas as pd

    from crisol.sandbox import choose
    from crisol.wargaming import corpus
    from crisol.wiring import open_workers

    if not chosen:
        raise UnknownVulnerability(
            "there is no vulnerability here; crisol init makes a workspace, CRISOL_ROOT names one"
        )
    choose(plan.sandbox)
    frames, missing, count = [], [], 0
    workers = open_workers(scheduler) if scheduler else nullcontext()
    with workers as executor, progress() as bar:
        task = bar.add_task("vulnerabilities", total=len(chosen), note="")
        for shard in corpus.build(chosen, plan, jobs=jobs, executor=executor):
            count += len(shard.rows)
            bar.update(task, advance=1, note=f"{count} candidates")
            if shard.missing:
                missing.append(shard)
            else:
                frames.append(shard.rows)
    if missing:
        err.print(
            f"{len(missing)} vulnerabilities left out ({missing[0].missing}); going on with {len(frames)}",
            soft_wrap=True,
        )
    if not frames:
        raise UnavailableError(f"no vulnerability could be judged: {missing[0].missing}")
    frame = pd.concat(frames, ignore_index=True)
    return frame.sort_values(["vulnerability", "origin", "name"], ignore_index=True)


def left_out(error: VulnerabilityError | IndexUnavailable | IntegrityError) -> None:
    """Print on standard error that a vulnerability is left out; the message of ``error`` says why."""
    err.print(f"left out: {error}", soft_wrap=True)


def composition(frame: pd.DataFrame) -> None:
    """Print in one line how many candidates, vulnerabilities and CWEs a corpus table has.

    The line also counts the candidates of each outcome, those of each origin, and those that pass all PoVs
    and checks but fail the strict label.
    """
    from crisol.wargaming.census import basic_only

    counts = frame["outcome"].value_counts()
    origins = ", ".join(f"{count} {origin}" for origin, count in frame["origin"].value_counts().items())
    vulnerabilities = frame.groupby("corpus")["vulnerability"].nunique()
    corpora = ", ".join(f"{count} {corpus}" for corpus, count in vulnerabilities.items())
    out.print(
        f"{len(frame)} candidates of {corpora} vulnerabilities, {frame['cwe'].nunique()} CWEs: "
        f"{counts.get('valid', 0)} valid, {counts.get('invalid', 0)} invalid, "
        f"{counts.get('inconclusive', 0)} inconclusive; {origins}; {len(basic_only(frame))} pass PoVs and "
        "checks but fail the strict label",
        soft_wrap=True,
    )


def _default(settings: Settings) -> Path:
    return settings.cache / "corpus.parquet"

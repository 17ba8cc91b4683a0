"""``crisol triage``: find the patch to merge among many candidates for one vulnerability."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.live import Live
from rich.table import Table
from rich.text import Text

from crisol.cli.console import creatable, err, out, printable, read_stdin
from crisol.config import Settings, load_settings
from crisol.errors import DatasetError, ModelError, StoreError
from crisol.records import Candidate, Origin, Outcome, Source

if TYPE_CHECKING:
    from crisol.lab.triage import Bench, Triage, TriageEntry

__all__ = ["triage"]

_EXIT = {Outcome.VALID: 0, Outcome.INVALID: 1, Outcome.INCONCLUSIVE: 2}
_COLOUR = {Outcome.VALID: "green", Outcome.INVALID: "red", Outcome.INCONCLUSIVE: "yellow", None: "dim"}
_SHOWN = 30


def triage(
    vulnerability: Annotated[str, typer.Argument(help="Id of the vulnerability, or path of its folder.")],
    candidates: Annotated[list[Path],
        typer.Argument(help="Diff or JSONL files, or folders of diffs; - reads standard input.")],
    until: Annotated[str,
        typer.Option(
            help="decided: stop when every candidate is decided; first-valid: stop at the first valid one."
        )] = "decided",
    budget: Annotated[float,
        typer.Option(help="Seconds after which no further wargame starts; 0: no limit.", min=0.0)] = 0.0,
    jobs: Annotated[int, typer.Option(help="Number of wargames at a time; 0: one for each core.", min=0)] = 0,
    model: Annotated[Path | None,
        typer.Option(help="Model folder or .skops file; default the champion, if there is one.")] = None,
    sandbox: Annotated[str,
        typer.Option(
            help="Sandbox: auto, bubblewrap, namespaces or weak (no isolation); default CRISOL_SANDBOX."
        )] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    report: Annotated[Path | None,
        typer.Option(help="Also write the ranking to this HTML file.", callback=creatable)] = None,
) -> None:  # fmt: skip
    """Rank candidate patches of one vulnerability and find one to merge; wargames run as needed.

    Without --sandbox the setting CRISOL_SANDBOX holds (default auto). Exit 0 if a
    wargame found a valid candidate, 1 if every candidate that could be judged is
    invalid, 2 if none is known to be valid and some are undecided or none could be
    judged. A diff that does not fit the release cannot be judged.
    """
    from crisol.lab.triage import Bench, Triage
    from crisol.wargaming.vulnerability import find, load

    if until not in {"decided", "first-valid"}:
        raise typer.BadParameter(f"--until is decided or first-valid, not {until!r}")
    settings = load_settings()
    folder = Path(vulnerability)
    is_folder = (folder / "vulnerability.toml").is_file()
    subject = load(folder) if is_folder else find(settings.search_path, only=[vulnerability])[0]
    named = _uniquely_named(_read(candidates, subject.id))
    bench = _with_model(Bench(settings.cache, sandbox or settings.sandbox, jobs), settings, model)
    work = Triage(
        subject, named, bench, "first-valid" if until == "first-valid" else "decided", budget or None
    )
    _run(work, quiet=as_json)
    document = _document(work)
    if as_json:
        print(json.dumps(document))  # noqa: T201 - machines read this
    else:
        out.print(_table(work, len(work.entries)))
        out.print(_said(work), soft_wrap=True)
    if report is not None:
        report.write_text(_html(document), encoding="utf-8")
    raise typer.Exit(_EXIT[work.outcome])


def _run(work: Triage, *, quiet: bool) -> None:
    try:
        if quiet or not err.is_terminal:
            for _ in work.run():
                pass
            return
        with Live(console=err, transient=True, refresh_per_second=4) as live:
            for _ in work.run():
                live.update(_table(work, _SHOWN))
    except KeyboardInterrupt:
        # The triage keeps the results so far, which the command then shows.
        err.print("stopped; run it again to go on", style="yellow")


def _read(paths: Sequence[Path], vulnerability: str) -> Iterator[Candidate]:
    from crisol.wargaming.intake import Manner, imported

    manner = Manner(vulnerability)
    for path in paths:
        if str(path) == "-":
            text = read_stdin(1 << 26).decode(errors="surrogateescape")
            yield from _candidates_in(text, "stdin", vulnerability)
            continue
        yield from imported(path, manner)
        for file in sorted(path.glob("*.jsonl")) if path.is_dir() else ():
            yield from imported(file, manner)


def _candidates_in(text: str, name: str, vulnerability: str) -> Iterator[Candidate]:
    """Yield the candidates in a text: JSON lines with a ``diff`` each if it begins with ``{``, else one diff.

    ``name`` names the diff. A JSON line without a ``name`` gets ``name`` and the line's number, such as
    ``stdin-2``. Raises :class:`~crisol.errors.DatasetError` for a line that is no JSON object with a
    ``diff``.
    """
    if not text.lstrip().startswith("{"):
        yield Candidate(vulnerability, name, Origin.IMPORT, text)
        return
    # JSON texts may contain U+2028 and other characters at which str.splitlines would split.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            named, content = str(row.get("name") or f"{name}-{number}"), row["diff"]
        except (ValueError, KeyError, AttributeError, RecursionError) as error:
            raise DatasetError(f"{name}, line {number}: {error!r}; expected JSON with a diff") from None
        if not isinstance(content, str):
            raise DatasetError(f"{name}, line {number}: the diff must be text")
        yield Candidate(vulnerability, named, Origin.IMPORT, content)


def _uniquely_named(candidates: Iterator[Candidate]) -> list[Candidate]:
    by_name: dict[str, Candidate] = {}
    for candidate in candidates:
        name, number = candidate.name, 1
        while name in by_name:
            number += 1
            name = f"{candidate.name}-{number}"
        by_name[name] = replace(candidate, name=name)
    if not by_name:
        raise DatasetError(
            "no candidate to judge; give .diff files, a folder of them, or JSONL with a diff in each line"
        )
    return list(by_name.values())


def _with_model(bench: Bench, settings: Settings, model: Path | None) -> Bench:
    """Return a copy of ``bench`` that predicts with a model: ``model``, or the champion if it is None.

    Without a usable champion, return ``bench`` unchanged. Raises :class:`~crisol.errors.ModelError` or
    :class:`~crisol.errors.StoreError` if ``model`` is given and cannot be loaded.
    """
    from crisol.evidence.second_stage import SecondStage
    from crisol.model.predictor import Predictor
    from crisol.tracking.registry import champion_folder

    try:
        folder = model or champion_folder(settings)
        predictor = Predictor.load(folder, settings.trust)
        second = SecondStage.load(folder / "memory.json") if (folder / "memory.json").is_file() else None
    except (ModelError, StoreError):
        if model is not None:
            raise
        return bench
    return replace(bench, predict=lambda patch, cwe: predictor.predict(patch, cwe).probability, second=second)


def _table(work: Triage, most: int) -> Table:
    table = Table("", "candidate", "outcome", "by", "p(valid)", "lines", "reason", box=None)
    ranked = work.ranked()
    for place, entry in enumerate(ranked[:most], 1):
        name = entry.name + (f" (+{len(entry.repeats)})" if entry.repeats else "")
        table.add_row(
            str(place),
            Text(name),
            Text(str(entry.outcome or "open"), _COLOUR[entry.outcome]),
            str(entry.source or ""),
            "" if entry.probability is None else f"{entry.probability:.2f}",
            str(entry.lines),
            Text(_why(entry)[:100]),
        )
    if len(ranked) > most:
        table.add_row("", f"… and {len(ranked) - most} more")
    return table


def _why(entry: TriageEntry) -> str:
    if entry.reason is not None:
        first = entry.detail.strip().split("\n")[-1]
        return f"{entry.reason}: {first}" if first else str(entry.reason)
    if entry.outcome is None and entry.lacks:
        return f"lacks {entry.lacks[0]}"
    return ""


def _said(work: Triage) -> str:
    programs, count = len(work.entries), len(work.candidates)
    facts = sum(entry.source in {Source.EQUIVALENT, Source.UNTOUCHED} for entry in work.entries.values())
    head = (
        f"{count} candidates make {programs} programs; facts settled {facts}, {work.wargames} wargames in "
        f"{work.seconds:.1f} s"
    )
    best = next((entry for entry in work.ranked() if entry.recommended), None)
    if best is not None:
        return f"{head}\nmerge {best.name}: every phase of its wargame passed"
    unfit = sum(not entry.fits for entry in work.entries.values())
    if work.outcome is Outcome.INVALID:
        rest = f"; not judged: {unfit} (the diff does not fit the release)" if unfit else ""
        return f"{head}\nnone is valid{rest}"
    if unfit == programs:
        return f"{head}\nnone could be judged: no diff fits the release"
    return f"{head}\nundecided: run it again to go on, the verdicts so far are kept"


def _document(work: Triage) -> dict[str, Any]:
    ranked = work.ranked()
    return {
        "vulnerability": work.vulnerability.id,
        "outcome": work.outcome,
        "winner": next((entry.name for entry in ranked if entry.recommended), None),
        "given": len(work.candidates),
        "wargames": work.wargames,
        "seconds": round(work.seconds, 3),
        "candidates": [asdict(entry) for entry in ranked],
    }


def _escaped(text: str) -> str:
    from html import escape

    return escape(printable(text))


def _html(document: dict[str, Any]) -> str:
    rows = []
    for place, entry in enumerate(document["candidates"], 1):
        probability = "" if entry["probability"] is None else f"{entry['probability']:.2f}"
        words = [*(f"lacks {part}" for part in entry["lacks"]), *(f"adds {part}" for part in entry["adds"])]
        cells = [
            str(place), ", ".join([entry["name"], *entry["repeats"]]), str(entry["outcome"] or "open"),
            str(entry["source"] or ""), probability, str(entry["reason"] or ""), entry["detail"],
            "; ".join(entry["evidence"]), "; ".join(words),
        ]  # fmt: skip
        body = "".join(f"<td>{_escaped(cell)}</td>" for cell in cells)
        rows.append(
            f"<tr class='{_escaped(cells[2])}'>{body}</tr><tr><td></td><td colspan='8'><details>"
            f"<summary>diff</summary><pre>{_escaped(entry['diff'])}</pre></details></td></tr>"
        )
    titles = "".join(
        f"<th>{name}</th>"
        for name in (
            "",
            "candidates",
            "outcome",
            "by",
            "p(valid)",
            "reason",
            "detail",
            "evidence",
            "beside the known fix",
        )
    )
    name, winner = _escaped(document["vulnerability"]), _escaped(str(document["winner"] or "none"))
    return (
        f"<!doctype html><meta charset='utf-8'><title>Triage of {name}</title>"
        "<style>body{font:14px sans-serif}"
        "td,th{padding:.3em .6em;text-align:left;vertical-align:top;border-top:1px solid #ddd}"
        ".valid{background:#e7f6e7}.invalid{color:#888}pre{white-space:pre-wrap}</style>"
        f"<h1>Triage of {name}</h1><p>To merge: <b>{winner}</b>. {document['given']} candidates, "
        f"{document['wargames']} wargames, {document['seconds']} s.</p>"
        f"<table><tr>{titles}</tr>{''.join(rows)}</table>"
    )

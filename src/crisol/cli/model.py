"""The commands that measure models and train challengers: ``crisol evaluate``, ``promote``, ``retrain``."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table

from crisol.cli.console import Json, emit, err, out
from crisol.cli.endings import Exit
from crisol.cli.progress import progress
from crisol.config import load_settings
from crisol.errors import SettingsError
from crisol.records import HEADLINE, Origin

if TYPE_CHECKING:
    import pandas as pd

    from crisol.model.evaluation import Evaluation
    from crisol.model.search import Choice

__all__ = ["evaluate", "promote", "retrain"]

_MEASURES = {
    "AUC of all": "auc",
    "AP": "average_precision",
    "acc.": "accuracy",
    "MCC": "mcc",
    "Brier": "brier",
    "ECE": "calibration_error",
    "inside": "auc_inside_groups",
    "leaky": "leaky_random_split_auc",
}

_ORIGINS = {f"auc_{origin}": str(origin) for origin in Origin}

_STREAM_TABLES = {
    "by_known": "after so many known verdicts of the same group, where every patch is wargamed",
    "policies": "over whole streams; each half of the groups by thresholds that the other half chose",
    "near_misses": "wrong patches that are alike to a valid one by more than 0.8",
}


def evaluate(
    data: Annotated[Path | None,
        typer.Option(help="File of labelled patches: .jsonl, .jsonl.gz or a .parquet corpus table.")] = None,
    group: Annotated[str,
        typer.Option(
            help="Field that names a patch's group; for a corpus table: vulnerability, package or cwe."
        )] = "bug_id",
    outer: Annotated[Literal["group", "project", "cwe"],
        typer.Option(help="Field by which the folds are made: patches of one value share a fold.")] = "group",
    train: Annotated[Path | None,
        typer.Option(help="File of labelled patches to train on; needs --test.")] = None,
    test: Annotated[Path | None,
        typer.Option(help="File of labelled patches to measure on; needs --train.")] = None,
    variant: Annotated[list[str] | None,
        typer.Option(help="Name of a variant to measure; may be given more than once; default all.")] = None,
    folds: Annotated[int, typer.Option(min=2, max=50, help="Largest number of folds.")] = 10,
    seed: Annotated[int,
        typer.Option(min=0, max=2**32 - 1, help="Seed of folds, training and bootstrap.")] = 0,
    search: Annotated[bool,
        typer.Option(help="Choose the hyper-parameters on each training set by inner folds.")] = True,
    stream: Annotated[bool,
        typer.Option("--stream",
        help="Decide the patches one by one, each by the verdicts on the earlier ones.")] = False,
    repeats: Annotated[int,
        typer.Option(
            min=1, max=100, help="With --stream: number of random orders of arrival for each group."
        )] = 5,
    in_order: Annotated[bool,
        typer.Option("--in-order",
        help="With --stream: keep the order of the file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:  # fmt: skip
    """Measure the model variants on labelled patches, by cross-validation or on a separate test set.

    Give either --data, or --train and --test. With --train and --test the variants
    learn from one file and are measured on the other. With --data they are
    cross-validated: --outer names the property by which the folds are made
    (default: the group), and patches with the same value of it share a fold.
    --group is the name of the file's field that holds the group of a patch. With
    --stream, which needs --data, the patches of a group arrive one by one, and
    each is decided with the verdicts on the earlier ones; --repeats is the number
    of random orders of arrival for each group.
    """
    if (train is None) != (test is None) or (data is None) == (test is None):
        raise SettingsError("give either --data FILE, or --train FILE and --test FILE")
    if stream:
        if data is None or outer != "group":
            raise SettingsError("--stream asks for --data FILE, and its folds are made by group")
        if len(variant or []) > 1:
            raise SettingsError("--stream measures one variant: give --variant once")
        cold = variant[0] if variant else "lightgbm"
        _stream(data, group, cold, folds, seed, repeats, shuffled=not in_order, as_json=as_json)
        return
    from crisol.lab import labelled_sets as lab
    from crisol.lab.compare import chosen_variants

    question = lab.EvaluationQuestion(
        data or test or Path(), train, group, outer, tuple(variant or ()), folds, seed, search
    )
    facts = lab.facts(question)
    rows: list[dict[str, Any]] = []
    evaluations: list[Evaluation] = []
    total = len(chosen_variants(load_settings(), question.variants)) + len(lab.CONTROLS)
    with progress() as bar:
        task = bar.add_task("variants", total=total, note="")
        for evaluated in lab.evaluate(load_settings(), question, facts):
            rows.append({"variant": evaluated.name, **evaluated.summary()})
            if evaluated.name not in lab.CONTROLS:
                evaluations.append(evaluated)
            bar.update(task, advance=1, note=evaluated.name)
    if as_json:
        searched = [asdict(choice) for evaluated in evaluations for choice in evaluated.choices]
        emit({"data": facts, "variants": rows, "hyperparameters": searched})
        return
    _show(facts, rows, "folds by " + (group if outer == "group" else outer) if train is None else "transfer")
    _show_choices([choice for evaluated in evaluations for choice in evaluated.choices])
    _show_guarantees(lab.guaranteed(evaluations, seed))


def promote(
    variant: Annotated[str, typer.Argument(help="Name of a variant in experiments/variants.yaml.")],
    data: Annotated[
        Path | None, typer.Option(help="Path of the corpus table; default data/cache/corpus.parquet.")
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="Seed of folds, training and bootstrap.")
    ] = 0,
    force: Annotated[
        bool, typer.Option("--force", help="Make the challenger champion even if the comparison refuses it.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Train a challenger, compare it with the champion, and make it champion if it is shown to be no worse.

    VARIANT is the name of a variant in experiments/variants.yaml. It is compared
    with the champion's variant by cross-validation on the corpus table. A
    challenger that was trained on fewer vulnerabilities than the champion is
    refused, too. If there is no champion, the challenger needs no comparison. Exit
    1 if it does not become champion; --force makes it champion in any case.
    """
    from crisol.lab import compare, nested, promotion
    from crisol.tracking import runs
    from crisol.wargaming.corpus import content_hash, load_table

    settings = load_settings()
    frame = load_table(data or settings.cache / "corpus.parquet")
    names = promotion.contenders(settings, variant)
    with runs.start(settings, "promote") as run:
        run.params({"variant": variant, "seed": seed, "force": force})
        run.input("corpus", frame, content_hash(frame), str(data or "data/cache/corpus.parquet"))
        with progress() as bar:
            task = bar.add_task("contenders", total=len(names), note="")
            comparison = compare.compare(
                frame, seed, names=names, watch=lambda name: bar.update(task, advance=1, note=name)
            )
        nested.log_comparison(run, settings, comparison)
        result = promotion.promote(settings, run, comparison, variant, seed, force=force)
    if as_json:
        emit({"variant": variant, "promoted": result.promoted, "reason": result.reason})
    else:
        out.print(result.reason, soft_wrap=True)
    raise typer.Exit(0 if result.promoted else 1)


def retrain(
    variant: Annotated[str, typer.Argument(help="Name of a variant in experiments/variants.yaml.")],
    data: Annotated[
        Path | None, typer.Option(help="Path of the corpus table; default data/cache/corpus.parquet.")
    ] = None,
    experiment: Annotated[
        str | None, typer.Option(help="Only the trials of this experiment, such as live.")
    ] = None,
    held_out: Annotated[
        float, typer.Option(help="Share of the trials' vulnerabilities to measure on.")
    ] = 0.3,
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="Seed by which these vulnerabilities are chosen.")
    ] = 0,
    promote: Annotated[
        bool, typer.Option("--promote", help="Make the challenger champion if it is shown to be no worse.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Train a challenger on the corpus and the A/B trials, and measure what the trials bring.

    A share of the trials' vulnerabilities (--held-out) is kept for the
    measurement. Two models learn from the corpus alone: VARIANT, for what the
    trials bring, and the champion's variant. Exit 1 unless the challenger is
    shown to be no worse than the second. With --promote it then becomes champion.
    """
    from crisol.lab import nested, retraining
    from crisol.tracking import runs
    from crisol.wargaming.corpus import content_hash, load_table

    settings = load_settings()
    frame = load_table(data or settings.cache / "corpus.parquet")
    design = retraining.RetrainingDesign(variant, seed, held_out, promote)
    gathered = retraining.gather(settings, frame, experiment)
    with runs.start(settings, "retrain") as run:
        run.params(asdict(design) | {"experiment": experiment or ""})
        run.input("corpus", frame, content_hash(frame), str(data or "data/cache/corpus.parquet"))
        with progress() as bar:
            task = bar.add_task("models", total=3, note="")
            result = retraining.retrain(
                settings, run, frame, gathered, design,
                watch=lambda name: bar.update(task, advance=1, note=name),
            )  # fmt: skip
        nested.log_retraining(run, result)
        run.table("retraining", result.table)
    code = Exit.VALID if result.not_worse else Exit.INVALID
    if as_json:
        about = {name: getattr(result, name) for name in ("version", "promoted", "not_worse", "reason")}
        emit(about | {"patches": len(gathered.patches), "table": result.table.to_dict("records")})
        raise typer.Exit(code)
    shown = Table(*result.table.columns, box=None, padding=(0, 1, 0, 0))
    for row in result.table.itertuples(index=False):
        shown.add_row(*(f"{value:.3f}" if isinstance(value, float) else str(value) for value in row))
    out.print(shown)
    out.print(
        f"{len(gathered.patches)} patches of the trials; left out: {gathered.inconclusive} trials without "
        f"a verdict, {gathered.without_text} patches whose text was not kept\n"
        f"{result.brought}\nchallenger against champion: {result.reason}\n"
        f"version {result.version} is "
        f"{'champion now' if result.promoted else 'challenger, the champion stays'}; {result.policy}",
        soft_wrap=True,
    )
    raise typer.Exit(code)


def _stream(
    data: Path,
    group: str,
    cold: str,
    folds: int,
    seed: int,
    repeats: int,
    *,
    shuffled: bool,
    as_json: bool,
) -> None:
    """Measure how much the verdicts on earlier patches of a group help to decide later ones; print tables.

    ``cold`` is the name of the variant to measure. ``shuffled`` is False if the patches keep the order of
    ``data``.
    """
    from crisol.lab import evidence, first_valid
    from crisol.tracking import runs

    settings = load_settings()
    if data.suffix == ".parquet" and group == "bug_id":
        group = "vulnerability"
    question = evidence.StreamQuestion(data, group, cold, repeats, folds, seed, shuffled)
    with runs.start(settings, "evaluate-stream") as run, err.status("learning from other groups") as status:
        prepared = evidence.prepare(settings, question)
        measured = evidence.measure(prepared, status.update)
        evidence.log(run, prepared, measured)
        status.update("what can be guaranteed")
        guarantee = evidence.certified(prepared)
        totals = first_valid.totals(first_valid.until_first_valid(prepared))
        run.metrics({"guarantee.skipped": guarantee.skipped} | totals)
    tables = {name: getattr(measured, name) for name in ("by_known", "policies", "near_misses")}
    if as_json:
        content: dict[str, Any] = {name: table.to_dict("records") for name, table in tables.items()}
        content |= {"guarantee": {"skipped": guarantee.skipped, "why": guarantee.policy.reason}, **totals}
        emit({"data": measured.facts, **content})
        return
    out.print(
        f"{measured.facts['patches']:g} patches, {measured.facts['correct']:g} correct, of "
        f"{measured.facts['groups']:g} groups; {repeats if shuffled else 1} orders of arrival each; cold "
        f"model {cold}",
        soft_wrap=True,
    )
    for name, table in tables.items():
        out.print(f"\n{_STREAM_TABLES[name]}", soft_wrap=True)
        plain = [column for column in table.columns if not column.endswith(("_low", "_high"))]
        shown = Table(*(column.replace("_", " ") for column in plain), box=None, padding=(0, 1, 0, 0))
        for row in table.to_dict("records"):
            shown.add_row(*(_cell_text(row, column) for column in plain))
        out.print(shown)
    out.print(
        f"\nwith the guarantee the memory skips {guarantee.skipped:.1%}: {guarantee.policy.reason}\n"
        f"wargames until the first valid patch: {totals['until_first_valid.memory']:g} with the memory, "
        f"{totals['until_first_valid.cold']:g} in the cold model's order, "
        f"{totals['until_first_valid.random']:.0f} at random",
        soft_wrap=True,
    )


def _cell_text(row: dict[str, Any], column: str) -> str:
    value = row[column]
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    low = row.get(f"{column}_low")
    if low is None or low != low:  # noqa: PLR0124 - not a number: too few groups for an interval
        return text
    return f"{text}\n{row[f'{column}_low']:.2f}-{row[f'{column}_high']:.2f}"


def _show(facts: dict[str, Any], rows: list[dict[str, Any]], how: str) -> None:
    out.print(
        f"{facts['patches']} patches, {facts['correct']} correct, of {facts['groups']} groups in "
        f"{facts['projects']} projects ({facts['languages']}); {how}",
        soft_wrap=True,
    )
    headline = any("headline_auc" in row for row in rows)
    first, title = ("headline_", "headline AUC") if headline else ("auc_", "AUC")
    shown = Table("variant", title, "95 %", box=None, padding=(0, 1, 0, 0))
    for name in _MEASURES:
        shown.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        low, high = (_digits(row, f"{first}{end}") for end in ("low", "high"))
        interval = "-" if "-" in {low, high} else f"{low}-{high}"
        measures = (_digits(row, measure) for measure in _MEASURES.values())
        value = _digits(row, "headline_auc" if headline else "auc")
        shown.add_row(row["variant"], value, interval, *measures)
    out.print(shown)
    lines = [f"accuracy of always saying the majority: {_digits(rows[0], 'majority_accuracy')}"]
    lines.append(
        "style alone, origin alone and majority never look at the fix; knowing the mean label of the "
        f"group's other patches would give {_digits(rows[0], 'same_group_mean_auc')} (leaky)"
    )
    origins = dict.fromkeys(name for row in rows for name in row if name in _ORIGINS)
    if headline:
        lines.append(f"headline: patches of {' and '.join(HEADLINE)} alone; the other origins below")
    lines.append("inside: AUC over pairs of one group; leaky: AUC of a random split, shown as a warning")
    out.print("\n".join(lines), soft_wrap=True)
    if origins:
        shown = Table("AUC by origin", *(_ORIGINS[name] for name in origins), box=None, padding=(0, 2, 0, 0))
        for row in rows:
            shown.add_row(row["variant"], *(_digits(row, name) for name in origins))
        out.print(shown)


def _show_choices(choices: list[Choice]) -> None:
    for name in dict.fromkeys(choice.variant for choice in choices):
        counted = Counter(choice.parameters or "as given" for choice in choices if choice.variant == name)
        shown = "; ".join(f"{count} times {what}" for what, count in counted.most_common())
        out.print(f"hyper-parameters of {name}: {shown}", soft_wrap=True)


def _show_guarantees(table: pd.DataFrame) -> None:
    """Print a table from :func:`crisol.lab.labelled_sets.guaranteed`; all its rows are of one variant."""
    percent = "{:.1%}".format
    out.print(
        f"wargames that {table['variant'].iloc[0]} may skip, where of what is accepted, and of what is "
        "refused, at most a level is wrong:",
        soft_wrap=True,
    )
    shown = Table(
        "level", "accepted", "refused", "without a guarantee", "groups needed", box=None, padding=(0, 2, 0, 0)
    )
    for row in table.to_dict("records"):
        shares = (percent(row[name]) for name in ("level", "accepted", "rejected", "skipped_without"))
        shown.add_row(*shares, str(row["needed"]))
    out.print(shown)


def _digits(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    return "-" if value is None or value != value else f"{value:.3f}"  # noqa: PLR0124 - not a number

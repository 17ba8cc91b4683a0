"""``crisol ab``: print the results of A/B testing, plan sample sizes, and turn A/B testing on and off."""

from __future__ import annotations

import datetime as dt
from contextlib import closing, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from crisol.cli.console import App, Json, emit, out
from crisol.cli.watch import Experiment, watch_command
from crisol.config import load_settings

if TYPE_CHECKING:
    import pandas as pd

    from crisol.abtest.tally import Slice

__all__ = ["app"]

app = App(help="Show the A/B trials, search them for signs of a worse model, and turn A/B testing on or off.")

Arm = Annotated[str | None, typer.Option(help="Only the trials of this arm.")]
ModelVersion = Annotated[str | None, typer.Option(help="Only the trials of this model version.")]

_SHOWN = ("accuracy", "precision", "recall", "f1", "mcc", "false_accept_rate")


@app.command()
def status(as_json: Json = False) -> None:
    """Print whether A/B testing is on, its sampling rate, and the number of trials of each arm."""
    from crisol.abtest.results import status as status_of
    from crisol.abtest.tally import Slice
    from crisol.wiring import open_trials

    with closing(open_trials(load_settings())) as store:
        report = status_of(store, dt.datetime.now(dt.UTC))
        groups = store.tallies(by=(Slice.EXPERIMENT, Slice.ARM, Slice.MODEL))
    if as_json:
        names = ("experiment", "arm", "model", "conclusive", "inconclusive")
        cells = ((*keys, tally.n, tally.inconclusive) for keys, tally in groups.items())
        arms = [dict(zip(names, row, strict=True)) for row in cells]
        emit(asdict(report) | {"arms": arms})
        return
    state = ("enabled", "green") if report.switch.enabled else ("disabled", "yellow")
    rest = f", rate {report.switch.rate:g}, salt {report.switch.salt!r}"
    out.print(Text.assemble("A/B testing ", state, rest))
    out.print(
        f"{report.trials} trials, {report.last_day} in the last 24 h, {report.inconclusive} inconclusive"
    )
    if groups:
        shown = Table("experiment", "arm", "model", "conclusive", "inconclusive", box=None)
        for keys, tally in groups.items():
            shown.add_row(*keys, str(tally.n), str(tally.inconclusive))
        out.print(shown)


@app.command()
def results(
    by: Annotated[
        list[str] | None,
        typer.Option(
            help="Group by experiment, arm, model_version, cwe, band, rung, hour or day; repeatable. "
            "Or window alone: a row each for the last 1h, 24h, 7d and 30d."
        ),
    ] = None,
    window: Annotated[
        str,
        typer.Option(
            help="Only trials of the last minutes, hours or days: 90m, 24h, 7d; default all trials."
        ),
    ] = "",
    experiment: Experiment = None,
    arm: Arm = None,
    model_version: ModelVersion = None,
    cwe: Annotated[str | None, typer.Option(help="Only the trials of this CWE.")] = None,
    level: Annotated[
        float, typer.Option(min=0.5, max=0.999, help="Confidence level of the intervals.")
    ] = 0.95,
    disagreements: Annotated[
        int,
        typer.Option(
            min=0, help="Also print this many trials in which model and wargame disagree, the surest first."
        ),
    ] = 0,
    as_json: Json = False,
) -> None:
    """Print the accuracy, precision, recall and other metrics of the stored trials, with their intervals.

    There is one row for each group of trials; without --by a group is one arm of
    one experiment. Each trial has the weight 1 / sampling probability, so that
    the metrics hold for all patches that arrived. --disagreements N also prints
    the N trials in which model and wargame disagree and the model was surest.
    """
    from crisol.abtest import results as tables
    from crisol.abtest.store import TrialFilter
    from crisol.wiring import open_trials

    if window and by == ["window"]:
        raise typer.BadParameter("--by window has windows of its own: leave out --window")
    if as_json and disagreements:
        raise typer.BadParameter("--disagreements is for people: leave out --json")
    now = dt.datetime.now(dt.UTC)
    since = now - tables.window(window) if window else None
    where = TrialFilter(experiment, arm, model_version, cwe, since=since)
    with closing(open_trials(load_settings())) as store:
        if by == ["window"]:
            table = tables.window_results(store, now, where, level=level)
        else:
            table = tables.results(
                store, where, [_slice(name) for name in by or ["experiment", "arm"]], level
            )
        worst = tables.disagreements(store.read(where)).head(disagreements) if disagreements else None
    if as_json:
        print(table.to_json(orient="records"))  # noqa: T201 - machines read this
        return
    out.print(_estimates_table(table, level))
    if experiment is not None:
        _print_latest_run(experiment)
    if worst is not None:
        shown = Table(*worst.columns, box=None)
        for row in worst.to_dict("records"):
            cells = row | {"patch": str(row["patch"])[:12], "confidence": f"{row['confidence']:.2f}"}
            shown.add_row(*(str(cells[name]) for name in worst.columns))
        out.print(shown)


@app.command()
def compare(
    first: Annotated[str, typer.Argument(help="Name of the first arm.")],
    second: Annotated[str, typer.Argument(help="Name of the second arm.")],
    experiment: Experiment = None,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap interval.")] = 0,
    as_json: Json = False,
) -> None:
    """Compare the accuracy of two arms on the patches that both predicted, with intervals and p-values.

    FIRST and SECOND are the names of the arms. The difference is the accuracy of
    FIRST minus the accuracy of SECOND. --seed is the seed of the bootstrap
    interval.
    """
    from crisol.abtest.results import compare_arms
    from crisol.abtest.store import TrialFilter
    from crisol.wiring import open_trials

    with closing(open_trials(load_settings())) as store:
        comparison, _ = compare_arms(store, first, second, TrialFilter(experiment=experiment), seed=seed)
    if as_json:
        emit(asdict(comparison))
        return
    shown = Table("what", "value", box=None, show_header=False)
    shown.add_row("patches, of vulnerabilities", f"{comparison.n}, {comparison.vulnerabilities}")
    shown.add_row(
        f"only {first} right, only {second}", f"{comparison.only_first_right}, {comparison.only_second_right}"
    )
    shown.add_row(
        f"McNemar ({comparison.method}), weighted",
        f"p = {comparison.p_value:.3g}, {comparison.weighted_p_value:.3g}",
    )
    shown.add_row("difference in accuracy", f"{comparison.difference:+.3f}")
    shown.add_row("95 %, by vulnerability, one look", f"{comparison.low:+.3f} to {comparison.high:+.3f}")
    shown.add_row("95 %, at every look", f"{comparison.always_low:+.3f} to {comparison.always_high:+.3f}")
    out.print(shown)


app.command("watch")(watch_command)


@app.command()
def plan(
    difference: Annotated[
        float | None,
        typer.Option(help="Smallest difference in accuracy between two arms to detect, such as 0.05."),
    ] = None,
    margin: Annotated[
        float | None, typer.Option(help="Half-width of the interval for one share, such as 0.02.")
    ] = None,
    rate: Annotated[float | None, typer.Option(help="Sampling rate, 0 to 1; default AB_TEST_RATE.")] = None,
    unsure: Annotated[
        float,
        typer.Option(help="Share of the patches of which the model is unsure; all of these are wargamed."),
    ] = 0.2,
    per_day: Annotated[float, typer.Option(help="Number of patches that arrive in a day.")] = 100.0,
    wargame_seconds: Annotated[float, typer.Option(help="Duration of one wargame, in seconds.")] = 0.75,
    discordance: Annotated[
        float, typer.Option(help="Share of the patches on which exactly one arm is right.")
    ] = 0.10,
    expected: Annotated[
        float, typer.Option(help="Guess at the size of the share that --margin is about.")
    ] = 0.90,
    power: Annotated[
        float, typer.Option(help="Probability of detecting the difference if it exists.")
    ] = 0.80,
    as_json: Json = False,
) -> None:
    """Print how many patches must arrive, and be wargamed, to answer one question about models.

    Give either --difference or --margin. --difference asks whether the accuracies
    of two arms differ by this much: --discordance is the share of patches on
    which exactly one arm is right, and --power the probability of detecting the
    difference. --margin asks for the size of a share, such as the accuracy,
    within ± this margin: --expected is a guess at the size. --rate is the
    sampling rate. --wargame-seconds is the duration of one wargame.
    """
    from crisol.abtest.power import Design
    from crisol.abtest.power import plan as plan_of

    chosen = load_settings().ab_test_rate if rate is None else rate
    design = Design(chosen, unsure, per_day, wargame_seconds)
    trial_plan = plan_of(
        design, difference=difference, discordance=discordance, margin=margin, expected=expected, power=power
    )
    if as_json:
        emit(asdict(trial_plan))
        return
    out.print(f"To {trial_plan.question}, at rate {chosen:g} with {unsure:.0%} unsure:")
    out.print(
        f"{trial_plan.effective_trials} trials' worth of knowledge, so {trial_plan.patches} patches must "
        f"arrive ({trial_plan.days:.1f} days), of which {trial_plan.wargames} are wargamed "
        f"({trial_plan.wargame_hours:.1f} h of wargames)"
    )


@app.command()
def enable(
    rate: Annotated[float | None, typer.Option(help="Sampling rate, 0 to 1; default AB_TEST_RATE.")] = None,
    salt: Annotated[
        str, typer.Option(help="Text that decides which patches are sampled; default the present salt.")
    ] = "",
) -> None:
    """Turn A/B testing on for every worker that shares the trial store, until it is turned off.

    --rate is the probability, 0 to 1, with which a patch is wargamed although the
    model is sure of it.
    """
    from crisol.abtest.store import Switch
    from crisol.wiring import open_trials

    settings = load_settings()
    with closing(open_trials(settings)) as store:
        chosen = settings.ab_test_rate if rate is None else rate
        store.flip(Switch(enabled=True, rate=chosen, salt=salt or store.switch().salt))
    out.print(f"A/B testing enabled at rate {chosen:g}")


@app.command()
def disable() -> None:
    """Turn A/B testing off for every worker that shares the trial store."""
    from dataclasses import replace

    from crisol.wiring import open_trials

    with closing(open_trials(load_settings())) as store:
        store.flip(replace(store.switch(), enabled=False))
    out.print("A/B testing disabled")


def _print_latest_run(experiment: str) -> None:
    # Trials need no MLflow, which an installation for serving alone does not have.
    with suppress(ModuleNotFoundError):
        from crisol.tracking.runs import of_trials

        if run := of_trials(load_settings(), experiment):
            out.print(f"MLflow run: {run}")


def _slice(name: str) -> Slice:
    from crisol.abtest.tally import Slice

    try:
        return Slice(name)
    except ValueError:
        raise typer.BadParameter(f"--by {name}: choose from {', '.join(Slice)}, or window alone") from None


def _estimates_table(table: pd.DataFrame, level: float) -> Table:
    # The columns before n name a group of trials; n and the metrics of the group follow.
    keys = list(table.columns[: list(table.columns).index("n")])
    shown = Table(box=None)
    for key in keys:
        shown.add_column(key, overflow="fold")
    for name in ("n", "measure", "estimate", f"{level:.0%} interval"):
        shown.add_column(name, no_wrap=True)
    for row in table.to_dict("records"):
        group = [*(str(row[key]) for key in keys), str(row["n"])]
        for name in _SHOWN:
            defined = row[name] == row[name]
            interval = f"{row[f'{name}_low']:.3f} to {row[f'{name}_high']:.3f}" if defined else ""
            shown.add_row(
                *group,
                name.removesuffix("_rate").replace("_", " "),
                f"{row[name]:.3f}" if defined else "-",
                interval,
            )
            group = [""] * len(group)
    return shown

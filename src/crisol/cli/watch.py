"""``crisol ab watch``: search the A/B trials for signs that a model or a rung became worse."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from crisol.cli.console import Json, emit, out
from crisol.config import load_settings

if TYPE_CHECKING:
    from crisol.records import Trial

__all__ = ["Experiment", "watch_command"]

Experiment = Annotated[str | None, typer.Option(help="Only the trials of this experiment.")]


def watch_command(
    experiment: Experiment = None,
    share: Annotated[
        list[str] | None,
        typer.Option(
            help="Planned share of an arm, such as challenger=0.5; repeatable; 1 for each arm not named."
        ),
    ] = None,
    reference: Annotated[
        float,
        typer.Option(
            help="Share of each arm's trials, from the first on, that is the reference for the others."
        ),
    ] = 0.25,
    as_json: Json = False,
) -> None:
    """Examine the stored trials for signs that a model or a rung became worse, and exit 1 if there is one.

    The signs are more errors or worse calibration of an arm than in its first
    trials, more errors of a rung than it may make, a changed distribution of the
    predictions, and an arm whose number of trials does not fit its planned share
    of the patches. --reference is the share of each arm's trials, from the first
    on, with which the later ones are compared. --share gives the planned share of
    an arm; it needs --experiment if trials of several experiments are stored. Each
    experiment is examined by itself. An arm with fewer than two conclusive trials
    is named and not compared. Exit 64 if there are no trials.
    """
    from crisol.abtest.results import arms_of, experiments_of
    from crisol.abtest.store import TrialFilter
    from crisol.errors import ExperimentError
    from crisol.wiring import open_trials

    due = _shares(share or [])
    with closing(open_trials(load_settings())) as store:
        experiments = experiments_of(store.read(TrialFilter(experiment=experiment)))
    if not experiments:
        raise ExperimentError(f"no trials{f' of experiment {experiment!r}' if experiment else ''} to watch")
    if due and len(experiments) > 1:
        raise ExperimentError(
            f"--share is of one experiment: name it by --experiment ({', '.join(experiments)})"
        )
    documents = [_watch(name, arms_of(trials), due, reference) for name, trials in experiments.items()]
    if as_json:
        emit(documents)
    else:
        for document in documents:
            _show_watch(document)
    raise typer.Exit(1 if any(document["alarm"] for document in documents) else 0)


def _watch(
    experiment: str, arms: dict[str, list[Trial]], due: dict[str, float], reference: float
) -> dict[str, Any]:
    """Return the results of all drift detectors for one experiment, as a dict for JSON.

    ``arms`` maps each arm to its trials, ``due`` an arm to its planned share, which is 1 if absent.
    ``reference`` is the share of an arm's trials, from the first on, with which the later ones are compared.
    ``alarm`` in the result is True if a detector, or the number of an arm's trials, shows a change.
    """
    from crisol.abtest.rungs import watch_rungs
    from crisol.abtest.srm import sample_ratio
    from crisol.abtest.watch import LEAST_TRIALS, predicted_drift, watch

    ratio = sample_ratio({arm: len(trials) for arm, trials in arms.items()}, dict.fromkeys(arms, 1.0) | due)
    watches: list[dict[str, Any]] = []
    drifts: list[dict[str, Any]] = []
    unwatched = [
        arm
        for arm, trials in arms.items()
        if sum(trial.correct is not None for trial in trials) < LEAST_TRIALS
    ]
    for arm, trials in arms.items():
        own = () if arm in unwatched else watch(arm, trials, reference=reference)
        watches += [
            {
                "of": watched.arm,
                "watch": watched.name,
                "first": watched.baseline + 1,
                "last": watched.baseline + len(watched.alarm.evidence),
                "raised_at": watched.raised_at,
                "began_at": watched.began_at,
            }
            for watched in (*own, *watch_rungs(trials))
        ]
        if arm not in unwatched:
            drifts += [
                {"of": arm, "trials": len(trials)} | {str(name): value for name, value in row.items()}
                for row in predicted_drift(trials, reference).to_dict("records")
            ]
    alarm = ratio.mismatch or any(row["raised_at"] is not None for row in watches)
    return {
        "experiment": experiment,
        "alarm": alarm or any(row["drifted"] for row in drifts),
        "watches": watches,
        "drifts": drifts,
        "unwatched": unwatched,
        "arms": asdict(ratio) | {"mismatch": ratio.mismatch},
    }


def _show_watch(document: dict[str, Any]) -> None:
    shown = Table("arm or rung", "watch", "trials", "found", box=None)
    for row in document["watches"]:
        finding = Text("nothing")
        if row["raised_at"] is not None:
            place = f" at trial {row['raised_at']}, since about {row['began_at']}"
            finding = Text.assemble(("alarm", "red"), place)
        shown.add_row(row["of"], row["watch"], f"{row['first']} to {row['last']}", finding)
    for row in document["drifts"]:
        drift = ("drift, " if row["drifted"] else "", "red")
        figures = f"PSI {row['psi']:.2f}, adjusted p = {row['adjusted_p_value']:.2g}"
        finding = Text.assemble(drift, figures)
        shown.add_row(row["of"], f"predicted {row['feature']}", str(row["trials"]), finding)
    for arm in document["unwatched"]:
        shown.add_row(arm, "errors, calibration, predictions", "", "too few conclusive trials")
    out.print(f"experiment {document['experiment']}")
    out.print(shown)
    arms = document["arms"]
    counted = ", ".join(f"{arm} {n} (due {arms['expected'][arm]:.0f})" for arm, n in arms["counted"].items())
    verdict = Text("mismatch", "red") if arms["mismatch"] else Text("as due")
    rest = f", p = {arms['always_p_value']:.3g} at any number of looks"
    out.print(Text.assemble(f"arms: {counted}: ", verdict, rest))


def _shares(entries: list[str]) -> dict[str, float]:
    shares = {}
    for entry in entries:
        arm, _, value = entry.rpartition("=")
        try:
            shares[arm] = float(value)
        except ValueError:
            raise typer.BadParameter(f"--share {entry}: write arm=number, such as challenger=0.5") from None
        if not arm:
            raise typer.BadParameter(f"--share {entry}: write arm=number, such as challenger=0.5")
    return shares

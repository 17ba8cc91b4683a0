"""``crisol run`` executes an experiment; ``crisol new experiment`` creates one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crisol.cli.console import App, Json, creatable, emit, out
from crisol.config import load_settings

__all__ = ["new", "run"]

new = App(help="Make a new experiment from a template.")


def run(
    experiment: Annotated[Path, typer.Argument(help="Experiment file (YAML) of the folder experiments.")],
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            "--parameter", "-P", help="Parameter of the notebook, as NAME=VALUE; may be given more than once."
        ),
    ] = None,
    summary: Annotated[
        Path | None,
        typer.Option(
            help="File for the steps and their results: JUnit XML if it is .xml, otherwise Markdown.",
            callback=creatable,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run an experiment's notebook with papermill and log parameters, metrics and files to MLflow.

    EXPERIMENT is a YAML file of the folder experiments. --parameter NAME=VALUE
    replaces the value of a parameter of the notebook, or the seed. --summary also
    writes the executed cells with their durations and errors to a file, as JUnit
    XML if its name ends in .xml, otherwise as Markdown. Exit 70 if a cell of the
    notebook raises.
    """
    from crisol.lab import experiment as experiments
    from crisol.lab import papermill
    from crisol.lab.summary import summarise

    settings = load_settings()
    question = experiments.load_experiment(experiment)
    overrides = experiments.overrides(parameter or [])
    if overrides.get("corpus"):
        # On the command line a path starts where the user is, in the experiment's file at the root.
        overrides["corpus"] = str(Path(overrides["corpus"]).resolve())
    run_id = ""
    try:
        result = papermill.run(question, overrides, settings)
        run_id = result.run_id
    except papermill.CellFailed as error:
        run_id = error.run_id
        raise
    finally:
        if summary is not None and run_id:
            summarise(settings, question, run_id).write(summary)
    if as_json:
        emit({"run_id": result.run_id, "notebook": result.notebook})
        return
    out.print(f"executed notebook: {result.notebook}\nMLflow run: {result.run_id}", soft_wrap=True)


@new.command("experiment")
def experiment_command(
    name: Annotated[str, typer.Argument(help="Name of the experiment, such as longer_diffs.")],
) -> None:
    """Create the notebook, the experiment file and the test of a new experiment, for you to edit.

    NAME, such as longer_diffs, becomes a part of their file names, which are
    printed. Exit 64 if an experiment of this name exists already.
    """
    from crisol.lab.scaffold import new_experiment

    root = load_settings().root
    paths = new_experiment(root, name)
    for path in paths:
        out.print(str(path), soft_wrap=True)
    run_it, test = paths[2].relative_to(root), paths[3].relative_to(root)
    out.print(f"run it with: crisol run {run_it}\ntest it with: python -m pytest {test}", soft_wrap=True)

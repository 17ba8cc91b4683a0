"""Evaluate variants on labelled sets, and log the evaluations to MLflow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from crisol.config import Settings
from crisol.errors import DatasetError
from crisol.lab import nested
from crisol.lab.compare import as_table, chosen_variants, evaluate_each, with_source
from crisol.lab.frontier import guarantees
from crisol.model import dataset, evaluation
from crisol.model.controls import CONTROLS, controls, controls_across
from crisol.model.evaluation import Evaluation, Outer
from crisol.tracking import runs

__all__ = ["CONTROLS", "EvaluationQuestion", "evaluate", "facts", "guaranteed"]


@dataclass(frozen=True, slots=True)
class EvaluationQuestion:
    """The parameters of an evaluation: variants, and a file of labelled patches on which they are measured.

    - ``data``: a JSONL file or a corpus table (``.parquet``), on which the variants are measured; for its
      keys see :func:`crisol.model.dataset.read_jsonl`.
    - ``train``: a file of the same kind, on which the variants are trained; None cross-validates on ``data``.
    - ``group``: the field whose value is a patch's group; for its possible names see
      :func:`crisol.model.dataset.open_set`.
    - ``folds``, ``outer``: of a cross-validation only, the largest number of folds, and the field by which
      they are made: ``group``, ``project`` or ``cwe``. Patches with the same value of this field are in one
      fold.
    - ``variants``: names of ``experiments/variants.yaml``; if empty, all variants are measured.
    - ``search``: True to choose hyper-parameters from a variant's grid on each training set, False to use the
      variant's own.
    - ``seed``: the same seed gives the same folds, resamples and estimators.
    """

    data: Path
    train: Path | None = None
    group: str = "bug_id"
    outer: Outer = "group"
    variants: tuple[str, ...] = ()
    folds: int = 10
    seed: int = 0
    search: bool = True


def facts(question: EvaluationQuestion) -> dict[str, Any]:
    """Return figures of the file ``question.data`` by name.

    ``patches`` is the number of patches, ``correct`` that of valid patches, ``groups`` that of groups,
    ``projects`` that of projects. ``languages`` is a text that lists the languages of the patches,
    ``content_hash`` the SHA-256 of the patches. Raises :class:`~crisol.errors.DatasetError` where the file
    cannot be read.
    """
    patches = dataset.open_set(question.data, question.group)
    return {
        "patches": len(patches),
        "correct": sum(patch.label for patch in patches),
        "groups": len({patch.group for patch in patches}),
        "projects": len({patch.project for patch in patches}),
        "languages": ", ".join(sorted({patch.language for patch in patches})),
        "content_hash": dataset.digest(patches),
    }


def evaluate(
    settings: Settings, question: EvaluationQuestion, description: dict[str, Any]
) -> Iterator[Evaluation]:
    """Yield an evaluation for each variant, then one for each control, and store all of them in MLflow.

    ``description`` is the result of :func:`facts` for the same question. Variants come in the order of
    ``experiments/variants.yaml``, or of ``question.variants``. A control is a guess that ignores what a patch
    does. Each evaluation is stored, in a nested run, before it is yielded. Read the iterator to its end:
    tables of all evaluations are stored last.

    A training patch from ``question.train`` is left out if a patch in ``question.data`` has the same group or
    the same diff. A variant that reads the vulnerable source needs a corpus table with a registered
    vulnerability as ``question.data``, and ``question.train`` must be None. Where this is not so, the variant
    is left out; if ``question.variants`` names it, :class:`~crisol.errors.DatasetError` is raised instead.

    Raises :class:`~crisol.errors.DatasetError` also for a file that cannot be read, for too few groups, for
    too few patches of a class, and if no training patch is left. Raises
    :class:`~crisol.errors.ExperimentError` for an unknown variant.
    """
    chosen = chosen_variants(settings, question.variants)
    patches = dataset.open_set(question.data, question.group)
    if question.train is None and question.data.suffix == ".parquet":
        chosen, enriched = with_source(
            settings, chosen, dataset.open_set(question.data, "vulnerability"), named=bool(question.variants)
        )
        patches = dataset.regrouped(enriched, question.group)
    else:
        readers = [name for name, variant in chosen.items() if variant.reads_source]
        if readers and question.variants:
            raise DatasetError(
                f"{', '.join(readers)}: reads the vulnerable source, which a corpus table (.parquet) alone "
                "has, and only without a training set"
            )
        chosen = {name: variant for name, variant in chosen.items() if name not in readers}
    teachers = None
    if question.train is not None:
        teachers = dataset.without_overlap(dataset.open_set(question.train, question.group), patches)
        if not teachers:
            raise DatasetError(f"{question.train}: nothing is left that {question.data} does not hold, too")
    with runs.start(settings, "evaluate") as run:
        run.params({name: value for name, value in asdict(question).items() if value is not None})
        rows = pd.DataFrame(
            {
                "id": [patch.id for patch in patches],
                "group": [patch.group for patch in patches],
                "label": [patch.label for patch in patches],
            }
        )
        run.input("data", rows, str(description["content_hash"]), str(question.data))
        evaluations: list[Evaluation] = []
        measured = (
            evaluate_each(
                patches,
                chosen,
                question.seed,
                folds=question.folds,
                search=question.search,
                outer=question.outer,
            )
            if teachers is None
            else (
                evaluation.transfer(variant, teachers, patches, seed=question.seed, search=question.search)
                for variant in chosen.values()
            )
        )
        for variant, evaluated in zip(chosen.values(), measured, strict=True):
            nested.log_evaluation(run, evaluated, variant)
            evaluations.append(evaluated)
            yield evaluated
        guesses = (
            controls(patches, seed=question.seed, folds=question.folds, outer=question.outer)
            if teachers is None
            else controls_across(teachers, patches, seed=question.seed)
        )
        for evaluated in guesses:
            nested.log_evaluation(run, evaluated)
            yield evaluated
        run.table("evaluation", _table([*evaluations, *guesses]))
        run.table(
            "hyperparameters", as_table(choice for evaluated in evaluations for choice in evaluated.choices)
        )
        run.table("guarantees", guaranteed(evaluations, question.seed))


def guaranteed(evaluations: Sequence[Evaluation], seed: int) -> pd.DataFrame:
    """Return a table of the share of wargames that the best variant may skip, for several error levels.

    The best variant is that of the evaluation with the largest ``rank``, which is an AUC. The column
    ``variant`` holds its name; for the other columns see :func:`crisol.lab.frontier.guarantees`. ``seed``
    draws the order in which the statistical tests take the vulnerabilities. Raises ``ValueError`` without
    evaluations.
    """
    best = max(evaluations, key=lambda evaluated: evaluated.rank)
    table = guarantees(best.label, best.probability, best.group, seed=seed)
    table.insert(0, "variant", best.name)
    return table


def _table(evaluations: Sequence[Evaluation]) -> pd.DataFrame:
    return pd.DataFrame([{"variant": evaluated.name, **evaluated.summary()} for evaluated in evaluations])

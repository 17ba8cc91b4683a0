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
from crisol.lab.compare import as_table, chosen_variants, with_source
from crisol.lab.frontier import guarantees
from crisol.model import dataset, evaluation
from crisol.model.controls import CONTROLS, controls, controls_across
from crisol.model.evaluation import Evaluation, Outer
from crisol.model.search import Memo
from crisol.tracking import runs

__all__ = ["CONTROLS", "EvaluationQuestion", "evaluate", "facts", "guaranteed"]


@dataclass(frozen=True, slots=True)
class EvaluationQuestion:
    """The parameters of an evaluation: the variants, and the labelled set on which they are measured.

    Where ``train`` is None, ``data`` is cross-validated in ``folds`` folds; else the variants train on
    ``train`` and are measured on ``data``. Empty ``variants`` mean all of ``experiments/variants.yaml``.
    ``group`` is the field of ``data`` that names a patch's group. No fold splits the patches with one value
    of ``outer`` (``group``, ``project`` or ``cwe``). With ``search`` each training set chooses
    hyper-parameters; else those of the variant are used.
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
    """Return what the set ``question.data`` contains, by name.

    Keys: patches, correct (valid patches), groups, projects (counts); languages (text); content_hash
    (SHA-256).
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
    """Yield an evaluation for each variant, in the order of the variants file, then one for each control.

    ``description`` is the result of :func:`facts` for the same question. All evaluations are logged to
    MLflow's experiment ``evaluate``. Raises :class:`~crisol.errors.DatasetError` where a set cannot be read
    or split, and where ``train`` is empty after the groups and diffs of ``data`` are removed from it.
    """
    chosen = chosen_variants(settings, question.variants)
    patches = dataset.open_set(question.data, question.group)
    if question.train is None and question.data.suffix == ".parquet":
        chosen, enriched = with_source(
            settings, chosen, dataset.open_set(question.data, "vulnerability"), named=bool(question.variants)
        )
        patches = dataset.regrouped(enriched, question.group)
    else:
        chosen, _ = with_source(settings, chosen, (), named=bool(question.variants))
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
                "vulnerability": [patch.group for patch in patches],
                "label": [patch.label for patch in patches],
            }
        )
        run.input("data", rows, str(description["content_hash"]), str(question.data))
        evaluations: list[Evaluation] = []
        memo: Memo = {}
        for variant in chosen.values():
            if teachers is None:
                evaluated = evaluation.evaluate(
                    variant,
                    patches,
                    seed=question.seed,
                    folds=question.folds,
                    outer=question.outer,
                    search=question.search,
                    memo=memo,
                )
            else:
                evaluated = evaluation.transfer(
                    variant, teachers, patches, seed=question.seed, search=question.search
                )
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
    """Return :func:`crisol.lab.frontier.guarantees` of the evaluation with the best rank.

    A column ``variant`` with its name is added. ``seed`` orders the vulnerabilities in the test.
    """
    best = max(evaluations, key=lambda evaluated: evaluated.rank)
    table = guarantees(best.label, best.probability, best.group, seed=seed)
    table.insert(0, "variant", best.name)
    return table


def _table(evaluations: Sequence[Evaluation]) -> pd.DataFrame:
    return pd.DataFrame([{"variant": evaluated.name, **evaluated.summary()} for evaluated in evaluations])

"""Prepare the data of a study of streams: labelled patches as streams, and a second stage for each fold.

Example: ``prepared = prepare(settings, StreamQuestion(Path("set.jsonl")))``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crisol.config import Settings
from crisol.evidence.memory import Judged
from crisol.evidence.second_stage import SecondStage, across_groups
from crisol.evidence.similarity import sketch
from crisol.evidence.stream import Arrival, Recalled, Stream, recalled, same_code, streams
from crisol.lab.compare import chosen_variants, with_source
from crisol.model import dataset
from crisol.model.evaluation import evaluate
from crisol.model.folds import grouped_folds, labels
from crisol.model.reading import open_diff
from crisol.model.variants import Variant
from crisol.records import LabelledPatch

__all__ = ["Prepared", "StreamQuestion", "arrange", "prepare", "prepare_table"]

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int_]

_LESSONS = 10
"""Number of streams of each group from which a second stage learns; ten gave better results than five."""


@dataclass(frozen=True, slots=True)
class StreamQuestion:
    """The parameters of a study of streams, in which the candidates of each group arrive one by one.

    - ``data``: a JSONL file of labelled patches or a corpus table (``.parquet``), which only :func:`prepare`
      reads; for its keys see :func:`crisol.model.dataset.read_jsonl`.
    - ``group``: the field whose value is a patch's group; for its possible names see
      :func:`crisol.model.dataset.open_set`.
    - ``variant``: the variant of ``experiments/variants.yaml`` that predicts each patch without earlier
      verdicts.
    - ``repeats``: the number of random orders of each group. With ``shuffled`` False there is one order, that
      of the data.
    - ``folds``: the largest number of folds; no fold splits a group. Fewer folds are made if there are fewer
      groups, valid patches or invalid patches than this number.
    - ``seed``: the seed of orders, folds and training.
    - ``alpha``, ``beta``: the bounds on the share of invalid patches among the accepted ones, and on the
      share of valid patches among the rejected ones.
    """

    data: Path = Path()
    group: str = "bug_id"
    variant: str = "lightgbm"
    repeats: int = 5
    folds: int = 5
    seed: int = 0
    shuffled: bool = True
    alpha: float = 0.02
    beta: float = 0.10


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """The data of a study of streams: arrivals, streams and second stages; :func:`prepare` makes it.

    - ``arrivals``: the candidates of all groups, in the order of the data. ``label`` (arrivals,) is 1 for a
      valid patch, 0 for an invalid one; ``group`` (arrivals,) is the number of each arrival's group.
    - ``names`` (groups,): the name of each group, by its number.
    - ``streams``: the orders in which the candidates of a group arrive, ``question.repeats`` for each group,
      or one if ``question.shuffled`` is False.
    - ``fold`` (groups,): the number of each group's fold. ``stages`` maps the number of a fold to the second
      stage that was trained on all other folds.
    - ``lessons``: the memory rows on which all second stages were trained.
    - ``half`` (groups,): 0 or 1. Thresholds are chosen on one half of the groups and measured on the other.
    - ``digest``: a SHA-256 of the labelled patches.
    """

    question: StreamQuestion
    arrivals: tuple[Arrival, ...]
    label: _Ints
    group: _Ints
    names: NDArray[np.str_]
    streams: tuple[Stream, ...]
    fold: _Ints
    half: _Ints
    lessons: Recalled
    stages: dict[int, SecondStage]
    digest: str


def prepare(settings: Settings, question: StreamQuestion) -> Prepared:
    """Read the data of a study of streams, predict each patch from its diff, and train the second stages.

    The predictions are out-of-fold. In a corpus table, the verdict of a valid upstream patch is known from
    the start of every stream of its group. Nothing is executed. Raises
    :class:`~crisol.errors.ExperimentError` for an unknown variant. Raises
    :class:`~crisol.errors.DatasetError` where the data cannot be read, have fewer than two groups or fewer
    than two patches of a class, or lack the source that the variant reads.
    """
    if question.data.suffix == ".parquet":
        return prepare_table(settings, question, dataset.open_table(question.data))
    variant, patches = _read(settings, question, dataset.read_jsonl(question.data, question.group))
    return arrange(question, patches, _cold(question, variant, patches))


def prepare_table(settings: Settings, question: StreamQuestion, frame: pd.DataFrame) -> Prepared:
    """Return what :func:`prepare` returns, for the corpus table ``frame`` instead of ``question.data``.

    Raises what :func:`prepare` raises.
    """
    variant, patches = _read(settings, question, dataset.from_table(frame))
    patches = dataset.regrouped(patches, question.group)
    seconds = dict(zip(frame["id"].astype(str), frame["seconds"].astype(float), strict=True))
    return arrange(question, patches, _cold(question, variant, patches), seconds=seconds, references=True)


def _read(
    settings: Settings, question: StreamQuestion, patches: Sequence[LabelledPatch]
) -> tuple[Variant, list[LabelledPatch]]:
    chosen = chosen_variants(settings, (question.variant,))
    chosen, enriched = with_source(settings, chosen, patches, named=True)
    return chosen[question.variant], enriched


def _cold(question: StreamQuestion, variant: Variant, patches: Sequence[LabelledPatch]) -> _Floats:
    return evaluate(variant, patches, seed=question.seed, bootstrap=1, search=False).probability


def arrange(
    question: StreamQuestion,
    patches: Sequence[LabelledPatch],
    cold: _Floats,
    *,
    seconds: Mapping[str, float] | None = None,
    references: bool = False,
) -> Prepared:
    """Return the data of a study of streams from labelled patches and their predictions.

    ``cold`` (patches,) is the out-of-fold probability of valid, from the diff alone. ``seconds`` maps the id
    of a patch to the seconds of its wargame; a patch without an entry counts as 1 s, and None means no
    entries. With ``references`` the verdict of a valid upstream patch is known from the start of every stream
    of its group. Raises :class:`~crisol.errors.DatasetError` for fewer than two groups, or fewer than two
    patches of a class.
    """
    seconds, label = seconds or {}, labels(patches)
    names, group = np.unique([patch.group for patch in patches], return_inverse=True)
    arrivals = []
    for patch, probability in zip(patches, cold, strict=True):
        read = open_diff(patch.diff)
        judged = Judged(patch.id, sketch(read), bool(patch.label), float(probability), patch.reason)
        public = references and patch.tool == "upstream" and bool(patch.label)
        arrivals.append(Arrival(judged, same_code(read), seconds.get(patch.id, 1.0), public))
    chosen = streams(
        arrivals, group, repeats=question.repeats, seed=question.seed, shuffled=question.shuffled
    )
    fold_of = np.zeros(len(names), dtype=np.int_)
    fold_of[group] = grouped_folds(label, names[group], question.folds, question.seed)
    half = np.random.default_rng(question.seed).permutation(len(names)) % 2
    lessons = _taught(question, arrivals, group)
    of = group[lessons.arrival]
    stages = across_groups(lessons.rows, label[lessons.arrival], names[of], fold_of[of], seed=question.seed)
    return Prepared(
        question, tuple(arrivals), label, group, names, tuple(chosen), fold_of, half, lessons, stages,
        dataset.digest(patches)
    )  # fmt: skip


def _taught(question: StreamQuestion, arrivals: Sequence[Arrival], group: _Ints) -> Recalled:
    """Return the memory rows on which second stages are trained; ``group`` has the group of each arrival."""
    learning = streams(arrivals, group, repeats=_LESSONS, seed=question.seed + 1)
    return recalled(arrivals, learning, seed=question.seed)

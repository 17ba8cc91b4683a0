"""A labelled set as streams of arrivals, with a second stage for each fold that never saw the fold's groups.

``prepared = prepare(settings, StreamQuestion(Path("set.jsonl")))``
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
from crisol.lab.compare import chosen_variants
from crisol.model import dataset
from crisol.model.evaluation import evaluate
from crisol.model.folds import grouped_folds, labels
from crisol.model.reading import open_diff
from crisol.records import LabelledPatch

__all__ = ["Prepared", "StreamQuestion", "arrange", "prepare", "prepare_table", "taught"]

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int_]

_LESSONS = 10
"""Streams of each group that a second stage learns from: with ten it does better than with five."""


@dataclass(frozen=True, slots=True)
class StreamQuestion:
    """The parameters of a study in which the patches of a group arrive one by one.

    There are ``repeats`` random orders of each group; not ``shuffled`` keeps the data's order, one stream a
    group. ``group`` is the field of ``data`` that names the group; ``variant`` predicts from the diff alone;
    ``folds`` split groups for training. ``alpha`` bounds the share of wrong patches among accepted ones,
    ``beta`` that of right ones among rejected ones.
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
    """A labelled set as streams of arrivals, with a second-stage model for each fold of groups.

    A second stage predicts from the diff and the earlier verdicts of a group, and has not seen the groups of
    its fold. ``label`` (1: right) and ``group`` (an index into ``names``) have shape (arrivals,), ``fold``
    and ``half`` (0 or 1) shape (groups,): thresholds chosen on one half are measured on the other. ``digest``
    is the data's SHA-256.
    """

    question: StreamQuestion
    arrivals: tuple[Arrival, ...]
    label: _Ints
    group: _Ints
    names: NDArray[np.str_]
    streams: tuple[Stream, ...]
    fold: _Ints
    half: _Ints
    stages: dict[int, SecondStage]
    digest: str


def prepare(settings: Settings, question: StreamQuestion) -> Prepared:
    """Read the question's data, predict each patch out of fold by group, and train the second stages.

    A second stage predicts from the diff and the earlier verdicts of a group. In a corpus table the verdict
    of a valid upstream fix is known from the start. Raises :class:`~crisol.errors.DatasetError` where the
    data cannot be read or split.
    """
    patches = dataset.open_set(question.data, question.group)
    if question.data.suffix == ".parquet":
        seconds = _seconds(pd.read_parquet(question.data, columns=["id", "seconds"]))
        return _predicted(settings, question, patches, seconds, references=True)
    return _predicted(settings, question, patches)


def prepare_table(settings: Settings, question: StreamQuestion, frame: pd.DataFrame) -> Prepared:
    """Return :func:`prepare`'s result for a corpus table in memory, in place of the question's ``data``."""
    patches = dataset.regrouped(dataset.from_table(frame), question.group)
    return _predicted(settings, question, patches, _seconds(frame), references=True)


def _seconds(frame: pd.DataFrame) -> dict[str, float]:
    return dict(zip(frame["id"].astype(str), frame["seconds"].astype(float), strict=True))


def _predicted(
    settings: Settings,
    question: StreamQuestion,
    patches: Sequence[LabelledPatch],
    seconds: Mapping[str, float] | None = None,
    *,
    references: bool = False,
) -> Prepared:
    (variant,) = chosen_variants(settings, (question.variant,)).values()
    cold = evaluate(variant, patches, seed=question.seed, bootstrap=1, search=False).probability
    return arrange(question, patches, cold, seconds=seconds, references=references)


def arrange(
    question: StreamQuestion,
    patches: Sequence[LabelledPatch],
    cold: _Floats,
    *,
    seconds: Mapping[str, float] | None = None,
    references: bool = False,
) -> Prepared:
    """Turn patches into arrivals and streams, and train the second stages.

    ``cold`` (patches,) are probabilities of valid by models that never saw the patch's group; ``seconds`` are
    wargame times by patch id, 1 where absent. With ``references`` the verdicts of valid upstream patches are
    known from the start.
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
    lessons = taught(question, arrivals, group)
    stages = across_groups(
        lessons.rows, label[lessons.arrival], fold_of[group[lessons.arrival]], seed=question.seed
    )
    return Prepared(
        question, tuple(arrivals), label, group, names, tuple(chosen), fold_of, half, stages,
        dataset.digest(patches)
    )  # fmt: skip


def taught(question: StreamQuestion, arrivals: Sequence[Arrival], group: _Ints) -> Recalled:
    """Return training rows for a second stage, which predicts from earlier verdicts.

    They come from ten random streams of each group, in which a random share of the verdicts is known.
    ``group`` (arrivals,) holds group numbers.
    """
    learning = streams(arrivals, group, repeats=_LESSONS, seed=question.seed + 1)
    return recalled(arrivals, learning, seed=question.seed)

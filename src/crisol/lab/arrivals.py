"""A labelled set as streams of arrivals, with a second stage for each fold.

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

    ``data`` is a JSONL file or a corpus table; ``group`` is the field that names a patch's group. ``repeats``
    is the number of random orders of each group; with ``shuffled`` False each group has one order, that of
    the data. ``variant`` is the variant that predicts from the diff alone. ``folds`` is the number of folds
    for training; no fold splits a group. ``alpha`` bounds the share of wrong patches among accepted ones,
    ``beta`` the share of right patches among rejected ones. ``seed`` fixes orders, folds and training.
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
    """A labelled set as streams of arrivals, with a second stage for each fold.

    ``label`` (1: right) and ``group`` (an index into ``names``, the groups' names) have shape (arrivals,).
    ``fold`` (the fold's number) and ``half`` (0 or 1) have shape (groups,); thresholds that are chosen on one
    half of the groups are measured on the other. ``stages`` maps a fold's number to the second stage that was
    trained on all other folds. ``digest`` is the SHA-256 of the labelled patches.
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
    """Read the data of ``question``, predict each patch out of fold, and train the second stages.

    In a corpus table the verdict of a valid upstream fix is known from the start of its streams. No wargame
    runs. Raises :class:`~crisol.errors.DatasetError` where the data cannot be read or split.
    """
    patches = dataset.open_set(question.data, question.group)
    if question.data.suffix == ".parquet":
        seconds = _seconds(pd.read_parquet(question.data, columns=["id", "seconds"]))
        return _predicted(settings, question, patches, seconds, references=True)
    return _predicted(settings, question, patches)


def prepare_table(settings: Settings, question: StreamQuestion, frame: pd.DataFrame) -> Prepared:
    """Do the same as :func:`prepare` for a corpus table ``frame``; ``question.data`` is ignored."""
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

    ``cold`` (patches,) holds the probabilities of valid from the diff alone, by models that never saw the
    patch's group. ``seconds`` maps a patch's id to the seconds of its wargame; an absent id, or None for all,
    means 1. With ``references`` the verdicts of valid upstream patches are known from the start of their
    streams.
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
    """Return the memory rows on which a second stage is trained.

    They come from ten random streams of each group; in each stream a random share of the verdicts is known.
    ``group`` (arrivals,) holds the group number of each arrival.
    """
    learning = streams(arrivals, group, repeats=_LESSONS, seed=question.seed + 1)
    return recalled(arrivals, learning, seed=question.seed)

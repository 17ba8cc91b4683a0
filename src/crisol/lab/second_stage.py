"""The second stage of a promoted model, and the policy of its decisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from crisol.errors import DatasetError
from crisol.evidence.second_stage import SecondStage, train
from crisol.lab.arrivals import StreamQuestion, arrange, taught
from crisol.lab.evidence import certified
from crisol.model.policy import Policy
from crisol.records import LabelledPatch

__all__ = ["second_stage"]

_REPEATS = 3


def second_stage(
    patches: Sequence[LabelledPatch], cold: NDArray[np.float64], model: Policy, *, seed: int
) -> SecondStage:
    """Train a second stage on simulated streams of labelled patches, and choose its policy with a guarantee.

    ``cold`` (patches,) holds the probabilities of valid from the diff alone, by models that never saw the
    patch's vulnerability. ``model`` is the policy for these probabilities, which decides the patches that the
    second stage leaves undecided. A threshold that the data do not support is None, and ``policy.reason`` of
    the result says why. ``seed`` fixes streams and training. No wargame runs. Raises
    :class:`~crisol.errors.DatasetError` unless there are two vulnerabilities and both classes.
    """
    if len({patch.group for patch in patches}) < 2 or len({patch.label for patch in patches}) < 2:
        raise DatasetError("a second stage learns from two vulnerabilities at least, with both labels")
    question = StreamQuestion(repeats=_REPEATS, seed=seed)
    prepared = arrange(question, patches, cold)
    lessons = taught(question, prepared.arrivals, prepared.group)
    group = prepared.names[prepared.group[lessons.arrival]]
    stage = train(lessons.rows, prepared.label[lessons.arrival], group, seed=seed)
    return replace(stage, policy=certified(prepared, model).policy)

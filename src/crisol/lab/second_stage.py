"""Train the second stage of a model that is promoted, and choose the policy of that second stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from crisol.errors import DatasetError
from crisol.evidence.second_stage import SecondStage, train
from crisol.lab.arrivals import StreamQuestion, arrange
from crisol.lab.evidence import certified
from crisol.model.policy import Policy
from crisol.records import LabelledPatch

__all__ = ["second_stage"]

_REPEATS = 3


def second_stage(
    patches: Sequence[LabelledPatch], cold: NDArray[np.float64], model: Policy, *, seed: int
) -> SecondStage:
    """Train a second stage on simulated streams of labelled patches, and choose its policy with a guarantee.

    ``cold`` (patches,) is the out-of-fold probability of valid, from the diff alone. ``model`` is the policy
    of the model that reads the diff alone; it decides by ``cold`` where the second stage does not decide. In
    the result's ``policy``, a threshold that the data do not support is None, and the policy's ``reason``
    says why. ``seed`` draws the streams and seeds the training. Nothing is executed. Raises
    :class:`~crisol.errors.DatasetError` for fewer than two vulnerabilities, or fewer than two patches of a
    class.
    """
    if len({patch.group for patch in patches}) < 2 or len({patch.label for patch in patches}) < 2:
        raise DatasetError("a second stage learns from two vulnerabilities at least, with both labels")
    question = StreamQuestion(repeats=_REPEATS, seed=seed)
    prepared = arrange(question, patches, cold)
    lessons = prepared.lessons
    group = prepared.names[prepared.group[lessons.arrival]]
    stage = train(lessons.rows, prepared.label[lessons.arrival], group, seed=seed)
    return replace(stage, policy=certified(prepared, model).policy)

"""Errors keep what they carry on their way between processes."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING

import pytest

from crisol import errors
from crisol.lab.papermill import CellFailed

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLES = [
    errors.MalformedDiff("no hunk", line=3),
    errors.Overloaded("full", 2.0),
    errors.RateLimited("model", 1.5),
    errors.CircuitOpenError("model", 4.0),
    CellFailed("cell 3", "run"),
]


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_survives_a_copy_and_another_process(
    error: errors.CrisolError, way: Callable[[errors.CrisolError], errors.CrisolError]
) -> None:
    """Dask and process pools pickle what a worker raises."""
    again = way(error)
    assert type(again) is type(error)
    assert (str(again), again.args, vars(again)) == (str(error), error.args, vars(error))


def test_every_error_with_arguments_of_its_own_has_an_example() -> None:
    def below(kind: type[errors.CrisolError]) -> set[type[errors.CrisolError]]:
        return {kind}.union(
            *(below(sub) for sub in kind.__subclasses__() if sub.__module__ == kind.__module__)
        )

    own = {kind for kind in below(errors.CrisolError) if "__init__" in vars(kind)} - {errors.DiffError}
    assert own <= {type(error) for error in EXAMPLES}

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from crisol.diff import parse
from crisol.errors import ModelError
from crisol.model.learnt import load_learnt, save_learnt
from support.model_data import patches


def test_a_model_knows_the_patches_that_it_learnt(tmp_path: Path) -> None:
    """By the identity that the service gives a patch; a text that is no diff is none that it could meet."""
    made = patches(3, 2)
    assert load_learnt(tmp_path) == frozenset()
    save_learnt([*made, replace(made[0], diff="hello")], tmp_path)
    assert load_learnt(tmp_path) == {parse(patch.diff).identity for patch in made}
    (tmp_path / "learnt.txt").write_bytes(b"\xff")
    with pytest.raises(ModelError, match=r"learnt\.txt"):
        load_learnt(tmp_path)

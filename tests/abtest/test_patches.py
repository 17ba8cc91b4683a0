"""The store of patches by their identity."""

from __future__ import annotations

from pathlib import Path

import pytest

from crisol.abtest.patches import PatchStore
from crisol.errors import StoreError

DIFF = "--- a/m.py\n+++ b/m.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n"


def test_a_damaged_patch_is_missing_until_it_is_added_again(tmp_path: Path) -> None:
    store = PatchStore(tmp_path)
    identity = store.add(DIFF)
    (path,) = tmp_path.rglob("*.diff")
    path.write_text("half a")
    assert store.get(identity) is None
    assert store.add(DIFF) == identity
    assert store.get(identity) == DIFF


def test_a_folder_that_cannot_be_made_is_an_error_of_the_store(tmp_path: Path) -> None:
    occupied = tmp_path / "patches"
    occupied.write_text("")
    with pytest.raises(StoreError, match="cannot be kept"):
        PatchStore(occupied).add(DIFF)

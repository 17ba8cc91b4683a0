"""Fixtures of the service's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from crisol.config import Settings
from crisol.service.embedded import Server, serve
from support.http import OFF
from support.served import ROOT, model_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Give settings whose data are the repository's and whose runs are the test's own."""
    (tmp_path / "data").symlink_to(ROOT / "data")
    return Settings(root=tmp_path, port=0, model=model_folder(), rate_limits=OFF, wargames=1)


@pytest.fixture
def started(settings: Settings) -> Iterator[Callable[..., Server]]:
    """Call it with changes of the settings for a server that answers."""
    from contextlib import ExitStack  # noqa: PLC0415 - for the fixture alone

    with ExitStack() as stack:
        yield lambda **changes: stack.enter_context(serve(settings.model_copy(update=changes)))

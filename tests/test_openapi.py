"""What the OpenAPI document says may be sent, and much that it does not say: no answer is a failure of ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from test_service import settings, started

if TYPE_CHECKING:
    from collections.abc import Callable

    from crisol.service.embedded import Server

__all__ = ["settings", "started"]
pytestmark = pytest.mark.integration


def test_schemathesis_finds_no_5xx(started: Callable[..., Server], tmp_path: Path) -> None:
    """The same requests at every run: those of the document's examples, its corners, and made-up ones."""
    server = started()
    command = [
        Path(sys.executable).with_name("schemathesis"), "run", f"{server.url}/openapi.json",
        "--checks", "not_a_server_error", "--max-examples", "8", "--seed", "1", "--generation-deterministic",
        "--phases", "examples,coverage,fuzzing", "--workers", "1", "--no-color",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "not_a_server_error" not in done.stdout.partition("SUMMARY")[0]

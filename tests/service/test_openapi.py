"""What the OpenAPI document says may be sent, and much that it does not say.

No answer is a failure of ours.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from crisol.service.embedded import Server

pytestmark = pytest.mark.integration


CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


def test_schemathesis_finds_no_5xx_and_no_answer_that_is_not_documented(
    started: Callable[..., Server], tmp_path: Path
) -> None:
    """The same few hundred requests at every run.

    Those of the document's examples, its corners, and made-up ones.
    """
    server = started()
    command = [
        Path(sys.executable).with_name("schemathesis"), "run", f"{server.url}/openapi.json",
        "--checks", ",".join(CHECKS), "--max-examples", "25", "--seed", "1", "--generation-deterministic",
        "--phases", "examples,coverage,fuzzing", "--workers", "1", "--no-color",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    counted = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert counted is not None, done.stdout
    assert 300 < int(counted[1]) == int(counted[2]) < 2000

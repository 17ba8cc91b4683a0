"""The commands of README and tutorials, run as they stand there."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "docs" / "papermill.md",
    *sorted((ROOT / "docs" / "tutorials").glob("*.md")),
]


def commands(page: Path) -> str:
    """Return what the blocks marked ``sh`` of a page say, one after the other."""
    return "\n".join(re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL))


@pytest.mark.integration
@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_of_a_page_works_as_it_is_printed(page: Path, tmp_path: Path) -> None:
    """In one shell, from the top to the end, in a workbench without a cache; a failure ends it."""
    for name in ("vulnerabilities", "examples"):
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / name).symlink_to(ROOT / "data" / name)
    for name in ("notebooks", "experiments"):
        shutil.copytree(ROOT / name, tmp_path / name)
    script = commands(page)
    assert script
    if "jq" in script and shutil.which("jq") is None:
        pytest.skip("jq is not installed (Debian: jq)")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        script = script.replace("8026", str(probe.getsockname()[1]))
    # A command that fails leaves no service behind, which would hold the pipes below open.
    tidy = "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-mc", tidy + script],
        cwd=tmp_path,
        env=os.environ
        | {"CRISOL_ROOT": str(tmp_path), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=580,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]

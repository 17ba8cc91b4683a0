"""The documentation as a site: whole, strict, and without anything from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import crisol

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "docs" / "site" / "mkdocs.yml"
MKDOCS = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--config-file", CONFIG]

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build it in strict mode: a link to no page, no anchor, or a page in no menu ends it."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [*MKDOCS, "--site-dir", folder],
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=580,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def text(page: Path) -> str:
    return re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8"))


@pytest.mark.integration
def test_every_page_becomes_a_page_of_the_site(site: Path) -> None:
    for page in (ROOT / "docs").rglob("*.md"):
        place = page.relative_to(ROOT / "docs").with_suffix("")
        folder = site if place.name == "index" else site / place
        assert (folder / "index.html").is_file(), page


@pytest.mark.integration
def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    """No font, script, style or picture of another host: it can be read without a network."""
    loads = re.compile(r"<(?:script|img|iframe|source)[^>]*\bsrc=\"?([^\s\">]+)|<link\b([^>]*)>")
    for page in site.rglob("*.html"):
        for source, link in loads.findall(page.read_text(encoding="utf-8")):
            canonical = "canonical" in link or "generator" in link
            assert canonical or not re.search(r"(?:href=\"?)?(?:https?:)?//", source or link), (
                page,
                source,
                link,
            )
    for style in site.rglob("*.css"):
        assert not re.search(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", style.read_text(encoding="utf-8"))


@pytest.mark.integration
def test_the_reference_holds_every_public_name_command_and_path(site: Path) -> None:
    """From docstrings, the command line's help and OpenAPI; no role of another markup is left over."""
    python, commands, http = (
        text(site / "reference" / name / "index.html") for name in ("python", "commands", "http")
    )
    for name in crisol.__all__:
        assert name.startswith("_") or f"crisol.{name}" in python, name
    assert not re.search(r":(?:class|func|meth|mod|data|attr):", python)
    assert "crisol corpus build" in commands
    assert "POST /wargaming/ml-first" in http

"""The live page in a real browser, light and dark."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from crisol.config import Settings
from crisol.service.embedded import Server, serve
from served import FLAW, ROOT, model_folder, wrong
from test_service import OFF, ask

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration
STATIC = ROOT / "src" / "crisol" / "service" / "static"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=5000",
    "--window-size=1200,1250",
]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Give a service that has one trial to show."""
    (tmp_path / "data").symlink_to(ROOT / "data")
    settings = Settings(
        crisol_root=tmp_path, port=0, crisol_model=model_folder(), crisol_rate_limits=OFF, crisol_wargames=1
    )
    with serve(settings) as started:
        ask(started, "POST", "/wargaming/ml-first", {"diff": wrong(), "vulnerability": FLAW})
        yield started


def chromium(url: str, profile: Path, *flags: str) -> str:
    """Return what a browser prints that opens the page with an empty profile."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed (Debian: chromium)")
    command = [program, *FLAGS, f"--user-data-dir={profile}", *flags, url]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def test_the_page_shows_health_breakers_accuracy_and_trials(server: Server, tmp_path: Path) -> None:
    """As the browser has them after its scripts ran, under the policy that the service sends."""
    page = chromium(f"{server.url}/", tmp_path / "profile", "--dump-dom")
    assert re.search(r'id="status"[^>]*>(healthy|degraded), up for', page)
    for words in (
        "every escape refused",
        "ml_model",
        "closed",
        "false-accept rate",
        FLAW,
        "invalid: exploit survives",
    ):
        assert words in page, words


@pytest.mark.parametrize("scheme", [0, 1], ids=["dark", "light"])
def test_the_page_can_be_drawn_in_both_schemes(server: Server, tmp_path: Path, scheme: int) -> None:
    picture = tmp_path / "page.png"
    flags = (f"--screenshot={picture}", f"--blink-settings=preferredColorScheme={scheme}")
    chromium(f"{server.url}/", tmp_path / "profile", *flags)
    from matplotlib.image import imread  # noqa: PLC0415 - for this test alone

    corner = imread(picture)[2, 2, :3].mean()
    assert (corner < 0.3) if scheme == 0 else (corner > 0.9)


def test_the_page_takes_nothing_from_elsewhere_and_every_field_has_a_label() -> None:
    html = (STATIC / "index.html").read_text()
    everything = html + "".join((STATIC / name).read_text() for name in ("page.css", "page.js"))
    assert not re.search(r"https?://|innerHTML|eval\(|document\.write", everything)
    for tag in re.findall(r"<(?:input|textarea)[^>]*>", html):
        name = re.search(r'id="(\w+)"', tag)
        assert name is not None
        assert f'for="{name[1]}"' in html or re.search(rf"<label>[^<]*<input id=\"{name[1]}\"", html), tag

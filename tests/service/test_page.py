"""The live page in a real browser, light and dark."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from crisol.config import Settings
from crisol.service.embedded import Server, serve
from support.browser import FLAGS, browsing, open_page
from support.http import OFF, ask
from support.served import FLAW, ROOT, model_folder, wrong

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration
STATIC = ROOT / "src" / "crisol" / "service" / "static"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Give a service that has one trial to show."""
    (tmp_path / "data").symlink_to(ROOT / "data")
    settings = Settings(root=tmp_path, port=0, model=model_folder(), rate_limits=OFF, wargames=1)
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


DECIDE = """
new Promise((resolve) => {
  const answer = document.getElementById("answer");
  new MutationObserver(() => {
    if (!answer.textContent.startsWith("Deciding")) resolve(answer.textContent);
  }).observe(answer, { childList: true, subtree: true, characterData: true });
  document.getElementById("diff").value = DIFF;
  document.getElementById("vulnerability").value = VULNERABILITY;
  document.querySelector("#ask button").click();
})
"""


FAINT = r"""
(() => {
  const numbers = (colour) => colour.match(/[\d.]+/g).map(Number);
  const linear = (c) => (c <= 0.03928 * 255 ? c / 3294.6 : ((c / 255 + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const behind = (element) => {
    const colour = numbers(getComputedStyle(element).backgroundColor);
    return colour[3] === 0 && element.parentElement ? behind(element.parentElement) : colour;
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const speaks = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    for (const part of [...(speaks ? [null] : []), ...(element.placeholder ? ["::placeholder"] : [])]) {
      const pair = [light(numbers(getComputedStyle(element, part).color)), light(behind(element))];
      const contrast = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
      if (contrast < 4.5) found.push(`${element.tagName} ${element.id} ${part} ${contrast.toFixed(2)}`);
    }
  }
  return found;
})()
"""
"""What stands out less from its background than WCAG 2 asks for at level AA (4.5 to 1)."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_diff_that_is_pasted_is_decided(server: Server, tmp_path: Path, scheme: str) -> None:
    """The form, sent as a person sends it.

    The verdict and its reason; a bad diff says where; all of it can be read.
    """
    with browsing(tmp_path / "profile") as browser:
        session = open_page(browser, f"{server.url}/", scheme)
        for text, words in (
            (wrong(), ("invalid", "survives", "wargame")),
            ("no diff", ("no file header",)),
        ):
            expression = DECIDE.replace("DIFF", json.dumps(text)).replace("VULNERABILITY", json.dumps(FLAW))
            shown = browser.evaluate(session, expression)
            for word in words:
                assert word in shown, shown
        colour = browser.evaluate(session, "getComputedStyle(document.body).backgroundColor")
        brightness = sum(map(int, re.findall(r"\d+", colour)[:3])) / 765
        assert brightness > 0.9 if scheme == "light" else brightness < 0.3
        assert browser.evaluate(session, FAINT) == []


def test_the_page_shows_health_breakers_accuracy_and_trials(server: Server, tmp_path: Path) -> None:
    """As the browser has them after its scripts ran, under the policy that the service sends."""
    page = chromium(f"{server.url}/", tmp_path / "profile", "--dump-dom")
    assert re.search(r'id="status"[^>]*>(healthy|degraded): [^<]*; up for', page)
    for words in (
        "every escape refused",
        "Line of wargames",
        ">works<",
        "ml_model",
        "closed",
        "false-accept rate",
        FLAW,
        "survives",
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


PHONE = "--window-size=500,2400"


def test_nothing_is_cut_on_a_phone(server: Server, tmp_path: Path) -> None:
    """Rows become cards that name each cell's column, and nothing is wider than the screen."""
    with browsing(tmp_path / "profile", PHONE) as browser:
        session = open_page(browser, f"{server.url}/")
        ask_page = DECIDE.replace("DIFF", json.dumps(wrong())).replace("VULNERABILITY", json.dumps(FLAW))
        browser.evaluate(session, ask_page)
        wide = """[...document.querySelectorAll("main, section, td, dd, pre")].filter(
            (part) => part.scrollWidth > part.clientWidth + 1 && getComputedStyle(part).display !== "inline"
        ).map((part) => part.tagName + part.id + part.textContent.slice(0, 40))"""
        assert browser.evaluate(session, wide) == []
        assert browser.evaluate(session, "document.documentElement.scrollWidth <= innerWidth")
        names = "[...document.querySelectorAll('#health td')].every((cell) => cell.dataset.name)"
        assert browser.evaluate(session, names)


def test_a_guess_looks_like_a_guess_and_ids_are_offered(server: Server, tmp_path: Path) -> None:
    """A patch of no registered vulnerability gets the model's guess, in another form than a verdict."""
    with browsing(tmp_path / "profile") as browser:
        session = open_page(browser, f"{server.url}/")
        asked = DECIDE.replace("DIFF", json.dumps(wrong())).replace("VULNERABILITY", '""')
        assert "Not known" in browser.evaluate(session, asked)
        assert browser.evaluate(session, "document.querySelector('#answer .guess strong').className") == ""
        verdict = DECIDE.replace("DIFF", json.dumps(wrong())).replace("VULNERABILITY", json.dumps(FLAW))
        browser.evaluate(session, verdict)
        assert browser.evaluate(session, "document.querySelector('#answer .guess')") is None
        assert browser.evaluate(session, "document.querySelector('#answer pre') !== null")
        offered = """new Promise((resolve) => {
          const offered = () => [...document.querySelectorAll("#ids option")].map((option) => option.value);
          new MutationObserver(() => resolve(offered()))
            .observe(document.getElementById("ids"), { childList: true });
          document.getElementById("vulnerability").focus();
        })"""
        assert FLAW in browser.evaluate(session, offered)


def test_the_page_takes_nothing_from_elsewhere_and_every_field_has_a_label() -> None:
    html = (STATIC / "index.html").read_text()
    everything = html + "".join((STATIC / name).read_text() for name in ("page.css", "page.js"))
    assert not re.search(r"https?://|innerHTML|eval\(|document\.write", everything)
    for tag in re.findall(r"<(?:input|textarea)[^>]*>", html):
        name = re.search(r'id="(\w+)"', tag)
        assert name is not None
        assert f'for="{name[1]}"' in html or re.search(rf"<label>[^<]*<input id=\"{name[1]}\"", html), tag

"""The live page in a real browser, light and dark."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from crisol.config import Settings
from crisol.service.embedded import Server, serve
from support.http import OFF, ask
from support.served import FLAW, ROOT, model_folder, wrong

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


class Browser:
    """A browser that is told what to do through its debugging pipe (Chrome DevTools Protocol)."""

    def __init__(self, send: int, receive: int) -> None:
        self._send = send
        self._receive = receive
        self._number = 0
        self._rest = b""

    def call(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        """Do one thing and return what comes of it; events in between are not waited for."""
        self._number += 1
        wish = {"id": self._number, "method": method, "params": parameters}
        os.write(self._send, json.dumps(wish | ({"sessionId": session} if session else {})).encode() + b"\0")
        while True:
            while b"\0" not in self._rest:
                self._rest += os.read(self._receive, 1 << 16)
            text, _, self._rest = self._rest.partition(b"\0")
            found = json.loads(text)
            if found.get("id") == self._number:
                assert "error" not in found, found
                return dict(found["result"])

    def evaluate(self, session: str, expression: str) -> Any:
        """Return the value of an expression in the page, once it is settled."""
        found = self.call(
            "Runtime.evaluate", session, expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")


@contextmanager
def browsing(profile: Path, *flags: str) -> Iterator[Browser]:
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed (Debian: chromium)")
    theirs, send = os.pipe()
    receive, tell = os.pipe()
    flags = (*(flag for flag in FLAGS if "virtual-time" not in flag), *flags)
    # The pipe is the browser's descriptors 3 and 4.
    command = ["bash", "-c", f'exec "$@" 3<&{theirs} 4>&{tell}', "bash", program, *flags]
    with (profile.parent / "chromium.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--remote-debugging-pipe", f"--user-data-dir={profile}"],
            pass_fds=(theirs, tell), stdout=log, stderr=log,
        )  # fmt: skip
    os.close(theirs)
    os.close(tell)
    try:
        yield Browser(send, receive)
    finally:
        process.kill()
        process.wait(30)
        os.close(send)
        os.close(receive)


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
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.call("Emulation.setEmulatedMedia", session, features=features)
        browser.call("Page.navigate", session, url=f"{server.url}/")
        ready = (
            "new Promise((go) => document.readyState === 'complete' ? go(true) : addEventListener('load', "
            "() => go(true)))"
        )
        while browser.evaluate(session, "location.href") != f"{server.url}/":
            pass
        assert browser.evaluate(session, ready)
        for text, words in (
            (wrong(), ("invalid", "exploit survives", "wargame")),
            ("no diff", ("no file header",)),
        ):
            expression = DECIDE.replace("DIFF", json.dumps(text)).replace("VULNERABILITY", json.dumps(FLAW))
            found = browser.evaluate(session, expression)
            for word in words:
                assert word in found, found
        colour = browser.evaluate(session, "getComputedStyle(document.body).backgroundColor")
        brightness = sum(map(int, re.findall(r"\d+", colour)[:3])) / 765
        assert brightness > 0.9 if scheme == "light" else brightness < 0.3
        assert browser.evaluate(session, FAINT) == []


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

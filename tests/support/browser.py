"""A browser for tests and screenshots, told what to do through its debugging pipe."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    assert program is not None, "chromium is not installed (Debian: chromium)"
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


def open_page(browser: Browser, address: str, scheme: str = "light") -> str:
    """Open the page and return the session in which it is, once it has loaded."""
    target = browser.call("Target.createTarget", url="about:blank")["targetId"]
    session: str = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.call("Emulation.setEmulatedMedia", session, features=features)
    browser.call("Page.navigate", session, url=address)
    ready = (
        "new Promise((go) => document.readyState === 'complete' ? go(true) : addEventListener('load', "
        "() => go(true)))"
    )
    while browser.evaluate(session, "location.href") != address:
        pass
    assert browser.evaluate(session, ready)
    return session

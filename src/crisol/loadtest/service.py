"""A service to put load on: ``crisol serve`` as a separate process with a folder of its own."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from crisol.config import Settings, variable
from crisol.errors import UnavailableError
from crisol.model.policy import Policy
from crisol.servers.enclosure import Enclosure
from crisol.servers.reaper import Reaper

__all__ = ["UNLIMITED", "ServiceProcess", "ask", "serving"]

UNLIMITED = ",".join(
    f"{name}=off" for name in ("ml-first", "validate", "ml-accuracy", "ab-testing", "cache", "breakers")
)
"""The setting that turns rate limits off: the load test measures the service, not its limits."""

_START_SECONDS = 60.0
_STOP_SECONDS = 30.0


@dataclass(slots=True)
class ServiceProcess:
    """A process that runs ``crisol serve``, with ``workers`` worker processes.

    The process runs in the folder ``root``, which holds its log, with exactly the environment variables of
    ``environment``. If the calling process dies, ``reaper`` kills the service. ``enclosure`` gives the
    service Linux namespaces of its own; None means none. :meth:`start` sets the other two fields: ``url`` is
    the address of the service, and ``process`` the started process.
    """

    root: Path
    environment: dict[str, str]
    reaper: Reaper
    workers: int = 1
    enclosure: Enclosure | None = None
    url: str = ""
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def pid(self) -> int:
        """The id of the started process, the parent of its workers.

        Raises ``AssertionError`` before :meth:`start`.
        """
        assert self.process is not None
        return self.process.pid

    @property
    def log(self) -> Path:
        """The path of the file with all that the service wrote to standard output and standard error."""
        return self.root / "service.log"

    def start(self) -> None:
        """Start the service, and return when ``GET /health`` answers 200.

        Do not call it while the service runs. The first start takes a free port; a start after :meth:`stop`
        or :meth:`kill` uses the same port again. Raises :class:`~crisol.errors.UnavailableError` if the
        process ends or does not answer within a minute. The message quotes the service's output in the first
        case, and names :attr:`log` in the second.
        """
        port = str(urlsplit(self.url).port or 0)
        command = [sys.executable, "-m", "crisol", "serve", "--workers", str(self.workers), "--port", port]
        if self.enclosure is not None:
            command = self.enclosure.command(command)
        offset = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                env=self.environment,
                cwd=self.root,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self.reaper.hold(self.process.pid)
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            text = self.log.read_bytes()[offset:].decode(errors="replace")
            match = re.search(r"^http://\S+$", text, re.MULTILINE)
            if match is not None:
                self.url = match[0]
                with contextlib.suppress(OSError, http.client.HTTPException):
                    if ask(self.url, "/health")[0] == 200:
                        return
            if self.process.poll() is not None:
                raise UnavailableError(f"the service did not start: {text.strip()[-2000:]}")
            time.sleep(0.02)
        self.kill()
        raise UnavailableError(f"the service did not answer within {_START_SECONDS:g} s; see {self.log}")

    def kill(self) -> None:
        """Kill the process and its workers (SIGKILL); do nothing if they do not run."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def stop(self) -> None:
        """Stop the service (SIGTERM) and wait for its end; kill it after 30 seconds.

        Nothing happens if the service does not run.
        """
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()


@contextmanager
def serving(
    settings: Settings,
    *,
    model: Path,
    policy: Policy,
    workers: int = 1,
    enclosure: Enclosure | None = None,
    changes: Mapping[str, str] | None = None,
) -> Iterator[ServiceProcess]:
    """Return a context manager that runs ``crisol serve`` in a separate process while its block runs.

    The service has the vulnerabilities in ``settings.vulnerabilities``, not those in the other folders of
    ``settings.search_path``. It has the model in the folder ``model``, the thresholds of ``policy``,
    ``workers`` worker processes and no rate limits. The path ``model`` must be absolute, because the service
    has another working folder. The process runs in the namespaces of ``enclosure``, None for none. Trials go
    to a temporary folder.

    The service gets the caller's environment variables, but none of Crisol's settings, such as those for
    Redis, PostgreSQL and the API token. ``changes`` are environment variables that are then added or
    replaced. Entering raises :class:`~crisol.errors.UnavailableError` if the service does not start.
    """
    with tempfile.TemporaryDirectory(prefix="crisol-load-") as folder:
        root = Path(folder)
        (root / "data").symlink_to(settings.root.resolve() / "data")
        (root / "mlruns").mkdir()
        # The caller's Redis, PostgreSQL, token and policy must not change the measured service.
        ours = {variable(name) for name in Settings.model_fields}
        inherited = {name: value for name, value in os.environ.items() if name.upper() not in ours}
        environment = inherited | {
            "CRISOL_ROOT": folder,
            "CRISOL_MODEL": str(model),
            **{
                name: repr(threshold)
                for name, threshold in (
                    ("CRISOL_ACCEPT_AT", policy.accept),
                    ("CRISOL_REJECT_AT", policy.reject),
                )
                if threshold is not None
            },
            "CRISOL_RATE_LIMITS": UNLIMITED,
            # Answers are compared with the labels of the corpus.
            "CRISOL_WARGAME_SEED": "corpus",
            "CRISOL_SANDBOX": settings.sandbox,
            "LOG_LEVEL": "WARNING",
            "OMP_NUM_THREADS": "1",
            **(changes or {}),
        }
        service = ServiceProcess(root, environment, Reaper(root), workers, enclosure)
        try:
            service.start()
            yield service
        finally:
            service.stop()
            service.reaper.dismiss()


def ask(
    url: str, path: str, wish: Any = None, *, token: str = "", seconds: float = 5.0
) -> tuple[int, Any]:  # fmt: skip
    """Send one HTTP request; return the status and the body of the answer (decoded JSON, otherwise text).

    ``url`` is the service's address and ``path`` a path such as ``/health``. ``wish`` is the body of a POST,
    which is sent as JSON; None sends a GET. ``token`` is the API token, "" for none; ``seconds`` is the time
    limit. An error status, such as 404, is returned like any other. Raises ``OSError`` or
    ``http.client.HTTPException`` if no answer comes.
    """
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=seconds)
    headers = {"content-type": "application/json"} if wish is not None else {}
    if token:
        headers["authorization"] = f"Bearer {token}"
    try:
        body = None if wish is None else json.dumps(wish)
        connection.request("GET" if wish is None else "POST", path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        kind = answer.headers.get("content-type", "")
        return answer.status, json.loads(content) if "json" in kind else content.decode()
    finally:
        connection.close()

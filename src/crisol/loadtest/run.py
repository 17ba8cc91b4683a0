"""One load test of one service, from start to figures.

::

    with serving(settings, model=material.model, policy=material.policy) as service:
        load = Load(service.url, material, LoadPlan(), pid=service.pid)
        for progress in load.run():
            print(progress.done, "of", progress.planned)
        load.result.metrics["p99_ms"]
"""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from crisol.errors import UnavailableError
from crisol.loadtest import samples
from crisol.loadtest.client import Job, check_loopback
from crisol.loadtest.material import Item, Material
from crisol.loadtest.plan import MOST_REQUESTS, ROUTES, LoadPlan, Loop, popularity
from crisol.loadtest.result import LoadResult, summarise
from crisol.loadtest.service import ask
from crisol.loadtest.watch import ProcessWatch

__all__ = ["Load", "Progress", "middleware_time"]


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a load test, in numbers of requests.

    ``planned`` is the greatest number that the test will send, ``sent`` the number that it has sent. ``done``
    counts the answers, of any status. ``failed`` counts the requests without an answer or with a status other
    than 200.
    """

    sent: int
    done: int
    failed: int
    planned: int


class Load:
    """One load test: send the patches of ``material`` by ``plan`` to the service at ``url``, on this machine.

    Nothing is sent before :meth:`run`. ``pid`` is the process id of the service, whose CPU and memory are
    then sampled; None samples nothing. ``token`` is the service's API token, "" for none. ``begin`` is the
    time of the first request, in seconds of the monotonic clock; 0 means in half a second. Raises
    :class:`~crisol.errors.SettingsError` if the host of the URL is not a loopback IP address.
    """

    def __init__(
        self,
        url: str,
        material: Material,
        plan: LoadPlan,
        *,
        pid: int | None = None,
        token: str = "",
        begin: float = 0.0,
    ) -> None:
        where = urlsplit(url)
        check_loopback(where.hostname or "")
        self.plan = plan
        self.material = material
        self._url = url
        self._pid = pid
        self._token = token
        self._starts = plan.schedule()
        count = plan.requests if self._starts is None else len(self._starts)
        self._count = min(count, MOST_REQUESTS)
        self._kinds = [(route, item) for route, _ in plan.mix for item in material.items]
        self._job = self._described(where.hostname or "", where.port or 80, len(material.items), begin)
        self._result: LoadResult | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def planned(self) -> int:
        """The greatest number of requests that will be sent."""
        return self._count

    @property
    def result(self) -> LoadResult:
        """The result of the load test; raises ``AssertionError`` before :meth:`run` has ended."""
        assert self._result is not None, "the load has not run"
        return self._result

    def asked(self, which: int) -> tuple[str, Item]:
        """Return the route and the patch of a request in the samples.

        ``which`` is the request's number in the column ``which``; requests with the same route and patch
        share it.
        """
        return self._kinds[which]

    def run(self) -> Iterator[Progress]:
        """Send the requests from a separate process; yield the progress every half second.

        When the iterator ends, :attr:`result` is available. Raises :class:`~crisol.errors.UnavailableError`
        if the client process fails or :meth:`cancel` is called.
        """
        before = middleware_time(self._url)
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crisol-client-")))
            watch = stack.enter_context(ProcessWatch(self._pid)) if self._pid is not None else None
            yield from self._send(folder)
            frame, cpu = samples.load_samples(folder / "samples.npz")
        costs = None if watch is None else watch.table()
        after = middleware_time(self._url)
        spent, count = after[0] - before[0], after[1] - before[1]
        middleware = 1e3 * spent / count if count > 0 else float("nan")
        self._result = summarise(
            frame,
            kinds=self._kinds,
            policy=self.material.policy,
            warm_up=self.plan.warm_up,
            closed=self.plan.loop is Loop.CLOSED,
            client_cpu=cpu,
            middleware_ms=middleware,
            costs=costs,
        )

    def finish(self) -> LoadResult:
        """Send all the requests, wait for their end, and return the result.

        Raises :class:`~crisol.errors.UnavailableError` if the client process fails or :meth:`cancel` is
        called.
        """
        for _ in self.run():
            pass
        return self.result

    def cancel(self) -> None:
        """Kill the client process, from any thread; :meth:`run` then raises ``UnavailableError``.

        Nothing happens if no client process was started.
        """
        if self._process is not None:
            self._process.kill()

    def _send(self, folder: Path) -> Iterator[Progress]:
        (folder / "job.msgpack").write_bytes(msgspec.msgpack.encode(self._job))
        with (folder / "errors").open("wb") as errors:
            process = self._process = subprocess.Popen(
                [sys.executable, "-m", "crisol.loadtest.client", str(folder)],
                stdout=subprocess.PIPE,
                stderr=errors,
                stdin=subprocess.DEVNULL,
            )
        assert process.stdout is not None
        try:
            with process.stdout as lines:
                for line in lines:
                    progress = json.loads(line)
                    yield Progress(progress["sent"], progress["done"], progress["failed"], self._count)
            if process.wait():
                messages = (folder / "errors").read_text(encoding="utf-8", errors="replace").strip()
                raise UnavailableError(f"the load client failed: {messages[-2000:]}")
        finally:
            process.kill()
            process.wait()

    def _described(self, host: str, port: int, items: int, begin: float) -> Job:
        plan, bodies = self.plan, [item.body for _, item in self._kinds]
        name = f"[{host}]" if ":" in host else host
        extra = f"authorization: Bearer {self._token}\r\n" if self._token else ""
        heads = [
            (
                f"POST {ROUTES[route]} HTTP/1.1\r\nhost: {name}:{port}\r\ncontent-type: application/json\r\n"
                f"content-length: {len(body)}\r\n{extra}"
            ).encode()
            for (route, _), body in zip(self._kinds, bodies, strict=True)
        ]
        chosen = popularity(items, plan.zipf, self._count, plan.seed)
        shares = np.array([share for _, share in plan.mix])
        rng = np.random.default_rng([plan.seed, 1])
        routes = rng.choice(len(shares), size=self._count, p=shares / shares.sum())
        return Job(
            host=host,
            port=port,
            heads=heads,
            bodies=bodies,
            order=(routes * items + chosen).tolist(),
            starts=[] if self._starts is None else self._starts.tolist(),
            seconds=plan.seconds,
            connections=plan.connections,
            sources=plan.sources,
            spoofed=plan.spoofed,
            timeout=plan.timeout,
            begin=begin or time.monotonic() + 0.5,
        )


def middleware_time(url: str) -> tuple[float, float]:
    """Return the seconds that all requests so far spent in the service's middleware, and their number.

    The seconds are the sum over all layers. A request that a layer refused is not counted. Both numbers are 0
    if the service does not answer, or answers without these figures.
    """
    total = count = 0.0
    # The server at this address may be no Crisol, or may not answer in Prometheus's format.
    with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
        status, text = ask(url, "/metrics")
        if status != 200:
            return 0.0, 0.0
        for family in text_string_to_metric_families(str(text)):
            if family.name != "wargaming_middleware_latency_seconds":
                continue
            for sample in family.samples:
                total += sample.value if sample.name.endswith("_sum") else 0.0
                # A request is measured once in each layer, so one layer's count is the number of requests.
                shield = sample.labels.get("middleware") == "shield"
                count += sample.value if shield and sample.name.endswith("_count") else 0.0
    return total, count

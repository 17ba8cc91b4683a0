"""Compare the load client with wrk, both in a closed loop on an echo that answers as the service does.

What our client takes for a request is what a load test on the same cores takes away from the service. Without
wrk (Debian: wrk) only that figure is shown.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, cast

import uvloop

from crisol.loadtest.crosscheck import cross_check
from crisol.loadtest.material import Item, Material
from crisol.loadtest.plan import LoadPlan
from crisol.loadtest.run import Load
from crisol.model.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = float(os.environ.get("BENCH_SECONDS", "5"))
BODY = (
    b'{"outcome":"invalid","decided_by":"wargame","probability":0.4871394038200378,"threshold":0.62,'
    b'"confidence":1.0,"advisory":false,"reason":"exploit_survives",'
    b'"explanation":"The proof of vulnerability still succeeds.",'
    b'"model_version":"lightgbm-5d41402abc4b","feature_version":"3","source":"cache","degraded":[],'
    b'"timings":{"queue_ms":0.0,"model_ms":0.0,"wargame_ms":0.0,"total_ms":0.041},'
    b'"request_id":"5f0c8e7a9b1d4c3e"}'
)
HEAD = (
    b"HTTP/1.1 200 OK\r\n"
    b"content-type: application/json\r\n"
    b"content-length: %d\r\n"
    b"x-request-id: 5f0c8e7a9b1d4c3e\r\n"
    b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"
    b"server-timing: total;dur=0.041\r\n"
    b"x-content-type-options: nosniff\r\n"
    b"cache-control: no-store\r\n"
    b"\r\n"
)
ANSWER = HEAD % len(BODY) + BODY


class Echo(asyncio.Protocol):
    """Answers each request, which comes whole or in pieces, with the same bytes."""

    def __init__(self) -> None:
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer once the body is whole."""
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        length = head.lower().partition(b"content-length: ")[2].split(b"\r\n", 1)[0]
        if len(body) >= int(length or 0):
            self._buffer = b""
            assert self._transport is not None
            self._transport.write(ANSWER)


def serve(said: Connection) -> None:
    """Serve until the process is ended; say the port first."""

    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
        said.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(main())


@contextmanager
def echo() -> Iterator[str]:
    """Run the echo in a process of its own, and yield its address."""
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}"
    finally:
        process.kill()
        process.join()


def main() -> None:
    """Print what a request costs our client, then both clients side by side."""
    lines = "".join(f"+    if check_{number}(path):\n" for number in range(60))
    diffs = [
        f"--- a/a.py\n+++ b/a.py\n@@ -1 +1,62 @@\n def load(path):\n+    seen({number})\n{lines}"
        for number in range(200)
    ]
    items = tuple(
        Item("flaw", "CWE-22", text, "invalid", "exploit_survives", 0.1, 0.4871394038200378) for text in diffs
    )
    material, plan = Material(items, Path(), Policy(0.8, 0.2)), LoadPlan(connections=50)
    with echo() as url:
        measured = (
            Load(url, material, LoadPlan(requests=1_000_000, seconds=SECONDS, connections=50, warm_up=0.0))
            .finish()
            .metrics
        )
        cost = 1e6 * measured["client_cpu"] / measured["throughput"]
        print(
            f"our client takes {cost:.1f} us of a core for a request, {measured['throughput']:,.0f} a second"
        )
        clients = cross_check(url, material, plan, SECONDS)
    print(
        clients.to_string(index=False, float_format=lambda value: f"{value:,.3g}")
        if len(clients)
        else "wrk is not installed"
    )
    if measured["wrong_answers"] or measured["errors"]:
        sys.exit("the echo was answered wrongly")


if __name__ == "__main__":
    main()

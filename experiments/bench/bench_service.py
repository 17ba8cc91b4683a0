"""Measure the ML-first path over HTTP, as ratios to a bare ASGI echo and to the conventional build.

The echo that counts runs on uvicorn with uvloop and httptools as they come; the same echo behind the
service's own protocol is shown beside it. wrk is the client (Debian: wrk), on the same machine: with two
cores it has the other one. Where there is no wrk, the load test's own client stands in, which is slower and
says so. Every server runs in a process of its own; limits are set so high that they are taken and never
refuse, but for the one line that counts what two workers grant.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from crisol.config import Settings
from crisol.loadtest.client import Job
from crisol.model.policy import Policy
from crisol.model.serving import export
from crisol.model.training import train
from crisol.model.variants import load_variants
from crisol.records import Decision, Outcome, Prediction, Source
from crisol.servers import PostgresServer, RedisServer, ServerMissing
from crisol.service.core import open_service
from crisol.service.embedded import configure, listen
from crisol.service.exchange import begin
from crisol.service.instruments import Instruments
from crisol.service.limits import route
from crisol.service.ratelimit import RateLimitMiddleware
from crisol.service.responder import Responder
from crisol.validation.validator import Validated

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
SECONDS = int(os.environ.get("BENCH_SECONDS", "5"))
PATH = "/wargaming/ml-first"


@dataclass(frozen=True, slots=True)
class Figure:
    """What a run measured: requests a second, p99 in milliseconds, answers other than 200, count, seconds.

    ``cpu`` is the server's processor time a request in microseconds, which other guests of the machine change
    least.
    """

    rate: float
    p99: float
    errors: int
    asked: int
    seconds: float
    cpu: float = math.nan


def diff(size: int) -> str:
    """Return a diff of about ``size`` bytes, with %d where a number makes it another one."""
    lines = [f"+    if check_{number}(path, limit={number * 7}):" for number in range(size // 40)]
    head = f"--- a/app.py\n+++ b/app.py\n@@ -1,2 +1,{len(lines) + 3} @@\n def load(path):\n+    seen(%d)\n"
    return head + "\n".join(lines) + "\n     return open(path)\n"


def script(folder: Path, size: int, hits: int) -> Path:
    """Write the requests for wrk: ``hits`` of a hundred are among fifty known diffs, the others are new."""
    before, after = json.dumps({"diff": diff(size), "cwe": "CWE-22"}).split("%d")
    path = folder / f"{size}-{hits}.lua"
    path.write_text(
        "local n = math.random(1, 1000000000) * 1000\n"
        'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n'
        f"local before, after = {_lua(before)}, {_lua(after)}\n"
        "function init(args) math.randomseed(os.time()) n = math.random(1000, 2000000000) * 1000 end\n"
        f"function request()\n  n = n + 1\n  local k = n\n  if n % 100 < {hits} then k = n % 50 end\n"
        "  return wrk.format(nil, nil, nil, before .. string.format('%d', k) .. after)\nend\n"
    )
    return path


def _lua(text: str) -> str:
    return "[==[" + text + "]==]"


def measured(process: subprocess.Popen[str], port: int, folder: Path, size: int, hits: int) -> Figure:
    """Load a server that is one process with fifty connections."""
    start = processor_seconds(process.pid)
    figure = measure(port, folder, size, hits)
    return replace(figure, cpu=1e6 * (processor_seconds(process.pid) - start) / figure.asked)


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process has taken, its own and the system's for it."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(port: int, folder: Path, size: int, hits: int, seconds: int = SECONDS) -> Figure:
    """Load a server with fifty connections."""
    if shutil.which("wrk") is None:
        return measure_ourselves(port, size, hits, seconds)
    lua = script(folder, size, hits)
    command = [
        "wrk",
        "-t1",
        "-c50",
        f"-d{seconds}s",
        "--latency",
        "-s",
        str(lua),
        f"http://127.0.0.1:{port}{PATH}",
    ]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", text)
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    assert rate is not None
    assert p99 is not None
    unit = {"us": 1e-3, "ms": 1.0, "s": 1e3}[p99[2]]
    errors = (int(wrong[1]) if wrong else 0) + (sum(map(int, broken.groups())) if broken else 0)
    ran = re.search(r"(\d+) requests in ([\d.]+)s", text)
    assert ran is not None
    return Figure(float(rate[1]), float(p99[1]) * unit, errors, int(ran[1]), float(ran[2]))


def measure_ourselves(port: int, size: int, hits: int, seconds: int) -> Figure:
    """Load a server with the load test's own client, for as long as its stock of new diffs lasts."""
    text = json.dumps({"diff": diff(size), "cwe": "CWE-22"})
    new = 10_000 if size < 10_000 else 2_000
    start = time.time_ns() // 1000
    bodies = [(text % number).encode() for number in (*range(50), *range(start, start + new))]
    heads = [
        b"POST %b HTTP/1.1\r\n"
        b"host: 127.0.0.1:%d\r\n"
        b"content-type: application/json\r\n"
        b"content-length: %d\r\n"
        b"\r\n" % (PATH.encode(), port, len(body))
        for body in bodies
    ]
    count = new * 100 // (100 - hits) if hits < 100 else 100_000
    fresh = iter(range(50, 50 + new))
    order = [n % 50 if n % 100 < hits else next(fresh) for n in range(count)]
    job = Job(
        host="127.0.0.1", port=port, heads=heads, bodies=bodies, order=order, starts=[], seconds=seconds,
        connections=50, sources=1, spoofed=0, timeout=10.0, begin=0.0,
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="crisol-bench-") as name:
        (Path(name) / "job.msgpack").write_bytes(msgspec.msgpack.encode(job))
        command = [sys.executable, "-m", "crisol.loadtest.client", name]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        with np.load(Path(name) / "samples.npz") as data:
            asked = data["which"] >= 0
            sent, received, status = (data[key][asked] for key in ("sent", "received", "status"))
    took = float(received.max() - sent.min())
    p99 = float(np.percentile(received - sent, 99)) * 1e3
    return Figure(len(sent) / took, p99, int((status != 200).sum()), len(sent), took)


async def echo(scope, receive, send) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - bare ASGI is the point
    """Answer with a body as long as a decision is, and do nothing else."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    more = True
    while more:
        more = (await receive()).get("more_body", False)
    head = [(b"content-type", b"application/json"), (b"content-length", b"600")]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": b"x" * 600})


def serve_baseline(name: str) -> None:
    """Serve one of the baselines in this process, on the stack of the service."""
    import uvicorn  # noqa: PLC0415 - in the server's process alone
    from conventional import application  # noqa: PLC0415 - it loads scikit-learn

    with listen("127.0.0.1", 0) as listener:
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", file=sys.stderr, flush=True)
        config = configure(application() if name == "conventional" else echo)
        if name == "echo":
            config.http = "httptools"
        uvicorn.Server(config).run(sockets=[listener])


@contextmanager
def running(command: list[str], **environment: str) -> Iterator[tuple[subprocess.Popen[str], int, float]]:
    """Run a server; give its process, its port, and the seconds from start to first answer."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command, env={**os.environ, "OMP_NUM_THREADS": "1", **environment}, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        port = int(process.stderr.readline().strip().rpartition(":")[2])
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        body = json.dumps({"diff": diff(200) % 1, "cwe": "CWE-22"})
        connection.request("POST", PATH, body, {"content-type": "application/json"})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        connection.close()
        yield process, port, time.perf_counter() - start
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def model(folder: Path) -> Path:
    """Train the served variant on patches made up by rule; how it decides does not matter here."""
    sys.path.insert(0, str(ROOT / "tests"))
    from support.model_data import patches  # noqa: PLC0415 - the tests' own patches

    variant = load_variants(ROOT / "experiments" / "variants.yaml")["lightgbm"]
    folder.mkdir()
    export(train(variant, patches(60, 6), seed=0), folder, Policy(accept=1e-9, reason="bench"))
    return folder


def resident(pid: int) -> float:
    """Return the resident memory of a process in MB."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(text.split("VmRSS:")[1].split()[0]) / 1e3


async def overhead(settings: Settings) -> float:
    """Return the microseconds that limiter, breaker and metrics take of a request, all together."""
    prediction = Prediction(0.9, "bench", "3")
    decision = Decision(Outcome.VALID, Source.MODEL, 0.9, prediction=prediction)
    validated = Validated(decision, cached=False, pattern=None, key=b"", seconds=0.0)
    head = {"type": "http.response.start", "status": 200}

    async def answer(scope: Any, _receive: Any, send: Any) -> None:
        """Do what an endpoint does about its record, and answer."""
        exchange = scope["crisol"]
        exchange.validated, exchange.gate_seconds, exchange.inside_seconds = validated, 1e-6, 1e-4
        await send({**head, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def bare(scope: Any, receive: Any, send: Any) -> None:
        """Begin the record of a request, which every answer needs, and answer."""
        begin(scope)
        await answer(scope, receive, send)

    async def nowhere(*_: object) -> None:
        """Receive and send nothing."""

    async with open_service(settings) as service:
        breaker = service.breakers["ml_model"]

        async def behind_breaker(scope: Any, receive: Any, send: Any) -> None:
            breaker.call_sync(int)
            await answer(scope, receive, send)

        limiter = RateLimitMiddleware(behind_breaker, service.shared.buckets, route=route)
        guarded = Responder(limiter, Instruments(service).record)

        async def seconds(app: Any, count: int = 20_000) -> float:
            start = time.perf_counter()
            for _ in range(count):
                scope = {
                    "type": "http",
                    "path": PATH,
                    "method": "POST",
                    "client": ("127.0.0.1", 1),
                    "headers": [],
                }
                await app(scope, nowhere, nowhere)
            return (time.perf_counter() - start) / count

        least = min([await seconds(bare) for _ in range(5)])
        return 1e6 * (min([await seconds(guarded) for _ in range(5)]) - least)


def two_workers(folder: Path, crisol: list[str], settings: dict[str, str], base: Figure) -> None:
    """Measure two workers behind one port, and count what they grant together."""
    with ExitStack() as stack:
        try:
            redis, postgres = RedisServer.start(), PostgresServer.start()
        except ServerMissing as missing:
            print(f"two workers: not measured: {missing}")
            return
        stack.callback(redis.close)
        stack.callback(postgres.close)
        shared = settings | {"REDIS_URL": redis.url, "DATABASE_URL": postgres.dsn}
        command = [*crisol, "--workers", "2"]
        with running(command, **shared, CRISOL_RATE_LIMITS="ml-first=100000000/1") as (_, port, _):
            measure(port, folder, 2000, 100, 2)
            show("two workers, hits only, 2 kB", measure(port, folder, 2000, 100), base)
            show("two workers, 80 % hits, 2 kB", measure(port, folder, 2000, 80), base)
        burst, rate = 300, 200
        with running(command, **shared, CRISOL_RATE_LIMITS=f"ml-first={rate}/1:{burst}") as (_, port, _):
            # wrk's own time begins when its connections stand, and the bucket refills before that.
            start = time.perf_counter()
            figure = measure(port, folder, 2000, 100)
            most = burst + rate * (time.perf_counter() - start)
            granted = figure.asked - figure.errors
            verdict = "held" if granted <= most else "broken"
            if failed := redis_failures(port):
                verdict += (
                    f" ({failed:.0f} calls to Redis failed or took too long: then each worker limits alone)"
                )
            print(
                f"two workers, limit of {rate}/s, burst {burst}: asked {figure.asked:,} times in "
                f"{figure.seconds:.2f} s, granted {granted:,} of at most {most:,.0f}: {verdict}"
            )


def redis_failures(port: int) -> float:
    """Return how many calls to Redis all workers had to do without."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    counted = re.findall(
        r'^wargaming_circuit_breaker_failures_total\{breaker="cache",.*\} (\S+)$', text, re.MULTILINE
    )
    return sum(map(float, counted))


def show(name: str, figure: Figure, base: Figure, mark: float | None = None) -> None:
    """Print one line."""
    ratio = figure.rate / base.rate
    verdict = "" if mark is None else f"  mark {mark:.2f}: {'held' if ratio >= mark else 'missed'}"
    cpu = "" if math.isnan(figure.cpu) else f"  cpu {figure.cpu:5.0f} us"
    print(
        f"{name:34} {figure.rate:9,.0f}/s  {ratio:6.2f} of echo  p99 {figure.p99:7.2f} ms  "
        f"errors {figure.errors}{cpu}{verdict}"
    )


def main() -> None:
    """Measure all in one run and print the table."""
    if shutil.which("wrk") is None:
        print(
            "wrk is not installed (Debian: wrk): our own client stands in, all rates are lower, and so are "
            "the ratios"
        )
    with tempfile.TemporaryDirectory(prefix="crisol-bench-") as name:
        folder = Path(name)
        (folder / "data").mkdir()
        (folder / "data" / "vulnerabilities").symlink_to(ROOT / "data" / "vulnerabilities")
        settings = {"CRISOL_ROOT": name, "CRISOL_MODEL": str(model(folder / "model")), "LOG_LEVEL": "ERROR"}
        small, large = 2000, 20000
        crisol = [str(Path(sys.executable).with_name("crisol")), "serve", "--port", "0"]
        own = [sys.executable, __file__]
        with running([*own, "echo"]) as (process, port, _):
            base = measured(process, port, folder, small, 80)
            base_large = measured(process, port, folder, large, 0)
        show("bare ASGI echo, 2 kB", base, base)
        show("bare ASGI echo, 20 kB", base_large, base_large)
        with running([*own, "patient"]) as (process, port, _):
            show("the echo behind our protocol, 2 kB", measured(process, port, folder, small, 80), base)
        with running(crisol, **settings, CRISOL_RATE_LIMITS="ml-first=100000000/1") as (process, port, first):
            measure(port, folder, small, 100, 2)
            mixed = measured(process, port, folder, small, 80)
            show("ml-first, 80 % hits, 2 kB", mixed, base, 0.2)
            show("ml-first, hits only, 2 kB", measured(process, port, folder, small, 100), base)
            show("ml-first, misses, 2 kB", measured(process, port, folder, small, 0), base, 0.05)
            show("ml-first, misses, 20 kB", measured(process, port, folder, large, 0), base_large)
            memory = resident(process.pid)
        with running([*own, "conventional"]) as (process, port, _):
            old = measured(process, port, folder, small, 80)
        show("conventional build, 80 % hits", old, base)
        print(
            f"times the conventional build: {mixed.rate / old.rate:.1f} (mark 20); p99 {mixed.p99:.1f} ms "
            "(mark 25)"
        )
        print(f"resident {memory:.0f} MB (mark 200), first answer after {first:.2f} s (mark 2)")
        given = Settings(
            root=folder,
            model=settings["CRISOL_MODEL"],
            rate_limits="ml-first=100000000/1",
        )
        print(f"limiter, breaker and metrics: {asyncio.run(overhead(given)):.1f} us a request (mark 20)")
        two_workers(folder, crisol, settings, base)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve_baseline(sys.argv[1])
    else:
        main()

"""The same closed loop with an independent client: wrk, a load generator written in C.

wrk counts the latency of a request from its sending. In a closed loop Crisol's client does the same, so the
figures of the two clients must agree.
"""

from __future__ import annotations

import math
import re
import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd

from crisol.errors import UnavailableError
from crisol.loadtest.material import Material
from crisol.loadtest.plan import ROUTES, LoadPlan, Loop, popularity
from crisol.loadtest.run import Load

__all__ = ["cross_check", "read_wrk"]

_ORDER = 20_000
_MOST_ANSWERS = 20_000
"""More answers a second than a service on one machine gives: the time ends the loop, not the requests."""

_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}
_SHOWN = ("throughput", "p50_ms", "p90_ms", "p99_ms", "errors")


def cross_check(url: str, material: Material, plan: LoadPlan, seconds: float) -> pd.DataFrame:
    """Compare Crisol's client with the load generator wrk: run the same closed loop with each.

    Each sends the patches of ``material`` to ``POST /wargaming/ml-first`` of the service at ``url`` for
    ``seconds``, with the connections, popularity and seed of ``plan``. Returns a table with three rows, named
    in the column ``client``: ``crisol``, ``wrk`` and ``ratio`` (crisol / wrk). The other columns are
    ``throughput`` (answers a second), ``p50_ms``, ``p90_ms`` and ``p99_ms`` (percentiles of the latency in
    milliseconds), and ``errors`` (share of the requests). If wrk is not installed, the table has no rows.
    Raises :class:`~crisol.errors.UnavailableError` if a client fails.
    """
    program = shutil.which("wrk")
    if program is None:
        return pd.DataFrame(columns=["client", *_SHOWN])
    requests = math.ceil(_MOST_ANSWERS * seconds)
    mix = (("ml-first", 1.0),)
    closed = replace(plan, loop=Loop.CLOSED, requests=requests, seconds=seconds, warm_up=0.0, mix=mix)
    metrics = Load(url, material, closed).finish().metrics
    ours = {name: metrics[name] for name in _SHOWN}
    theirs = _wrk(program, url, material, closed)
    ratio = {name: ours[name] / theirs[name] if theirs[name] else float("nan") for name in _SHOWN}
    rows = {"crisol": ours, "wrk": theirs, "ratio": ratio}
    return pd.DataFrame([{"client": name, **values} for name, values in rows.items()])


def read_wrk(text: str) -> dict[str, float]:
    """Return the figures in ``text``, the output of the program ``wrk --latency``.

    They are ``throughput`` (requests a second), ``p50_ms``, ``p90_ms`` and ``p99_ms`` (percentiles of the
    latency in milliseconds), and ``errors`` (failed requests and socket errors, divided by all requests).
    Raises :class:`~crisol.errors.UnavailableError` for any other text.
    """
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    count = re.search(r"(\d+) requests in ", text)
    latencies = {
        percent: (value, unit) for percent, value, unit in re.findall(r"(\d+)%\s+([\d.]+)(us|ms|s|m)", text)
    }
    if rate is None or count is None or not {"50", "90", "99"} <= set(latencies):
        raise UnavailableError(f"wrk did not report: {text.strip()[-500:]}")
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    failed = (int(wrong[1]) if wrong else 0) + (sum(map(int, broken.groups())) if broken else 0)
    latency = {
        f"p{percent}_ms": float(latencies[percent][0]) * _MS[latencies[percent][1]]
        for percent in ("50", "90", "99")
    }
    return {"throughput": float(rate[1]), **latency, "errors": failed / max(int(count[1]), 1)}


def _wrk(program: str, url: str, material: Material, plan: LoadPlan) -> dict[str, float]:
    where = urlsplit(url)
    with tempfile.TemporaryDirectory(prefix="crisol-wrk-") as folder:
        script = Path(folder) / "requests.lua"
        script.write_bytes(_wrk_script(material, plan))
        command = [program, "--threads", "1", "--connections", str(plan.connections), "--latency"]
        command += ["--duration", f"{max(1, round(plan.seconds))}s", "--script", str(script)]
        process = subprocess.run(
            [*command, f"http://{where.netloc}{ROUTES['ml-first']}"],
            capture_output=True,
            text=True,
            check=False,
        )
    return read_wrk(process.stdout + process.stderr)


def _wrk_script(material: Material, plan: LoadPlan) -> bytes:
    order = popularity(len(material.items), plan.zipf, _ORDER, plan.seed) + 1
    bodies = b",\n".join(_lua_literal(item.body) for item in material.items)
    numbers = ",".join(map(str, order.tolist())).encode()
    return (
        b'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n'
        b"local bodies = {" + bodies + b"}\nlocal order = {" + numbers + b"}\n"
        b"local made, at = {}, 0\n"
        b"function init(args) for i, body in ipairs(bodies) do made[i] = wrk.format(nil, nil, nil, "
        b"body) end end\n"
        b"function request() at = at % #order + 1 return made[order[at]] end\n"
    )


def _lua_literal(content: bytes) -> bytes:
    return b'"' + b"".join(b"\\%03d" % byte for byte in content) + b'"'

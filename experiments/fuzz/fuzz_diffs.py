"""Send seeded hostile diffs through parser, features and the ML-first endpoint; bound time and memory.

Usage: fuzz_diffs.py [COUNT [SEED]]; 100,000 diffs by default. Prints what became of them, the slowest, and
how time and memory of the worst shapes grow with their size. Exits 1 when a bound is broken.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import sys
import tempfile
import time
import tracemalloc
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crisol import diff
from crisol.config import Settings
from crisol.errors import DiffError
from crisol.model.features import FEATURES, vector
from crisol.service.app import Application

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
SLOWEST_SECONDS = 2.0
MORE_MEMORY_MB = 300.0

SEED = """--- a/pkg/mod.py
+++ b/pkg/mod.py
@@ -1,4 +1,6 @@
 import os
 def load(path):
+    if ".." in path:
+        raise ValueError(path)
     return open(path)
 # end
"""
PIECES = [
    "@@ -1 +1 @@", "@@ -0,0 +1,99999999 @@", "@@ -1,2 +1,2 @@ def f():", "--- /dev/null", "+++ /dev/null",
    "--- a/../../etc/passwd", "+++ b/x\0y", "diff --git a/x b/x", "GIT binary patch", "rename from a",
    "\\ No newline at end of file",
    "+" + "(" * 200, "+" + "a" * 3000, "-" + " " * 500, "+'''", '+"""', "+\u202e\u2066", "+\ud7ff\uffff",
    "+\x1b[2J", "\r", "\t", "",
    "+if re.match(r'(a+)+$', x): pass", "+" + "\\" * 300, "index 000..111 100644", "new file mode 120000",
    "+e\u0301" * 50,
]  # fmt: skip


def mutate(rng: random.Random) -> str:
    """Return one hostile diff.

    Well formed with hostile lines, a good one after up to eight changes, or noise.
    """
    kind = rng.random()
    if kind < 0.05:
        return "".join(
            chr(rng.choice((10, 32, 43, 45, 64, rng.randrange(1, 0xD800)))) for _ in range(rng.randrange(400))
        )
    if kind < 0.55:
        return hunk([_line(rng) for _ in range(rng.randrange(1, 30))])
    lines = SEED.splitlines()
    for _ in range(rng.randrange(1, 9)):
        place = rng.randrange(len(lines) + 1)
        match rng.randrange(6):
            case 0:
                lines.insert(place, rng.choice(PIECES))
            case 1 if lines:
                del lines[place % len(lines)]
            case 2 if lines:
                lines[place % len(lines)] = rng.choice(PIECES)
            case 3 if lines:
                lines[place % len(lines)] *= rng.randrange(1, 40)
            case 4:
                lines[place:place] = lines[: rng.randrange(len(lines) + 1)]
            case _:
                text = rng.choice("+- ") + "".join(
                    rng.choice("ab(){}[]'\"\\#:. \t\v\x85\u2028") for _ in range(80)
                )
                # Inside the hunk, whose count then fits: so that it gets past the parser.
                lines = [line.replace("+1,6", "+1,7") for line in lines]
                lines.insert(min(5, len(lines)), text)
    return rng.choice(("\n", "\n", "\n", "\r\n")).join(lines) + rng.choice(("\n", "\n", ""))


def _line(rng: random.Random) -> str:
    """Return a line that the parser lets through and that features have to make sense of."""
    if rng.random() < 0.4:
        return rng.choice([piece[1:] for piece in PIECES if piece.startswith("+") and "\0" not in piece])
    return "".join(rng.choice("ab(){}[]'\"\\#:. ,=_09\t\u202eé") for _ in range(rng.randrange(200)))


SHAPES: dict[str, Callable[[int], str]] = {
    "lines": lambda n: hunk(["    check(path)"] * (n // 16)),
    "one long line": lambda n: hunk(["a" * n]),
    "open brackets": lambda n: hunk(["(" * n]),
    "quotes": lambda n: hunk(["'\"" * (n // 2)]),
    "spaces": lambda n: hunk([" " * n + "x"]),
    "backslashes": lambda n: hunk(["'" + "\\" * n]),
    "dots": lambda n: hunk(["a." * (n // 2)]),
    "digits": lambda n: hunk(["1_" * (n // 2)]),
    "hunks": lambda n: "--- a/x\n+++ b/x\n" + "".join(f"@@ -{i * 3} +{i * 3} @@\n-a\n+b\n" for i in range(1,
    n // 24)),
    "files": lambda n: "".join(
        f"--- a/{i}\n+++ b/{i}\n@@ -1 +1 @@\n-a\n+{'b' * 90}\n" for i in range(n // 128)
    ),
}  # fmt: skip


def hunk(lines: list[str]) -> str:
    """Return a diff that adds the lines."""
    return f"--- a/x.py\n+++ b/x.py\n@@ -1 +1,{len(lines) + 1} @@\n y\n" + "".join(
        f"+{line}\n" for line in lines
    )


SIZES = (1_024, 4_096, 16_384)


def costs(read: Callable[[str], Any]) -> dict[str, list[tuple[float, float]]]:
    """Return for each shape the seconds, and the peak of memory in KiB, at each of the sizes."""
    figures = {}
    for name, shape in SHAPES.items():
        figures[name] = []
        for size in SIZES:
            text = shape(size)
            assert read(text) == "read", f"{name}: a shape that is refused says nothing"
            seconds = min(_seconds(read, text) for _ in range(7))
            tracemalloc.start()
            read(text)
            figures[name].append((seconds, tracemalloc.get_traced_memory()[1] / 1024))
            tracemalloc.stop()
    return figures


def growth(table: dict[str, list[tuple[float, float]]], which: int) -> dict[str, float]:
    """Return the worst factor of time (0) or memory (1) of each shape when it grows fourfold; linear is 4."""
    return {
        name: max(after[which] / before[which] for before, after in pairwise(row))
        for name, row in table.items()
    }


def read(text: str) -> str:
    """Take a diff through parser and features; returns what became of it."""
    try:
        patch = diff.parse(text)
    except DiffError as error:
        return type(error).__name__
    row = vector(patch, "CWE-22")
    assert len(row) == len(FEATURES)
    return "read"


def _seconds(call: Callable[[str], Any], text: str) -> float:
    start = time.thread_time()
    call(text)
    return time.thread_time() - start


class Endpoint:
    """The whole application without a socket: walls, hot route, parser, model if there is one."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def post(self, text: str) -> int:
        """Return the status of an answer."""
        body = json.dumps({"diff": text, "cwe": "CWE-22"}).encode()
        scope = {
            "type": "http", "method": "POST", "path": "/wargaming/ml-first", "client": ("127.0.0.1", 1),
            "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")],
        }  # fmt: skip
        status: list[int] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                status.append(message["status"])

        await self._app(scope, receive, send)
        return status[0]


async def run(count: int, seed: int, settings: Settings) -> int:
    """Fuzz and print; returns the exit code."""
    rng = random.Random(seed)
    reads: Counter[str] = Counter()
    statuses: Counter[int] = Counter()
    slowest = (0.0, "")
    app = Application(settings)
    wake: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    wake.put_nowait({"type": "lifespan.startup"})
    begun = asyncio.Event()

    async def told(message: Any) -> None:
        assert message["type"] != "lifespan.startup.failed", message
        begun.set()

    living = asyncio.create_task(app({"type": "lifespan"}, wake.get, told))
    await begun.wait()
    endpoint = Endpoint(app)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    start = time.perf_counter()
    for _ in range(count):
        text = mutate(rng)
        began = time.thread_time()
        reads[read(text)] += 1
        statuses[await endpoint.post(text)] += 1
        slowest = max(slowest, (time.thread_time() - began, text[:80]))
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3 - before
    seconds = time.perf_counter() - start
    wake.put_nowait({"type": "lifespan.shutdown"})
    await living
    print(f"seed {seed}: {count:,} diffs in {seconds:.0f} s; peak memory grew by {more:.0f} MB")
    print("parser and features:", dict(reads.most_common()))
    print("endpoint:", dict(sorted(statuses.items())))
    print(f"slowest: {slowest[0] * 1e3:.1f} ms, {slowest[1]!r}")
    table = costs(read)
    print(f"{'shape':16}" + "".join(f"{f'{size // 1024} KiB':>22}" for size in SIZES))
    for name, row in table.items():
        print(f"{name:16}" + "".join(f"{seconds * 1e6:10,.0f} us {peak:5,.0f} KiB" for seconds, peak in row))
    grown, swollen = growth(table, 0), growth(table, 1)
    print(
        f"at four times the input at most {max(grown.values()):.1f} times the time, "
        f"{max(swollen.values()):.1f} the memory"
    )
    broken = [f"{status}: {number}" for status, number in statuses.items() if status >= 500]
    broken += [f"time of {name} grows superlinearly" for name, times in grown.items() if times > 10.0]
    broken += [f"memory of {name} grows superlinearly" for name, times in swollen.items() if times > 8.0]
    broken += ["a diff took too long"] * (slowest[0] > SLOWEST_SECONDS) + ["memory grew"] * (
        more > MORE_MEMORY_MB
    )
    print("broken: " + ", ".join(broken) if broken else "every bound held")
    return int(bool(broken))


def main(count: int = 100_000, seed: int = 0) -> int:
    """Fuzz in a folder of its own, with the model that CRISOL_MODEL names."""
    with tempfile.TemporaryDirectory(prefix="crisol-fuzz-") as name:
        (Path(name) / "data").symlink_to(ROOT / "data")
        given = Settings()
        settings = given.model_copy(
            update={"root": Path(name), "rate_limits": "ml-first=off", "redis_url": None}
        )
        return asyncio.run(run(count, seed, settings))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:3])))

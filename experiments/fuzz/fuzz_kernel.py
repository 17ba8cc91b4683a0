"""The C kernel under the address and undefined-behaviour sanitizers: hostile text, wrong shapes, damaged trees.

Usage: fuzz_kernel.py [COUNT [SEED]]; 100,000 inputs by default. A sanitizer that finds something ends the run with its
report; so does a row that differs from Python's by a bit. Needs gcc or clang with their sanitizers.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from crisol.diff import FileChange, Hunk, Patch, parse
from crisol.errors import ModelError
from crisol.model.features import FEATURES, vector
from crisol.model.kernel import NODE
from crisol.model.kernel import library as loader
from crisol.model.kernel.compile import build

CWES = ("", "CWE-22", "CWE-79", "CWE-611", "CWE-787")
MEANT = sorted({word for members in loader.SETS for word in members})
SANITIZERS = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def line(rng: random.Random) -> str:
    """Return a line of a hunk: words that mean something, noise, or a single thing very often."""
    tag, kind = rng.choice("+- "), rng.random()
    if kind < 0.1:
        return tag + rng.choice(["(", "A", "=", "aB", "_", " ", "if ", "return none "]) * rng.randrange(400)
    if kind < 0.4:
        return tag + "".join(
            map(chr, rng.choices([one for one in range(128) if one != 10], k=rng.randrange(60)))
        )
    pieces = rng.choices(MEANT, k=rng.randrange(12)) + rng.choices(["(", ")", ":", ",", "&&", "X", "9"], k=4)
    rng.shuffle(pieces)
    return tag + rng.choice(["", " "]).join(
        rng.choice([str, str.upper, str.title])(piece) for piece in pieces
    )


def patch(rng: random.Random) -> Patch:
    """Return a patch that no parser need have made: empty hunks, line feeds inside lines, hardly ever a long one."""
    hunks = []
    for _ in range(rng.randrange(4)):
        lines = [line(rng) for _ in range(rng.randrange(200 if rng.random() < 0.02 else 12))]
        if lines and rng.random() < 0.05:
            lines[rng.randrange(len(lines))] += "\n" + rng.choice(["", "+", "a"])
        hunks.append(Hunk(1, 1, tuple(lines)))
    return Patch((FileChange(None, "tests/a", tuple(hunks)),))


def text(rng: random.Random) -> str:
    """Return a plain diff, or one that is none any more for a few characters, or because it is torn."""
    lines = [rng.choice(["From: me", "", "-- "])] if rng.random() < 0.2 else []
    for number in range(rng.randrange(1, 4)):
        name = rng.choice(["a", "tests/b", "a/b.py", "x y"]) + str(number)
        if rng.random() < 0.5:
            lines += [f"diff --git a/{name} b/{name}", "index 12..34 100644"]
        lines += [f"--- a/{name}", f"+++ b/{name}\t2026-01-01"]
        at = 1
        for _ in range(rng.randrange(1, 400 if rng.random() < 0.01 else 4)):
            body = [line(rng).replace("\r", "").replace("\0", "") for _ in range(rng.randrange(1, 6))]
            old = sum(one[0] != "+" for one in body)
            lines += [f"@@ -{at},{old} +{at},{sum(one[0] != '-' for one in body)} @@ def f():", *body]
            at += old + 1
    made = "\n".join(lines) + rng.choice(["", "\n", "\n-- \n2.39\n"])
    for _ in range(rng.choice([0, 0, 1, 3])):
        place = rng.randrange(len(made) + 1)
        made = (
            made[:place]
            + rng.choice(["", "\n", "+", "-", " ", "@@", "9", "\0", "\r", "/", "'"])
            + made[place + 1 :]
        )
    return made if rng.random() < 0.9 else made[: rng.randrange(len(made) + 1)]


def damaged(rng: random.Random) -> np.ndarray:
    """Return nodes of which any may lead anywhere."""
    count = rng.randrange(1, 8)
    links = [-1, 0, count - 1, count, 2**31 - 1, -(2**31), *range(count)]
    columns = [-1, -1, 0, 94, 95, 2**31 - 1, -(2**31)]
    return np.array(
        [
            (rng.random(), rng.random(), rng.choice(columns), rng.choice(links), rng.choice(links))
            for _ in range(count)
        ],
        NODE,
    )


def fuzz(library: Path, count: int, seed: int) -> None:
    """Hold the kernel against Python on ``count`` inputs."""
    kernel, rng = loader.load(library), random.Random(seed)
    read = sound = plain = 0
    for _ in range(count):
        one, cwe = patch(rng), rng.choice(CWES)
        found = kernel.features(one, cwe)
        if found is not None:
            read += 1
            if found != vector(one, cwe):
                sys.exit(f"the kernel and Python differ on {one!r}")
        content = text(rng)
        outline = kernel.outline(content)
        if outline is not None:
            plain += 1
            parsed = parse(content)
            if parsed.identity != outline.identity or kernel.features(outline, cwe) != vector(parsed, cwe):
                sys.exit(f"the kernel and the parser differ on {content!r}")
        try:
            trees = kernel.trees(damaged(rng), len(FEATURES), logistic=rng.random() < 0.5)
        except ModelError:
            continue
        sound += 1
        trees.score(one if found is not None else Patch(()), cwe)
    print(
        f"{count} inputs: {read} read as Python reads them, {count - read} left to it; {plain} of as many diffs plain, "
        f"{sound} of as many trees sound"
    )


def main() -> None:
    """Build the kernel with sanitizers, and start again with their runtime loaded first."""
    count, seed = int(sys.argv[1]) if sys.argv[1:] else 100_000, int(sys.argv[2]) if sys.argv[2:] else 0
    if built := os.environ.get("CRISOL_FUZZED"):
        fuzz(Path(built), count, seed)
        return
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "kernel.so"
        if reason := build(library, flags=SANITIZERS):
            sys.exit(reason)
        asked = [os.environ.get("CC", "cc"), "-print-file-name=libasan.so"]
        runtime = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
        # Python itself leaves memory behind; what the kernel leaves would show as memory that grows.
        changed = {
            "LD_PRELOAD": runtime,
            "ASAN_OPTIONS": "detect_leaks=0",
            "CRISOL_FUZZED": str(library),
            # Every object has memory of its own, so that reading past one is seen.
            "PYTHONMALLOC": "malloc",
        }
        sys.exit(
            subprocess.run([sys.executable, *sys.argv], env=os.environ | changed, check=False).returncode
        )


if __name__ == "__main__":
    main()

"""What a wargame costs in this checkout against another one, by wall and by processor.

    python experiments/bench/compare_referees.py ROOT PYTHON [--rounds 3] [--patches 4] [--only ID,...]

Both judge the first patches of every arena vulnerability whose text is the same in both, each with its
own PoVs and checks, in turns (ABBA), so that other load on the machine hits both. Every round is a
process of its own. Printed are the ratios this over other, of sums and of each vulnerability.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from crisol.config import load_settings
from crisol.sandbox import choose
from crisol.wargaming.candidates import own_candidates
from crisol.wargaming.vulnerability import find

WORKER = """
import json, os, resource, sys, time
from pathlib import Path
try:
    from crisol.wargaming import referee
    from crisol.wargaming.vulnerability import find
    from crisol import sandbox
except ImportError:
    from crisol.wargame import referee, sandbox
    from crisol.wargame.vulnerability import find

def used():
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in both)

close = sandbox.Target.close

def gently(self):
    # Who is killed takes the times of its children along.
    if self._channel is not None and self._process is not None:
        self._channel.close()
        self._channel = None
        try:
            self._process.wait(2)
        except Exception:
            print("killed", file=sys.stderr)
    close(self)

sandbox.Target.close = gently
root = Path(os.environ["CRISOL_ROOT"])
told = {}
for name, texts in json.load(sys.stdin).items():
    vulnerability = find(root / "data" / "vulnerabilities", only=[name])[0]
    start, before = time.perf_counter(), used()
    with referee.open_match(vulnerability, sandbox.choose(), root / "data" / "cache") as match:
        outcomes = [str(match.judge(text).outcome) for text in texts]
    told[name] = [time.perf_counter() - start, used() - before, outcomes]
json.dump(told, sys.stdout)
"""


def run(root: Path, python: str, work: dict[str, list[str]]) -> dict[str, tuple[float, float, list[str]]]:
    """Judge in a process of its own; return seconds, processor seconds and outcomes by vulnerability."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(root / "src"), "CRISOL_ROOT": str(root)}
    done = subprocess.run(
        [python, "-c", WORKER],
        input=json.dumps(work).encode(),
        env=environment,
        stdout=subprocess.PIPE,
        check=True,
    )
    return {name: tuple(figures) for name, figures in json.loads(done.stdout).items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("python")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--patches", type=int, default=4)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    settings = load_settings()
    work: dict[str, list[str]] = {}
    for vulnerability in find(settings.vulnerabilities, corpora=["arena"]):
        if not arguments.only or vulnerability.id in arguments.only.split(","):
            patches = [candidate.diff for candidate in own_candidates(vulnerability, settings.cache)]
            work[vulnerability.id] = patches[: arguments.patches]
    sides = {"this": (settings.root, sys.executable), "other": (arguments.root, arguments.python)}
    print(
        f"{sum(map(len, work.values()))} patches of {len(work)} vulnerabilities, {choose().kind}", flush=True
    )
    best: dict[str, dict[str, list[float]]] = {name: {} for name in sides}
    ratios: dict[str, list[float]] = {"seconds": [], "processor seconds": []}
    for number in range(arguments.rounds):
        order = list(sides) if number % 2 == 0 else list(sides)[::-1]
        start = time.perf_counter()
        told = {name: run(*sides[name], work) for name in order}
        for side, figures in told.items():
            for name, (seconds, cpu, _) in figures.items():
                old = best[side].get(name, [seconds, cpu])
                best[side][name] = [min(old[0], seconds), min(old[1], cpu)]
        for at, unit in enumerate(ratios):
            sums = {side: sum(figures[name][at] for name in work) for side, figures in told.items()}
            ratios[unit].append(sums["this"] / sums["other"])
            shown = f"{sums['this']:.1f} / {sums['other']:.1f} = {ratios[unit][-1]:.2f}"
            print(f"round {number + 1}: {unit} {shown}")
        changed = [name for name in work if told["this"][name][2] != told["other"][name][2]]
        print(
            f"  {time.perf_counter() - start:.0f} s, other outcomes in: {', '.join(changed) or 'none'}",
            flush=True,
        )
    for at, unit in enumerate(ratios):
        sums = {side: sum(figure[at] for figure in figures.values()) for side, figures in best.items()}
        print(
            f"{unit}: median of rounds {statistics.median(ratios[unit]):.3f}, "
            f"of the best of each vulnerability {sums['this'] / sums['other']:.3f}"
        )
    shares = {name: best["this"][name][1] / best["other"][name][1] for name in work}
    for name, share in sorted(shares.items(), key=lambda entry: -entry[1])[:8]:
        print(f"  {name}: {share:.2f} ({best['this'][name][1]:.2f} / {best['other'][name][1]:.2f} s)")


if __name__ == "__main__":
    main()

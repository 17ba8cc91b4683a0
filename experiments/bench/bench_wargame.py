"""How many wargames a second: zygotes against a fresh process, a fresh sandbox and a bare fork.

Run it as ``python experiments/bench/bench_wargame.py``. Every way executes the same phases (the PoVs and
checks that real candidates of the arena and the pypi corpus went through) on the same patched trees, in
turns, so that other load on the machine hits all of them alike; byte code is there for all of them. Figures
are sums of each phase's best time.
"""

from __future__ import annotations

import argparse
import compileall
import contextlib
import json
import operator
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from crisol import diff
from crisol.config import load_settings
from crisol.errors import CrisolError, SandboxUnavailable
from crisol.sandbox import Ending, Sandbox, Script, Target, bubblewrap, choose, seccomp
from crisol.sandbox.layout import interpreter, layout
from crisol.sandbox.learning import learn
from crisol.wargaming.candidates import candidates, read_source
from crisol.wargaming.vulnerability import Vulnerability, find

BOOT = """
import os, sys
sys.path[:0] = {path!r}
exec({prelude!r}, dict(__name__="prelude"))
exec(compile({source!r}, {name!r}, "exec"), dict(__name__="__main__", __file__={name!r}))
"""
FORKING = """
import importlib, json, os, sys, traceback
exec({prelude!r}, dict(__name__="prelude"))
sys.path[:0] = {requires!r}
for name in {preload!r}:
    try:
        importlib.import_module(name)
    except Exception:
        pass
sys.path_importer_cache.clear()
quiet = os.open(os.devnull, os.O_WRONLY)
for line in sys.stdin:
    tree, work, name, source = json.loads(line)
    child = os.fork()
    if child == 0:
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        os.chdir(work)
        sys.path.insert(0, tree)
        status = 0
        try:
            exec(compile(source, name, "exec"), dict(__name__="__main__", __file__=name))
        except SystemExit as error:
            status = int(error.code or 0)
        except BaseException:
            status = 99
        os._exit(status)
    os.waitpid(child, 0)
    sys.stdout.write("done\\n")
    sys.stdout.flush()
"""

Way = Callable[["Step"], None]


@dataclass(frozen=True)
class Step:
    """One phase.

    A script on a patched tree, which the zygote sees as ``overlay`` and the others as a copy.
    """

    script: Script
    overlay: dict[str, bytes | None]
    tree: Path


def main() -> None:
    """Print the table of each corpus and the marks; exit 1 when a mark is missed and ``--gate`` is given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vulnerabilities", type=int, default=6, help="of each corpus")
    parser.add_argument("--candidates", type=int, default=3, help="of each vulnerability")
    parser.add_argument("--corpus", choices=("arena", "pypi"), help="one of them alone")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--gate", action="store_true", help="exit 1 when a mark is missed")
    options = parser.parse_args()
    settings = load_settings()
    held = True
    for corpus, faster, slower in (("arena", 4.0, 1.5), ("pypi", 2.5, None)):
        if options.corpus not in {None, corpus}:
            continue
        sums: dict[str, float] = defaultdict(float)
        phases = wargames = 0
        typical: list[float] = []
        chosen = find(settings.vulnerabilities, corpora=[corpus])
        for vulnerability in chosen[:: max(1, len(chosen) // options.vulnerabilities)]:
            try:
                best, count = _measure(vulnerability, settings.cache, options.candidates, options.rounds)
            except CrisolError as error:
                print(f"{vulnerability.id} is left out: {error}")
                continue
            phases += max(len(durations) for durations in best.values())
            wargames += count
            ours = min((name for name in best if name.startswith("zygote")), key=lambda name: sum(best[name]))
            if "fresh bubblewrap" in best:
                typical += map(operator.truediv, best["fresh bubblewrap"], best[ours])
            for name, times in best.items():
                sums[name] += sum(times)
        for name, seconds in sums.items():
            print(
                f"{corpus:6} {name:22} {1000 * seconds / phases:8.2f} ms a phase {phases / seconds:8.1f} "
                f"phases/s {wargames / seconds:8.1f} wargames/s"
            )
        zygote = min(seconds for name, seconds in sums.items() if name.startswith("zygote"))
        fresh = sums.get("fresh bubblewrap", float("nan"))
        held &= fresh / zygote >= faster
        print(f"{corpus:6} a fresh sandbox takes {fresh / zygote:.2f} x as long (mark: >= {faster})")
        if typical:
            print(f"{corpus:6} in the median phase {statistics.median(typical):.2f} x")
        ratio = zygote / sums["bare fork"]
        held &= slower is None or ratio <= slower
        print(
            f"{corpus:6} a bare fork is {ratio:.2f} x as fast" + (f" (mark: <= {slower})" if slower else "")
        )
    sys.exit(0 if held or not options.gate else 1)


def _measure(
    vulnerability: Vulnerability, cache: Path, count: int, rounds: int
) -> tuple[dict[str, list[float]], int]:
    """Return the best time of every step, in seconds, by way, and how many wargames the steps make up."""
    tree, requires = vulnerability.vulnerable(cache), vulnerability.requires(cache)
    scripts = (*vulnerability.povs, *vulnerability.checks)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crisol-bench-")))
        copied = [_copied(package, folder / f"requires-{number}") for number, package in enumerate(requires)]
        tops = frozenset(path.stem for package in requires for path in package.iterdir())

        def opened(sandbox: Sandbox) -> Target:
            return stack.enter_context(
                sandbox.target(
                    tree,
                    requires=requires,
                    prelude=vulnerability.prelude,
                    limits=vulnerability.limits,
                )
            )

        cold = opened(choose())
        preload = learn(cold.run, scripts, [path.name for path in tree.iterdir()], tops).modules
        ways: dict[str, Way] = {
            "plain interpreter": lambda step: _plain(step, copied, vulnerability.prelude),
            "bare fork": stack.enter_context(_bare_fork(copied, vulnerability.prelude, preload)),
        }
        if program := bubblewrap.find():
            ways["fresh bubblewrap"] = lambda step: _wrapped(program, step, copied, vulnerability.prelude)
        for kind in ("bubblewrap", "namespaces"):
            with contextlib.suppress(SandboxUnavailable):
                target = opened(choose(kind))
                target.warm(scripts)
                ways[f"zygote, {kind}"] = lambda step, target=target: _run(target, step)
        steps = list(_steps(vulnerability, cache, cold, folder, count))
        best = {name: [float("inf")] * len(steps) for name in ways}
        for _ in range(rounds):
            for at, step in enumerate(steps):
                for name, way in ways.items():
                    start = time.perf_counter()
                    way(step)
                    best[name][at] = min(best[name][at], time.perf_counter() - start)
    return best, len({step.tree for step in steps})


def _steps(
    vulnerability: Vulnerability, cache: Path, target: Target, folder: Path, count: int
) -> Iterator[Step]:
    """Yield the phases that the first candidates go through, each up to its first failure."""
    tree = vulnerability.vulnerable(cache)
    for number, candidate in enumerate(islice(candidates(vulnerability, cache, folder / "inbox"), count)):
        patched = diff.apply(diff.parse(candidate.diff), lambda path: read_source(tree, path))
        overlay = {name: None if text is None else text.encode() for name, text in patched.items()}
        copy = _copied(tree, folder / f"tree-{number}", overlay)
        for script in (*vulnerability.povs, *vulnerability.checks):
            run = target.run(script, overlay)
            if run.ending is Ending.TIMEOUT:
                break
            yield Step(script, overlay, copy)
            if run.ending is not Ending.EXITED or run.code != (1 if script in vulnerability.povs else 0):
                break


def _copied(source: Path, place: Path, overlay: dict[str, bytes | None] | None = None) -> Path:
    shutil.copytree(source, place)
    for name, content in (overlay or {}).items():
        if content is None:
            (place / name).unlink()
        else:
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(content)
    compileall.compile_dir(place, quiet=2)
    place.parent.chmod(0o755)
    return place


def _run(target: Target, step: Step) -> None:
    target.run(step.script, step.overlay)


def _plain(step: Step, requires: list[Path], prelude: str) -> None:
    text = _boot(step, [str(step.tree), *map(str, requires)], prelude)
    with tempfile.TemporaryDirectory() as work:
        subprocess.run(
            [interpreter(), "-I", "-S", "-B", "-c", text], env={}, cwd=work, check=False, capture_output=True
        )


def _boot(step: Step, path: list[str], prelude: str) -> str:
    return BOOT.format(path=path, prelude=prelude, source=step.script.source, name=step.script.name)


def _wrapped(program: str, step: Step, requires: list[Path], prelude: str) -> None:
    """Run one phase in a bubblewrap of its own, hardened as ours is."""
    command = [program, "--unshare-all", "--unshare-user", "--uid", "1000", "--gid", "1000", "--as-pid-1"]
    command += ["--clearenv", "--new-session", "--die-with-parent", "--cap-drop", "ALL"]
    shown = layout()
    for source, place in shown.binds:
        command += ["--ro-bind", source, place]
    for text, place in shown.links:
        command += ["--symlink", text, place]
    for name in shown.devices:
        command += ["--dev-bind", name, name]
    command += ["--proc", "/proc", "--size", "67108864", "--tmpfs", "/tmp", "--size", "67108864"]  # noqa: S108 - inside
    command += ["--tmpfs", "/dev/shm", "--ro-bind", str(step.tree), "/target"]  # noqa: S108 - inside
    path = ["/target"]
    for number, package in enumerate(requires):
        command += ["--ro-bind", str(package), f"/requires/{number}"]
        path.append(f"/requires/{number}")
    reading, writing = os.pipe()
    os.write(writing, seccomp.script_filter())
    os.close(writing)
    python = [interpreter(), "-I", "-S", "-B", "-c", _boot(step, path, prelude)]
    line = [*command, "--seccomp", str(reading), "--chdir", "/tmp", "--", *python]  # noqa: S108 - inside
    subprocess.run(line, env={}, check=False, pass_fds=[reading], capture_output=True)
    os.close(reading)


@contextlib.contextmanager
def _bare_fork(requires: list[Path], prelude: str, preload: tuple[str, ...]) -> Iterator[Way]:
    """Fork an interpreter that has the zygote's imports, with nothing around the fork at all."""
    boot = FORKING.format(prelude=prelude, preload=preload, requires=list(map(str, requires)))
    with subprocess.Popen(
        [interpreter(), "-I", "-S", "-B", "-c", boot],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        talk, listen = process.stdin, process.stdout

        def way(step: Step) -> None:
            with tempfile.TemporaryDirectory() as work:
                talk.write(json.dumps([str(step.tree), work, step.script.name, step.script.source]) + "\n")
                talk.flush()
                listen.readline()

        yield way
        talk.close()


if __name__ == "__main__":
    main()

"""How many wargames a second: the zygote against a fresh process, a fresh sandbox and a bare fork.

Run it as ``python experiments/bench_wargame.py``. Every way runs the same two phases (a PoV and a check) on the
same patched tree, in turns, so that other load on the machine hits all of them alike; byte code of the tree is
there for all of them. Times are milliseconds per phase, medians over the rounds.
"""

from __future__ import annotations

import argparse
import compileall
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from crisol.wargame.sandbox import Ending, Role, Sandbox, SandboxKind, Script, bubblewrap, choose, seccomp
from crisol.wargame.sandbox.layout import interpreter, layout

FILES = {
    "shop/__init__.py": "from shop.web import handle\n",
    "shop/web.py": (
        "import html\nimport json\nimport re\nfrom shop.store import Store\n\n\n"
        "def handle(query):\n    rows = Store().find(query)\n"
        "    return '<ul>' + ''.join(f'<li>{row}</li>' for row in rows) + json.dumps(query) + '</ul>'\n"
    ),
    "shop/store.py": (
        "import sqlite3\n\n\nclass Store:\n    def find(self, text):\n        db = sqlite3.connect(':memory:')\n"
        "        db.execute('create table item (name text)')\n        db.execute(\"insert into item values ('pen')\")\n"
        "        return [r[0] for r in db.execute(f\"select name from item where name = '{text}'\")]\n"
    ),
}
FIXED = FILES["shop/store.py"].replace(
    "f\"select name from item where name = '{text}'\"", '"select name from item where name = ?", (text,)'
)
POV = Script(
    "pov.py",
    "import sys\nimport shop\nsys.exit(0 if 'pen' in shop.handle(\"' or 1=1 --\") else 1)\n",
    Role.POV,
)
CHECK = Script("check.py", "import shop\nassert '<li>pen</li>' in shop.handle('pen')\n", Role.CHECK)
EXPECTED = ((POV, 1), (CHECK, 0))
PRELOAD = ("html", "json", "re", "sqlite3")

BARE_FORK = """
import sys, os, time, json
import frames, stage, keeper, guest
for name in {preload!r}:
    __import__(name)
scripts = [(compile(text, name, "exec"), code) for name, text, code in json.loads(sys.argv[2])]
sys.stdout.write("ready\\n"); sys.stdout.flush()
for _ in sys.stdin:
    for script, code in scripts:
        child = os.fork()
        if child == 0:
            sys.path.insert(0, sys.argv[1])
            status = 0
            try:
                exec(script, dict(__name__="__main__"))
            except SystemExit as error:
                status = error.code or 0
            os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == code
    sys.stdout.write("done\\n"); sys.stdout.flush()
"""

Way = Callable[[], None]
"""Runs both phases once and checks what they say."""


def main() -> None:
    """Print the table and the marks; exit 1 when a mark is missed and ``--gate`` is given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--json", type=Path, help="write the figures there too")
    parser.add_argument("--gate", action="store_true", help="exit 1 when a mark is missed")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crisol-bench-")))
        vulnerable, patched = _trees(folder)
        sandbox = choose()
        zygote = stack.enter_context(_zygote(sandbox, vulnerable))
        fresh_name, fresh = _fresh(patched)
        ways: dict[str, Way] = {
            "plain interpreter": lambda: _plain(patched),
            fresh_name: fresh,
            "bare fork": stack.enter_context(_bare_fork(patched)),
            f"zygote ({sandbox.kind})": zygote,
        }
        medians = _measure(ways, options.rounds)
        for name, milliseconds in medians.items():
            print(f"{name:32} {milliseconds:8.2f} ms a phase {500 / milliseconds:8.1f} wargames/s")
        several = _throughput(sandbox, vulnerable, options.rounds)
    ours = medians[f"zygote ({sandbox.kind})"]
    marks = {
        "faster than a fresh sandbox": (medians[fresh_name] / ours, ">=", 4.0),
        "slower than a bare fork": (ours / medians["bare fork"], "<=", 1.5),
    }
    print(f"{'two zygotes side by side':32} {'':20} {several:8.1f} wargames/s")
    held = True
    for name, (value, relation, mark) in marks.items():
        good = value >= mark if relation == ">=" else value <= mark
        held &= good
        print(f"{name:32} {value:8.2f} x (mark {relation} {mark}) {'held' if good else 'MISSED'}")
    if options.json:
        options.json.write_text(
            json.dumps({"milliseconds": medians, "two_zygotes": several}, indent=2) + "\n"
        )
    sys.exit(0 if held or not options.gate else 1)


def _measure(ways: dict[str, Way], rounds: int) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            times[name].append((time.perf_counter() - start) * 1000 / len(EXPECTED))
    return {name: statistics.median(each) for name, each in times.items()}


def _throughput(sandbox: Sandbox, tree: Path, rounds: int) -> float:
    """Return the wargames a second of two targets that work at the same time."""
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(2) as pool:
        ways = [stack.enter_context(_zygote(sandbox, tree)) for _ in range(2)]
        start = time.perf_counter()
        list(pool.map(lambda way: [way() for _ in range(rounds)], ways))
        return 2 * rounds / (time.perf_counter() - start)


def _trees(folder: Path) -> tuple[Path, Path]:
    for name, changed in (("vulnerable", {}), ("patched", {"shop/store.py": FIXED})):
        for path, text in {**FILES, **changed}.items():
            (folder / name / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / name / path).write_text(text)
    compileall.compile_dir(folder / "patched", quiet=2)
    for parent in (folder, *folder.rglob("*")):
        parent.chmod(0o755 if parent.is_dir() else 0o644)
    return folder / "vulnerable", folder / "patched"


@contextlib.contextmanager
def _zygote(sandbox: Sandbox, tree: Path) -> Iterator[Way]:
    overlay = {"shop/store.py": FIXED.encode()}
    with sandbox.target(tree, preload=PRELOAD) as target:

        def way() -> None:
            for script, code in EXPECTED:
                run = target.run(script, overlay)
                assert (run.ending, run.code) == (Ending.EXITED, code), run

        yield way


def _plain(tree: Path) -> None:
    for script, code in EXPECTED:
        boot = f"import sys; sys.path.insert(0, {str(tree)!r}); {_executing(script)}"
        done = subprocess.run([interpreter(), "-I", "-S", "-B", "-c", boot], env={}, check=False)
        assert done.returncode == code


def _executing(script: Script) -> str:
    return f"exec(compile({script.source!r}, {script.name!r}, 'exec'), dict(__name__='__main__'))"


def _fresh(tree: Path) -> tuple[str, Way]:
    """Return a fresh sandbox for each phase: hardened bubblewrap, or our own namespaces where it is missing."""
    program = bubblewrap.find()
    if program is None:
        own = Sandbox(SandboxKind.NAMESPACES)

        def anew() -> None:
            for script, code in EXPECTED:
                with own.target(tree) as target:
                    run = target.run(script)
                assert (run.ending, run.code) == (Ending.EXITED, code), run

        return "fresh namespaces", anew
    command = [program, "--unshare-all", "--unshare-user", "--uid", "1000", "--gid", "1000", "--as-pid-1"]
    command += ["--clearenv", "--new-session", "--die-with-parent", "--cap-drop", "ALL"]
    shown = layout()
    for source, place in shown.binds:
        command += ["--ro-bind", source, place]
    for text, place in shown.links:
        command += ["--symlink", text, place]
    for name in shown.devices:
        command += ["--dev-bind", name, name]
    command += ["--proc", "/proc", "--size", "67108864", "--tmpfs", "/tmp", "--ro-bind", str(tree), "/target"]  # noqa: S108 - inside

    def wrapped() -> None:
        for script, code in EXPECTED:
            reading, writing = os.pipe()
            os.write(writing, seccomp.script_filter())
            os.close(writing)
            boot = f"import sys; sys.path.insert(0, '/target'); {_executing(script)}"
            python = [interpreter(), "-I", "-S", "-B", "-c", boot]
            line = [*command, "--seccomp", str(reading), "--chdir", "/tmp", "--", *python]  # noqa: S108 - inside
            done = subprocess.run(line, env={}, check=False, pass_fds=[reading])
            os.close(reading)
            assert done.returncode == code

    return "fresh bubblewrap", wrapped


@contextlib.contextmanager
def _bare_fork(tree: Path) -> Iterator[Way]:
    """Fork an interpreter that has the zygote's modules loaded, with nothing around the fork at all."""
    scripts = json.dumps([(script.name, script.source, code) for script, code in EXPECTED])
    inside = Path(seccomp.__file__).parent.parent.parent.parent
    stubs = "import sys; " + "".join(
        f"import crisol.wargame.sandbox.{name} as {name}; sys.modules[{name!r}] = {name}; "
        for name in ("frames", "kernel", "walls", "stage", "keeper", "guest")
    )
    boot = f"import sys; sys.path.insert(0, {str(inside)!r}); import types; {_bare_package()}{stubs}\n" + (
        BARE_FORK.format(preload=PRELOAD)
    )
    process = subprocess.Popen(
        [interpreter(), "-I", "-S", "-B", "-c", boot, str(tree), scripts],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    talk, listen = process.stdin, process.stdout
    assert listen.readline() == "ready\n"

    def way() -> None:
        talk.write("go\n")
        talk.flush()
        assert listen.readline() == "done\n"

    try:
        yield way
    finally:
        talk.close()
        process.wait()
        listen.close()


def _bare_package() -> str:
    """Return code that makes the sandbox's package importable without what its front door imports."""
    folder = str(Path(seccomp.__file__).parent)
    names = {"crisol": "", "crisol.wargame": "", "crisol.wargame.sandbox": folder}
    return "".join(
        f"m = types.ModuleType({name!r}); m.__path__ = [{path!r}]; sys.modules[{name!r}] = m; "
        for name, path in names.items()
    )


if __name__ == "__main__":
    if shutil.which("true") is None:
        sys.exit("this benchmark needs a POSIX system")
    main()

"""Run the PoVs on the candidates of a corpus table, and write what the runs show beyond pass and fail.

``python experiments/bench/collect_runs.py [data/cache/corpus.parquet] [--seconds 1500]`` writes
``data/cache/run_evidence.jsonl``, which ``measure_runs.py`` reads: a line for each vulnerability, with the
runs of each PoV on the vulnerable code (the candidate "") and on every candidate that applies, up to the
first PoV that a candidate does not pass. Vulnerabilities come in random order until the time is over.

Each PoV runs twice: plainly, for its ending and its processor time, and under a tracer, for the changed lines
that ran and the exceptions that the program raised.
"""

from __future__ import annotations

import argparse
import difflib
import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from crisol.config import load_settings
from crisol.errors import CrisolError
from crisol.records import Reason
from crisol.sandbox import Ending, Limits, Role, Script, Target, choose
from crisol.sandbox.script import parts
from crisol.wargaming.corpus import load_table
from crisol.wargaming.fitting import fitted
from crisol.wargaming.run_finding import finding
from crisol.wargaming.vulnerability import Vulnerability, find

OUT = "run_evidence.jsonl"
_TRACER = """
import builtins, json, sys, threading
job = json.loads(ARGUMENTS)
place = sys.path[-1] + "/"
changed = {place + name: frozenset(lines) for name, lines in job["changed"].items()}
ran, raised = set(), []
def on_event(frame, event, argument):
    name = frame.f_code.co_filename
    if event == "line":
        if frame.f_lineno in changed[name]:
            ran.add((name, frame.f_lineno))
    elif event == "exception" and argument[2].tb_next is None and len(raised) < 200:
        kind = argument[0]
        words = str(argument[1])[:200] if not isinstance(argument[1], StopIteration) else ""
        raised.append([kind.__name__, kind.__module__, words, frame.f_lineno in changed.get(name, ())])
    return on_event
def on_call(frame, event, argument):
    name = frame.f_code.co_filename
    if not name.startswith(place):
        return None
    frame.f_trace_lines = name in changed
    return on_event
module = type(sys)("__main__")
module.__dict__.update(__file__=job["name"], __builtins__=dict(vars(builtins)))
sys.modules["__main__"] = module
code = compile(job["source"], job["name"], "exec", dont_inherit=True)
threading.settrace(on_call)
sys.settrace(on_call)
try:
    exec(code, module.__dict__)
except BaseException:
    pass
sys.settrace(None)
threading.settrace(None)
report(json.dumps({"ran": len(ran), "raised": raised}).encode())
"""
"""A module of the target counts as the target's; what the PoV itself raises is not told."""
_VARYING = re.compile(r"0x[0-9a-f]+|\d+|'[^']*'|\"[^\"]*\"|/\S+")


def main() -> None:
    """Write the file."""
    settings = load_settings()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", nargs="?", type=Path, default=settings.cache / "corpus.parquet")
    parser.add_argument("--seconds", type=float, default=1500.0)
    options = parser.parse_args()
    frame = load_table(options.table)
    frame = frame[frame["outcome"] != "inconclusive"]
    flaws = {flaw.id: flaw for flaw in find(settings.vulnerabilities)}
    names = np.random.default_rng(0).permutation(sorted(set(frame["vulnerability"]) & set(flaws)))
    sandbox, end = choose(), time.monotonic() + options.seconds
    with (settings.cache / OUT).open("w", encoding="utf-8") as file:
        for name in map(str, names):
            if time.monotonic() > end:
                break
            flaw = flaws[name].seeded(0)
            try:
                tree, requires = flaw.vulnerable(settings.cache), flaw.requires(settings.cache)
                with sandbox.target(
                    tree, requires=requires, preload=flaw.imports, prelude=flaw.prelude,
                    limits=flaw.limits, hashes=0,
                ) as target:  # fmt: skip
                    target.warm(flaw.povs)
                    runs = _of_vulnerability(flaw, target, tree, frame[frame["vulnerability"] == name])
            except CrisolError as error:
                print(f"{name}: {error}", flush=True)
                continue
            file.write(json.dumps({"vulnerability": name, "runs": runs}) + "\n")
            file.flush()
            print(f"{name}: {len(runs)} runs", flush=True)


def _of_vulnerability(
    flaw: Vulnerability, target: Target, tree: Path, rows: pd.DataFrame
) -> list[dict[str, Any]]:
    runs = [_run(flaw, target, script, {}, {}) | {"id": ""} for script in flaw.povs]
    for candidate, text in rows[["id", "diff"]].itertuples(index=False, name=None):
        try:
            files = fitted(text, tree).files
        except CrisolError:
            continue
        changed = {name: _changed(tree / name, new) for name, new in files.items() if new is not None}
        overlay = {name: None if new is None else new.encode() for name, new in files.items()}
        for script in flaw.povs:
            runs.append(_run(flaw, target, script, overlay, changed) | {"id": candidate})
            if runs[-1]["reason"]:
                break
    return runs


def _run(
    flaw: Vulnerability,
    target: Target,
    script: Script,
    overlay: Mapping[str, bytes | None],
    changed: Mapping[str, list[int]],
) -> dict[str, Any]:
    run = target.run(script, overlay)
    reason = finding(script, run, Reason.EXPLOIT_SURVIVES, flaw.refusals)
    job = {"name": script.name, "source": parts(script.source)[0], "changed": changed}
    limits = Limits(flaw.limits.seconds * 4, flaw.limits.cpu_seconds * 4, flaw.limits.memory_mb * 2)
    traced = target.run(Script(script.name, _TRACER, Role.PROBE, json.dumps(job).encode()), overlay, limits)
    told = json.loads(traced.report) if traced.ending is Ending.EXITED and traced.report else {}
    return {
        "pov": script.name, "reason": reason or "", "ending": run.ending, "cpu": run.cpu_seconds,
        "seconds": run.seconds, "last": _kind(run.stderr.strip().rpartition("\n")[2]),
        "output": _kind(run.stdout[-2000:]), "changed": sum(map(len, changed.values())),
        "ran": told.get("ran"),
        "raised": [[name, module, _kind(words), at] for name, module, words, at in told.get("raised", ())],
    }  # fmt: skip


def _kind(words: str) -> str:
    """Return a message without its numbers, texts and paths."""
    return _VARYING.sub("*", words)[:300]


def _changed(path: Path, new: str) -> list[int]:
    """Return the lines of the new text that are new, and those next to which lines went."""
    old = path.read_text(encoding="utf-8", errors="surrogateescape") if path.is_file() else ""
    matcher = difflib.SequenceMatcher(None, old.splitlines(), new.splitlines(), autojunk=False)
    lines: set[int] = set()
    for tag, _, _, start, end in matcher.get_opcodes():
        if tag != "equal":
            lines.update(range(start + 1, end + 1) if end > start else (start, start + 1))
    return sorted(lines)


if __name__ == "__main__":
    main()

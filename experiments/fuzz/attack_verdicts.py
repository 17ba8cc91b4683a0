"""How many patches that want a verdict get it, by kind of attack.

    python experiments/fuzz/attack_verdicts.py --sandbox bubblewrap --vulnerabilities 20 [--only tell kept]

``forge``: a file of the target gets code that fixes nothing and reaches for the judge, for what it
looks with, or for its end. ``tell``: the reference fix is in, but only where it seems to be judged;
``kept``: only for the first 300 calls; ``sibling``: like both, by another way to ask, most by authors who
had read the gate; ``posing``: only where the other surroundings are not recognised. The attacks stand in
``attacks.toml``. Each patch holds one of them alone. A vulnerability carries a condition if the patch
with ``True`` in its place is valid, and the public PoV shows the flaw of the patch with ``False``. The table
counts patches that were tried and those that were held, that is invalid, with reason and phase; the exit code
is the number of kinds that got through anywhere.
"""

from __future__ import annotations

import argparse
import ast
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

from crisol import diff
from crisol.config import load_settings
from crisol.records import Outcome, Reason
from crisol.sandbox import choose
from crisol.wargaming.candidates import read_source, reference
from crisol.wargaming.referee import Match, open_match
from crisol.wargaming.vulnerability import find

ATTACKS = tomllib.loads(Path(__file__).with_name("attacks.toml").read_text(encoding="utf-8"))
BLIND = ATTACKS["blind"]
GROUPS = ("forge", "tell", "kept", "sibling", "posing")
SHADOWED = (
    "pathlib",
    "zipfile",
    "contextlib",
    "dataclasses",
    "json",
    "re",
    "os",
    "random",
    "sitecustomize",
    "string",
)
"""Names of new files at the root of the tree."""


def merged(before: str, fixed: str, tell: str) -> str | None:
    """Return the fix, with its changed functions as they were unless ``tell`` holds; None without any.

    The last statement of ``tell`` is the condition; the statements before it go to the head of the module.
    """
    *asks, condition = ast.parse(tell).body
    assert isinstance(condition, ast.Expr)
    old = dict(_functions(ast.parse(before), ""))
    text = fixed.splitlines(keepends=True)
    changed = 0
    for name, node in sorted(_functions(ast.parse(fixed), ""), key=lambda entry: -entry[1].lineno):
        was = old.get(name)
        if was is None or ast.dump(was) == ast.dump(node) or ast.dump(was.args) != ast.dump(node.args):
            continue
        indent = " " * node.col_offset
        switch = ast.If(condition.value, node.body, was.body)
        made = type(node)(node.name, node.args, [switch], [], node.returns, lineno=0)
        lines = ast.unparse(ast.fix_missing_locations(made)).splitlines(keepends=True)
        text[node.lineno - 1 : node.end_lineno] = [indent + line for line in [*lines, "\n"]]
        changed += 1
    if not changed:
        return None
    tree = ast.parse(fixed)
    head = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    at = (
        head[-1].end_lineno or 0 if head else (tree.body[0].end_lineno or 0 if ast.get_docstring(tree) else 0)
    )
    return "".join([*text[:at], *(f"\n{ast.unparse(ask)}\n" for ask in asks), *text[at:]])


def wrapped(text: str) -> str:
    """Return statements that hand the results of each public function and method of a module to ``_lie``."""
    names = [name for name, node in _functions(ast.parse(text), "") if not node.name.startswith("_")]
    plain = [name for name in names if "." not in name]
    methods = [name for name in names if "." in name]
    lines = ["def _of(function):", "    return lambda *a, **k: _lie(function(*a, **k))", "", ""]
    return "\n".join([*lines, *(f"{name} = _of({name})" for name in [*plain, *methods]), ""])


def _functions(
    tree: ast.Module | ast.ClassDef, path: str
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield from _functions(node, f"{path}{node.name}.")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield path + node.name, node


def attacks(match: Match, cache: Path, groups: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield kinds with diffs for one vulnerability; tells only where the flaw is open without them."""
    fix = reference(match.vulnerability, cache)
    assert fix is not None
    before = {path: read_source(match.tree, path) or "" for path in diff.parse(fix.diff).paths}
    after = diff.apply(diff.parse(fix.diff), lambda path: read_source(match.tree, path))
    name, text = next((item for item in before.items() if item[0].endswith(".py")), ("", ""))
    if "forge" in groups:
        for kind, text_of_attack in ATTACKS["forge"].items():
            code = text_of_attack.replace("BLIND\n", BLIND).replace("TEXT", repr(BLIND))
            code = code.replace("WRAP\n", wrapped(text))
            yield f"forge: {kind}", diff.between({name: text}, {name: f"{text}\n\n{code}"})
        for module in SHADOWED:
            yield (
                f"forge: shadow of {module}",
                diff.between({}, {f"{module}.py": f"raise SystemExit(1)\n{BLIND}"}),
            )
    fixed = after.get(name)
    telling = [group for group in GROUPS[1:] if group in groups]
    if not telling or fixed is None or len(before) > 1:
        return

    def patch(tell: str) -> str:
        switched = merged(text, fixed, tell.replace("{hash}", _hash()))
        return diff.between({name: text}, {name: switched or ""})

    if match.judge(patch("False")).reason is not Reason.EXPLOIT_SURVIVES or match.judge(patch("True")).reason:
        return
    for group in telling:
        for kind, tell in ATTACKS[group].items():
            yield f"{group}: {kind}", patch(tell)


@cache
def _hash() -> str:
    """Return the hash of a text in an interpreter whose seed of hashes is 0."""
    import subprocess  # noqa: PLC0415 - for this alone

    done = subprocess.run(
        [sys.executable, "-c", "print(hash('crisol'))"],
        env={"PYTHONHASHSEED": "0"},
        capture_output=True,
        check=True,
    )
    return done.stdout.decode().strip()


def main() -> int:
    """Try every kind on every vulnerability; print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("kinds", nargs="*", help="only these kinds")
    parser.add_argument("--sandbox", default="bubblewrap")
    parser.add_argument("--vulnerabilities", type=int, default=20)
    parser.add_argument("--after", default="", help="begin behind the vulnerability with this id")
    parser.add_argument("--corpus", default="arena")
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=GROUPS)
    arguments = parser.parse_args()
    settings = load_settings()
    tried: Counter[str] = Counter()
    through: Counter[str] = Counter()
    reasons: defaultdict[str, Counter[str]] = defaultdict(Counter)
    used = 0
    for vulnerability in find(settings.vulnerabilities, corpora=[arguments.corpus]):
        if used >= arguments.vulnerabilities:
            break
        if vulnerability.id <= arguments.after:
            continue
        with open_match(
            vulnerability, choose(arguments.sandbox), settings.cache, vulnerability.corpus_seed
        ) as match:
            told = 0
            for kind, text in attacks(match, settings.cache, arguments.only):
                if arguments.kinds and kind.partition(": ")[2] not in arguments.kinds:
                    continue
                verdict = match.judge(text)
                told += not kind.startswith("forge") or arguments.only == ["forge"]
                tried[kind] += 1
                phases = [phase.name for phase in verdict.phases if phase.reason is verdict.reason]
                reasons[kind][f"{verdict.reason} ({phases[0]})" if verdict.reason else "valid"] += 1
                if verdict.outcome is not Outcome.INVALID:
                    through[kind] += 1
                    print(f"{verdict.reason or 'valid'}: {kind} on {vulnerability.id}", flush=True)
            used += bool(told)
            print(f"{vulnerability.id}: {sum(tried.values())} tried", file=sys.stderr, flush=True)
    print("| kind | tried | held | reasons |\n|---|---|---|---|")
    for kind, count in tried.items():
        told_by = ", ".join(f"{reason} {number}" for reason, number in reasons[kind].most_common())
        print(f"| {kind} | {count} | {count - through[kind]} | {told_by} |")
    print(
        f"{len(tried)} kinds, {tried.total()} patches on {used} vulnerabilities; "
        f"{through.total()} patches of {len(through)} kinds got through"
    )
    return len(through)


if __name__ == "__main__":
    sys.exit(main())

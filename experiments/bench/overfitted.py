"""How many patches that refuse what the PoVs are written with pass for a fix.

Run it as ``python experiments/bench/overfitted.py [ID...]``; ``--judge`` wargames the patches. For every text
of at least four characters that stands in a literal of each PoV of a vulnerability, one patch refuses it at
the entry of the functions that the reference changes. What the flaw itself needs (a keyword of the protocol,
a name of the target's) is left over; a marker, a host or a user should not be.
"""

from __future__ import annotations

import argparse
import ast
from collections.abc import Iterator, Mapping
from difflib import unified_diff
from pathlib import Path

from crisol import diff
from crisol.config import load_settings
from crisol.errors import CrisolError
from crisol.records import Outcome
from crisol.sandbox import choose
from crisol.wargaming.candidates import read_source, reference
from crisol.wargaming.referee import open_match
from crisol.wargaming.vulnerability import Vulnerability, find

SHORTEST, LONGEST = 4, 120
HELPER = """

def _mentions(value, depth=4):
    if isinstance(value, (bytes, bytearray)):
        value = value.decode("latin-1")
    if isinstance(value, str):
        return {constant!r} in value
    if isinstance(value, dict):
        parts = [*value, *value.values()]
    elif isinstance(value, (list, tuple, set)):
        parts = list(value)
    else:
        parts = list(getattr(value, "__dict__", {{}}).values())
    return depth > 0 and any(_mentions(part, depth - 1) for part in parts)
"""


def texts(source: str) -> str:
    """Return all text and bytes literals of a script, one behind the other; docstrings are left out."""
    tree = ast.parse(source)
    documented = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    literals = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and node not in documented)
    values = (
        node.value.decode("latin-1") if isinstance(node.value, bytes) else node.value for node in literals
    )
    return "\0\0".join(value for value in values if isinstance(value, str))


def common(vulnerability: Vulnerability) -> list[str]:
    """Return the longest texts that occur in every PoV."""
    first, *others = sorted((texts(script.source) for script in vulnerability.povs), key=len)
    kept: list[str] = []
    for literal in first.split("\0\0"):
        at = 0
        while at + SHORTEST <= len(literal):
            end = at + SHORTEST
            while end <= min(len(literal), at + LONGEST) and all(
                literal[at:end] in other for other in others
            ):
                end += 1
            if end - 1 - at >= SHORTEST:
                kept.append(literal[at : end - 1])
                at = end - SHORTEST
            at += 1
    return [
        text for text in dict.fromkeys(kept) if not any(text != longer and text in longer for longer in kept)
    ]


def functions(source: str) -> dict[str, ast.FunctionDef]:
    """Return the functions and methods by name and nesting."""
    named: dict[str, ast.FunctionDef] = {}

    def visit(node: ast.AST, path: str) -> None:
        for child in ast.iter_child_nodes(node):
            name = f"{path}.{child.name}" if isinstance(child, ast.FunctionDef | ast.ClassDef) else path
            if isinstance(child, ast.FunctionDef):
                named[name] = child
            visit(child, name)

    visit(ast.parse(source), "")
    return named


def refusing(source: str, fixed: str, constant: str) -> str | None:
    """Return the source in which the functions that the fix changes refuse the constant.

    None where there are none.
    """
    after = {name: ast.dump(node) for name, node in functions(fixed).items()}
    changed = [node for name, node in functions(source).items() if after.get(name) != ast.dump(node)]
    errors = [
        node.name
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef) and "Error" in node.name
    ]
    lines = source.splitlines(keepends=True)
    for node in sorted(changed, key=lambda node: -node.lineno):
        start = node.body[1] if ast.get_docstring(node) is not None and len(node.body) > 1 else node.body[0]
        if start.lineno == node.lineno:
            continue
        decorators = getattr(start, "decorator_list", [])
        at = min([start.lineno, *(decorator.lineno for decorator in decorators)]) - 1
        blank = " " * start.col_offset
        refusal = f"raise {(errors or ['ValueError'])[0]}('refused')"
        lines.insert(at, f"{blank}if _mentions(list(locals().values())):\n{blank}    {refusal}\n")
    text = "".join(lines)
    return text.rstrip("\n") + "\n" + HELPER.format(constant=constant) if text != source else None


def patches(vulnerability: Vulnerability, cache: Path) -> Iterator[tuple[str, str]]:
    """Yield each constant and the patch that refuses it."""
    tree = vulnerability.vulnerable(cache)
    fix = reference(vulnerability, cache)
    if fix is None:
        return
    fixed: Mapping[str, str | None] = diff.apply(diff.parse(fix.diff), lambda name: read_source(tree, name))
    for constant in common(vulnerability):
        made = []
        for name, after in fixed.items():
            before = read_source(tree, name)
            if before and after and name.endswith(".py") and (text := refusing(before, after, constant)):
                lines = (part.splitlines(keepends=True) for part in (before, text))
                made.append("".join(unified_diff(*lines, f"a/{name}", f"b/{name}")))
        if made:
            yield constant, "".join(made)


def main() -> None:
    """Print one line for each vulnerability, and the sums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ids", nargs="*")
    parser.add_argument("--root", type=Path, help="another folder of corpora, such as an older one")
    parser.add_argument("--judge", action="store_true", help="wargame the patches")
    arguments = parser.parse_args()
    settings = load_settings()
    cache = settings.cache
    sandbox = choose() if arguments.judge else None
    constants = judged = valid = 0
    for vulnerability in find(arguments.root or settings.vulnerabilities, arguments.ids):
        shared = common(vulnerability)
        constants += len(shared)
        passed: list[str] = []
        if sandbox is not None and shared:
            try:
                made = list(patches(vulnerability, cache))
                with open_match(vulnerability, sandbox, cache) as match:
                    passed = [
                        constant for constant, patch in made if match.judge(patch).outcome is Outcome.VALID
                    ]
            except CrisolError as error:
                print(f"{vulnerability.id}: {error}")
                continue
            judged += len(made)
            valid += len(passed)
        print(
            f"{vulnerability.id}: {len(shared)} {shared}",
            *([f"VALID {passed}"] if passed else []),
            flush=True,
        )
    print(
        f"{constants} constants; {valid} of {judged} patches are valid"
        if sandbox
        else f"{constants} constants"
    )


if __name__ == "__main__":
    main()

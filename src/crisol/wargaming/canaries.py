"""Tests whose result is known in advance for every honest patch; another result proves tampering.

A canary is a PoV that runs a second time in the process in which the patched program ran. The second run
imports the unpatched release, so the PoV has to show the release's flaw. If it does not, the patch changed
the process instead of closing the flaw.

A check compares results of the program with expected values. The referee adds comparisons with wrong values,
which have to fail. If one does not fail, the program returns objects that equal everything, and every check
would pass.
"""

from __future__ import annotations

import ast
import string
from contextlib import suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256
from math import isfinite
from typing import TYPE_CHECKING

from crisol.errors import SandboxError
from crisol.sandbox import Canary
from crisol.sandbox.script import parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from random import Random

    from crisol.sandbox import Script, Target

__all__ = ["PASSES_ANYTHING", "Canaries", "doubting"]

PASSES_ANYTHING = 77
"""The exit code of a check that found a value equal to something different from it."""
_QUICK = 0.2
"""The most seconds of processor time of a PoV that a canary may follow."""


@dataclass(slots=True)
class Canaries:
    """The choice of the PoV that runs a second time, as a canary, in the wargames of one vulnerability.

    ``costs`` maps the name of each script to its CPU seconds on the unpatched release. ``blind`` holds the
    names of PoVs that cannot be canaries, because even the unpatched release does not show the flaw twice in
    one process.
    """

    costs: dict[str, float] = field(default_factory=dict)
    blind: set[str] = field(default_factory=set)

    def followed(self, povs: Sequence[Script], seed: int, files: Mapping[str, bytes | None]) -> str:
        """Return the name of the PoV that runs again as a canary for this patch; "" for none.

        ``povs`` are all PoVs of the vulnerability. ``files`` maps the paths of the patched files to their
        content, None for a deleted file. A PoV that has a judge or is in ``blind`` is never chosen. Of the
        others, one that takes at most 0.2 CPU seconds is drawn at random; a PoV that is not in ``costs``
        counts as this fast. ``seed`` and ``files`` determine the draw, so a patch cannot foresee it. If none
        of them is this fast, the result is "" if a PoV has a judge, otherwise the fastest of them.
        """
        outside = {pov.name for pov in povs if parts(pov.source)[1]}
        able = [pov.name for pov in povs if pov.name not in outside | self.blind]
        quick = [name for name in able if self.costs.get(name, 0.0) <= _QUICK]
        if quick:
            return quick[_drawn(seed, files) % len(quick)]
        return "" if outside or not able else min(able, key=lambda name: self.costs.get(name, 0.0))

    def told(self, target: Target, pov: Script) -> bool:
        """Run a PoV and its canary on the unpatched release; return whether the canary shows the flaw.

        ``target`` is a sandbox over the unpatched release. The result is also False if the sandbox fails. If
        the result is False, the PoV is added to ``blind``. If it is True, a patch after which the canary does
        not show the flaw is tampering.
        """
        with suppress(SandboxError):
            if target.run(pov, canary=Canary.AFTER_ANY).canary == 0:
                return True
        self.blind.add(pov.name)
        return False


def doubting(check: Script, drawn: Random) -> Script:
    r"""Return a copy of a check that also fails if the program returns objects that equal everything.

    In each ``assert`` with ``==`` and a literal on the right side, the left side is compared twice: with the
    right side, and with a copy of the right side in which a literal has a wrong value. If the left side
    equals both, the script ends with exit code 77 (:data:`PASSES_ANYTHING`). A check without such an
    ``assert``, or one that does not parse, is copied unchanged. ``drawn`` is the random generator that
    determines the wrong value and which comparison comes first.

    >>> from random import Random
    >>> from crisol.sandbox import Role, Script
    >>> print(doubting(Script("1.py", "assert f(2) == 4\n", Role.CHECK), Random(1)).source, end="")
    assert ((_left := f(2)) == 4 and not (_left == 6 and exit(77)))
    """
    text = check.source.encode()
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def span(node: ast.expr) -> tuple[int, int]:
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        return starts[first] + node.col_offset, starts[last] + (node.end_col_offset or 0)

    def said(node: ast.expr) -> str:
        return text[slice(*span(node))].decode()

    try:
        tree = ast.parse(check.source)
    except SyntaxError:  # its run says so, with the line
        return check
    asserts = [
        (node.test, list(_literals(node.test.comparators[0])))
        for node in ast.walk(tree)
        if isinstance(node, ast.Assert)
        and isinstance(node.test, ast.Compare)
        and len(node.test.ops) == 1
        and isinstance(node.test.ops[0], ast.Eq)
    ]
    for test, values in sorted(asserts, key=lambda pair: span(pair[0]), reverse=True):
        if not values:
            continue
        value = drawn.choice(values)
        right, (start, end) = said(test.comparators[0]), span(test.comparators[0])
        first, last = span(value)
        other = "".join(
            (text[start:first].decode(), repr(_other(value.value, drawn)), text[last:end].decode())
        )
        looks = [("", f" == {right}"), ("not (", f" == {other} and exit({PASSES_ANYTHING}))")]
        drawn.shuffle(looks)
        sides = (f"(_left := {said(test.left)})", "_left")
        made = " and ".join(f"{head}{side}{rest}" for (head, rest), side in zip(looks, sides, strict=True))
        first, last = span(test)
        text = text[:first] + f"({made})".encode() + text[last:]
    return replace(check, source=text.decode())


def _literals(node: ast.expr) -> Iterator[ast.Constant]:
    match node:
        case ast.Constant(value=str() | bytes() | int() | float()) if not isinstance(node.value, bool):
            yield node
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Dict(values=parts):
            for part in parts:
                yield from _literals(part)


def _other(value: object, drawn: Random) -> object:
    """Return a different value of the same type; ``value`` is a number, a text or bytes."""
    if isinstance(value, int | float):
        step = drawn.randrange(1, 9)
        if value + step != value:
            return value + step
        return value / (step + 1) if isfinite(value) else float(step)
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    at = drawn.randrange(len(text)) if text else 0
    letters = [letter for letter in string.ascii_lowercase if letter != text[at : at + 1].lower()]
    text = f"{text[:at]}{drawn.choice(letters)}{text[at + 1 :]}"
    return text.encode("latin-1") if isinstance(value, bytes) else text


def _drawn(seed: int, files: Mapping[str, bytes | None]) -> int:
    text = f"{seed} {sorted(files.items())}"
    return int.from_bytes(sha256(text.encode("utf-8", "surrogatepass")).digest()[:4], "big")

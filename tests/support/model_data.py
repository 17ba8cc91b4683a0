"""Labelled patches that are made up by rule, so that the truth of every test is known."""

from __future__ import annotations

import random

from crisol.model.variants import Variant
from crisol.records import LabelledPatch

_LINES = ("total = total + {}", "name = first[{}]", "value = load(path, {})", "items.append({})")
_GUARDS = ("if not is_safe(path):", "    raise ValueError(path)")


def patch(number: int, group: int, label: int, rng: random.Random) -> LabelledPatch:
    """Return a patch that, if it is right, mostly adds a guard."""
    lines = [rng.choice(_LINES).format(rng.randint(0, 99)) for _ in range(rng.randint(1, 4))]
    if rng.random() < (0.8 if label else 0.15):
        lines += _GUARDS
    path = f"src/file_{group}.py"
    body = "".join(f"+{line}\n" for line in lines)
    diff = f"--- a/{path}\n+++ b/{path}\n@@ -1 +1,{len(lines) + 1} @@\n def open_it(path):\n{body}"
    return LabelledPatch(
        id=str(number),
        group=f"bug-{group}",
        project=f"project-{group % 5}",
        label=label,
        diff=diff,
        cwe="CWE-22",
    )


def patches(groups: int, each: int, seed: int = 0) -> list[LabelledPatch]:
    """Return ``each`` patches for each of ``groups`` bugs, four in ten of them right."""
    rng = random.Random(seed)
    made = []
    for group in range(groups):
        for _ in range(each):
            made.append(patch(len(made), group, int(rng.random() < 0.4), rng))
    return made


def small(variant: Variant) -> Variant:
    """Return the variant with few trees and no grid, for rules that do not depend on how good it is."""
    few = {"n_estimators": 15, "max_iter": 15}
    return variant.model_copy(
        update={
            "parameters": {
                name: few.get(name, value) if variant.model != "linear" else value
                for name, value in variant.parameters.items()
            },
            "grid": (),
            "members": tuple(small(member) for member in variant.members),
        }
    )

"""Whether what a caller hands in reaches a dangerous call: names that depend on parameters, followed without running."""

from __future__ import annotations

import ast

from crisol.model.source.syntax import Definition, calls, names
from crisol.model.vocabulary import SINKS, VALIDATION

__all__ = ["guards", "is_sink", "is_validation", "parameters", "reached", "tainted"]

_ROUNDS = 8
_LEAVING = (ast.Raise, ast.Return, ast.Continue, ast.Break)


def is_sink(name: str) -> bool:
    """Return whether a called name is one that attackers aim at."""
    return name in SINKS


def is_validation(name: str) -> bool:
    """Return whether a called name speaks of validation, whole or in a part."""
    return name in VALIDATION or not VALIDATION.isdisjoint(name.split("_"))


def parameters(function: Definition) -> set[str]:
    """Return the names of a function's parameters, without ``self`` and ``cls``."""
    given = function.args
    found = {one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)}
    found |= {one.arg for one in (given.vararg, given.kwarg) if one is not None}
    return found - {"self", "cls"}


def tainted(function: Definition) -> set[str]:
    """Return the names that depend on a parameter; what a validating call returns does not."""
    found = parameters(function)
    steps = [step for node in ast.walk(function) for step in _steps(node)]
    for _ in range(_ROUNDS):
        before = len(found)
        for targets, value in steps:
            if not found.isdisjoint(_carried(value)):
                found |= targets
        if len(found) == before:
            break
    return found


def reached(function: Definition) -> int:
    """Return how many dangerous calls of a function are given something that depends on a parameter."""
    found = tainted(function)
    return sum(
        is_sink(name)
        and any(
            not found.isdisjoint(_carried(given))
            for given in (*call.args, *(one.value for one in call.keywords))
        )
        for name, call in calls(function)
    )


def guards(function: Definition) -> list[ast.If | ast.Assert]:
    """Return the conditions that lead straight out of a function or loop, and its assertions."""
    return [
        node
        for node in ast.walk(function)
        if isinstance(node, ast.Assert) or (isinstance(node, ast.If) and isinstance(node.body[-1], _LEAVING))
    ]


def _steps(node: ast.AST) -> list[tuple[set[str], ast.AST]]:
    """Return targets and value of every way in which a value gets a name."""
    if isinstance(node, ast.Assign):
        return [(set().union(*map(names, node.targets)), node.value)]
    if isinstance(node, ast.AnnAssign | ast.AugAssign | ast.NamedExpr) and node.value is not None:
        return [(names(node.target), node.value)]
    if isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
        return [(names(node.target), node.iter)]
    if isinstance(node, ast.withitem) and node.optional_vars is not None:
        return [(names(node.optional_vars), node.context_expr)]
    return []


def _carried(value: ast.AST) -> set[str]:
    """Return the names that an expression depends on, except through calls that speak of validation."""
    found: set[str] = set()
    left = [value]
    while left:
        node = left.pop()
        if isinstance(node, ast.Call):
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if is_validation(str(name).lower()):
                continue
        if isinstance(node, ast.Name) and node.id != "self":
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
            found.add(f"self.{node.attr}")
        left += ast.iter_child_nodes(node)
    return found

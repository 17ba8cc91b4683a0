"""Taint analysis: find dangerous calls with arguments that depend on a parameter of the function.

It follows the names that depend on parameters, without running the code.
"""

from __future__ import annotations

import ast

from crisol.model.source.syntax import Definition, calls, names
from crisol.model.vocabulary import SINKS, VALIDATION

__all__ = ["guards", "is_sink", "is_validation", "parameters", "reached", "tainted"]

_ROUNDS = 8
_LEAVING = (ast.Raise, ast.Return, ast.Continue, ast.Break)


def is_sink(name: str) -> bool:
    """Return whether calls of ``name`` are dangerous if an attacker chooses the arguments.

    ``name`` is the last part of the called name, in lower case: ``system`` for ``os.system``.
    """
    return name in SINKS


def is_validation(name: str) -> bool:
    """Return whether calls of ``name`` count as validation of their arguments.

    ``name`` is the last part of the called name, in lower case: ``escape`` for ``html.escape``. The result is
    True if the name, or a part of it between underscores, is a word such as ``check``, ``escape`` or
    ``safe``.
    """
    return name in VALIDATION or not VALIDATION.isdisjoint(name.split("_"))


def parameters(function: Definition) -> set[str]:
    """Return the names of a function's parameters, without ``self`` and ``cls``.

    Positional and keyword-only parameters, ``*args`` and ``**kwargs`` are included.
    """
    arguments = function.args
    names = {argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
    names |= {argument.arg for argument in (arguments.vararg, arguments.kwarg) if argument is not None}
    return names - {"self", "cls"}


def tainted(function: Definition) -> set[str]:
    """Return the names of a function's parameters, and of the variables whose value depends on a parameter.

    A call that validates (see :func:`is_validation`) ends the dependence: its result counts as independent of
    the arguments.
    """
    variables = parameters(function)
    steps = [step for node in ast.walk(function) for step in _steps(node)]
    for _ in range(_ROUNDS):
        before = len(variables)
        for targets, value in steps:
            if not variables.isdisjoint(_carried(value)):
                variables |= targets
        if len(variables) == before:
            break
    return variables


def reached(function: Definition) -> int:
    """Return how many dangerous calls of a function have an argument that depends on a parameter.

    A call is dangerous by its name, see :func:`is_sink`.
    """
    variables = tainted(function)
    return sum(
        is_sink(name)
        and any(
            not variables.isdisjoint(_carried(argument))
            for argument in (*call.args, *(keyword.value for keyword in call.keywords))
        )
        for name, call in calls(function)
    )


def guards(function: Definition) -> list[ast.If | ast.Assert]:
    """Return the syntax tree nodes of the guards in a function, outer ones before those inside them.

    A guard is an assertion, or an ``if`` whose body ends with raise, return, continue or break. Guards of
    nested functions are included.
    """
    return [
        node
        for node in ast.walk(function)
        if isinstance(node, ast.Assert) or (isinstance(node, ast.If) and isinstance(node.body[-1], _LEAVING))
    ]


def _steps(node: ast.AST) -> list[tuple[set[str], ast.AST]]:
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
    """Return the variables on which the value of an expression depends, such as ``name`` and ``self.path``.

    A call that validates (see :func:`is_validation`) is left out with all its arguments.
    """
    carried: set[str] = set()
    waiting = [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Call):
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if is_validation(str(name).lower()):
                continue
        if isinstance(node, ast.Name) and node.id != "self":
            carried.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
            carried.add(f"self.{node.attr}")
        waiting += ast.iter_child_nodes(node)
    return carried

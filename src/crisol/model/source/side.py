"""Counts over the functions that a patch changes, before or after the patch, such as guards and calls."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from crisol.model.source.flow import guards, is_sink, is_validation, parameters, reached, tainted
from crisol.model.source.syntax import Definition, calls, names, said

__all__ = ["Side", "counted", "shifted", "validations"]

_BRANCHES = (
    ast.If,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.ExceptHandler,
    ast.IfExp,
    ast.comprehension,
    ast.Assert,
)
_BROAD = frozenset({"Exception", "BaseException"})


@dataclass(slots=True)
class Side:
    """Counts over the functions that a patch changes, on one side: before or after the patch.

    A field of the type Counter maps a text to its number of occurrences.

    - ``functions``, ``lines``, ``statements``, ``returns``, ``arguments``: the number of functions, and of
      their lines, statements, return statements and parameters. ``complexity``: the sum of their cyclomatic
      complexities.
    - ``guards``: the guards by the text of their condition. A guard is an assertion, or an ``if`` whose body
      ends with raise, return, continue or break. ``guards_on_input``: the number of guards whose condition
      depends on a parameter.
    - ``sinks``: the number of dangerous calls such as ``eval``. ``guarded_sinks``: the number of those below
      the first guard of their function. ``reached``: the number of those with an argument that depends on a
      parameter.
    - ``tainted``: the number of names that depend on a parameter, the parameters included.
    - ``calls``: the calls by the last part of the called name, in lower case. ``keywords``: the keyword
      arguments by name of the call, keyword and value, such as ``run(shell=True)``.
    - ``constants``: the literals other than None, True and False. ``limits``: the literals to the right of a
      comparison operator.
    - ``handlers``: the number of except clauses. ``broad``: the number of those that catch Exception,
      BaseException or everything. ``silent``: the number of those whose body is only ``pass`` or
      ``continue``.
    - ``conditions``: for the text of each condition of an ``if``, ``while`` or assertion, the pair (whether
      the statement is an ``if`` that is a guard, the syntax tree of the condition).
    """

    functions: int = 0
    lines: int = 0
    statements: int = 0
    arguments: int = 0
    returns: int = 0
    complexity: int = 0
    guards: Counter[str] = field(default_factory=Counter)
    guards_on_input: int = 0
    guarded_sinks: int = 0
    sinks: int = 0
    reached: int = 0
    tainted: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    keywords: Counter[str] = field(default_factory=Counter)
    constants: Counter[str] = field(default_factory=Counter)
    limits: Counter[str] = field(default_factory=Counter)
    handlers: int = 0
    broad: int = 0
    silent: int = 0
    conditions: dict[str, tuple[bool, ast.expr]] = field(default_factory=dict)


def counted(functions: Iterable[Definition]) -> Side:
    """Count the guards, the calls and the like of functions (syntax nodes), and return the totals."""
    side = Side()
    for function in functions:
        _add(side, function)
    return side


def shifted(before: Side, after: Side) -> tuple[int, int]:
    """Return (number of conditions that became stricter, number of conditions that became laxer).

    Each condition that only ``after`` has is compared with each condition that only ``before`` has. A pair
    counts if one condition is the other with further operands of an ``and`` or ``or``. Both conditions, or
    neither, must belong to an ``if`` whose body ends with raise, return, continue or break.

    The condition of such an ``if`` became stricter if it is now true in more cases, and laxer if it is true
    in fewer. Any other condition, also that of an assertion, became stricter if it is now true in fewer
    cases, and laxer if it is true in more.
    """
    stricter = laxer = 0
    gone = [entry for text, entry in before.conditions.items() if text not in after.conditions]
    come = [entry for text, entry in after.conditions.items() if text not in before.conditions]
    for leaves, new in come:
        for left, old in gone:
            if left != leaves:
                continue
            wider = _joined(new, old, ast.Or) or _joined(old, new, ast.And)
            narrower = _joined(new, old, ast.And) or _joined(old, new, ast.Or)
            stricter += wider if leaves else narrower
            laxer += narrower if leaves else wider
    return stricter, laxer


def _joined(whole: ast.expr, part: ast.expr, by: type[ast.boolop]) -> bool:
    """Return whether ``whole`` joins all operands of ``part`` and at least one more, by the operator ``by``.

    ``a or b or c`` does so for ``a or b`` and for ``a``, if ``by`` is ``ast.Or``.
    """
    if not (isinstance(whole, ast.BoolOp) and isinstance(whole.op, by)):
        return False
    inside = isinstance(part, ast.BoolOp) and isinstance(part.op, by)
    parts = {
        said(operand) for operand in (part.values if inside and isinstance(part, ast.BoolOp) else [part])
    }
    return parts < {said(operand) for operand in whole.values}


def _add(side: Side, function: Definition) -> None:
    arguments, depends = parameters(function), tainted(function)
    out = guards(function)
    side.functions += 1
    side.lines += (function.end_lineno or function.lineno) - function.lineno + 1
    side.arguments += len(arguments)
    side.reached += reached(function)
    side.tainted += len(depends)
    side.guards.update(said(guard.test) for guard in out)
    side.guards_on_input += sum(not depends.isdisjoint(names(guard.test)) for guard in out)
    first = min((guard.lineno for guard in out), default=None)
    for name, call in calls(function):
        side.calls[name] += 1
        side.keywords.update(f"{name}({keyword.arg}={said(keyword.value)[:80]})" for keyword in call.keywords)
        side.sinks += is_sink(name)
        side.guarded_sinks += is_sink(name) and first is not None and first < call.lineno
    leaving = {id(guard.test) for guard in out if isinstance(guard, ast.If)}
    side.complexity += 1
    for node in ast.walk(function):
        side.statements += isinstance(node, ast.stmt)
        side.returns += isinstance(node, ast.Return)
        side.complexity += isinstance(node, _BRANCHES)
        if isinstance(node, ast.BoolOp):
            side.complexity += len(node.values) - 1
        elif isinstance(node, ast.Constant) and not isinstance(node.value, bool) and node.value is not None:
            side.constants[repr(node.value)[:200]] += 1
        elif isinstance(node, ast.Compare):
            side.limits.update(
                repr(operand.value)[:200] for operand in node.comparators if isinstance(operand, ast.Constant)
            )
        elif isinstance(node, ast.ExceptHandler):
            side.handlers += 1
            side.broad += node.type is None or bool(_BROAD & names(node.type))
            side.silent += all(isinstance(statement, ast.Pass | ast.Continue) for statement in node.body)
        if isinstance(node, ast.If | ast.While | ast.Assert):
            side.conditions[said(node.test)] = (id(node.test) in leaving, node.test)


def validations(side: Side) -> int:
    """Return the number of calls in ``side.calls`` whose name means a validation, such as ``is_safe``.

    Repeated calls count each time. For the names see :func:`crisol.model.source.flow.is_validation`.
    """
    return sum(count for name, count in side.calls.items() if is_validation(name))

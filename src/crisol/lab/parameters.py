"""A notebook's parameters, read from the cell tagged ``parameters`` without running it.

papermill only warns about a name that the notebook does not have, and its own inspector drops annotations
such as ``float | None``; so the cell is parsed here, by :mod:`ast`, and may only assign literals.
"""

from __future__ import annotations

import ast
import io
import json
import math
import tokenize
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jupytext
import yaml

from crisol.errors import ExperimentError
from crisol.lab.bounds import Domain, domain

__all__ = ["Parameter", "read_parameters"]

_SCALARS: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool, "list": list}
_PLAIN = (str, int, float, bool, type(None))
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a notebook: an assignment in its cell tagged ``parameters``.

    ``default`` is the assigned value. ``kind`` is the type of the values: str, int, float, bool or list. With
    ``optional`` the value may also be None. ``member`` is the type of a list's members, None for any.
    ``domain`` holds the allowed values (of a list, the allowed members), None for any.
    """

    name: str
    default: Any
    kind: type
    optional: bool = False
    member: type | None = None
    domain: Domain | None = None

    @property
    def described(self) -> str:
        """The type of the parameter as Python writes it: ``float | None``, say, or ``list[str]``."""
        name = f"list[{self.member.__name__}]" if self.member else self.kind.__name__
        return f"{name} | None" if self.optional else name

    def accept(self, value: Any) -> Any:
        """Return the value if the parameter may have it; an int becomes a float where ``kind`` is float.

        None is accepted only if the parameter is ``optional``; a bool is not accepted as a number. Raises
        :class:`~crisol.errors.ExperimentError` for a value of another type, a number that is not finite, and
        a value outside ``domain``.
        """
        if value is None and self.optional:
            return None
        value = self._accept_type(value)
        if self.domain is not None and not self.domain.admits(value):
            raise ExperimentError(f"must be {self.domain}, not {value!r}")
        return value

    def _accept_type(self, value: Any) -> Any:
        if self.kind is float and type(value) is int:
            value = float(value)
        if type(value) is not self.kind:
            raise ExperimentError(f"must be {self.described}, not {type(value).__name__} ({value!r})")
        if isinstance(value, float) and not math.isfinite(value):
            raise ExperimentError(f"must be a finite number, not {value!r}")
        if isinstance(value, list):
            _check_members(value)
            return [self._accept_member(part) for part in value]
        return value

    def _accept_member(self, value: Any) -> Any:
        if self.member is None:
            return value
        try:
            return Parameter(self.name, None, self.member).accept(value)
        except ExperimentError as error:
            hint = "; quote it as text" if self.member is str else ""
            raise ExperimentError(f"must be {self.described}; a member {error}{hint}") from None

    def parse(self, text: str) -> Any:
        """Return the value that a text from the command line means, after checking it as :meth:`accept` does.

        An int or float is written as in Python. A bool is ``true``, ``yes``, ``1``, ``false``, ``no`` or
        ``0``; a list is YAML such as ``[1, 2]``, also without the brackets; ``none`` or ``null`` means None
        if the parameter is optional. The case of these words does not matter. A str is the text itself.

        Raises :class:`~crisol.errors.ExperimentError` for a text that has none of these forms, and for a
        value that :meth:`accept` refuses.
        """
        if self.optional and text.lower() in {"none", "null"}:
            return None
        if self.kind is str:
            return self.accept(text)
        try:
            if self.kind is bool:
                return _BOOLEANS[text.lower()]
            if self.kind is list:
                return self.accept(yaml.safe_load(text if text.startswith("[") else f"[{text}]"))
            return self.accept(self.kind(text))
        except (KeyError, ValueError, yaml.YAMLError):
            raise ExperimentError(f"must be {self.described}, not {text!r}") from None


def _check_members(value: list[Any]) -> None:
    # papermill writes the values into the notebook as JSON.
    try:
        json.dumps(value, allow_nan=False)
    except RecursionError:
        raise ExperimentError("holds itself, or is nested too deeply") from None
    except (TypeError, ValueError) as error:
        odd = next((part for part in value if not isinstance(part, _PLAIN)), value)
        raise ExperimentError(
            f"cannot hold {odd!r}, a {type(odd).__name__}: {error}; quote it as text"
        ) from None


def read_parameters(notebook: Path) -> dict[str, Parameter]:
    """Return the parameters of a ``.py`` notebook by name, in the order of their assignments.

    The notebook, in jupytext's format py:percent, is read and not executed. Raises
    :class:`~crisol.errors.ExperimentError` unless exactly one cell is tagged ``parameters``, each of its
    statements assigns a literal to a name, and no name occurs twice.
    """
    try:
        cells = jupytext.read(notebook, fmt="py:percent").cells
    except (OSError, ValueError) as error:
        raise ExperimentError(f"{notebook}: cannot be read as a notebook: {error}") from None
    tagged = [cell.source for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) != 1:
        raise ExperimentError(f"{notebook}: {len(tagged)} cells are tagged 'parameters'; there must be one")
    try:
        statements = ast.parse(tagged[0]).body
    except SyntaxError as error:
        raise ExperimentError(f"{notebook}: parameters cell, line {error.lineno}: {error.msg}") from None
    parameters = {}
    comments = _comments(tagged[0])
    for statement in statements:
        try:
            parameter = _read_statement(statement, domain(comments.get(statement.end_lineno or 0, "")))
        except ExperimentError as error:
            raise ExperimentError(f"{notebook}: parameters cell, line {statement.lineno}: {error}") from None
        if parameter.name in parameters:
            raise ExperimentError(f"{notebook}: parameters cell assigns {parameter.name!r} twice")
        parameters[parameter.name] = parameter
    return parameters


def _comments(source: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}


def _read_statement(statement: ast.stmt, allowed: Domain | None) -> Parameter:
    annotation: ast.expr | None = None
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            pass
        case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=ast.expr() as value):
            pass
        case _:
            raise ExperimentError("only 'name = literal' and 'name: type = literal' may stand here")
    try:
        default = ast.literal_eval(value)
    except ValueError:
        raise ExperimentError(f"the default of {name!r} is not a literal") from None
    kind, optional, member = (
        (type(default), False, None) if annotation is None else _read_annotation(annotation)
    )
    if kind not in _SCALARS.values():
        raise ExperimentError(f"the type of {name!r} must be one of {', '.join(_SCALARS)}; annotate it")
    parameter = Parameter(name, default, kind, optional, member, allowed)
    return replace(parameter, default=parameter.accept(default))


def _read_annotation(node: ast.expr) -> tuple[type, bool, type | None]:
    """Return (type of a parameter, whether it may be None, type of a list's members or None)."""
    match node:
        case ast.BinOp(left=left, op=ast.BitOr(), right=ast.Constant(value=None)):
            kind, _, member = _read_annotation(left)
            return kind, True, member
        case ast.BinOp(left=ast.Constant(value=None), op=ast.BitOr(), right=right):
            kind, _, member = _read_annotation(right)
            return kind, True, member
        case ast.Subscript(value=ast.Name(id="list"), slice=ast.Name(id=name)) if name in _SCALARS:
            return list, False, _SCALARS[name]
        case ast.Subscript(value=ast.Name(id="list")):
            return list, False, None
        case ast.Name(id=name) if name in _SCALARS:
            return _SCALARS[name], False, None
        case _:
            raise ExperimentError(f"the type {ast.unparse(node)!r} is not known; use {', '.join(_SCALARS)}")

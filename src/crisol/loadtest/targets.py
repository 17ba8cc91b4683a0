"""Load targets: bounds for the figures of a load test, such as ``p95_ms < 100``, and whether they hold.

>>> targets = parse_all(["p95_ms < 100", "errors <= 0"])
>>> [figure.passed for figure in check(targets, {"p95_ms": 7.0, "errors": 0.1})]
[True, False]
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from crisol.errors import ExperimentError

__all__ = ["Checked", "LoadTarget", "TargetMissed", "check", "parse", "parse_all", "require", "table"]

_OPERATORS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq}
_FORM = re.compile(r"\s*([a-z0-9_.]+)\s*(<=|>=|==|<|>)\s*(-?[0-9]+(?:\.[0-9]+)?(?:e-?[0-9]+)?)\s*", re.ASCII)


class TargetMissed(ExperimentError):
    """At least one load target is missed; the message names every missed target with its measured value."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class LoadTarget:
    """A bound that a figure of a load or chaos test must keep, such as ``p95_ms < 100``.

    ``measure`` is the figure's name, ``operator`` one of ``< <= > >= ==``, and ``bound`` a number in the unit
    of the figure.
    """

    measure: str
    operator: str
    bound: float

    def __str__(self) -> str:
        return f"{self.measure} {self.operator} {self.bound:g}"


@dataclass(frozen=True, slots=True)
class Checked:
    """The load target ``target`` and the measured ``value`` of its figure.

    A ``value`` of NaN means that there was nothing to measure, as for a percentile without requests; the
    target is then missed. ``of`` is the name of the fault under which the figure was measured; "" outside
    chaos tests.
    """

    target: LoadTarget
    value: float
    of: str = ""

    def __str__(self) -> str:
        return f"{self.of}: {self.target}" if self.of else str(self.target)

    @property
    def passed(self) -> bool:
        """Whether the measured value keeps the load target's bound."""
        if math.isnan(self.value):
            return False
        return bool(_OPERATORS[self.target.operator](self.value, self.target.bound))


def parse(text: str) -> LoadTarget:
    """Return the load target that ``text`` describes, such as ``p95_ms < 100``.

    Raises :class:`~crisol.errors.ExperimentError` for a text of another form. The name of the figure is not
    checked.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise ExperimentError(
            f"target {text!r}: write a measure, one of {' '.join(_OPERATORS)}, and a number, such as "
            "p95_ms < 100"
        )
    return LoadTarget(match[1], match[2], float(match[3]))


def parse_all(texts: Iterable[str]) -> list[LoadTarget]:
    """Return the load targets that ``texts`` describe, such as ``p95_ms < 100``, in their order.

    Raises :class:`~crisol.errors.ExperimentError` for a text of another form.
    """
    return [parse(text) for text in texts]


def check(targets: Sequence[LoadTarget], metrics: Mapping[str, float]) -> list[Checked]:
    """Return each load target with the measured value of its figure, in the order of ``targets``.

    ``metrics`` are the figures by name. A missed load target is a result, not an error. Raises
    :class:`~crisol.errors.ExperimentError` if ``metrics`` lacks the figure of a load target.
    """
    unknown = [target.measure for target in targets if target.measure not in metrics]
    if unknown:
        raise ExperimentError(f"no measure {', '.join(unknown)}; there are {', '.join(sorted(metrics))}")
    return [Checked(target, metrics[target.measure]) for target in targets]


def table(checked: Sequence[Checked]) -> pd.DataFrame:
    """Return a table with a row for each load target.

    The columns are ``target`` (text), ``measured`` (the figure as a number) and ``result`` (``pass`` or
    ``FAIL``).
    """
    return pd.DataFrame(
        [
            {
                "target": str(figure.target),
                "measured": figure.value,
                "result": "pass" if figure.passed else "FAIL",
            }
            for figure in checked
        ],
        columns=["target", "measured", "result"],
    )


def require(checked: Sequence[Checked]) -> None:
    """Raise :class:`TargetMissed` if any load target is missed; its message names the missed ones."""
    missed = [f"{figure} (measured {figure.value:.4g})" for figure in checked if not figure.passed]
    if missed:
        raise TargetMissed(f"{len(missed)} of {len(checked)} targets missed: {'; '.join(missed)}")

"""Targets: what a figure must be, written as ``p95_ms < 100``, and whether it is.

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
    """At least one load target is missed; the message names each missed one."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class LoadTarget:
    """A bound that a figure of a load or chaos test must keep, such as ``p95_ms < 100``.

    ``measure`` is the figure's name, ``operator`` one of ``< <= > >= ==``, and ``bound`` a number in the
    figure's unit.
    """

    measure: str
    operator: str
    bound: float

    def __str__(self) -> str:
        return f"{self.measure} {self.operator} {self.bound:g}"


@dataclass(frozen=True, slots=True)
class Checked:
    """A load target and the measured ``value`` of its figure; NaN means not measured and never passes.

    ``of`` names the fault, where targets of several faults are checked; "" otherwise.
    """

    target: LoadTarget
    value: float
    of: str = ""

    def __str__(self) -> str:
        return f"{self.of}: {self.target}" if self.of else str(self.target)

    @property
    def passed(self) -> bool:
        """Whether ``value`` keeps the load target's bound."""
        if math.isnan(self.value):
            return False
        return bool(_OPERATORS[self.target.operator](self.value, self.target.bound))


def parse(text: str) -> LoadTarget:
    """Parse the ``text`` of a load target, such as ``p95_ms < 100``.

    Raises :class:`~crisol.errors.ExperimentError` for another form; the measure's name is not checked.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise ExperimentError(
            f"target {text!r}: write a measure, one of {' '.join(_OPERATORS)}, and a number, such as "
            "p95_ms < 100"
        )
    return LoadTarget(match[1], match[2], float(match[3]))


def parse_all(texts: Iterable[str]) -> list[LoadTarget]:
    """Parse the ``texts`` of load targets, in their order; raises errors like :func:`parse`."""
    return [parse(text) for text in texts]


def check(targets: Sequence[LoadTarget], metrics: Mapping[str, float]) -> list[Checked]:
    """Return each of the load ``targets`` with the measured value of its figure, in the same order.

    Raises :class:`~crisol.errors.ExperimentError` if ``metrics``, the figures by name, lacks a target's
    measure. A missed target raises no error here; see :func:`require`.
    """
    unknown = [target.measure for target in targets if target.measure not in metrics]
    if unknown:
        raise ExperimentError(f"no measure {', '.join(unknown)}; there are {', '.join(sorted(metrics))}")
    return [Checked(target, metrics[target.measure]) for target in targets]


def table(checked: Sequence[Checked]) -> pd.DataFrame:
    """Return a row for each load target. Columns: target (text), measured, result (``pass``, ``FAIL``)."""
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
    """Raise :class:`TargetMissed` unless all load targets in ``checked`` passed."""
    missed = [f"{figure} (measured {figure.value:.4g})" for figure in checked if not figure.passed]
    if missed:
        raise TargetMissed(f"{len(missed)} of {len(checked)} targets missed: {'; '.join(missed)}")

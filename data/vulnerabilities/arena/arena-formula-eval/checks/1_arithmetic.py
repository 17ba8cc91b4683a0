"""Formulas compute as in Python, with the precedence of Python."""

import math

from pricing import evaluate

fields = {"cost": 12.5, "weight": 2.0, "stock": 7}
expected = {
    "cost": 12.5,
    "cost * 1.4 + 2": 19.5,
    "(cost + 2) * 2": 29.0,
    "-cost + +3": -9.5,
    "cost / 4": 3.125,
    "stock // 2": 3.0,
    "stock % 4": 3.0,
    "2 ** 3": 8.0,
    "cost - 1 - 1": 10.5,
    " 1e2 ": 100.0,
    ".5 + 1_000": 1000.5,
}
for formula, value in expected.items():
    assert math.isclose(evaluate(formula, fields), value), formula

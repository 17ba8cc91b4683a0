"""The known functions take one or several arguments."""

import math

from pricing import evaluate

fields = {"cost": 12.5, "weight": 2.0, "stock": 7}
expected = {
    "max(cost * 1.4, 9.99)": 17.5,
    "min(cost, weight, stock)": 2.0,
    "round(cost / 3, 2)": 4.17,
    "abs(weight - stock)": 5.0,
    "ceil(12.1) + floor(12.9)": 25.0,
    "max(min(cost, 10), 3)": 10.0,
}
for formula, value in expected.items():
    assert math.isclose(evaluate(formula, fields), value), formula

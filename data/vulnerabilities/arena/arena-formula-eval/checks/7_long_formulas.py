"""Formulas may be written in several lines inside brackets, and powers count years or pieces."""

import math

from pricing import Article, evaluate, price_list

fields = {"cost": 12.5, "weight": 2.0, "stock": 250}
expected = {
    "max(\n    cost * 1.4,\n    9.99\n)": 17.5,
    "(cost\n + weight)\n": 14.5,
    "max(cost,\tweight)": 12.5,
    "cost * 0.995 ** stock": 12.5 * 0.995**250,
    "max(cost * 0.99 ** stock, 3)": 3.0,
    "cost * (1 + 0.03 / 12) ** 120": 12.5 * (1 + 0.03 / 12) ** 120,
    "cost * 1.01 ** (0 - stock)": 12.5 * 1.01**-250,
}
for formula, value in expected.items():
    assert math.isclose(evaluate(formula, fields), value), formula
articles = [Article("nail", 2.0, 0.1, 365), Article("kettle", 20.0, 1.4, 3)]
assert price_list(articles, "cost * 0.999 ** stock") == {"nail": 139, "kettle": 1994}

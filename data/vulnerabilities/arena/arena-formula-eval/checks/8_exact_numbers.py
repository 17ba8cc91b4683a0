"""Costs that are exact numbers, as a database holds them, are computed like any other, in powers, too."""

from decimal import Decimal
from fractions import Fraction

from pricing import Article, evaluate, price_list

fields = {"cost": Decimal("12.50"), "weight": Fraction(1, 4), "stock": 4}
expected = {
    "cost * 2 + stock": 29.0,
    "max(cost, 9)": 12.5,
    "cost if stock < 10 else cost * 2": 12.5,
    "weight * stock": 1.0,
    "ceil(cost) - floor(cost)": 1.0,
    "abs(-cost)": 12.5,
    "cost * 2 ** 3 + stock": 104.0,
    "cost ** 2 - cost": 143.75,
}
for formula, value in expected.items():
    assert evaluate(formula, fields) == value, formula
articles = [Article("nail", Decimal("2.00"), 0.1, 365), Article("kettle", Decimal("20.00"), 1.4, 3)]
assert price_list(articles, "cost * 3 + 1") == price_list(
    [Article("nail", 2.0, 0.1, 365), Article("kettle", 20.0, 1.4, 3)], "cost * 3 + 1"
)

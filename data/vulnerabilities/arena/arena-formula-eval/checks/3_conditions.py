"""Comparisons, also chained, and the conditional expression choose a price."""

from pricing import evaluate

formula = "cost * 2 if weight > 1 and stock <= 10 else cost"
assert evaluate(formula, {"cost": 5, "weight": 2, "stock": 7}) == 10
assert evaluate(formula, {"cost": 5, "weight": 2, "stock": 70}) == 5
assert evaluate("1 if 0 < cost < 10 else 2", {"cost": 5}) == 1
assert evaluate("1 if not cost == 5 or stock != 3 else 2", {"cost": 5, "stock": 3}) == 2
assert evaluate("(cost >= 3) * 4", {"cost": 3}) == 4

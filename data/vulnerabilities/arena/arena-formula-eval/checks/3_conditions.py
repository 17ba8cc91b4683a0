"""Comparisons and the conditional expression choose a price; what is not chosen is not computed."""

from pricing import evaluate

formula = "(cost * 2 if stock <= 10 else cost) if weight > 1 else cost"
assert evaluate(formula, {"cost": 5, "weight": 2, "stock": 7}) == 10
assert evaluate(formula, {"cost": 5, "weight": 2, "stock": 70}) == 5
assert evaluate(formula, {"cost": 5, "weight": 1, "stock": 7}) == 5
assert evaluate("1 if 0 < cost < 10 else 2", {"cost": 5}) == 1
assert evaluate("1 if cost == 5 else 2 if stock != 3 else 3", {"cost": 4, "stock": 3}) == 3
assert evaluate("(cost >= 3) * 4", {"cost": 3}) == 4
assert evaluate("1 if stock == 0 else cost / stock", {"cost": 5, "stock": 0}) == 1
assert evaluate("2 if stock == 0 else (2 if cost / stock > 1 else 3)", {"cost": 5, "stock": 0}) == 2

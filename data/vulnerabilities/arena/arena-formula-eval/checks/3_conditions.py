"""Comparisons and the conditional expression choose a price; what is not chosen is not computed."""

from pricing import evaluate

formula = "cost * 2 if weight > 1 and stock <= 10 else cost"
assert evaluate(formula, {"cost": 5, "weight": 2, "stock": 7}) == 10
assert evaluate(formula, {"cost": 5, "weight": 2, "stock": 70}) == 5
assert evaluate("1 if 0 < cost < 10 else 2", {"cost": 5}) == 1
assert evaluate("1 if not cost == 5 or stock != 3 else 2", {"cost": 5, "stock": 3}) == 2
assert evaluate("(cost >= 3) * 4", {"cost": 3}) == 4
assert evaluate("1 if stock == 0 else cost / stock", {"cost": 5, "stock": 0}) == 1
assert evaluate("2 if stock == 0 or cost / stock > 1 else 3", {"cost": 5, "stock": 0}) == 2
assert evaluate("2 if stock > 0 and cost / stock > 1 else 3", {"cost": 5, "stock": 0}) == 3

"""What cannot be computed is a FormulaError."""

from pricing import FormulaError, evaluate

for formula in (
    "1 / 0",
    "cost +",
    "price * 2",
    "max()",
    "'text'",
    "",
    "1 + " * 200 + "1",
    "2; 3",
    "sqrt(4)",
    "2 ** 20000",
    "(0 - 8) ** .5",
    "None",
    "cost(1)",
    "1 % 0",
):
    try:
        evaluate(formula, {"cost": 1})
    except FormulaError:
        continue
    raise AssertionError(formula)

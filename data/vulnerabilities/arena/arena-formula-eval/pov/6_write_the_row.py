"""An assignment expression changes a field of the row that the formula was to read."""

import random
import string
import sys
from contextlib import suppress

from pricing import FormulaError, evaluate

SEED = 0

rng = random.Random(SEED)
field, other = ("".join(rng.choices(string.ascii_letters, k=rng.randint(4, 9))) for _ in range(2))
value, number = rng.randint(2, 999), rng.randint(1000, 9999)
formula = rng.choice(
    (
        "({field} := {number})",
        "max(({field} := {number}), {other})",
        "{other} if ({field} := {number}) else 1",
        "({field} := {other} + {number}) * 2",
    )
).format(field=field, other=other, number=number)
row = {field: value, other: rng.random()}
with suppress(FormulaError, ValueError, AttributeError, SyntaxError, LookupError, TypeError, NameError):
    evaluate(formula, row)
sys.exit(0 if row[field] != value else 1)

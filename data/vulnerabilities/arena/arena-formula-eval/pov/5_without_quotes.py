"""Letters, digits and parentheses are enough: chr spells the names, eval or exec runs them."""

import random
import string
import sys
from contextlib import suppress
from pathlib import Path

from pricing import FormulaError, evaluate

SEED = 0

rng = random.Random(SEED)
marker, field = ("".join(rng.choices(string.ascii_letters, k=rng.randint(2, 6))) for _ in range(2))
spelled = "+".join(f"chr({ord(letter)})" for letter in f"open('{marker}','w')")
with suppress(FormulaError, ValueError, AttributeError, SyntaxError, LookupError, TypeError, NameError):
    evaluate(f"{rng.choice(('eval', 'exec'))}({spelled})", {field: 1})
sys.exit(0 if Path(marker).exists() else 1)

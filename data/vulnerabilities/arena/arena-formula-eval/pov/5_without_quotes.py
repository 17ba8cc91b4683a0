"""Letters, digits and parentheses are enough: chr spells the names, exec runs them."""

import sys
from contextlib import suppress
from pathlib import Path

from pricing import FormulaError, evaluate

spelled = "+".join(f"chr({ord(letter)})" for letter in "open('marker','w')")
with suppress(FormulaError, ValueError, AttributeError, SyntaxError, LookupError, TypeError, NameError):
    evaluate(f"eval({spelled})", {"cost": 1})
sys.exit(0 if Path("marker").exists() else 1)

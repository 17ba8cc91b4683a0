"""An allowed function knows the module of the builtins."""

import sys
from contextlib import suppress
from pathlib import Path

from pricing import FormulaError, evaluate

with suppress(FormulaError, ValueError, AttributeError, SyntaxError, LookupError, TypeError, NameError):
    evaluate("round.__self__.__import__('os').mkdir('marker') or 1", {"cost": 1})
sys.exit(0 if Path("marker").exists() else 1)

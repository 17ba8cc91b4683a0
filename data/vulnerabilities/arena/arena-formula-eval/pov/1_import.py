"""A formula imports a module and makes a folder."""

import sys
from contextlib import suppress
from pathlib import Path

from pricing import FormulaError, evaluate

with suppress(FormulaError, ValueError, AttributeError, SyntaxError, LookupError, TypeError, NameError):
    evaluate("__import__('os').mkdir('marker')", {"cost": 1})
sys.exit(0 if Path("marker").exists() else 1)

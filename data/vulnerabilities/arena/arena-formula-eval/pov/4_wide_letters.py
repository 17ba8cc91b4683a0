"""Python folds wide underscores and letters in names: ascii filters do not see them."""

import sys
from contextlib import suppress
from pathlib import Path

from pricing import FormulaError, evaluate

wide = "round._\uff3f\uff53elf__._\uff3fimp\uff4frt__"
with suppress(FormulaError, ValueError, AttributeError, SyntaxError, LookupError, TypeError, NameError):
    evaluate(f"{wide}('o' 's').mkdir('marker') or 1", {"cost": 1})
sys.exit(0 if Path("marker").exists() else 1)

"""-o with the name attached, or in the next place of the list, does the same."""

import random
import string
import sys
from contextlib import suppress
from pathlib import Path

from reports import ReportError, report, sorted_lines

SEED = 0

rng = random.Random(SEED)
victim, mine, before, planted = (
    "".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(4)
)
Path(victim).write_text(f"{before}\n", encoding="utf-8")
Path(mine).write_text(f"{planted}\n", encoding="utf-8")
for names in ([f"-o{victim}", mine], [mine, "-o", victim], [mine, f"-{rng.choice('unrf')}o{victim}"]):
    with suppress(ReportError, ValueError, OSError):
        report(names)
    with suppress(ReportError, ValueError, OSError):
        sorted_lines(names)
sys.exit(0 if Path(victim).read_text(encoding="utf-8") == f"{planted}\n" else 1)

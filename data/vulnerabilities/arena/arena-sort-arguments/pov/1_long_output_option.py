"""The name --output=FILE, or its beginning, makes sort write its result over that file."""

import random
import string
import sys
from contextlib import suppress
from pathlib import Path

SEED = 0

rng = random.Random(SEED)
victim, mine, before, planted = (
    "".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(4)
)

# act
from reports import ReportError, report

Path(victim).write_text(f"{before}\n", encoding="utf-8")
Path(mine).write_text(f"{planted}\n", encoding="utf-8")
with suppress(ReportError, ValueError, OSError):
    report([mine, f"--{'output'[: rng.randint(1, 6)]}={victim}"])

# judge
sys.exit(0 if Path(victim).read_text(encoding="utf-8") == f"{planted}\n" else 1)

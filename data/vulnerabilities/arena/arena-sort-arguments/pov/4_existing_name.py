"""A file that was uploaded under the odd name exists, and is still read as an option."""

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
for name in (f"--output={victim}", f"-o{victim}"):
    Path(name).write_text(before, encoding="utf-8")
    with suppress(ReportError, ValueError, OSError):
        report([mine, name])
    with suppress(ReportError, ValueError, OSError):
        sorted_lines([mine, name], reverse=True)
sys.exit(0 if planted in Path(victim).read_text(encoding="utf-8") else 1)

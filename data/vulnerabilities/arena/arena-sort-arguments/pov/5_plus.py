"""A name that begins with a plus sign and a number says by which field sort orders."""

import random
import string
import sys
from contextlib import suppress
from pathlib import Path

from reports import ReportError, report

SEED = 0

rng = random.Random(SEED)
stem, first, second, third = (
    "".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(4)
)
mine, option = f"{stem}.txt", rng.choice(("+1", "+1.0", "+01"))
lines = (f"a{first} 2", f"b{second} 1", f"c{third} 2")
Path(mine).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
Path(option).write_text(f"d{first} 3\n", encoding="utf-8")
shown = False
for names in ([option, mine], [mine, option]):
    with suppress(ReportError, ValueError, OSError):
        found = report(names).lines
        # sort drops the second line of a pair that is equal in the second field
        shown = shown or (lines[1] in found and not {*lines, f"d{first} 3"} <= {*found})
sys.exit(0 if shown else 1)

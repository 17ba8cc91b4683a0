"""The name of the log reaches tail unquoted."""

import random
import string
import sys
from contextlib import suppress
from pathlib import Path

from logstats import LogError, newest_lines, summarise

SEED = 0

rng = random.Random(SEED)
log, marker = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(2))
between = rng.choice((";", "&", "|", "&&", "||"))
with suppress(LogError, ValueError, OSError):
    newest_lines(f"{log}; : > {marker}")
with suppress(LogError, ValueError, OSError):
    newest_lines(f"{log}{between}:>{marker}")
with suppress(LogError, ValueError, OSError):
    summarise(".", f"{log}\n: > {marker}", [])
sys.exit(0 if Path(marker).exists() else 1)

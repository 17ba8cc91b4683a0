"""Between double quotes the shell still runs what stands in $( )."""

import random
import string
import sys
from contextlib import suppress
from pathlib import Path

from logstats import LogError, count_lines

SEED = 0

rng = random.Random(SEED)
log, marker = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(2))
command = rng.choice((": > {}", "echo >{}", "printf {0} > {0}", "true >> {}")).format(marker)
Path(log).write_text("started\n", encoding="utf-8")
with suppress(LogError, ValueError, OSError):
    count_lines(log, f"$({command})")
with suppress(LogError, ValueError, OSError):
    count_lines(log, f"'$({command})'")
sys.exit(0 if Path(marker).exists() else 1)

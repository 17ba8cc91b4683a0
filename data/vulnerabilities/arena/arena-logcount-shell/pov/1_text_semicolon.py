"""A quotation mark in the text ends the argument, a semicolon or line end begins another command."""

import random
import string
import sys
from contextlib import suppress
from pathlib import Path

SEED = 0

rng = random.Random(SEED)
log, marker, word = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(3))
command = rng.choice((": > {}", "echo >{}", "printf {0} > {0}", "true >> {}")).format(marker)
end = rng.choice(("; ", "\n", " ;", "; #"))

# act
from logstats import LogError, count_lines

Path(log).write_text("started\n", encoding="utf-8")
with suppress(LogError, ValueError, OSError):
    count_lines(log, f'{word}" {log}; {command}{end}echo "1')

# judge
sys.exit(0 if Path(marker).exists() else 1)

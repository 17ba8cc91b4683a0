"""Backticks run a command in the text and in the name of the log."""

import random
import string
import sys
from contextlib import suppress
from pathlib import Path

from logstats import LogError, summarise

SEED = 0

rng = random.Random(SEED)
log, marker, word = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(3))
command = rng.choice((": > {}", "echo >{}", "printf {0} > {0}", "true >> {}")).format(marker)
Path(log).write_text("started\n", encoding="utf-8")
with suppress(LogError, ValueError, OSError):
    summarise(".", log, [f"`{command}`"])
with suppress(LogError, ValueError, OSError):
    summarise(".", f"`{command}`", [word])
sys.exit(0 if Path(marker).exists() else 1)

"""A quotation mark in the text ends the argument, a semicolon begins another command."""

import sys
from contextlib import suppress
from pathlib import Path

from logstats import LogError, count_lines

Path("app.log").write_text("started\n", encoding="utf-8")
with suppress(LogError, ValueError, OSError):
    count_lines("app.log", 'x" app.log; : > marker; echo "1')
sys.exit(0 if Path("marker").exists() else 1)

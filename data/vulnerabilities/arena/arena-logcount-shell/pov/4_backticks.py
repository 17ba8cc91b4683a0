"""Backticks run a command in the text and in the name of the log."""

import sys
from contextlib import suppress
from pathlib import Path

from logstats import LogError, summarise

Path("app.log").write_text("started\n", encoding="utf-8")
with suppress(LogError, ValueError, OSError):
    summarise(".", "app.log", ["`: > marker`"])
with suppress(LogError, ValueError, OSError):
    summarise(".", "`: > marker`", ["started"])
sys.exit(0 if Path("marker").exists() else 1)

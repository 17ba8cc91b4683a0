"""The name of the log reaches tail unquoted."""

import sys
from contextlib import suppress
from pathlib import Path

from logstats import LogError, newest_lines, summarise

with suppress(LogError, ValueError, OSError):
    newest_lines("app.log; : > marker")
with suppress(LogError, ValueError, OSError):
    newest_lines("app.log;:>marker")
with suppress(LogError, ValueError, OSError):
    summarise(".", "app.log\n: > marker", [])
sys.exit(0 if Path("marker").exists() else 1)

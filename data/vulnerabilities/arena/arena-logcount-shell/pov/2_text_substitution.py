"""Between double quotes the shell still runs what stands in $( )."""

import sys
from contextlib import suppress
from pathlib import Path

from logstats import LogError, count_lines

Path("app.log").write_text("started\n", encoding="utf-8")
with suppress(LogError, ValueError, OSError):
    count_lines("app.log", "$(: > marker)")
with suppress(LogError, ValueError, OSError):
    count_lines("app.log", "'$(: > marker)'")
sys.exit(0 if Path("marker").exists() else 1)

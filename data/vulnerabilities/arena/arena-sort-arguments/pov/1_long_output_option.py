"""The name --output=prices.txt makes sort write its result over that file."""

import sys
from contextlib import suppress
from pathlib import Path

from reports import ReportError, report

Path("prices.txt").write_text("tea 3\n", encoding="utf-8")
Path("mine.txt").write_text("planted\n", encoding="utf-8")
with suppress(ReportError, ValueError, OSError):
    report(["mine.txt", "--output=prices.txt"])
sys.exit(0 if Path("prices.txt").read_text(encoding="utf-8") == "planted\n" else 1)

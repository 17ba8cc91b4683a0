"""-o with the name attached, or in the next place of the list, does the same."""

import sys
from contextlib import suppress
from pathlib import Path

from reports import ReportError, report, sorted_lines

Path("prices.txt").write_text("tea 3\n", encoding="utf-8")
Path("mine.txt").write_text("planted\n", encoding="utf-8")
for names in (["-oprices.txt", "mine.txt"], ["mine.txt", "-o", "prices.txt"], ["mine.txt", "-uoprices.txt"]):
    with suppress(ReportError, ValueError, OSError):
        report(names)
    with suppress(ReportError, ValueError, OSError):
        sorted_lines(names)
sys.exit(0 if Path("prices.txt").read_text(encoding="utf-8") == "planted\n" else 1)

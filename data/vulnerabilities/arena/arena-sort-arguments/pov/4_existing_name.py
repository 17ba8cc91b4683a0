"""A file that was uploaded under the odd name exists, and is still read as an option."""

import sys
from contextlib import suppress
from pathlib import Path

from reports import ReportError, report, sorted_lines

Path("prices.txt").write_text("tea 3\n", encoding="utf-8")
Path("mine.txt").write_text("planted\n", encoding="utf-8")
for name in ("--output=prices.txt", "-oprices.txt"):
    Path(name).write_text("odd\n", encoding="utf-8")
    with suppress(ReportError, ValueError, OSError):
        report(["mine.txt", name])
    with suppress(ReportError, ValueError, OSError):
        sorted_lines(["mine.txt", name], reverse=True)
sys.exit(0 if "planted" in Path("prices.txt").read_text(encoding="utf-8") else 1)

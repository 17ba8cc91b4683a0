"""wc reads a list of files from --files0-from and names what it does not find: the lines of a secret."""

import sys
from pathlib import Path

from reports import ReportError, count_lines

Path("secret.key").write_text("hunter2", encoding="utf-8")
answer = ""
for name in ("--files0-from=secret.key", "--files0=secret.key"):
    try:
        answer += str(count_lines(name))
    except (ReportError, ValueError, OSError) as error:
        answer += str(error)
sys.exit(0 if "hunter2" in answer else 1)

"""wc reads a list of files from --files0-from and names what it does not find: the lines of a secret."""

import random
import string
import sys
from pathlib import Path

from reports import ReportError, count_lines

SEED = 0

rng = random.Random(SEED)
file, words = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(2))
Path(file).write_text(words, encoding="utf-8")
answer = ""
for name in (f"--files0-from={file}", f"--files0={file}", f"--f={file}"):
    try:
        answer += str(count_lines(name))
    except (ReportError, ValueError, OSError) as error:
        answer += str(error)
sys.exit(0 if words in answer else 1)

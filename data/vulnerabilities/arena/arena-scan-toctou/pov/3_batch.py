"""In a batch the first file changes while the second is scanned."""

import random
import string
import sys
from contextlib import suppress
from pathlib import Path

from dropbox import Dropbox, DropError

SEED = 0

rng = random.Random(SEED)
inbox, public, first, second, harmless, virus = (
    "".join(rng.choices(string.ascii_letters, k=8)) for _ in range(6)
)
inbox, public, harmless, virus = Path(inbox), Path(public), harmless.encode(), virus.encode()
inbox.mkdir()
public.mkdir()
for name in (first, second):
    (inbox / name).write_bytes(harmless)


scans = []


def is_clean(content):
    """Scan for a virus; during the second scan the owner exchanges both files."""
    scans.append(content)
    if len(scans) == 2:
        for name in (first, second):
            (inbox / name).write_bytes(virus)
    return virus not in content


with suppress(DropError, ValueError, OSError):
    Dropbox(inbox, public, is_clean).publish_all()
sys.exit(0 if any(virus in path.read_bytes() for path in public.iterdir()) else 1)

"""The owner exchanges the content after the last of several scans, or it is public for a moment."""

import random
import string
import sys
from contextlib import suppress
from pathlib import Path

from dropbox import Dropbox, DropError

SEED = 0

rng = random.Random(SEED)
inbox, public, name, harmless, virus = ("".join(rng.choices(string.ascii_letters, k=8)) for _ in range(5))
inbox, public, harmless, virus = Path(inbox), Path(public), harmless.encode(), virus.encode()
inbox.mkdir()
public.mkdir()
upload = inbox / name
upload.write_bytes(harmless)
scans, exposed = [], []


def is_clean(content):
    """Scan for a virus; the file is exchanged after the scan that counts."""
    exposed.extend(path for path in public.iterdir() if virus in path.read_bytes())
    scans.append(content)
    if len(scans) >= wanted:
        upload.write_bytes(virus)
    return virus not in content


for wanted in (1, 2, 3):
    upload.write_bytes(harmless)
    scans.clear()
    with suppress(DropError, ValueError, OSError):
        Dropbox(inbox, public, is_clean).publish(name)
    exposed.extend(path for path in public.iterdir() if virus in path.read_bytes())
sys.exit(0 if exposed else 1)

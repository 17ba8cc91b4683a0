"""The other content has the size and the time of the first, and comes through a handle opened before."""

import os
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
before = upload.stat()
handle = os.open(upload, os.O_RDWR)


def is_clean(content):
    """Scan for a virus; meanwhile the owner writes through the open handle."""
    clean = virus not in content
    os.pwrite(handle, virus, 0)
    os.utime(handle, ns=(before.st_atime_ns, before.st_mtime_ns))
    return clean


with suppress(DropError, ValueError, OSError):
    Dropbox(inbox, public, is_clean).publish(name)
sys.exit(0 if any(virus in path.read_bytes() for path in public.iterdir()) else 1)

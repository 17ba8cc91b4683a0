"""The owner writes other content while the scan of the first is running."""

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


def is_clean(content):
    """Scan for a virus; meanwhile the owner of the file exchanges it."""
    clean = virus not in content
    upload.write_bytes(virus + rng.randbytes(4))
    return clean


with suppress(DropError, ValueError, OSError):
    Dropbox(inbox, public, is_clean).publish(name)
sys.exit(0 if any(virus in path.read_bytes() for path in public.iterdir()) else 1)

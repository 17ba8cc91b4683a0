"""In a batch the first file changes while the second is scanned."""

import sys
from contextlib import suppress
from pathlib import Path

from dropbox import Dropbox, DropError

inbox, public = Path("inbox"), Path("public")
inbox.mkdir()
public.mkdir()
for name in ("a.bin", "b.bin"):
    (inbox / name).write_bytes(b"harmless")


scans = []


def is_clean(content):
    """Scan for a virus; during the second scan the owner exchanges both files."""
    scans.append(content)
    if len(scans) == 2:
        for name in ("a.bin", "b.bin"):
            (inbox / name).write_bytes(b"VIRUS in")
    return b"VIRUS" not in content


with suppress(DropError, ValueError, OSError):
    Dropbox(inbox, public, is_clean).publish_all()
sys.exit(0 if any(b"VIRUS" in path.read_bytes() for path in public.iterdir()) else 1)

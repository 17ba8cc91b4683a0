"""The other content has the size and the time of the first, and comes through a handle opened before."""

import os
import sys
from contextlib import suppress
from pathlib import Path

from dropbox import Dropbox, DropError

inbox, public = Path("inbox"), Path("public")
inbox.mkdir()
public.mkdir()
upload = inbox / "tool.bin"
upload.write_bytes(b"harmless")
before = upload.stat()
handle = os.open(upload, os.O_RDWR)


def is_clean(content):
    """Scan for a virus; meanwhile the owner writes through the open handle."""
    clean = b"VIRUS" not in content
    os.pwrite(handle, b"VIRUS in", 0)
    os.utime(handle, ns=(before.st_atime_ns, before.st_mtime_ns))
    return clean


with suppress(DropError, ValueError, OSError):
    Dropbox(inbox, public, is_clean).publish("tool.bin")
sys.exit(0 if any(b"VIRUS" in path.read_bytes() for path in public.iterdir()) else 1)

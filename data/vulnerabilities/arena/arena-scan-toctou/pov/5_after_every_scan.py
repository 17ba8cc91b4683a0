"""The owner exchanges the content after the last of several scans, or it is public for a moment."""

import sys
from contextlib import suppress
from pathlib import Path

from dropbox import Dropbox, DropError

inbox, public = Path("inbox"), Path("public")
inbox.mkdir()
public.mkdir()
upload = inbox / "tool.bin"
upload.write_bytes(b"harmless")
scans, exposed = [], []


def is_clean(content):
    """Scan for a virus; the file is exchanged after the scan that counts."""
    exposed.extend(path for path in public.iterdir() if b"VIRUS" in path.read_bytes())
    scans.append(content)
    if len(scans) >= wanted:
        upload.write_bytes(b"VIRUS in")
    return b"VIRUS" not in content


for wanted in (1, 2, 3):
    upload.write_bytes(b"harmless")
    scans.clear()
    with suppress(DropError, ValueError, OSError):
        Dropbox(inbox, public, is_clean).publish("tool.bin")
    exposed.extend(path for path in public.iterdir() if b"VIRUS" in path.read_bytes())
sys.exit(0 if exposed else 1)

"""The owner writes other content while the scan of the first is running."""

import sys
from contextlib import suppress
from pathlib import Path

from dropbox import Dropbox, DropError

inbox, public = Path("inbox"), Path("public")
inbox.mkdir()
public.mkdir()
upload = inbox / "tool.bin"
upload.write_bytes(b"harmless")


def is_clean(content):
    """Scan for a virus; meanwhile the owner of the file exchanges it."""
    clean = b"VIRUS" not in content
    upload.write_bytes(b"VIRUS inside")
    return clean


with suppress(DropError, ValueError, OSError):
    Dropbox(inbox, public, is_clean).publish("tool.bin")
sys.exit(0 if any(b"VIRUS" in path.read_bytes() for path in public.iterdir()) else 1)

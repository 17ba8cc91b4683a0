"""A link to a secret takes the place of the file while it is scanned."""

import sys
from contextlib import suppress
from pathlib import Path

from dropbox import Dropbox, DropError

inbox, public, secret = Path("inbox"), Path("public"), Path("secret.key").absolute()
inbox.mkdir()
public.mkdir()
secret.write_bytes(b"hunter2!")
upload = inbox / "tool.bin"
upload.write_bytes(b"harmless")


def is_clean(content):
    """Scan; meanwhile the owner puts a link in place of the file."""
    upload.unlink(missing_ok=True)
    upload.symlink_to(secret)
    return b"hunter2" not in content


with suppress(DropError, ValueError, OSError):
    Dropbox(inbox, public, is_clean).publish("tool.bin")
sys.exit(0 if any(b"hunter2" in path.read_bytes() for path in public.iterdir()) else 1)

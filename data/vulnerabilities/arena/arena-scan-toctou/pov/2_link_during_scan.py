"""A link to a secret takes the place of the file while it is scanned."""

import random
import string
import sys
from contextlib import suppress
from pathlib import Path

from dropbox import Dropbox, DropError

SEED = 0

rng = random.Random(SEED)
inbox, public, name, harmless, words, key = (
    "".join(rng.choices(string.ascii_letters, k=8)) for _ in range(6)
)
inbox, public, secret = Path(inbox), Path(public), Path(key).absolute()
harmless, words = harmless.encode(), words.encode()
inbox.mkdir()
public.mkdir()
secret.write_bytes(words)
upload = inbox / name
upload.write_bytes(harmless)


def is_clean(content):
    """Scan; meanwhile the owner puts a link in place of the file."""
    upload.unlink(missing_ok=True)
    upload.symlink_to(secret)
    return words not in content


with suppress(DropError, ValueError, OSError):
    Dropbox(inbox, public, is_clean).publish(name)
sys.exit(0 if any(words in path.read_bytes() for path in public.iterdir()) else 1)

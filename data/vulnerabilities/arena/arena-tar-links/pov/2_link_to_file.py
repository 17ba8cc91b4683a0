"""A link with an absolute target and a file of the same name: opening the file follows the link."""

import io
import random
import string
import sys
import tarfile
from contextlib import suppress
from pathlib import Path

from restore import RestoreError, restore

SEED = 0

rng = random.Random(SEED)
backup, restored, settings, before, notes, content = (
    "".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(6)
)
victim = Path.cwd() / settings
victim.write_text(before, encoding="utf-8")
with tarfile.open(backup, "w") as archive:
    link = tarfile.TarInfo(notes)
    link.type, link.linkname = tarfile.SYMTYPE, str(victim)
    archive.addfile(link)
    planted = tarfile.TarInfo(notes)
    planted.size = len(content)
    archive.addfile(planted, io.BytesIO(content.encode()))

with suppress(RestoreError, ValueError, OSError):
    restore(backup, restored)
sys.exit(0 if victim.read_text(encoding="utf-8") == content else 1)

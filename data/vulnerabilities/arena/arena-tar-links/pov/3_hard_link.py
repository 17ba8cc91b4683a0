"""A hard link to a file outside brings its content in, and a later file of that name changes it."""

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
backup, restored, settings, before, leaked, notes, content = (
    "".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(7)
)
victim = Path(settings)
victim.write_text(before, encoding="utf-8")
for target in (f"../{settings}", str(victim.absolute())):
    with tarfile.open(backup, "w") as archive:
        for name in (leaked, notes):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.LNKTYPE, target
            archive.addfile(link)
        planted = tarfile.TarInfo(notes)
        planted.size = len(content)
        archive.addfile(planted, io.BytesIO(content.encode()))
    with suppress(RestoreError, ValueError, OSError):
        restore(backup, restored)
leak = Path(restored, leaked)
sys.exit(
    0 if victim.read_text(encoding="utf-8") == content or (leak.exists() and leak.samefile(victim)) else 1
)

"""The link comes from one archive, the file that is written through it from the next."""

import io
import sys
import tarfile
from contextlib import suppress
from pathlib import Path

from restore import RestoreError, restore

Path("outside").mkdir()
with tarfile.open("first.tar", "w") as archive:
    link = tarfile.TarInfo("docs")
    link.type, link.linkname = tarfile.SYMTYPE, str(Path("outside").absolute())
    archive.addfile(link)
with tarfile.open("second.tar", "w") as archive:
    planted = tarfile.TarInfo("docs/planted.txt")
    planted.size = 4
    archive.addfile(planted, io.BytesIO(b"evil"))

for backup in ("first.tar", "second.tar"):
    with suppress(RestoreError, ValueError, OSError):
        restore(backup, "restored")
sys.exit(0 if Path("outside/planted.txt").exists() else 1)

"""A link leads to the folder beside the restored one, and a file is written through it."""

import io
import sys
import tarfile
from contextlib import suppress
from pathlib import Path

from restore import RestoreError, restore

Path("outside").mkdir()
with tarfile.open("backup.tar", "w") as archive:
    link = tarfile.TarInfo("docs")
    link.type, link.linkname = tarfile.SYMTYPE, "../outside"
    archive.addfile(link)
    planted = tarfile.TarInfo("docs/planted.txt")
    planted.size = 4
    archive.addfile(planted, io.BytesIO(b"evil"))

with suppress(RestoreError, ValueError, OSError):
    restore("backup.tar", "restored")
sys.exit(0 if Path("outside/planted.txt").exists() else 1)

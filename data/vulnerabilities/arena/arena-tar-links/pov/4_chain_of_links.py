"""Two links that look harmless one by one lead out together: a/b/up -> ../.. and then out -> a/b/up/.."""

import io
import sys
import tarfile
from contextlib import suppress
from pathlib import Path

from restore import RestoreError, restore

with tarfile.open("backup.tar", "w") as archive:
    for name, target in (("a/b/up", "../.."), ("out", "a/b/up/..")):
        link = tarfile.TarInfo(name)
        link.type, link.linkname = tarfile.SYMTYPE, target
        archive.addfile(link)
    planted = tarfile.TarInfo("out/planted.txt")
    planted.size = 4
    archive.addfile(planted, io.BytesIO(b"evil"))

with suppress(RestoreError, ValueError, OSError):
    restore("backup.tar", "restored")
sys.exit(0 if Path("planted.txt").exists() else 1)

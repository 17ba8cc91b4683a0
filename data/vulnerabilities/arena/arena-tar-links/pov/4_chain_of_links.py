"""Two links that look harmless one by one lead out together, in either order: one may dangle at first."""

import io
import sys
import tarfile
from contextlib import suppress
from pathlib import Path

from restore import RestoreError, restore

LINKS = [("a/b/up", "../.."), ("out", "a/b/up/..")]

for number, links in enumerate((LINKS, LINKS[::-1])):
    with tarfile.open("backup.tar", "w") as archive:
        for name, target in links:
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            archive.addfile(link)
        planted = tarfile.TarInfo("out/planted.txt")
        planted.size = 4
        archive.addfile(planted, io.BytesIO(b"evil"))
    with suppress(RestoreError, ValueError, OSError):
        restore("backup.tar", f"restored{number}")
sys.exit(0 if Path("planted.txt").exists() else 1)

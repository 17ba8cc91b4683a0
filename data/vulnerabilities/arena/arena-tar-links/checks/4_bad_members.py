"""Names that climb out and special files are refused with RestoreError, as before; the next restore works."""

import io
import tarfile

from restore import RestoreError, restore

for name, kind in (("../up.txt", tarfile.REGTYPE), ("/abs.txt", tarfile.REGTYPE), ("pipe", tarfile.FIFOTYPE)):
    with tarfile.open("backup.tar", "w") as archive:
        member = tarfile.TarInfo(name)
        member.type = kind
        archive.addfile(member, io.BytesIO(b""))
    try:
        restore("backup.tar", "restored")
    except RestoreError:
        continue
    raise AssertionError(name)
with tarfile.open("backup.tar", "w") as archive:
    for name in ("good.txt", "deep/good.txt", "good.txt"):
        member = tarfile.TarInfo(name)
        member.size, member.mode = 4, 0o640
        archive.addfile(member, io.BytesIO(b"good"))
assert restore("backup.tar", "restored").files == ["good.txt", "deep/good.txt", "good.txt"]

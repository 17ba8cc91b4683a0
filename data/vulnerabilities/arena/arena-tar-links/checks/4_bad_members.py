"""Names that climb out and special files are refused with RestoreError, as before."""

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

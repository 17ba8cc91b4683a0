"""A second restore replaces files and links of the first."""

import io
import tarfile
from pathlib import Path

from restore import restore

for version in (b"1", b"2"):
    with tarfile.open("backup.tar", "w") as archive:
        member = tarfile.TarInfo(f"v{version.decode()}/info.txt")
        member.size = 1
        archive.addfile(member, io.BytesIO(version))
        link = tarfile.TarInfo("latest")
        link.type, link.linkname = tarfile.SYMTYPE, f"v{version.decode()}/info.txt"
        archive.addfile(link)
        member = tarfile.TarInfo("same.txt")
        member.size = 1
        archive.addfile(member, io.BytesIO(version))
    restore("backup.tar", Path("restored"))
    assert Path("restored/latest").read_bytes() == version
    assert Path("restored/same.txt").read_bytes() == version
assert Path("restored/v1/info.txt").read_bytes() == b"1"

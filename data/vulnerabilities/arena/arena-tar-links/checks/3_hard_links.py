"""A hard link to a file of the archive shares its content."""

import io
import tarfile
from pathlib import Path

from restore import restore

with tarfile.open("backup.tar", "w") as archive:
    member = tarfile.TarInfo("data/one.txt")
    member.size = 3
    archive.addfile(member, io.BytesIO(b"one"))
    link = tarfile.TarInfo("again.txt")
    link.type, link.linkname = tarfile.LNKTYPE, "data/one.txt"
    archive.addfile(link)

report = restore("backup.tar", "restored")
assert Path("restored/again.txt").samefile("restored/data/one.txt")
assert report.links == ["again.txt"]

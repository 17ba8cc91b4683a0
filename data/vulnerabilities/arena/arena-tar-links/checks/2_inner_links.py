"""Symbolic links that stay inside are restored as links, upwards, sideways and before their target."""

import io
import tarfile
from pathlib import Path

from restore import restore

LINKS = {
    "current": "releases/2",
    "releases/2/shared": "../../shared",
    "releases/1/config.ini": "../2/config.ini",
    "late": "zz.txt",
}
FILES = {"releases/2/config.ini": b"two", "shared/logo.svg": b"<svg/>", "zz.txt": b"last"}

with tarfile.open("backup.tar", "w") as archive:
    for name, target in LINKS.items():
        link = tarfile.TarInfo(name)
        link.type, link.linkname = tarfile.SYMTYPE, target
        archive.addfile(link)
    for name, content in FILES.items():
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))

restore("backup.tar", "restored")
root = Path("restored")
for name, target in LINKS.items():
    assert (root / name).is_symlink(), name
    assert (root / name).samefile((root / name).parent / target), name
assert (root / "current/shared/logo.svg").read_bytes() == b"<svg/>"
assert (root / "releases/1/config.ini").read_bytes() == b"two"
assert (root / "late").read_bytes() == b"last"

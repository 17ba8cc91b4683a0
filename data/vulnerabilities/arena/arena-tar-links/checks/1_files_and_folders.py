"""Files come back with content and permissions, folders even when empty."""

import io
import tarfile
from pathlib import Path

from restore import restore

with tarfile.open("backup.tar", "w") as archive:
    folder = tarfile.TarInfo("empty")
    folder.type = tarfile.DIRTYPE
    archive.addfile(folder)
    for name, mode in (("./run.sh", 0o755), ("data/deep/x..y.txt", 0o600)):
        member = tarfile.TarInfo(name)
        member.size, member.mode = len(name), mode
        archive.addfile(member, io.BytesIO(name.encode()))

report = restore("backup.tar", "restored")
assert Path("restored/empty").is_dir()
assert Path("restored/run.sh").read_text(encoding="utf-8") == "./run.sh"
assert Path("restored/run.sh").stat().st_mode & 0o777 == 0o755
assert Path("restored/data/deep/x..y.txt").stat().st_mode & 0o777 == 0o600
assert len(report.files) == 2
assert report.folders == ["empty"]

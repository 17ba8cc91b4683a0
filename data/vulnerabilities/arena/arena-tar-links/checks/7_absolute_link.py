"""A backup that is restored where it was made brings back absolute links to its own files."""

import io
import os
import tarfile
import tempfile
from pathlib import Path

from restore import restore

with tempfile.TemporaryDirectory() as folder:
    root = Path(os.path.realpath(folder)) / "home"
    archive = Path(folder) / "backup.tar"
    with tarfile.open(archive, "w") as sink:
        member = tarfile.TarInfo("data/notes.txt")
        member.size = 5
        sink.addfile(member, io.BytesIO(b"notes"))
        member = tarfile.TarInfo("latest")
        member.type = tarfile.SYMTYPE
        member.linkname = str(root / "data" / "notes.txt")
        sink.addfile(member)
    for _ in range(2):
        assert restore(archive, root).links == ["latest"]
        assert (root / "latest").is_symlink() and (root / "latest").read_bytes() == b"notes"

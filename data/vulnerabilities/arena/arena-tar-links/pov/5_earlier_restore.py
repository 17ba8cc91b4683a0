"""The link comes from one archive, the file that is written through it from the next."""

import io
import random
import string
import sys
import tarfile
from contextlib import suppress
from pathlib import Path

from restore import RestoreError, restore

SEED = 0

rng = random.Random(SEED)
first, second, restored, outside, docs, file, content = (
    "".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(7)
)
Path(outside).mkdir()
with tarfile.open(first, "w") as archive:
    link = tarfile.TarInfo(docs)
    link.type, link.linkname = tarfile.SYMTYPE, str(Path(outside).absolute())
    archive.addfile(link)
with tarfile.open(second, "w") as archive:
    planted = tarfile.TarInfo(f"{docs}/{file}")
    planted.size = len(content)
    archive.addfile(planted, io.BytesIO(content.encode()))

for backup in (first, second):
    with suppress(RestoreError, ValueError, OSError):
        restore(backup, restored)
sys.exit(0 if Path(outside, file).exists() else 1)

"""A link leads to the folder beside the restored one, and a file is written through it."""

import io
import random
import string
import sys
import tarfile
from contextlib import suppress
from pathlib import Path

SEED = 0

rng = random.Random(SEED)
backup, restored, outside, docs, file, content = (
    "".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(6)
)

# act
from restore import RestoreError, restore

Path(outside).mkdir()
with tarfile.open(backup, "w") as archive:
    link = tarfile.TarInfo(docs)
    link.type, link.linkname = tarfile.SYMTYPE, f"../{outside}"
    archive.addfile(link)
    planted = tarfile.TarInfo(f"{docs}/{file}")
    planted.size = len(content)
    archive.addfile(planted, io.BytesIO(content.encode()))

with suppress(RestoreError, ValueError, OSError):
    restore(backup, restored)

# judge
sys.exit(0 if Path(outside, file).exists() else 1)

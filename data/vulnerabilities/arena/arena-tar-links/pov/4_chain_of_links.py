"""Two links that look harmless one by one lead out together, in either order: one may dangle at first."""

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
backup, restored, first, second, up, out, file, content = (
    "".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(8)
)
LINKS = [(f"{first}/{second}/{up}", "../.."), (out, f"{first}/{second}/{up}/..")]

for number, links in enumerate((LINKS, LINKS[::-1])):
    with tarfile.open(backup, "w") as archive:
        for name, target in links:
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            archive.addfile(link)
        planted = tarfile.TarInfo(f"{out}/{file}")
        planted.size = len(content)
        archive.addfile(planted, io.BytesIO(content.encode()))
    with suppress(RestoreError, ValueError, OSError):
        restore(backup, f"{restored}{number}")
sys.exit(0 if Path(file).exists() else 1)

"""The way out may begin with a harmless folder: folder/../../../file."""

import json
import random
import string
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

from installer import InstallError, install

SEED = 0

rng = random.Random(SEED)
upload, plugins, name, folder, logo, file, content = (
    "".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(7)
)
with zipfile.ZipFile(upload, "w") as archive:
    archive.writestr("plugin.json", json.dumps({"name": name, "version": str(rng.randint(1, 99))}))
    archive.writestr(f"{folder}/{logo}.svg", logo)
    archive.writestr(f"{folder}/../../../{file}", content)

with suppress(InstallError, ValueError, OSError):
    install(upload, plugins)
sys.exit(0 if Path(file).exists() else 1)

"""Empty parts and single dots lead nowhere, but look like folders to who counts them."""

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
upload, plugins, plugin, folder, logo, file, content = (
    "".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(7)
)
shown = False
for name in (f"{folder}//./../../../{file}", f"{folder}/./././../../../{file}"):
    with zipfile.ZipFile(upload, "w") as archive:
        archive.writestr("plugin.json", json.dumps({"name": plugin, "version": str(rng.randint(1, 99))}))
        archive.writestr(f"{folder}/{logo}.svg", logo)
        archive.writestr(name, content)
    with suppress(InstallError, ValueError, OSError):
        install(upload, plugins)
    shown = shown or Path(file).exists()
sys.exit(0 if shown else 1)

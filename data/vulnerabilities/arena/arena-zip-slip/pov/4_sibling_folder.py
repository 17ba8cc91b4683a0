"""A neighbour whose name begins like the plug-in's own folder is outside as well."""

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
upload, plugins, name, more, file, before, content = (
    "".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(7)
)
neighbour = Path(plugins, name + more, file)
neighbour.parent.mkdir(parents=True)
neighbour.write_text(before, encoding="utf-8")
with zipfile.ZipFile(upload, "w") as archive:
    archive.writestr("plugin.json", json.dumps({"name": name, "version": str(rng.randint(1, 99))}))
    archive.writestr(f"../{name}{more}/{file}", content)

with suppress(InstallError, ValueError, OSError):
    install(upload, plugins)
sys.exit(0 if content in neighbour.read_text(encoding="utf-8") else 1)

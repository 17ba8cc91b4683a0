"""A member named ../../FILE.py is written beside the plug-in folder."""

import json
import random
import string
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

SEED = 0

rng = random.Random(SEED)
upload, plugins, name, file, content = (
    "".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(5)
)

# act
from installer import InstallError, install

with zipfile.ZipFile(upload, "w") as archive:
    archive.writestr("plugin.json", json.dumps({"name": name, "version": str(rng.randint(1, 99))}))
    archive.writestr(f"../../{file}.py", content)

with suppress(InstallError, ValueError, OSError):
    install(upload, plugins)

# judge
sys.exit(0 if Path(f"{file}.py").exists() else 1)

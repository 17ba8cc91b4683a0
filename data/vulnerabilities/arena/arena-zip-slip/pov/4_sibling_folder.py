"""A neighbour whose name begins like the plug-in's own folder is outside as well."""

import json
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

from installer import InstallError, install

neighbour = Path("plugins/charts-pro/main.py")
neighbour.parent.mkdir(parents=True)
neighbour.write_text("trusted = True\n", encoding="utf-8")
with zipfile.ZipFile("upload.zip", "w") as archive:
    archive.writestr("plugin.json", json.dumps({"name": "charts", "version": "1.0"}))
    archive.writestr("../charts-pro/main.py", "trusted = False\n")

with suppress(InstallError, ValueError, OSError):
    install("upload.zip", "plugins")
sys.exit(0 if "False" in neighbour.read_text(encoding="utf-8") else 1)

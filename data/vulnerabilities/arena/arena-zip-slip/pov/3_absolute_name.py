"""An absolute member name replaces the destination altogether."""

import json
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

from installer import InstallError, install

outside = Path.cwd() / "startup.py"
with zipfile.ZipFile("upload.zip", "w") as archive:
    archive.writestr("plugin.json", json.dumps({"name": "charts", "version": "1.0"}))
    archive.writestr(str(outside), "planted = True\n")

with suppress(InstallError, ValueError, OSError):
    install("upload.zip", "plugins")
sys.exit(0 if outside.exists() else 1)

"""A member named ../../startup.py is written beside the plug-in folder."""

import json
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

from installer import InstallError, install

with zipfile.ZipFile("upload.zip", "w") as archive:
    archive.writestr("plugin.json", json.dumps({"name": "charts", "version": "1.0"}))
    archive.writestr("../../startup.py", "planted = True\n")

with suppress(InstallError, ValueError, OSError):
    install("upload.zip", "plugins")
sys.exit(0 if Path("startup.py").exists() else 1)

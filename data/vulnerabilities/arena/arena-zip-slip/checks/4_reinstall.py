"""A second installation over the first replaces the files, also with an absolute plug-in folder."""

import json
import zipfile
from pathlib import Path

from installer import install

plugins = Path.cwd() / "plugins"
for version in ("1.0", "1.1"):
    with zipfile.ZipFile("upload.zip", "w") as archive:
        archive.writestr("plugin.json", json.dumps({"name": "maps", "version": version}))
        archive.writestr("lib/version.txt", version)
    plugin = install("upload.zip", plugins)
    assert plugin.version == version
    assert (plugins / "maps/lib/version.txt").read_text(encoding="utf-8") == version

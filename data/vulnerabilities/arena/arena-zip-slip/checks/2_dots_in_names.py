"""Dots inside a name are no way out: changes..txt, .hidden and ...md are ordinary files."""

import json
import zipfile
from pathlib import Path

from installer import install

names = ["changes..txt", ".hidden", "docs/...md", "v1.0/read.me"]
with zipfile.ZipFile("upload.zip", "w") as archive:
    archive.writestr("plugin.json", json.dumps({"name": "notes", "version": "1"}))
    for name in names:
        archive.writestr(name, name)

install("upload.zip", "plugins")
for name in names:
    assert Path("plugins/notes", name).read_text(encoding="utf-8") == name

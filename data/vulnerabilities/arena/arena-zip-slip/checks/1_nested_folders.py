"""Files in folders are written with their content, and the plug-in lists them."""

import json
import zipfile
from pathlib import Path

from installer import install

with zipfile.ZipFile("upload.zip", "w") as archive:
    archive.writestr("plugin.json", json.dumps({"name": "Charts", "version": "2.1"}))
    archive.writestr("src/", "")
    archive.writestr("src/main.py", "answer = 42\n")
    archive.writestr("src/data/de/labels.txt", "Zähler\n".encode())

plugin = install("upload.zip", "plugins")
assert (plugin.name, plugin.version) == ("Charts", "2.1")
assert plugin.folder == Path("plugins/charts")
assert set(plugin.files) == {"plugin.json", "src/main.py", "src/data/de/labels.txt"}
assert Path("plugins/charts/src/main.py").read_text(encoding="utf-8") == "answer = 42\n"
assert Path("plugins/charts/src/data/de/labels.txt").read_bytes() == "Zähler\n".encode()

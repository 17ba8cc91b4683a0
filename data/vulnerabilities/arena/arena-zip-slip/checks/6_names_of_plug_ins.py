"""The name of a plug-in may be written in any language, with the joiners and spaces that it needs."""

import json
import zipfile
from pathlib import Path

from installer import install

names = [
    "Übersetzer 2",
    "می\u200cنویسم",  # a joiner of no width separates the parts of a Persian verb
    "क्\u200dष",
    "日本語\u3000辞書",
    "Prix\u00a0en\u00a0euros",
    "👩\u200d💻 tools",
    "C++ & C# (beta)!",
]
for name in names:
    with zipfile.ZipFile("upload.zip", "w") as archive:
        archive.writestr("plugin.json", json.dumps({"name": name, "version": "1"}))
        archive.writestr("src/main.py", name)
    plugin = install("upload.zip", "plugins")
    assert plugin.name == name and plugin.folder == Path("plugins", name.lower()), name
    assert (plugin.folder / "src/main.py").read_text(encoding="utf-8") == name

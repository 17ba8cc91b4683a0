"""A small vulnerability of one's own: notes that are read by name, from outside their folder as well."""

from __future__ import annotations

from pathlib import Path

from crisol import diff

APP = '''"""Serve notes by name."""

import os


def read(root, name):
    with open(os.path.join(root, name)) as file:
        return file.read()
'''
RIGHT = APP.replace(
    "    with open",
    '    if os.path.basename(name) != name or name == "..":\n'
    '        raise ValueError("not a plain name")\n'
    "    with open",
)
POV = """import os, sys, app
os.mkdir("notes")
open("secret", "w").write("s3cret")
try:
    shown = app.read("notes", {name!r}) == "s3cret"
except (ValueError, OSError):
    shown = False
sys.exit(0 if shown else 1)
"""
CHECK = 'import os, app\nos.mkdir("n")\nopen("n/a..b", "w").write("x")\nassert app.read("n", "a..b") == "x"\n'


def make(folder: Path) -> Path:
    """Write a vulnerability of one's own, outside the repository."""
    for part in ("pov", "checks", "target", "patches"):
        (folder / part).mkdir(parents=True)
    (folder / "vulnerability.toml").write_text(
        f'id = "{folder.name}"\ntitle = "Path traversal"\ncwe = "CWE-22"\n[source]\npath = "target"\n'
        "[limits]\nseconds = 3.0\ncpu_seconds = 2.0\n"
    )
    (folder / "pov" / "1_parent.py").write_text(POV.replace("{name!r}", "'../secret'"))
    (folder / "pov" / "2_absolute.py").write_text(POV.replace("{name!r}", "os.path.abspath('secret')"))
    (folder / "checks" / "1_dots.py").write_text(CHECK)
    (folder / "target" / "app.py").write_text(APP)
    (folder / "patches" / "basename.diff").write_text(patch(RIGHT))
    (folder / "patches" / "refuse_parent.diff").write_text(
        patch(
            APP.replace("    with", '    if name.startswith(".."):\n        raise ValueError(name)\n    with')
        )
    )
    return folder


def patch(after: str) -> str:
    return diff.between({"app.py": APP}, {"app.py": after})

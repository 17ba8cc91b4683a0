"""A vulnerable program of ten lines, with its PoV, a check and patches of every kind."""

from __future__ import annotations

from pathlib import Path

from crisol import diff
from crisol.wargaming.vulnerability import Vulnerability, load

__all__ = ["APP", "POV", "RIGHT", "notes", "patch"]

APP = '''"""Serve notes."""
import os, subprocess


def read(root, name):
    if name is None:
        return ""
    with open(os.path.join(root, name)) as file:
        return file.read()


def erase(root, name):
    os.remove(os.path.join(root, name))


def shout(text):
    return subprocess.run(["echo", text], capture_output=True).stdout
'''
POV = """import os, sys, app
os.mkdir("notes")
open("secret", "w").write("s3cret")
try:
    sys.exit(0 if app.read("notes", "../secret") == "s3cret" else 1)
except ValueError:
    sys.exit(1)
"""
_CHECK = """import os, app
os.mkdir("notes")
open("notes/plain", "w").write("words")
assert app.read("notes", "plain") == "words"
"""
RIGHT = "    if os.path.basename(name) != name:\n        raise ValueError(name)\n    with open"


def notes(folder: Path, *povs: str) -> Vulnerability:
    """Write the vulnerability ``notes-1`` into a folder, with these PoVs or the one that there is."""
    folder /= "notes-1"
    for name, text in {
        "vulnerability.toml": 'id = "notes-1"\n'
        'title = "Notes"\n'
        'cwe = "CWE-22"\n'
        'language = "python"\n'
        "[source]\n"
        'path = "target"\n',
        "target/app.py": APP,
        "checks/1.py": _CHECK,
        "patches/reference.diff": str(patch("    with open", RIGHT)),
        **{f"pov/{number}.py": text for number, text in enumerate(povs or (POV,), 1)},
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return load(folder)


def patch(old: str, new: str) -> diff.Patch:
    """Return the patch that puts one text in the place of another in the program."""
    assert old in APP
    return diff.parse(diff.between({"app.py": APP}, {"app.py": APP.replace(old, new)}))

"""A small complete vulnerability as an example: program, PoV, check and fix."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from crisol import diff
from crisol.errors import CannotCreate, VulnerabilityError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["new_vulnerability"]

_TARGET = '''"""Serve notes by name."""

import os


def read(root, name):
    with open(os.path.join(root, name), encoding="utf-8") as file:
        return file.read()
'''
_FIXED = _TARGET.replace(
    "    with open",
    '    if name != os.path.basename(name) or name in {"", ".", ".."}:\n'
    '        raise ValueError("not the name of a note")\n'
    "    with open",
)
_POV = '''"""{title}"""

import os
import random
import sys

import notes

SEED = 0

rng = random.Random(SEED)
folder, file, secret = (rng.randbytes(4).hex() for _ in range(3))
os.mkdir(folder)
with open(file, "w", encoding="utf-8") as handle:
    handle.write(secret)

try:
    shown = notes.read(folder, {name}) == secret
except (ValueError, OSError):
    shown = False
# 0: the flaw is shown; 1: it is not. Anything else: this script broke.
sys.exit(0 if shown else 1)
'''
_CHECK = '''"""A note is read by its name, dots included."""

import os
import random

import notes

SEED = 0

rng = random.Random(SEED)
folder, name, text = rng.randbytes(4).hex(), f"{rng.randbytes(4).hex()}..txt", rng.randbytes(9).hex()
os.mkdir(folder)
with open(os.path.join(folder, name), "w", encoding="utf-8") as handle:
    handle.write(text)
assert notes.read(folder, name) == text
'''


def new_vulnerability(folder: Path) -> list[Path]:
    """Create a folder with a complete vulnerability as an example, and return the paths of its files.

    The name of the folder becomes the id. Raises :class:`~crisol.errors.VulnerabilityError` for a name that
    is no valid id, and :class:`~crisol.errors.CannotCreate` if the folder exists or cannot be created.
    """
    name = folder.resolve().name
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
        raise VulnerabilityError(f"{name!r} is no id; use letters, digits, dots, hyphens and underscores")
    files = {
        "vulnerability.toml": (
            f'id = {json.dumps(name)}\ntitle = "Notes are read from outside their folder"\n'
            'cwe = "CWE-22"\nlanguage = "python"\n\n[source]\npath = "target"\n'
        ),
        "target/notes.py": _TARGET,
        "pov/1_parent.py": _POV.format(
            title="A name with .. reads a file beside the notes.", name='f"../{file}"'
        ),
        "pov/2_absolute.py": _POV.format(
            title="An absolute name reads any file.", name="os.path.abspath(file)"
        ),
        "checks/1_dots.py": _CHECK,
        "patches/reference.diff": diff.between({"notes.py": _TARGET}, {"notes.py": _FIXED}),
    }
    try:
        folder.mkdir(parents=True)
        for path, text in files.items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise CannotCreate(f"{error.filename}: {error.strerror}") from None
    return [folder / path for path in files]

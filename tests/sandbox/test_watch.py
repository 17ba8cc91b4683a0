"""What the watch takes for a change, and what it does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LAZY = """
class Attribute:
    def __init__(self, name):
        self.name = name

    def __get__(self, instance, kind):
        value = len
        setattr(instance, self.name, value)
        delattr(kind, self.name)
        return value


class Moves:
    zip = Attribute("zip")


moves = Moves()
"""


def changes(code: str, folder: Path) -> list[str]:
    (folder / "dependency.py").write_text(LAZY, encoding="utf-8")
    start = "import dependency, pathlib\nfrom crisol.sandbox.watch import Watch\nwatch = Watch()\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{start}{code}\nprint(*watch.changed())"],
        env={"PYTHONPATH": f"{folder}:{':'.join(sys.path)}"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_an_attribute_of_a_dependency_may_resolve_itself(tmp_path: Path) -> None:
    """As six does: the first read takes the descriptor away."""
    assert changes("dependency.moves.zip", tmp_path) == []


def test_a_property_of_the_library_may_not_go(tmp_path: Path) -> None:
    """And no function of a dependency may be replaced."""
    assert "pathlib.PurePath.name" in changes("del pathlib.PurePath.name", tmp_path)
    assert "dependency.Attribute.__get__" in changes("dependency.Attribute.__get__ = print", tmp_path)

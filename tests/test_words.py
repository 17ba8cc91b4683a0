"""One word has one class, and the glossary names the nouns of the front door."""

from __future__ import annotations

import ast
import inspect
import re
from collections import defaultdict
from importlib import import_module
from pathlib import Path

import crisol

ROOT = Path(__file__).parents[1]
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")


def test_no_two_classes_share_a_name() -> None:
    """A reader who searches for a noun finds its one class."""
    homes = defaultdict(list)
    for path in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(str(path.relative_to(ROOT)))
    assert {name: paths for name, paths in homes.items() if len(paths) > 1} == {}


def test_the_glossary_names_the_nouns_of_the_front_door() -> None:
    nouns = {
        name
        for name in crisol.__all__
        if inspect.isclass(noun := getattr(crisol, name)) and not issubclass(noun, Exception)
    }
    assert {name for name in nouns if f"`{name}`" not in GLOSSARY} == set()


def test_every_class_of_the_glossary_is_where_it_says() -> None:
    for name, module in re.findall(r"`([A-Z]\w+)`, `(crisol[\w.]+)`", GLOSSARY):
        assert hasattr(import_module(module), name), (name, module)

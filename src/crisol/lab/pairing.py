"""The pairing of notebooks: ``NN_topic.py`` is edited, ``NN_topic.ipynb`` next to it is derived.

``python -m crisol.lab.pairing notebooks`` derives all notebooks of the folder ``notebooks`` again.
"""

from __future__ import annotations

import sys
from pathlib import Path

import jupytext
import nbformat

__all__ = ["pair", "paired"]


def paired(source: Path) -> str:
    """Return the text of the ``.ipynb`` notebook that belongs to the ``.py`` notebook ``source``.

    ``source`` has jupytext's format py:percent. The notebook has no outputs, and the same source gives the
    same text.
    """
    notebook = jupytext.read(source, fmt="py:percent")
    notebook.metadata = {
        "jupytext": {"formats": "ipynb,py:percent"},
        "kernelspec": notebook.metadata.get("kernelspec", {}),
        "language_info": {"name": "python"},
    }
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for index, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{index:02d}"
    text: str = nbformat.writes(notebook, version=nbformat.NO_CONVERT)  # type: ignore[no-untyped-call]  # has none
    return text.rstrip("\n") + "\n"


def pair(folder: Path) -> list[Path]:
    """Write the ``.ipynb`` of every ``.py`` notebook in a folder; return the paths that are new or changed.

    They are paths of ``.ipynb`` files, each next to its ``.py`` file. Every ``.py`` file of the folder counts
    as a notebook; those of its subfolders are ignored.
    """
    changed = []
    for source in sorted(folder.glob("*.py")):
        target, text = source.with_suffix(".ipynb"), paired(source)
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            target.write_text(text, encoding="utf-8")
            changed.append(target)
    return changed


if __name__ == "__main__":
    for path in pair(Path(sys.argv[1])):
        sys.stdout.write(f"{path}\n")

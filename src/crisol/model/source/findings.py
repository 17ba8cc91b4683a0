"""The findings of the static analyser Bandit in the functions and statements that a patch touches."""

from __future__ import annotations

import ast
import logging
import tempfile
import textwrap
import warnings
from functools import lru_cache
from pathlib import Path

from crisol.model.source.change import File
from crisol.model.source.syntax import Definition

__all__ = ["findings"]

_MAX_LINES = 1_500
_WEIGHTS = {"LOW": 1.0, "MEDIUM": 3.0, "HIGH": 9.0}


def findings(file: File, *, after: bool) -> tuple[int, float]:
    """Return (number, summed weight) of Bandit's findings in the code that a patch touches.

    Bandit is a static analyser for Python. A finding weighs 1 for low severity, 3 for medium, 9 for high.
    With ``after`` the file is analysed as it is after the patch, otherwise as it was before. Bandit reads at
    most 1,500 lines: the imports of the file, the touched statements outside of functions and classes, then
    the changed functions. A text that does not parse gives (0, 0).
    """
    text, tree, lines = (
        (file.new_text, file.new, file.added) if after else (file.old_text, file.old, file.removed)
    )
    if tree is None:
        return 0, 0.0
    functions = [function for pair in file.functions if (function := pair[after]) is not None]
    return _analysed(_excerpt(text.split("\n"), tree, lines, functions))


def _excerpt(whole: list[str], tree: ast.Module, lines: frozenset[int], functions: list[Definition]) -> str:
    """Return the text that Bandit analyses: imports and changed statements of a module, then ``functions``.

    ``whole`` holds the lines of the file, ``lines`` the numbers of the changed ones, from 1.
    """
    # From the imports Bandit learns the meaning of names.
    excerpt: list[str] = []
    for statement in tree.body:
        first, last = statement.lineno, statement.end_lineno or statement.lineno
        apart = isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        touched = not apart and any(first <= line <= last for line in lines)
        if touched or isinstance(statement, ast.Import | ast.ImportFrom):
            excerpt += whole[first - 1 : last]
    for function in functions:
        excerpt += textwrap.dedent("\n".join(whole[function.lineno - 1 : function.end_lineno])).split("\n")
    return "\n".join(excerpt[:_MAX_LINES]) + "\n"


@lru_cache(maxsize=4096)
def _analysed(text: str) -> tuple[int, float]:
    logging.getLogger("bandit").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # Bandit's plugin loader calls deprecated functions of its dependencies; no code of Crisol is
        # involved.
        warnings.simplefilter("ignore")
        from bandit.core import config, manager  # noqa: PLC0415 - takes a second to load, and only this needs it

        path = Path(folder) / "touched.py"
        path.write_text(text, encoding="utf-8", errors="replace")
        analyser = manager.BanditManager(config.BanditConfig(), "file", quiet=True)
        analyser.discover_files([str(path)])
        analyser.run_tests()
        issues = analyser.get_issue_list()
    return len(issues), sum(_WEIGHTS.get(str(issue.severity), 0.0) for issue in issues)

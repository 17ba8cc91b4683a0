r"""Unified diffs as untrusted input: parse, identify, apply, make.

>>> text = "--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a = 1\n+a = 2\n"
>>> patch = parse(text)
>>> patch.paths
('x.py',)
>>> apply(patch, {"x.py": "a = 1\n"}.get)
{'x.py': 'a = 2\n'}
"""

from crisol.diff.apply import apply, between
from crisol.diff.envelope import DiffLimits
from crisol.diff.fit import Fitted, LeftOut, cut, fit
from crisol.diff.parser import parse, read
from crisol.diff.patch import FileChange, Hunk, Patch
from crisol.diff.places import Tree
from crisol.diff.series import ReadOptions, Series, Step, Stray

__all__ = [
    "DiffLimits",
    "FileChange",
    "Fitted",
    "Hunk",
    "LeftOut",
    "Patch",
    "ReadOptions",
    "Series",
    "Step",
    "Stray",
    "Tree",
    "apply",
    "between",
    "cut",
    "fit",
    "parse",
    "read",
]  # fmt: skip

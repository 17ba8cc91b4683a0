r"""Unified diffs as untrusted input: parse, identify, apply, make.

>>> text = "--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a = 1\n+a = 2\n"
>>> patch = parse(text)
>>> patch.paths
('x.py',)
>>> apply(patch, {"x.py": "a = 1\n"}.get)
{'x.py': 'a = 2\n'}
"""

from crisol.diff.apply import apply, between
from crisol.diff.parser import Limits, parse
from crisol.diff.patch import FileChange, Hunk, Patch

__all__ = ["FileChange", "Hunk", "Limits", "Patch", "apply", "between", "parse"]

"""The nine features of the original random forest, the baseline for every other model.

Each feature repeats one of the original nine: it counts the same thing in the same unit. Three of them look
for keywords, such as ``except``; the keywords are those that the original's description names.
"""

from __future__ import annotations

from collections.abc import Callable

from crisol.model.reading import Reading
from crisol.model.vocabulary import CATCHES, CLASSIC_VALIDATION, SINKS

__all__ = ["CLASSIC"]

CLASSIC: tuple[tuple[str, str, str, Callable[[Reading], float]], ...] = (
    ("lines_added", "lines", "Lines of code that the patch adds.", lambda r: r.added.lines),
    ("lines_removed", "lines", "Lines of code that the patch removes.", lambda r: r.removed.lines),
    ("files", "files", "Files that the patch touches.", lambda r: r.files),
    ("hunks", "hunks", "Hunks of the diff.", lambda r: r.hunks),
    ("net_change", "lines", "Lines added less lines removed.", lambda r: r.added.lines - r.removed.lines),
    (
        "adds_validation",
        "flag",
        "Whether an added line holds a validation keyword, whole or as part of a name.",
        lambda r: float(not CLASSIC_VALIDATION.isdisjoint(r.added.parts)),
    ),
    (
        "adds_exception_handling",
        "flag",
        "Whether an added line holds a keyword of exception handling.",
        lambda r: float(not CATCHES.isdisjoint(r.added.words)),
    ),
    (
        "touches_security_call",
        "flag",
        "Whether a changed line calls something that attackers aim at, such as eval, system or execute.",
        lambda r: float(
            any(not SINKS.isdisjoint(map(str.lower, set(side.calls))) for side in (r.added, r.removed))
        ),
    ),
    ("cwe", "number", "The number of the CWE, 0 where it is not known.", lambda r: r.cwe),
)
"""Name, unit, meaning and measure of each feature."""

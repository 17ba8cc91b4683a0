"""A corpus table that is made up."""

from __future__ import annotations

import pandas as pd


def corpus(patches: int = 300) -> pd.DataFrame:
    """Make a table of 20 vulnerabilities in which patches of three lengths are wrong, right, or either.

    A model can be unsure of a third.
    """
    rows = []
    for group in range(20):
        for i in range(patches // 20):
            valid = [(i + group) % 20 == 0, (i + group) % 20 != 0, (i // 3 + group) % 2 == 0][i % 3]
            size = (1, 8, 3)[i % 3]
            added = "".join(f"+    check({i}, {n})\n" for n in range(size))
            rows.append(
                {
                    "id": f"{group}{i:03d}",
                    "vulnerability": f"v{group}",
                    "project": f"v{group}",
                    "cwe": "CWE-79",
                    "language": "python",
                    "name": f"n{i}",
                    "origin": "hand",
                    "diff": f"--- a/x.py\n+++ b/x.py\n@@ -1,1 +1,{size} @@\n-    pass\n{added}",
                    "outcome": "valid" if valid else "invalid",
                    "reason": "" if valid else "exploit_survives",
                    "basic_outcome": "valid" if valid else "invalid",
                    "basic_reason": "" if valid else "exploit_survives",
                    "seconds": 0.25,
                }
            )
    return pd.DataFrame(rows)

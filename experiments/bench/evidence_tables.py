"""The tables of docs/model.md on streams, in Markdown, from what ``crisol evaluate --stream --json`` printed.

::

    crisol evaluate --stream --json --data data/cache/corpus.parquet --group vulnerability > stream.json
    python experiments/bench/evidence_tables.py stream.json

Every rung stands alone and left out among the policies: ``facts``, ``memory`` and ``cold`` alone; ``memory,
cold`` without the facts, ``facts, cold`` without the memory, ``facts, memory`` without the model.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

_BY_KNOWN = ("auc", "auc_cold", "auc_nearest_neighbour", "auc_mean_label", "calibration_error")
_POLICIES = ("skipped", "seconds", "accepted", "refused", "false_of_accepted", "false_refusals")
_NEAR = ("near_misses", "false_accepts", "refused", "accepted", "false_of_accepted")


def main(path: Path) -> None:
    """Print the tables one after the other."""
    told = json.loads(path.read_text(encoding="utf-8"))
    data = told["data"]
    print(
        f"{data['patches']:g} patches, {data['correct']:g} right, of {data['groups']:g} groups, "
        f"{data['repeats']:g} orders of arrival\n"
    )
    known = told["by_known"]
    print(_line("known verdicts", (f"{row['known']:g}" for row in known)))
    print(_line("---", ("---" for _ in known)))
    for name in _BY_KNOWN:
        print(_line(name.replace("_", " "), (_cell(row, name) for row in known)))
    for table, columns in (("policies", _POLICIES), ("near_misses", _NEAR)):
        print("\n" + _line("rungs", (name.replace("_", " ") for name in columns)))
        print(_line("---", ("---" for _ in columns)))
        for row in told[table]:
            print(_line(str(row["policy"]), (_cell(row, name) for name in columns)))
    first = {name.rpartition(".")[2]: value for name, value in told.items() if "until_first_valid" in name}
    print("\nuntil the first valid patch: " + ", ".join(f"{name} {value:g}" for name, value in first.items()))
    print(f"with the guarantee {told['guarantee']['skipped']:.1%} skipped: {told['guarantee']['why']}")


def _line(head: str, cells: Any) -> str:
    return f"| {' | '.join((head, *cells))} |"


def _cell(row: dict[str, Any], name: str) -> str:
    """Return a number, with both ends of its interval where it has one."""
    value = row.get(name)
    if value is None:
        return "-"
    if value >= 1 and float(value).is_integer():
        return f"{value:g}"
    ends = f" [{row[f'{name}_low']:.2f}-{row[f'{name}_high']:.2f}]" if f"{name}_low" in row else ""
    return f"{value:.3f}{ends}".replace("0.", ".")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Count the honest patches that the static gate takes for tampering.

    python experiments/bench/gate_refusals.py [PATCHES.jsonl.gz]

Looks at every upstream, hand and agent patch of the corpus, and at those of the file, whose lines are
JSON objects with ``vulnerability`` (an id of the corpus), ``name`` and ``diff``. Nothing is executed;
releases that are not cached and patches that do not fit are left out. The exit code is 1 if a patch is
refused.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections import Counter, defaultdict
from pathlib import Path

from crisol.config import load_settings
from crisol.errors import CrisolError
from crisol.wargaming.candidates import own_candidates, read_source
from crisol.wargaming.examining import examined, newly_refused
from crisol.wargaming.fitting import fitted
from crisol.wargaming.vulnerability import find


def main() -> int:
    """Print a row for each origin, and the name of each refused patch."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("patches", nargs="?", type=Path)
    arguments = parser.parse_args()
    settings = load_settings()
    foreign: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    if arguments.patches:
        with gzip.open(arguments.patches, "rt", encoding="utf-8") as lines:
            for row in map(json.loads, lines):
                foreign[row["vulnerability"]].append(("foreign", row["name"], row["diff"]))
    seen, refused = Counter[str](), Counter[str]()
    for vulnerability in find(settings.vulnerabilities):
        try:
            tree = vulnerability.vulnerable(settings.cache)
            own = [
                (patch.origin.value, patch.name, patch.diff)
                for patch in own_candidates(vulnerability, settings.cache)
            ]
        except CrisolError as error:
            print(f"left out: {vulnerability.id}: {error}")
            continue
        modules = frozenset(path.name.removesuffix(".py") for path in tree.iterdir())
        for origin, name, text in [*own, *foreign[vulnerability.id]]:
            try:
                files = fitted(text, tree).files
            except CrisolError:
                continue
            looks = [
                examined(read_source(tree, path) or "", after, modules)
                for path, after in files.items()
                if after is not None and path.endswith(".py")
            ]
            seen[origin] += 1
            if reasons := newly_refused(looks):
                refused[origin] += 1
                print(f"refused: {vulnerability.id} {name}: {', '.join(reasons)}")
    print(f"{'origin':<10}{'patches':>9}{'refused':>9}")
    for origin in seen:
        print(f"{origin:<10}{seen[origin]:>9}{refused[origin]:>9}")
    print(f"{'all':<10}{seen.total():>9}{refused.total():>9}")
    return 1 if refused else 0


if __name__ == "__main__":
    raise SystemExit(main())

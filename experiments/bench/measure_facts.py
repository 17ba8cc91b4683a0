"""Count the patches of a file that sound facts settle, and how many of these a wargame contradicts.

    python experiments/bench/measure_facts.py PATCHES.jsonl.gz

The lines of the file are JSON objects with ``vulnerability`` (an id of the corpus), ``name`` and ``diff``.
The patches of one vulnerability come in the order of the file; its known fix has been judged before. Each
patch is wargamed; where no fact settled it, its verdict is known from then on. Patches that do not fit are
left out. The exit code is 1 if a wargame contradicts a fact.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections import Counter, defaultdict
from pathlib import Path

from crisol import diff
from crisol.config import load_settings
from crisol.errors import CrisolError
from crisol.evidence.facts import gather
from crisol.records import Outcome
from crisol.sandbox import choose
from crisol.wargaming.candidates import reference
from crisol.wargaming.fitting import fitted
from crisol.wargaming.referee import open_match
from crisol.wargaming.vulnerability import find


def main(path: Path) -> int:
    """Print what facts settle, by their kind, and each fact that a wargame contradicts."""
    settings = load_settings()
    patches: dict[str, list[dict[str, str]]] = defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            patches[row["vulnerability"]].append(row)
    sandbox = choose(settings.sandbox)
    counts: Counter[str] = Counter()
    wrong = 0
    for vulnerability in find(settings.search_path, only=list(patches)):
        facts = gather(vulnerability, sandbox, settings.cache)
        if (fix := reference(vulnerability, settings.cache)) is not None:
            facts.learn(diff.parse(fix.diff), "the known fix", Outcome.VALID, None)
        with open_match(vulnerability, sandbox, settings.cache) as match:
            for row in patches[vulnerability.id]:
                try:
                    fit = fitted(row["diff"], vulnerability.vulnerable(settings.cache))
                except CrisolError:
                    counts["does not fit"] += 1
                    continue
                fact, verdict = facts.settled(fit.files), match.judge(row["diff"])
                if fact is None:
                    facts.learn(fit.patch, row["name"], verdict.outcome, verdict.reason)
                    counts["wargame"] += 1
                    continue
                counts[str(fact.source)] += 1
                if verdict.outcome is not fact.outcome:
                    wrong += 1
                    print(f"{vulnerability.id} {row['name']}: {fact}; the wargame says {verdict.outcome}")
    judged = counts.total() - counts["does not fit"]
    settled = judged - counts["wargame"]
    share = settled / max(judged, 1)
    print(f"{settled} of {judged} patches settled by facts, {share:.0%}, {wrong} of them wrongly")
    print(", ".join(f"{what}: {count}" for what, count in counts.most_common()))
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))

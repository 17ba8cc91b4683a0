"""Run the demo in one call: three experiments and a short load test, then one report of their results."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from crisol.config import Settings
from crisol.lab import papermill
from crisol.lab.demo_report import EXPERIMENTS, best_variant, report
from crisol.lab.experiment import load_experiment
from crisol.model.variants import load_variants
from crisol.tracking.models import holder_tags
from crisol.tracking.report import Conclusion, render
from crisol.wargaming.corpus import content_hash, save_table

__all__ = ["Demo", "run"]

_COMPARE, _TRIALS, _LOAD = "compare_variants", "ab_test", "load_test"
_PARAMETERS = {
    _COMPARE: {"search": "false", "promote": "true"},
    _LOAD: {
        "profile": "closed",
        "requests": "300",
        "zipf": "3",
        "warm_up": "0.1",
        "connections": "16",
        "sources": "8",
        "rates": "[50]",
        "rate_seconds": "1",
        "targets": "[]",
    },
}
"""The parameters of the demo's notebooks.

Hyper-parameters are not searched: the search takes longer than all other steps together and changes no
conclusion here. The load test has no targets: it is so short that a machine which is busy for a moment would
miss them. Few patches make up most of the load (``zipf``), since the first wargame of each vulnerability
takes seconds.
"""


@dataclass(frozen=True, slots=True)
class Demo:
    """The result of the demo.

    ``conclusion`` is the conclusion of its report. ``table`` is the path of the corpus table, ``report`` that
    of the HTML report. ``champion`` is a sentence that names the champion and says why it is the champion.
    """

    conclusion: Conclusion
    table: Path
    report: Path
    champion: str


def run(settings: Settings, frame: pd.DataFrame, seed: int) -> Demo:
    """Run the demo's experiments and a short load test on the corpus table ``frame``, and write the report.

    The experiments are ``ground_truth``, ``compare_variants`` (of the variants that a service can use) and
    ``ab_test`` (of the best variant). The same table and seed give the same result, also after an
    interruption; only the times of the load test differ. Raises
    :class:`~crisol.lab.papermill.CellFailed` where a cell of a notebook raises.
    """
    digest = content_hash(frame)
    corpus = settings.cache.resolve() / "tables" / f"{digest[:16]}.parquet"
    save_table(frame, corpus)
    changes = {"corpus": str(corpus), "seed": str(seed)}
    declared = load_variants(settings.root / "experiments" / "variants.yaml")
    served = [name for name, variant in declared.items() if not variant.reads_source]
    parameters = _PARAMETERS | {_COMPARE: _PARAMETERS[_COMPARE] | {"variants": json.dumps(served)}}
    runs_by_name = {}
    for name in (*EXPERIMENTS, _LOAD):
        experiment = load_experiment(settings.root / "experiments" / f"{name}.yaml")
        runs_by_name[name] = papermill.run(experiment, changes | parameters.get(name, {}), settings)
        if name == _COMPARE:
            parameters[_TRIALS] = {"variants": json.dumps([best_variant(runs_by_name[name])])}
    content = report(frame, digest, seed, runs_by_name)
    path = settings.runs / "reports" / f"{digest[:12]}-seed{seed}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(content), encoding="utf-8")
    return Demo(content.conclusion, corpus, path, _champion(settings))


def _champion(settings: Settings) -> str:
    tags = holder_tags(settings) or {}
    return (
        f"champion: {tags.get('model_version', 'none')}, the variant that saves most wargames at the risk "
        f"that is set, or ranks best where none saves any; trained on {tags.get('vulnerabilities', 0)} "
        "vulnerabilities"
    )

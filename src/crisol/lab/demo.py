"""The main job in one call: the three experiments, then one report made from what they stored."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from crisol.config import Settings
from crisol.lab import papermill
from crisol.lab.experiment import load_experiment
from crisol.lab.ground_truth import facts
from crisol.tracking.models import holder_tags
from crisol.tracking.picture import Picture
from crisol.tracking.report import Disagreement, Report, Section, provenance, render, sheet
from crisol.wargaming.corpus import content_hash, save_table

__all__ = ["Demo", "run"]

_EXPERIMENTS = ("ground_truth", "compare_variants", "ab_test")
_PARAMETERS = {"compare_variants": {"search": "false", "promote": "true"}}
"""The search for hyper-parameters takes longer than the rest together and changes no conclusion here."""


@dataclass(frozen=True, slots=True)
class Demo:
    """The result of the demo: the table that compares the variants, the HTML report's path, and two texts.

    ``risk`` says which share of wargames the best variant may skip with a guarantee, ``champion`` which model
    is promoted.
    """

    table: pd.DataFrame
    report: Path
    risk: str
    champion: str


def run(settings: Settings, frame: pd.DataFrame, seed: int) -> Demo:
    """Run the demo's three experiments on a corpus table and write the report that summarises them.

    The same table and seed give the same result, after an interruption too. Raises what
    :func:`crisol.lab.papermill.run` raises.
    """
    digest = content_hash(frame)
    corpus = settings.cache.resolve() / "tables" / f"{digest[:16]}.parquet"
    save_table(frame, corpus)
    changes = {"corpus": str(corpus), "seed": str(seed)}
    runs_by_name = {}
    for name in _EXPERIMENTS:
        experiment = load_experiment(settings.root / "experiments" / f"{name}.yaml")
        runs_by_name[name] = papermill.run(experiment, changes | _PARAMETERS.get(name, {}), settings)
    page = render(_report(frame, digest, seed, runs_by_name))
    path = settings.runs / "reports" / f"{digest[:12]}-seed{seed}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    table = _table(runs_by_name["compare_variants"], "variants")
    risk = _risk(_table(runs_by_name["compare_variants"], "risk"), str(table["variant"].iloc[0]))
    return Demo(table, path, risk, _champion(settings))


def _report(
    frame: pd.DataFrame, digest: str, seed: int, runs_by_name: dict[str, papermill.Finished]
) -> Report:
    truth, variants, trials = (runs_by_name[name] for name in _EXPERIMENTS)
    numbers = facts(frame)
    sections = [
        Section(
            "Corpus",
            "Every label comes from running the exploit against the patched code. Basic asks that every "
            "proof of vulnerability fails and every check passes; strict adds that no new "
            "name is undefined, and the comparison with the reference fix.",
            (
                sheet(_table(truth, "composition"), "Candidates of each vulnerability, by outcome"),
                sheet(_table(truth, "reasons"), "Candidates by origin and reason, at both strengths"),
            ),
            _pictures(truth, ("labels_by_vulnerability", "labels_by_origin")),
        ),
        Section(
            "Model variants",
            "Each variant is tested on vulnerabilities that it was not trained on. AUC 0.5 is guessing; "
            "intervals come from resampling whole vulnerabilities. The headline is of the patches that "
            "agents and people wrote. Style alone (comments, size, layout, names, texts of mutants), "
            "origin alone and majority never look at the fix: read every model against them. Features "
            "leave out comments, docstrings and blank lines.",
            (
                sheet(_table(variants, "variants"), "The variants, best first, then the controls"),
                sheet(_table(variants, "origins"), "AUC on the candidates of each origin"),
            ),
            _pictures(variants, ("auc", "roc", "confusion", "reliability")),
        ),
        Section(
            "When the model may decide alone",
            "Risk control lets a variant skip wargames only where errors are shown to be rare enough on "
            "vulnerabilities to come; otherwise it abstains and says why. The frontier is of the patches "
            "at hand, without a guarantee.",
            (
                sheet(_table(variants, "risk"), "What risk control allows, by variant"),
                sheet(
                    _table(variants, "ablation"),
                    "What each group of features brings, AUC on unseen vulnerabilities",
                ),
            ),
            _pictures(variants, ("tradeoff",)),
        ),
        Section(
            "A/B experiment",
            "Patches of held-out vulnerabilities were sampled, those of which the model is unsure always; "
            "each sampled patch was predicted and wargamed. Estimates are weighted by inverse sampling "
            "probability, with intervals at 95 %; naive counts the trials alike; whole is what wargaming "
            "every patch says.",
            (sheet(_table(trials, "ab_results"), "Model against wargame"),),
            _pictures(trials, ("ab_estimates", "ab_confusion", "ab_trajectory")),
        ),
    ]
    summary = (
        f"{numbers['candidates']:.0f} candidate patches of {numbers['vulnerabilities']:.0f} vulnerabilities, "
        f"{numbers['share_valid']:.0%} valid, a median of {numbers['median_seconds']:.2f} s a wargame."
    )
    given = {
        "corpus content hash": digest,
        "seed": str(seed),
        "sandbox": ", ".join(sorted(set(frame["sandbox"]))),
    }
    given |= {f"MLflow run of {name}": finished.run_id for name, finished in runs_by_name.items()}
    commands = [f"crisol run experiments/{name}.yaml -P corpus=TABLE -P seed={seed}" for name in _EXPERIMENTS]
    return Report(
        title="How far can a model stand in for running the exploit?",
        summary=summary,
        sections=sections,
        disagreements=_disagreements(_table(trials, "disagreements")),
        provenance=provenance(given, [f"crisol demo --seed {seed}", *commands]),
    )


def _champion(settings: Settings) -> str:
    tags = holder_tags(settings) or {}
    return (
        f"champion: {tags.get('model_version', 'none')}, the variant that saves most wargames at the risk "
        f"that is set, or ranks best where none saves any; trained on {tags.get('vulnerabilities', 0)} "
        "vulnerabilities"
    )


def _risk(table: pd.DataFrame, best: str) -> str:
    row = table[table["variant"] == best].iloc[0]
    return (
        f"risk control of {best}: {row['skipped']:.1%} of the wargames may be skipped with a guarantee\n"
        f"{row['why']}"
    )


def _disagreements(frame: pd.DataFrame) -> list[Disagreement]:
    return [
        Disagreement(
            vulnerability=str(row["vulnerability"]),
            name=str(row["name"]),
            probability=f"{row['probability']:.2f}",
            verdict=str(row["reason"] or row["outcome"]),
            kind=str(row["kind"]),
            diff=str(row["diff"]),
        )
        for row in frame.to_dict("records")
    ]


def _table(finished: papermill.Finished, name: str) -> pd.DataFrame:
    path = finished.artifacts / "tables" / f"{name}.json"
    table = json.loads(path.read_text(encoding="utf-8"))
    return pd.DataFrame(table["rows"], columns=table["columns"])


def _pictures(finished: papermill.Finished, names: Sequence[str]) -> tuple[Picture, ...]:
    return tuple(Picture.load(finished.artifacts / "figures" / f"{name}.png") for name in names)

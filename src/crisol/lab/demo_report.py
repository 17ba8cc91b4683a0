"""The report of the demo: its conclusion, and the sections that the three experiments fill."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from crisol.lab.ground_truth import facts
from crisol.lab.papermill import Finished
from crisol.model.scores import LEAST_GROUPS
from crisol.records import Outcome, Reason
from crisol.tracking.picture import Picture
from crisol.tracking.report import (
    Conclusion,
    Disagreement,
    Report,
    Section,
    provenance,
    sheet,
)

__all__ = ["EXPERIMENTS", "best_variant", "conclude", "report"]

EXPERIMENTS = ("ground_truth", "compare_variants", "ab_test")

_NAMES = {
    "headline_auc": "AUC, agents and people",
    "headline_low": "low",
    "headline_high": "high",
    "auc": "AUC, all",
    "auc_low": "low, all",
    "auc_high": "high, all",
    "false_accept_rate": "false-accept rate",
    "saved": "wargames skipped, no guarantee",
    "skipped": "wargames skipped",
    "wrong_among_accepted": "wrong among accepted",
    "right_among_refused": "right among refused",
    "accept_at": "accepts from",
    "reject_at": "refuses up to",
    "auc_alone": "AUC of it alone",
    "without": "left out",
    "wargames_per_second": "patches decided a second",
    "median_seconds": "seconds (median)",
}
"""The report's name for each column of a table."""

_RATES = pd.DataFrame(
    [
        (
            "false-accept rate",
            (
                "wrong patches that the model accepted: in the table of variants at thresholds chosen on "
                "other vulnerabilities, in a matrix at one half, in the A/B experiment by its policy"
            ),
            "all wrong patches",
        ),
        ("wrong among accepted", "wrong patches that the model accepted", "all patches that it accepted"),
        ("right among refused", "right patches that the model refused", "all patches that it refused"),
        ("wargames skipped", "patches that the model decides alone, with a guarantee", "all patches"),
        ("wargames skipped, no guarantee", "patches that the model would decide alone", "all patches"),
        ("accuracy", "patches on which model and wargame agree", "all patches"),
        ("recall", "right patches that the model accepted", "all right patches"),
        ("prevalence", "right patches", "all patches"),
    ],
    columns=["rate", "counts", "of"],
)


def best_variant(compared: Finished) -> str:
    """Return the name of the variant that a finished run of ``compare_variants`` ranks first."""
    return str(_table(compared, "variants")["variant"].iloc[0])


def conclude(frame: pd.DataFrame, runs_by_name: dict[str, Finished]) -> Conclusion:
    """Return the conclusion of the demo: five sentences, four main numbers, and a picture.

    ``frame`` is the corpus table. ``runs_by_name`` has the finished runs of ``ground_truth``,
    ``compare_variants`` and ``ab_test``, by these names.
    """
    _, variants, trials = (runs_by_name[name] for name in EXPERIMENTS)
    numbers, wrong = facts(frame), frame[frame["outcome"] == Outcome.INVALID]
    rows = {str(row["variant"]): row for row in _table(variants, "variants").to_dict("records")}
    name = best_variant(variants)
    best = rows[name]
    style, origin = rows["style alone"], rows["origin alone"]
    risk = next(row for row in _table(variants, "risk").to_dict("records") if row["variant"] == name)
    results = _table(trials, "ab_results")
    accuracy = results[results["measure"] == "accuracy"].iloc[0]
    judged = f"{numbers['candidates']:.0f} candidates of {numbers['vulnerabilities']:.0f} vulnerabilities"
    survives = float((wrong["reason"] == Reason.VARIANT_SURVIVES).mean()) if len(wrong) else 0.0
    # The difference of the two figures as they are shown.
    lead = round(float(best["headline_auc"]), 3) - round(float(style["headline_auc"]), 3)
    why = str(risk["why"]).partition(";")[0]
    sampled = _interval(accuracy["estimate"], accuracy["low"], accuracy["high"])
    if pd.isna(accuracy["low"]):
        sampled += f" (no interval: fewer than {LEAST_GROUPS} vulnerabilities were held out)"
    sentences = (
        (
            f"Executed: {judged}; {numbers['share_valid']:.0%} of the patches are right, and {survives:.0%} "
            "of the wrong ones stop the published exploit and leave a variant of it working."
        ),
        (
            f"On vulnerabilities that it has never seen, the best variant, {name}, ranks the patches of "
            f"agents and people with an AUC of {_auc(best)}; 0.5 is guessing."
        ),
        (
            f"Style alone, which never looks at what a patch does, has {_auc(style)}, a difference of "
            f"{lead:+.3f}, and origin alone, which knows only who wrote it, {origin['headline_auc']:.3f}"
            f"{_apart(_table(variants, 'origins'), name)}."
        ),
        (
            f"With a guarantee for vulnerabilities to come, {name} may skip {risk['skipped']:.1%} of "
            f"the wargames ({why})."
        ),
        (
            f"In the A/B experiment {accuracy['trials']:.0f} sampled patches of held-out vulnerabilities "
            f"put the accuracy of {name} at {sampled}; wargaming every patch says "
            f"{accuracy['whole']:.3f}, and counting the trials alike {accuracy['naive']:.3f}."
        ),
    )
    return Conclusion(
        sentences,
        (
            (f"{numbers['share_valid']:.0%}", "of the candidates are right"),
            (f"{best['headline_auc']:.3f}", f"AUC of {name}"),
            (f"{style['headline_auc']:.3f}", "AUC of style alone"),
            (f"{risk['skipped']:.1%}", "of the wargames skipped, with a guarantee"),
        ),
        _pictures(variants, ("auc",))[0],
    )


def _apart(origins: pd.DataFrame, name: str) -> str:
    row = origins[origins["variant"] == name].iloc[0]
    kinds = (("hand", "hand-written patches"), ("agent", "patches of agents"))
    # People and agents have different shares of valid patches: on the patches of both together, a model gains
    # by telling their styles apart.
    told = [f"{row[key]:.3f} on {kind}" for key, kind in kinds if pd.notna(row.get(key))]
    return f"; apart, {name} has {' and '.join(told)}" if told else ""


def _auc(row: Mapping[Any, Any]) -> str:
    return _interval(row["headline_auc"], row["headline_low"], row["headline_high"])


def _interval(estimate: float, low: float | None, high: float | None) -> str:
    return f"{estimate:.3f}" if pd.isna(low) else f"{estimate:.3f} [{low:.3f}, {high:.3f}]"


def _named(finished: Finished, name: str) -> pd.DataFrame:
    return _table(finished, name).rename(columns=_NAMES)


def report(frame: pd.DataFrame, digest: str, seed: int, runs_by_name: dict[str, Finished]) -> Report:
    """Return the content of the demo's HTML report.

    ``frame`` is the corpus table, ``digest`` its hash by :func:`crisol.wargaming.corpus.content_hash`. The
    digest and ``seed`` are only printed. ``runs_by_name`` has the finished runs of ``ground_truth``,
    ``compare_variants`` and ``ab_test``, by these names.
    """
    truth, variants, trials = (runs_by_name[name] for name in EXPERIMENTS)
    sections = [
        Section(
            "Corpus",
            "Every label comes from running the exploit against the patched code. Basic asks that every "
            "proof of vulnerability fails and every check passes; strict adds that no new "
            "name is undefined, and the comparison with the reference fix.",
            (
                sheet(_named(truth, "composition"), "Candidates of each vulnerability, by outcome"),
                sheet(_named(truth, "reasons"), "Candidates by origin and reason, at both strengths"),
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
                sheet(_named(variants, "variants"), "The variants, best first, then the controls"),
                sheet(
                    _named(variants, "origins"),
                    "AUC on the candidates of each origin; origin alone can have .5 at most there",
                ),
            ),
            _pictures(variants, ("roc", "confusion", "reliability")),
        ),
        Section(
            "When the model may decide alone",
            "Risk control lets a variant skip wargames only where errors are shown to be rare enough on "
            "vulnerabilities to come; otherwise it abstains and says why. The frontier is of the patches "
            "at hand, without a guarantee.",
            (
                sheet(_named(variants, "risk"), "What risk control allows, by variant"),
                sheet(
                    _table(variants, "ablation"),
                    "What each group of features brings, AUC on unseen vulnerabilities",
                ),
            ),
            _pictures(variants, ("tradeoff",)),
        ),
        Section(
            "A/B experiment",
            "The model decides alone by a policy without a guarantee, whose share of errors on the "
            "vulnerabilities that taught the model is bounded (parameter errors of the notebook). Patches of "
            "held-out vulnerabilities were sampled, those that the policy leaves to a wargame always; each "
            "sampled patch was predicted and wargamed. Estimates are weighted by inverse sampling "
            f"probability, with intervals at 95 % from {LEAST_GROUPS} vulnerabilities on; naive counts the "
            "trials alike; whole is what wargaming every patch says.",
            (
                sheet(_named(trials, "ab_results"), "Model against wargame"),
                sheet(_RATES, "What each rate of this report counts"),
            ),
            _pictures(trials, ("ab_estimates", "ab_confusion", "ab_trajectory")),
        ),
    ]
    given = {
        "corpus content hash": digest,
        "seed": str(seed),
        "sandbox": ", ".join(sorted(set(frame["sandbox"]))),
    }
    given |= {f"MLflow run of {name}": finished.run_id for name, finished in runs_by_name.items()}
    commands = [f"crisol run experiments/{name}.yaml -P corpus=TABLE -P seed={seed}" for name in EXPERIMENTS]
    return Report(
        title="How far can a model stand in for running the exploit?",
        conclusion=conclude(frame, runs_by_name),
        sections=sections,
        disagreements=_disagreements(_table(trials, "disagreements")),
        provenance=provenance(given, [f"crisol demo --seed {seed}", *commands]),
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


def _table(finished: Finished, name: str) -> pd.DataFrame:
    path = finished.artifacts / "tables" / f"{name}.json"
    table = json.loads(path.read_text(encoding="utf-8"))
    return pd.DataFrame(table["rows"], columns=table["columns"])


def _pictures(finished: Finished, names: Sequence[str]) -> tuple[Picture, ...]:
    return tuple(Picture.load(finished.artifacts / "figures" / f"{name}.png") for name in names)

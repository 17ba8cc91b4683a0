"""Ground truth for notebooks: open a corpus table, or build a tiny one, and describe its content."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from crisol.config import Settings
from crisol.errors import DatasetError
from crisol.model.controls import controls
from crisol.model.dataset import from_table
from crisol.records import Outcome
from crisol.wargaming.corpus import Plan, build, load_table
from crisol.wargaming.vulnerability import find

__all__ = [
    "SMOKE",
    "WIDE",
    "by_reason",
    "composition",
    "facts",
    "leaks",
    "open_corpus",
    "wargames_per_second",
]

SMOKE = ("arena-login-redirect", "arena-order-sql", "arena-search-xss")
"""The vulnerabilities that an empty ``corpus`` parameter stands for.

They are three arena programs that run offline within seconds.
"""

WIDE = (
    *SMOKE,
    "arena-admin-route",
    "arena-cart-quantity",
    "arena-directory-ldap",
    "arena-formula-eval",
    "arena-mail-template",
    "arena-sort-arguments",
)
"""Nine arena programs, enough for a training, a test and a calibration set."""

_SMOKE_MUTANTS = 36


def open_corpus(settings: Settings, corpus: str, seed: int, smoke: Sequence[str] = SMOKE) -> pd.DataFrame:
    """Return the corpus table at the path ``corpus``, or a small one if the path is empty.

    The small table has the candidates of the arena vulnerabilities with the ids ``smoke``, with at most 36
    mutants in all. Their wargames run on the first call, within seconds; later calls read the stored
    verdicts. ``seed`` draws the mutants. A relative path begins at the workspace. Raises
    :class:`~crisol.errors.DatasetError` where the table cannot be read or has no conclusive verdict.
    """
    if corpus:
        frame = load_table(settings.root / Path(corpus))
    else:
        mutants = _SMOKE_MUTANTS // len(smoke)
        plan = Plan(settings.cache, settings.inbox, mutants, seed, settings.sandbox)
        chosen = find(settings.search_path, only=list(smoke))
        frame = pd.concat([shard.rows for shard in build(chosen, plan)], ignore_index=True)
    frame = frame.sort_values(["vulnerability", "id"], ignore_index=True)
    if not (frame["outcome"] != Outcome.INCONCLUSIVE).any():
        raise DatasetError(f"{corpus or 'the smoke corpus'}: no patch has a verdict; crisol doctor says why")
    return frame


def facts(frame: pd.DataFrame) -> dict[str, float]:
    """Return figures of a corpus table by name.

    ``vulnerabilities`` and ``candidates`` are the numbers of vulnerabilities and of candidates,
    ``inconclusive`` is the number of inconclusive candidates. ``share_valid`` and ``share_valid_basic`` are
    the shares of valid candidates among the conclusive ones, by the strict and by the basic label; both are
    nan without conclusive candidates. ``median_seconds`` is the median time of a wargame;
    ``wargames_per_second`` is how many wargames one process finishes in a second.
    """
    conclusive = frame[frame["outcome"] != Outcome.INCONCLUSIVE]
    return {
        "vulnerabilities": float(frame["vulnerability"].nunique()),
        "candidates": float(len(frame)),
        "inconclusive": float(len(frame) - len(conclusive)),
        "share_valid": float((conclusive["outcome"] == Outcome.VALID).mean()),
        "share_valid_basic": float((conclusive["basic_outcome"] == Outcome.VALID).mean()),
        "median_seconds": float(frame["seconds"].median()),
        "wargames_per_second": wargames_per_second(frame),
    }


def wargames_per_second(frame: pd.DataFrame) -> float:
    """Return how many wargames one process finishes in a second, by the column ``seconds`` of a corpus table.

    The result is nan where the seconds sum up to 0.
    """
    total = float(frame["seconds"].sum())
    return len(frame) / total if total > 0 else float("nan")


def composition(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table with a row for each vulnerability of a corpus table, sorted by id.

    Columns: vulnerability, cwe, project, candidates (their number), valid, invalid and inconclusive (the
    numbers of candidates with these outcomes), median_seconds (the median seconds of a wargame). The outcomes
    are those of the strict label.
    """
    outcome = pd.get_dummies(frame["outcome"].astype(str)).reindex(
        columns=[str(o) for o in Outcome], fill_value=0
    )
    grouped = pd.concat([frame[["vulnerability", "cwe", "project", "seconds"]], outcome], axis=1).groupby(
        ["vulnerability", "cwe", "project"], sort=True
    )
    counts = grouped[[str(o) for o in Outcome]].sum().astype(int)
    counts.insert(0, "candidates", grouped.size())
    counts["median_seconds"] = grouped["seconds"].median().round(3)
    return counts.reset_index()


def leaks(frame: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Return a table of the AUC of two guesses that ignore a patch's changes: by its origin, by its style.

    An AUC far from 0.5 means that a model can predict the verdicts of this corpus table without reading the
    fix. The AUC is measured on vulnerabilities that the guess was not trained on. Columns: seen (``origin``
    or ``style``, the only property that the guess sees), auc, low, high (95 % interval). The table is empty
    if fewer than three vulnerabilities have both valid and invalid patches. ``seed`` draws folds and
    resamples.
    """
    columns = ["seen", "auc", "low", "high"]
    classes = frame[frame["outcome"] != Outcome.INCONCLUSIVE].groupby("vulnerability")["outcome"].nunique()
    if (classes == 2).sum() < 3:
        return pd.DataFrame(columns=columns)
    style, origin, _ = controls(from_table(frame), seed=seed)
    rows = [(guess.name.split()[0], guess.auc, *guess.auc_interval) for guess in (origin, style)]
    return pd.DataFrame(rows, columns=columns)


def by_reason(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table of the numbers of candidates in a corpus table by origin and reason.

    Each pair of origin and reason that occurs has a row, sorted by both; inconclusive candidates are counted
    under their reason. Columns: origin, reason (``valid`` for a valid patch), basic and strict (numbers of
    candidates with this reason, by the basic and by the strict label).
    """
    names = {"origin": frame["origin"].astype(str)}
    strict = pd.DataFrame(names | {"reason": frame["reason"].replace("", "valid")}).value_counts()
    basic = pd.DataFrame(names | {"reason": frame["basic_reason"].replace("", "valid")}).value_counts()
    counts = pd.DataFrame({"basic": basic, "strict": strict}).fillna(0).astype(int)
    return counts.sort_index().reset_index()

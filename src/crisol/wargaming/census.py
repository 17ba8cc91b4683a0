"""Count vulnerabilities, candidates and labels of a corpus table, for reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crisol.records import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from crisol.wargaming.vulnerability import Vulnerability

__all__ = ["basic_only", "census"]


def census(frame: pd.DataFrame, vulnerabilities: Sequence[Vulnerability]) -> Iterator[tuple[str, str]]:
    """Yield the counts of a corpus table for a report, as pairs (name of the count, its value as text).

    The pairs count vulnerabilities, CWEs, PoVs, checks, candidates, outcomes and origins. ``frame`` is the
    table. ``vulnerabilities`` have the PoVs and checks to count; a vulnerability without a row in the table
    is ignored.
    """
    listed = [flaw for flaw in vulnerabilities if flaw.id in set(frame["vulnerability"])]
    for corpus, rows in frame.groupby("corpus"):
        units = "programs" if corpus == "arena" else "packages"
        held = f"{rows['vulnerability'].nunique()} in {rows['project'].nunique()} {units}"
        yield f"{corpus} vulnerabilities", f"{held}, {rows['cwe'].nunique()} CWEs"
    yield "CWEs in all", str(frame["cwe"].nunique())
    for what, counts in (
        ("PoVs", [len(flaw.povs) for flaw in listed]),
        ("checks", [len(flaw.checks) for flaw in listed]),
        ("candidates", frame.groupby("vulnerability").size().tolist()),
    ):
        if counts:
            mean = sum(counts) / len(counts)
            yield what, f"{sum(counts)}; {mean:.1f} a vulnerability, at least {min(counts)}"
    for outcome in Outcome:
        yield str(outcome), _share(frame["outcome"] == outcome)
    for origin, rows in frame.groupby("origin"):
        valid = int((rows["outcome"] == Outcome.VALID).sum())
        yield f"origin {origin}", f"{_share(frame['origin'] == origin)}, of them {valid} valid"
    strict = basic_only(frame)
    reasons = ", ".join(f"{count} {reason}" for reason, count in strict["reason"].value_counts().items())
    yield "pass basic, fail strict", f"{len(strict)}" + (f": {reasons}" if reasons else "")
    classes = frame[frame["outcome"] != Outcome.INCONCLUSIVE].groupby("vulnerability")["outcome"].nunique()
    whole = set(classes[classes == 2].index)
    lacking = sorted(set(frame["vulnerability"]) - whole)
    yield (
        "vulnerabilities that lack a class",
        f"{len(lacking)}" + (f": {', '.join(lacking)}" if lacking else ""),
    )


def basic_only(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a corpus table that are valid for the basic label and invalid for the strict one."""
    return frame[(frame["basic_outcome"] == Outcome.VALID) & (frame["outcome"] == Outcome.INVALID)]


def _share(chosen: pd.Series[bool]) -> str:
    return f"{int(chosen.sum())} ({chosen.mean():.1%})"

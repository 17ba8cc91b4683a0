"""Export a corpus table as Parquet and JSONL, with a data sheet that describes it."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from crisol.errors import unwritable
from crisol.records import Outcome
from crisol.wargaming.census import basic_only, census
from crisol.wargaming.corpus import content_hash, save_table
from crisol.wargaming.vulnerability import Vulnerability

__all__ = ["export", "sheet"]

_METHOD = """\
## How a label came about

A candidate is valid when, in one sandbox, the PoVs succeed and the checks pass on the vulnerable code, and
after the patch every PoV fails and every check passes, a public PoV also in other surroundings and after many
calls in one process (basic), and the patch brings no name that is defined nowhere, closes the generated
variants of the PoVs that the reference fix closes, and does what it does on generated benign inputs (strict).
Inconclusive candidates, where a baseline or the sandbox failed, count for neither class."""

_LIMITS = """\
## Known limits

A label says what these PoVs, variants and checks show, no more. Candidates are patches by the authors of the
corpus, by agents that saw the description and the vulnerable source alone, and by upstream, and mutants of
these. They are no sample of what people, bots or agents send; the share of valid ones is therefore no
estimate of theirs. One language, Python 3.11."""


def export(frame: pd.DataFrame, vulnerabilities: Sequence[Vulnerability], folder: Path) -> tuple[Path, ...]:
    """Write a corpus table into a folder as Parquet, JSONL and a data sheet; return the paths of the files.

    The files are ``candidates.parquet``, ``candidates.jsonl`` and the data sheet ``README.md``, in this
    order; files with these names are overwritten. ``folder`` is created if it is missing. ``frame`` is the
    table; the data sheet describes those of ``vulnerabilities`` that have a row in it.

    Each line of the JSONL is an object with the keys ``id``, ``project``, ``bug_id``, ``language``, ``tool``,
    ``label``, ``diff``, ``cwe`` and ``reason``. ``bug_id`` is the id of the vulnerability, ``tool`` the
    candidate's origin, ``id`` the vulnerability's id and the diff's identity with a slash between them.
    ``label`` is the strict label: 1 for a valid patch, 0 for an invalid one. ``reason`` is "" for a valid
    patch. The JSONL leaves out inconclusive candidates, which have no label. Raises
    :class:`~crisol.errors.StoreError` if a file cannot be written.
    """
    table, lines, about = (folder / n for n in ("candidates.parquet", "candidates.jsonl", "README.md"))
    save_table(frame, table)
    conclusive = frame[frame["outcome"] != Outcome.INCONCLUSIVE]
    try:
        with lines.open("w", encoding="utf-8") as stream:
            for row in conclusive.to_dict("records"):
                stream.write(json.dumps(_line(row)) + "\n")
        about.write_text(sheet(frame, vulnerabilities), encoding="utf-8")
    except OSError as error:
        raise unwritable(folder, error) from None
    return table, lines, about


def sheet(frame: pd.DataFrame, vulnerabilities: Sequence[Vulnerability]) -> str:
    """Return the data sheet of a corpus table as Markdown: its sources, its counts, and how labels were made.

    ``frame`` is the table. The data sheet describes those of ``vulnerabilities`` that have a row in it.
    """
    sources = {flaw.id: flaw for flaw in vulnerabilities}
    listed = [sources[name] for name in sorted(frame["vulnerability"].unique()) if name in sources]
    counts = frame["outcome"].value_counts()
    licences = pd.Series(
        [flaw.licence or "not stated" for flaw in listed if flaw.corpus != "arena"]
    ).value_counts()
    sections = [
        "# Candidate patches with verdicts by execution",
        f"Content hash (SHA-256): `{content_hash(frame)}`",
        f"{len(frame)} candidates of {frame['vulnerability'].nunique()} vulnerabilities in "
        f"{frame['project'].nunique()} projects, {frame['cwe'].nunique()} CWEs: "
        + ", ".join(f"{counts.get(str(outcome), 0)} {outcome}" for outcome in Outcome)
        + f". {len(basic_only(frame))} pass every PoV and check and fail the strict label.",
        "## Counts\n\n" + _markdown(pd.DataFrame(census(frame, vulnerabilities), columns=["what", "count"])),
        _METHOD,
        "## Origin and class\n\n" + _markdown(_crosstab(frame, "origin")),
        "## Reasons\n\n" + _markdown(_crosstab(frame, "reason")),
        "## Pass basic, fail strict\n\n" + _markdown(_crosstab(basic_only(frame), "reason")),
        "## Weaknesses\n\n" + _markdown(_crosstab(frame, "cwe")),
        "## Sources\n"
        "\n"
        "Real releases are named by package, version and SHA-256 in each `vulnerability.toml` and are not "
        "part of these files; a diff quotes the lines around its changes. Licences of the releases: "
        + (", ".join(f"{name} ({count})" for name, count in licences.items()) or "none")
        + ". Programs of the arena were written for Crisol (Apache-2.0).",
        _LIMITS,
    ]
    return "\n\n".join(sections) + "\n"


def _line(row: Mapping[Hashable, Any]) -> dict[str, object]:
    return {
        "id": f"{row['vulnerability']}/{row['id']}",
        "project": row["project"],
        "bug_id": row["vulnerability"],
        "language": row["language"],
        "tool": row["origin"],
        "label": int(row["outcome"] == Outcome.VALID),
        "diff": row["diff"],
        "cwe": row["cwe"],
        "reason": row["reason"],
    }


def _crosstab(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    named = frame[column].where(frame[column] != "", "valid")
    table = pd.crosstab(named, frame["outcome"])
    table.insert(0, "candidates", table.sum(axis=1))
    return table.sort_values("candidates", ascending=False).reset_index(names=column)


def _markdown(table: pd.DataFrame) -> str:
    rows = [list(table.columns), ["---"] * len(table.columns), *table.to_numpy().tolist()]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)

"""The report: one HTML file that holds everything it shows and loads nothing.

Diffs are hostile text: the template escapes whatever it prints, and the page's own content policy forbids
scripts.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from crisol.tracking.picture import Picture

__all__ = ["Conclusion", "Disagreement", "Report", "Section", "Sheet", "provenance", "render", "sheet"]

_PACKAGES = ("crisol", "scikit-learn", "lightgbm", "mlflow", "duckdb", "numpy", "pandas")
_LONGEST_DIFF = 400


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table of text in the HTML report, with its caption.

    Each of ``rows`` has one text for each of ``columns``; ``numeric`` has the indices of the right-aligned
    columns.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the HTML report: title, a paragraph (``reading``) on how to read it, tables and figures."""

    title: str
    reading: str
    tables: tuple[Sheet, ...] = ()
    figures: tuple[Picture, ...] = ()


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A patch on which model and wargame disagree, as texts for the HTML report.

    ``vulnerability`` is the vulnerability's id, ``name`` the candidate's name. ``probability`` is the model's
    probability of valid, such as ``0.91``. ``verdict`` is the reason of an invalid verdict, such as
    ``exploit_survives``, or ``valid``. ``kind`` is ``false accept`` or ``false reject``. ``diff`` is the text
    of the patch.
    """

    vulnerability: str
    name: str
    probability: str
    verdict: str
    kind: str
    diff: str

    @property
    def lines(self) -> list[tuple[str, str]]:
        """The first 400 lines of the diff, as pairs (CSS class, line).

        The class is ``add``, ``del``, ``at`` (a hunk's header) or "" (any other line). If the diff has more
        lines, the last pair says how many are left out.
        """
        lines = self.diff.splitlines()
        shown = [(_CLASSES.get(line[:1], ""), line) for line in lines[:_LONGEST_DIFF]]
        if len(lines) > _LONGEST_DIFF:
            shown.append(("at", f"({len(lines) - _LONGEST_DIFF} more lines)"))
        return shown


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The top of the HTML report: sentences, numbers as pairs (value, meaning), and one picture."""

    sentences: tuple[str, ...]
    numbers: tuple[tuple[str, str], ...]
    picture: Picture


@dataclass(frozen=True, slots=True)
class Report:
    """The content of the HTML report, which :func:`render` turns into a page.

    The page begins with ``conclusion``. Then come ``sections`` and ``disagreements``: the patches on which
    model and wargame disagree. ``provenance`` is a table of the data, package versions and commands from
    which the results come.
    """

    title: str
    conclusion: Conclusion
    sections: Sequence[Section]
    disagreements: Sequence[Disagreement]
    provenance: Sheet


_CLASSES = {"+": "add", "-": "del", "@": "at"}


def render(report: Report) -> str:
    """Return the report as one HTML page, which loads no other file.

    The texts of the report are plain text: HTML in them is escaped.
    """
    environment = Environment(
        loader=PackageLoader("crisol.lab"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("report.html").render(report=report)


def sheet(frame: pd.DataFrame, caption: str) -> Sheet:
    """Return a data frame as a table of texts for the report, with a caption.

    The index is left out. Floats have three decimals, None and nan become "", and columns of numbers are
    right-aligned.
    """
    numeric = frozenset(i for i, kind in enumerate(frame.dtypes) if pd.api.types.is_numeric_dtype(kind))
    rows = tuple(tuple(_text(value) for value in row) for row in frame.itertuples(index=False, name=None))
    return Sheet(caption, tuple(str(name) for name in frame.columns), rows, numeric)


def provenance(facts: Mapping[str, str], commands: Iterable[str]) -> Sheet:
    """Return a table of what the results of a report come from: facts, versions, machine and commands.

    ``facts`` maps names to texts, such as the hash of the corpus table. The versions are those of Python and
    of the main packages. ``commands`` are the shell commands that repeat the runs; they are only printed.
    """
    rows = [(name, value) for name, value in facts.items()]
    rows += [("Python", platform.python_version()), ("machine", f"{platform.system()} {platform.machine()}")]
    rows += [(name, version(name)) for name in _PACKAGES]
    rows += [("command", command) for command in commands]
    return Sheet("Data, versions and commands", ("what", "value"), tuple(rows))


def _text(value: object) -> str:
    if isinstance(value, float):
        return "" if pd.isna(value) else f"{value:.3f}"
    return "" if value is None else str(value)

"""Tables and notices as notebooks show them: whole tables, and a warning for too small a corpus."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import pandas as pd

from crisol.model.scores import LEAST_GROUPS

__all__ = ["Notice", "Whole", "notice", "whole"]

_STYLE = (
    "<style>.crisol td, .crisol th {text-align: left; white-space: normal; max-width: 42em; "
    "vertical-align: top}</style>"
)


@dataclass(frozen=True, slots=True, eq=False)
class Whole:
    """A table that a notebook shows with every row and column, and with long texts wrapped."""

    frame: pd.DataFrame

    def _repr_html_(self) -> str:
        with pd.option_context("display.max_colwidth", None):
            table = self.frame.to_html(
                index=False, na_rep="", float_format=_digits, border=0, classes="crisol", escape=True
            )
        return _STYLE + table

    def __repr__(self) -> str:
        with pd.option_context("display.max_colwidth", None):
            return str(self.frame.to_string(index=False, na_rep="", float_format=_digits))


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence that a notebook shows in bold type."""

    text: str

    def _repr_html_(self) -> str:
        return f"<b>{escape(self.text)}</b>"

    def __repr__(self) -> str:
        return self.text


def whole(frame: pd.DataFrame) -> Whole:
    """Return a table in a form that a notebook shows with every row and column and without cutting texts."""
    return Whole(frame)


def notice(frame: pd.DataFrame) -> Notice | None:
    """Return a warning if a corpus table has fewer than ten vulnerabilities, None if it has ten or more.

    A notebook shows the warning in bold type, and nothing for None.
    """
    count = frame["vulnerability"].nunique()
    if count >= LEAST_GROUPS:
        return None
    return Notice(
        f"smoke: figures mean nothing. {count} vulnerabilities show that the notebook runs; intervals are "
        f"given from {LEAST_GROUPS} vulnerabilities on."
    )


def _digits(value: float) -> str:
    return f"{value:.4g}"

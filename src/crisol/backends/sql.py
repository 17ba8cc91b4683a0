"""The SQL queries on trials for both DuckDB and PostgreSQL.

The text of a query consists of constants of this package; all values are passed as parameters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crisol.abtest.tally import BAND_EDGES, BANDS, Cell, Slice, Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from crisol.abtest.store import TrialFilter

__all__ = ["BAND", "CELL", "WEIGHT", "conditions", "tallies_of", "tallies_query"]

_CELL = (
    "CASE outcome WHEN 'valid' THEN CASE WHEN {positive} THEN 0 ELSE 2 END"
    " WHEN 'invalid' THEN CASE WHEN {positive} THEN 1 ELSE 3 END ELSE 4 END"
)
_GUESSED_VALID = "probability >= 0.5"
CELL = _CELL.format(positive=_GUESSED_VALID)
"""The cell of a trial, by the model's guess: 0 to 4 for tp, fp, fn, tn, inconclusive."""

_ANSWERED = _CELL.format(
    positive=f"CASE WHEN decided IS NULL THEN {_GUESSED_VALID} ELSE decided = 'valid' END"
)

WEIGHT = "(1.0 / sampling_probability)"
"""The weight of a trial."""

_CONFIDENCE = "GREATEST(probability, 1 - probability)"
_BELOW = " ".join(f"WHEN {_CONFIDENCE} < {edge} THEN {i}" for i, edge in enumerate(BAND_EDGES))
BAND = f"CASE {_BELOW} ELSE {len(BAND_EDGES)} END"
"""The band of a trial's confidence, counted from 0."""

_EXPRESSIONS = {
    Slice.BAND: BAND,
    Slice.HOUR: "date_trunc('hour', created_at AT TIME ZONE 'UTC')",
    Slice.DAY: "date_trunc('day', created_at AT TIME ZONE 'UTC')",
}
_KEYS: dict[Slice, Callable[[Any], str]] = {
    Slice.BAND: lambda band: BANDS[int(band)],
    Slice.HOUR: lambda time: f"{time:%Y-%m-%dT%H:00Z}",
    Slice.DAY: lambda time: f"{time:%Y-%m-%d}",
}
_COMPARISONS = {
    "experiment": "experiment =",
    "arm": "arm =",
    "model_version": "model_version =",
    "cwe": "cwe =",
    "since": "created_at >=",
    "until": "created_at <",
}


def conditions(where: TrialFilter, parameter: Callable[[str], str]) -> tuple[str, dict[str, Any]]:
    """Return the trial filter ``where`` as a boolean SQL expression, and its parameters' values by name.

    ``parameter(name)`` returns a named parameter in the syntax of the database, such as ``$name``. A filter
    without conditions gives ``TRUE``.
    """
    values = {name: getattr(where, name) for name in _COMPARISONS if getattr(where, name) is not None}
    return " AND ".join(f"{_COMPARISONS[name]} {parameter(name)}" for name in values) or "TRUE", values


def tallies_query(
    where: TrialFilter, by: Sequence[Slice], parameter: Callable[[str], str]
) -> tuple[str, dict[str, Any]]:
    """Return the SQL query that groups trials into tallies, and the values of its parameters by name.

    ``where`` is the filter of the trials; ``by`` lists the properties to group by, such as ``Slice.ARM``.
    ``parameter(name)`` returns a named parameter in the syntax of the database, such as ``$name``. The query
    returns a row for each group and cell of the confusion matrix: the values of ``by``, the cell (0 to 4 for
    true positive, false positive, false negative, true negative, inconclusive), the number of trials, the sum
    of their weights and the sum of the squared weights.
    """
    condition, values = conditions(where, parameter)
    cell = _ANSWERED if Slice.RUNG in by else CELL
    columns = [*(_EXPRESSIONS.get(slice_, slice_.value) for slice_ in by), cell]
    groups = ", ".join(str(i + 1) for i in range(len(columns)))
    return (
        f"SELECT {', '.join(columns)}, count(*), sum({WEIGHT}), sum({WEIGHT} * {WEIGHT}) "  # noqa: S608 - constants
        f"FROM trials WHERE {condition} GROUP BY {groups}"
    ), values


def tallies_of(rows: Iterable[tuple[Any, ...]], by: Sequence[Slice]) -> dict[tuple[str, ...], Tally]:
    """Return the tally of each group, by the group's key, sorted by key.

    ``rows`` are the rows that the query of :func:`tallies_query` returns, and ``by`` is the argument with
    which it was made. A key holds the text of each property in ``by``. Rows with the same key are added up;
    no rows give an empty dict.
    """
    groups: dict[tuple[str, ...], Tally] = {}
    for *keys, cell, n, weight, squared in rows:
        key = tuple(_KEYS.get(slice_, str)(value) for slice_, value in zip(by, keys, strict=True))
        cells = [Cell()] * 5
        cells[cell] = Cell(int(n), weight, squared)
        tp, fp, fn, tn, inconclusive = cells
        groups[key] = groups.get(key, Tally()) + Tally(tp, fp, fn, tn, inconclusive.n)
    return dict(sorted(groups.items()))

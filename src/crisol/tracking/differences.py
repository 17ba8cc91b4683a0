"""List tracked runs, and show the differences of two of them as Markdown for a pull request or a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from crisol.config import Settings
from crisol.errors import StoreError
from crisol.tracking.client import MlflowClient, Run
from crisol.tracking.store import open_client

__all__ = ["Listed", "difference", "listed"]

_PARENT = "mlflow.parentRunId"
_TAGS = {
    "mlflow.source.git.commit": "commit",
    "crisol.changed": "uncommitted changes",
    "crisol.version": "version",
}
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Listed:
    """One tracked run, as a line of a list of runs.

    ``id`` is the run's id in MLflow, ``name`` its name. ``status`` is its state in MLflow: RUNNING, FINISHED,
    FAILED, KILLED (its process died) or SCHEDULED. ``started`` is its start in milliseconds since 1970, 0 if
    not recorded. ``seed`` and ``corpus`` (a hash of the corpus table) are parameters of the run, "" if not
    recorded.
    """

    id: str
    name: str
    status: str
    started: int
    seed: str
    corpus: str


def listed(settings: Settings, limit: int = 20) -> list[Listed]:
    """Return the latest ``limit`` tracked runs, the newest first; nested runs are left out.

    Only the latest 1,000 runs of the store, nested ones included, are looked at. Raises
    :class:`~crisol.errors.StoreError` if the tracking store cannot be opened.
    """
    client = open_client(settings)
    rows = []
    for run in _all(client):
        if _PARENT in run.data.tags:
            continue
        params = run.data.params
        rows.append(
            Listed(
                run.info.run_id,
                str(run.info.run_name or ""),
                str(run.info.status),
                int(run.info.start_time or 0),
                params.get("seed", ""),
                params.get("corpus.hash", ""),
            )
        )
    return rows[:limit]


def difference(settings: Settings, first: str, second: str) -> str:
    """Return the parameters, code versions and metrics in which two tracked runs differ, as Markdown.

    ``first`` and ``second`` each name a run: by its id, by the beginning of its id (four characters or more),
    or by its name. A name means the latest run of that name; ``NAME~1`` means the run of that name before the
    latest, ``NAME~2`` the one before that. The metrics of two nested runs are compared if they have the same
    name; a nested run that only one of the two runs has is listed, too. If nothing differs, the text says so.
    Raises :class:`~crisol.errors.StoreError` if no run or more than one run fits, and if the tracking store
    cannot be opened. Only the latest 1,000 runs of the store, nested ones included, are found.
    """
    client = open_client(settings)
    runs = _all(client)
    sides = _find(runs, first), _find(runs, second)
    names = [f"{run.info.run_name} {run.info.run_id[:8]}" for run in sides]
    lines = [f"# {names[0]} against {names[1]}", ""]
    facts = [dict(run.data.params) | _code(run) for run in sides]
    lines += _section("Parameters and code", names, _unlike(*facts))
    lines += _section("Metrics", names, _unlike(*(_figures(run) for run in sides)), change=True)
    nested = [{str(run.info.run_name): run for run in _children(runs, side)} for side in sides]
    for name in sorted(nested[0].keys() | nested[1].keys()):
        pair = [side.get(name) for side in nested]
        figures = [{} if run is None else _figures(run) for run in pair]
        lines += _section(f"Metrics of {name}", names, _unlike(*figures), change=True)
    if len(lines) == 2:
        lines += ["Nothing differs.", ""]
    return "\n".join(lines)


def _all(client: MlflowClient) -> list[Run]:
    ids = [experiment.experiment_id for experiment in client.search_experiments()]
    return list(client.search_runs(ids, order_by=["attributes.start_time DESC"], max_results=_MOST))


def _find(runs: Iterable[Run], text: str) -> Run:
    runs = list(runs)
    for run in runs:
        if run.info.run_id == text:
            return run
    name, _, back = text.partition("~")
    named = [run for run in runs if run.info.run_name == name and _PARENT not in run.data.tags]
    if named and re.fullmatch(r"\d*", back):
        if int(back or 0) < len(named):
            return named[int(back or 0)]
        raise StoreError(f"run {text!r}: there are {len(named)} runs of {name}, counted from 0")
    begun = [run for run in runs if len(text) >= 4 and run.info.run_id.startswith(text)]
    if len(begun) == 1:
        return begun[0]
    known = sorted({str(run.info.run_name) for run in runs if _PARENT not in run.data.tags})
    what = (
        f"{len(begun)} runs begin so"
        if begun
        else f"there is none; names are {', '.join(known) or 'none yet'}"
    )
    raise StoreError(f"run {text!r}: {what}; `crisol runs list` shows the latest")


def _children(runs: Iterable[Run], parent: Run) -> list[Run]:
    return [run for run in runs if run.data.tags.get(_PARENT) == parent.info.run_id]


def _code(run: Run) -> dict[str, str]:
    return {name: run.data.tags[tag] for tag, name in _TAGS.items() if tag in run.data.tags}


def _figures(run: Run) -> dict[str, float]:
    return dict(run.data.metrics)


def _unlike(first: Mapping[str, object], second: Mapping[str, object]) -> dict[str, tuple[object, object]]:
    names = [*first, *(name for name in second if name not in first)]
    pairs = {name: (first.get(name), second.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _section(
    title: str, names: list[str], pairs: Mapping[str, tuple[object, object]], *, change: bool = False
) -> list[str]:
    """Return the lines of a Markdown section that shows, for each name in ``pairs``, two values."""
    if not pairs:
        return []
    head = ["what", *names, *(["change"] if change else [])]
    rows = [head, ["---"] * len(head)]
    for name, (first, second) in pairs.items():
        row = [name, _text(first), _text(second)]
        if change:
            both = isinstance(first, float) and isinstance(second, float)
            row.append(f"{second - first:+.4g}" if both else "")  # type: ignore[operator]  # both are floats
        rows.append(row)
    return [f"## {title}", "", *(f"| {' | '.join(row)} |" for row in rows), ""]


def _text(value: object) -> str:
    if value is None:
        return "-"
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    # A bar or a line break would end the cell.
    return re.sub(r"\s+", " ", text).replace("|", "\\|")[:200] or '""'

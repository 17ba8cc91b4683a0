"""Make trials, check them, and convert them from and to rows.

:func:`observe` makes a trial; :func:`check` refuses a trial that no store may hold. Only :func:`to_row` and
:func:`from_row` convert between trials and the rows of tables and journals.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from crisol.errors import InputError, IntegrityError
from crisol.records import Outcome, Reason, Trial

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from crisol.records import Prediction

__all__ = [
    "CLOCK_SKEW",
    "COLUMNS",
    "EARLIEST",
    "check",
    "disagreement",
    "from_row",
    "observe",
    "to_row",
    "trial_id",
]

COLUMNS = tuple(field.name for field in fields(Trial))
"""The columns of every table of trials, in order."""

CLOCK_SKEW = dt.timedelta(minutes=5)
"""How far a trial's time may be ahead of a store's clock: more than clocks under NTP differ, less than any
time window."""

EARLIEST = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
"""The earliest time of a trial; an earlier one comes from a machine whose clock was never set."""

_LATER = {"rung": "", "decided": None, "content_hash": "", "referee": "", "program": ""}
"""Columns that the rows of earlier versions lack, with the values that replace them."""

_MAY_BE_EMPTY = ("cwe", "feature_version", "rung", "content_hash", "referee", "program")
_TEXTS = ("patch", "vulnerability", "experiment", "arm", "model_version")
_TEXT_LIMIT = 512
_ATTRIBUTIONS_LIMIT = 65_536


def trial_id(experiment: str, arm: str, patch: str, vulnerability: str, model_version: str) -> str:
    """Return the id of a trial: 32 hexadecimal digits, a hash of the arguments.

    ``experiment`` and ``arm`` are names, ``patch`` is the patch's identity, ``vulnerability`` an id, and
    ``model_version`` the version of the arm's model. A repeated trial gets the same id, so that a store keeps
    it once.
    """
    # JSON keeps ("ab", "c") and ("a", "bc") apart.
    text = json.dumps([experiment, arm, patch, vulnerability, model_version])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def observe(
    prediction: Prediction,
    *,
    patch: str,
    vulnerability: str,
    outcome: Outcome,
    reason: Reason | None,
    sampling_probability: float,
    created_at: dt.datetime,
    experiment: str,
    arm: str,
    cwe: str = "",
    wargame_seconds: float = 0.0,
    attributions: dict[str, Any] | None = None,
    rung: str = "",
    decided: Outcome | None = None,
    content_hash: str = "",
    referee: str = "",
    program: str = "",
) -> Trial:
    """Make a trial from a prediction for a patch and the verdict on that patch.

    ``outcome`` and ``reason`` are those of the verdict; ``patch`` is the patch's identity, ``vulnerability``
    an id. ``experiment`` and ``arm`` are names. ``sampling_probability``, in (0, 1], is the probability with
    which the patch was sampled. Each further argument sets the field of :class:`~crisol.records.Trial` with
    its name. A ``created_at`` before the year 2000, from a clock that was never set, becomes 2000-01-01.
    Raises :class:`~crisol.errors.InputError` for a value out of range or a time without a time zone.
    """
    trial = Trial(
        id=trial_id(experiment, arm, patch, vulnerability, prediction.model_version),
        patch=patch,
        vulnerability=vulnerability,
        cwe=cwe,
        experiment=experiment,
        arm=arm,
        model_version=prediction.model_version,
        feature_version=prediction.feature_version,
        probability=prediction.probability,
        outcome=outcome,
        reason=reason,
        sampling_probability=sampling_probability,
        predict_seconds=prediction.seconds,
        wargame_seconds=wargame_seconds,
        created_at=created_at if created_at.tzinfo is None else max(created_at.astimezone(dt.UTC), EARLIEST),
        attributions=attributions,
        rung=rung,
        decided=decided,
        content_hash=content_hash,
        referee=referee,
        program=program,
    )
    check(trial)
    return trial


def check(trial: Trial, now: dt.datetime | None = None) -> None:
    """Raise :class:`~crisol.errors.InputError` unless a store may accept a trial.

    The trial's values must be in range, and its time must have a time zone. ``now`` is the present time; a
    trial may be dated at most 5 minutes later. None skips this check. The error names the trial and its first
    wrong value.
    """
    problem = _problem(trial, now)
    if problem:
        raise InputError(f"trial {trial.id!r}: {problem}")


def _problem(trial: Trial, now: dt.datetime | None) -> str:
    return next(_problems(trial, now), "")


def _problems(trial: Trial, now: dt.datetime | None) -> Iterator[str]:
    for name in (*_TEXTS, "id", *_MAY_BE_EMPTY):
        if problem := _text_problem(getattr(trial, name), empty=name in _MAY_BE_EMPTY):
            yield f"{name} {problem}"
    key = (trial.experiment, trial.arm, trial.patch, trial.vulnerability, trial.model_version)
    if trial.id != trial_id(*key):
        yield "the id does not belong to its experiment, arm, patch, vulnerability and model version"
    if not 0.0 <= trial.probability <= 1.0:
        yield f"probability is {trial.probability}, not within 0..1"
    if not 0.0 < trial.sampling_probability <= 1.0:
        yield f"sampling_probability is {trial.sampling_probability}, not within (0, 1]"
    for name in ("predict_seconds", "wargame_seconds"):
        seconds = getattr(trial, name)
        if not (math.isfinite(seconds) and seconds >= 0.0):
            yield f"{name} is {seconds}, not a duration"
    if not _explains(trial.reason, trial.outcome):
        yield f"outcome {trial.outcome} contradicts reason {trial.reason}"
    if trial.decided is Outcome.INCONCLUSIVE:
        yield "no rung decides that a patch is inconclusive"
    if problem := _time_problem(trial.created_at, now):
        yield problem
    if problem := _attributions_problem(trial.attributions):
        yield problem


def _explains(reason: Reason | None, outcome: Outcome) -> bool:
    # Imported labels are invalid without a reason.
    return outcome is not Outcome.INCONCLUSIVE if reason is None else reason.outcome is outcome


def _text_problem(text: str, *, empty: bool) -> str:
    if not text and not empty:
        return "is empty"
    if len(text) > _TEXT_LIMIT:
        return f"has {len(text)} characters, {_TEXT_LIMIT} are allowed"
    if not text.isprintable():
        # PostgreSQL stores neither NUL nor lone surrogates, and a name needs no other unprintable character
        # either.
        return f"{text!r} has characters that do not print"
    return ""


def _time_problem(created_at: dt.datetime, now: dt.datetime | None) -> str:
    if created_at.tzinfo is None:
        return f"created_at {created_at} carries no time zone"
    if created_at < EARLIEST:
        return f"created_at {created_at} lies before {EARLIEST.date()}: is the clock of its machine set?"
    # If this machine's clock was never set, it stands before EARLIEST; trials of that date are then
    # accepted.
    if now is not None and created_at > max(now, EARLIEST) + CLOCK_SKEW:
        return f"created_at {created_at} lies {created_at - now} ahead of this machine: compare the clocks"
    return ""


def _attributions_problem(attributions: dict[str, Any] | None) -> str:
    if attributions is None:
        return ""
    if not isinstance(attributions, dict) or not all(isinstance(key, str) for key in attributions):
        return "attributions are not a table of names"
    try:
        text = json.dumps(attributions, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        return f"attributions are not JSON: {error}"
    if len(text) > _ATTRIBUTIONS_LIMIT:
        return f"attributions take {len(text)} bytes, {_ATTRIBUTIONS_LIMIT} are allowed"
    return "attributions contain NUL" if "\\u0000" in text else ""


def disagreement(trial: Trial) -> str:
    """Return a text for people on how model and wargame disagree; "" if they agree.

    An example is ``model 0.91 valid, wargame: variant_survives``; the number is the predicted probability of
    valid. An inconclusive trial gives "".
    """
    if trial.correct is not False:
        return ""
    guess = "valid" if trial.predicted_valid else "invalid"
    return f"model {trial.probability:.2f} {guess}, wargame: {trial.reason or trial.outcome}"


def to_row(trial: Trial) -> dict[str, Any]:
    """Return the trial as a dict with one value for each database column, see :data:`COLUMNS`.

    ``created_at`` stays a datetime. ``attributions`` become JSON text, or stay None. All other values are
    text or numbers; ``reason`` and ``decided`` may be None.
    """
    row = asdict(trial)
    row["outcome"] = trial.outcome.value
    row["reason"] = None if trial.reason is None else trial.reason.value
    row["decided"] = None if trial.decided is None else trial.decided.value
    if trial.attributions is not None:
        row["attributions"] = json.dumps(trial.attributions, allow_nan=False)
    return row


def from_row(row: Mapping[str, Any], where: str) -> Trial:
    """Return the trial that a database row holds.

    ``row`` maps column names to values, as :func:`to_row` makes it. ``where`` names the table or file for
    error messages. Raises :class:`~crisol.errors.IntegrityError` for a row that is no trial; the message
    names ``where``, the trial's id and what is wrong.
    """
    name = f"{where}: trial {row.get('id')!r}"
    try:
        values = {column: row[column] for column in COLUMNS if column in row or column not in _LATER}
        values = _LATER | values
        values["outcome"] = Outcome(values["outcome"])
        values["reason"] = None if values["reason"] is None else Reason(values["reason"])
        values["decided"] = None if values["decided"] is None else Outcome(values["decided"])
        if isinstance(values["created_at"], str):
            values["created_at"] = dt.datetime.fromisoformat(values["created_at"])
        values["created_at"] = values["created_at"].astimezone(dt.UTC)
        if values["attributions"] is not None:
            values["attributions"] = json.loads(values["attributions"])
        trial = Trial(**values)
        problem = _problem(trial, None)
    except KeyError as error:
        raise IntegrityError(f"{name} has no column {error}") from None
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise IntegrityError(f"{name} cannot be read: {error}") from error
    if problem:
        raise IntegrityError(f"{name} is corrupt: {problem}")
    return trial

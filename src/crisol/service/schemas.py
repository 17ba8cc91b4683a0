"""What the other routes take and give: pydantic models, because they are documented and not hot."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = [
    "AbResults",
    "AbStatus",
    "AccuracyReport",
    "BreakerReport",
    "CacheReport",
    "EnableAb",
    "EstimateReport",
    "Invalidate",
    "Invalidated",
    "KindReport",
    "Stats",
    "TrialReport",
]

_Printing = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:@/+-]{1,128}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EnableAb(_Strict):
    """A request to switch A/B testing on; without ``rate`` or ``salt`` the present value stays.

    ``rate`` is the share of decisions to sample; ``salt`` is a text that changes which patches are sampled.
    """

    rate: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    salt: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[ -~]+$")] | None = None

    model_config = ConfigDict(json_schema_extra={"examples": [{"rate": 0.1}]})


class Invalidate(_Strict):
    """A request to delete cache entries: all with a ``tag``, the one with a ``key``, or ``all``.

    Exactly one of the three is given.
    """

    tag: Annotated[
        _Printing | None,
        Field(description="vulnerability:<id> or model:<version>", examples=["vulnerability:CVE-2020-1747"]),
    ] = None
    key: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    all: bool = False

    model_config = ConfigDict(json_schema_extra={"examples": [{"tag": "vulnerability:CVE-2020-1747"}]})

    @model_validator(mode="after")
    def _one(self) -> Invalidate:
        if sum((self.tag is not None, self.key is not None, self.all)) != 1:
            raise ValueError("give exactly one of tag, key and all")
        return self


class Invalidated(_Strict):
    """The number of cache entries that this worker deleted.

    Entries in Redis are deleted too, but not counted.
    """

    entries: int


class EstimateReport(_Strict):
    """An estimate with its 95 % interval, from ``low`` to ``high``.

    ``n`` is the number of trials, ``effective_n`` their effective number after weighting. Without trials
    ``value``, ``low`` and ``high`` are null.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    effective_n: float


class AccuracyReport(_Strict):
    """How the model's predictions agree with the verdicts of the trials in a time range.

    ``model_version`` is null for trials of all versions. ``trials`` counts all, ``inconclusive`` those
    without a conclusive verdict. ``confusion`` counts the others: ``tp`` and ``fp`` were predicted valid,
    ``tn`` and ``fn`` invalid; the verdict agrees in ``tp`` and ``tn``. ``weighted`` and ``metrics`` weight
    each trial by one over its sampling probability. ``as_of`` is the time of the report.
    """

    time_range: str
    model_version: str | None
    trials: int
    inconclusive: int
    confusion: dict[Literal["tp", "fp", "fn", "tn"], int]
    weighted: dict[Literal["tp", "fp", "fn", "tn"], float]
    metrics: dict[str, EstimateReport]
    as_of: dt.datetime


class KindReport(_Strict):
    """Counters of one kind of cache entry in this worker, since its start.

    ``hits`` were found in this process, ``shared_hits`` in Redis, ``misses`` in neither. ``errors`` are
    failed calls of Redis. ``corrupt`` entries failed an integrity check and were dropped; ``evictions`` made
    room. ``entries`` and ``bytes`` are what is stored now.
    """

    kind: str
    hits: int
    shared_hits: int
    misses: int
    errors: int
    corrupt: int
    evictions: int
    entries: int
    bytes: int


class CacheReport(_Strict):
    """The cache of this worker; ``shared_tier`` says whether Redis is behind it.

    ``hit_ratio`` is the share of look-ups that found an entry, null without look-ups. ``kinds`` has the
    counters of each kind of entry.
    """

    shared_tier: bool
    entries: int
    bytes: int
    hit_ratio: float | None
    kinds: list[KindReport]


class BreakerReport(_Strict):
    """A circuit breaker over all workers: its worst state, and counters summed over the workers.

    ``workers`` maps each worker to its own state. ``retry_after`` is the time until the breaker lets a call
    through. ``successes``, ``failures`` and ``timeouts`` count calls by their result; ``rejections`` counts
    calls that the open breaker refused. A half-open breaker lets single calls through: ``recovered`` counts
    those that closed it, ``relapsed`` those that opened it again.
    """

    name: str
    state: str
    workers: dict[str, str]
    retry_after: Annotated[float, Field(description="seconds, as the worker that answers sees it")]
    successes: int
    failures: int
    timeouts: int
    rejections: int
    recovered: int
    relapsed: int


class AbStatus(_Strict):
    """The A/B switch, and this worker's counters since its start.

    ``rate`` is the share of decisions that are sampled. With ``mode`` ``blocking`` a sampled wargame runs
    before the answer, with ``shadow`` in the background. ``queued`` and ``running`` count sampled wargames
    now; ``dropped`` counts those for which the queue was full. ``stored`` trials reached the store,
    ``journaled`` ones wait in a file because the store failed, ``lost`` ones were written to neither. ``off``
    maps the rungs that broke their promise, and therefore do not decide, to the reason.
    """

    enabled: bool
    rate: float
    mode: Literal["shadow", "blocking"]
    queued: int
    running: int
    dropped: int
    stored: int
    journaled: int
    lost: int
    off: dict[str, str]


class AbResults(_Strict):
    """Accuracy estimates by group of trials.

    ``by`` names the property that groups the trials; each of its values is a key of ``groups``. With ``by``
    null there is one group.
    """

    by: str | None
    groups: dict[str, AccuracyReport]


class TrialReport(_Strict):
    """One A/B trial: the model's probability that the patch is valid, and the wargame's verdict.

    ``reason`` is null for a valid patch. ``correct`` says whether prediction and verdict agree, null where
    the verdict is inconclusive. ``learnt`` says that the model was trained on this patch; no accuracy counts
    such a trial.
    """

    created_at: dt.datetime
    vulnerability: str
    cwe: str
    patch: str
    model_version: str
    probability: float
    outcome: str
    reason: str | None
    correct: bool | None
    sampling_probability: float
    learnt: bool


class Stats(_Strict):
    """The model and the thresholds that this worker uses, and its counters since the start.

    A patch is accepted without a wargame at a probability of ``accept_at`` or more, and refused at
    ``reject_at`` or less; null means never. ``thresholds`` says where the two come from. The ``memory_``
    fields are the same for the second stage. Of the wargames, ``wargames_waiting`` counts those in the queue
    now, the others those since the start.
    """

    model_version: str | None
    feature_version: str | None
    form: Annotated[
        str | None,
        Field(description="what computes predictions: onnx, numpy or scikit-learn; null without a model"),
    ]
    accept_at: float | None
    reject_at: float | None
    thresholds: str
    memory_accept_at: float | None
    memory_reject_at: float | None
    memory_thresholds: Annotated[str, Field(description="empty where the model has no second stage")]
    wargames_done: int
    wargames_waiting: int
    wargames_rejected: int
    mean_wargame_seconds: float
    uptime_seconds: float

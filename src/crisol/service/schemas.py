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
    """Switch A/B testing on; without a rate or a salt the present ones stay."""

    rate: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    salt: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[ -~]+$")] | None = None

    model_config = ConfigDict(json_schema_extra={"examples": [{"rate": 0.1}]})


class Invalidate(_Strict):
    """Which cache entries to delete: those with a tag, the one with a key, or all. Exactly one is given."""

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
    """The number of entries that this worker deleted; those of a shared tier are deleted too, uncounted."""

    entries: int


class EstimateReport(_Strict):
    """An estimate with its 95 % interval, the number of trials and their effective number.

    The first three values are null without trials.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    effective_n: float


class AccuracyReport(_Strict):
    """Prediction against verdict over the trials; positive means valid.

    ``confusion`` counts trials; ``weighted`` and ``metrics`` weigh each by one over its sampling probability.
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
    """The cache counters of one kind of entry in this worker, since its start.

    ``shared_hits`` came from the shared tier; ``corrupt`` entries failed their check and were dropped.
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
    """The cache of this worker, and whether a shared tier (Redis) is behind it."""

    shared_tier: bool
    entries: int
    bytes: int
    hit_ratio: float | None
    kinds: list[KindReport]


class BreakerReport(_Strict):
    """A circuit breaker over all workers: the worst of their states, and the sums of their counters.

    ``recovered`` and ``relapsed`` count trial calls that closed or reopened it.
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
    """The A/B switch, and the counters of this worker's sampling queue and of its trials since its start.

    ``journaled`` trials stayed on disk because the store failed; ``dropped`` (queue full) and ``lost`` ones
    were not stored. ``off`` are the rungs that broke their promise and do not decide, each with the reason.
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
    """The accuracy estimates for each value of the slice ``by``; without a slice there is one group."""

    by: str | None
    groups: dict[str, AccuracyReport]


class TrialReport(_Strict):
    """One A/B trial: the model's probability of valid, and the wargame's verdict.

    ``correct`` says whether they agree, null where the verdict is inconclusive. ``learnt`` says that the
    model was trained on this patch: such a trial is left out of every accuracy.
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
    """The model and the thresholds that this worker uses, and its counters since the start."""

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

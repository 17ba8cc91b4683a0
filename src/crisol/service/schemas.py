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
    """Switch A/B testing on; without a rate or a salt those of before stay."""

    rate: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    salt: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[ -~]+$")] | None = None

    model_config = ConfigDict(json_schema_extra={"examples": [{"rate": 0.1}]})


class Invalidate(_Strict):
    """Which entries of the cache to forget: those of a tag, the one of a key, or all."""

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
    """How many entries this worker forgot; a shared tier forgets them too, uncounted."""

    entries: int


class EstimateReport(_Strict):
    """A value with its interval at 95 %; null where no trial speaks of it."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    effective_n: float


class AccuracyReport(_Strict):
    """Model against wargame, weighted by inverse sampling probability; positive means valid."""

    time_range: str
    model_version: str | None
    trials: int
    inconclusive: int
    confusion: dict[Literal["tp", "fp", "fn", "tn"], int]
    weighted: dict[Literal["tp", "fp", "fn", "tn"], float]
    metrics: dict[str, EstimateReport]
    as_of: dt.datetime


class KindReport(_Strict):
    """The counters of one kind of entry since the start of this worker."""

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
    """The cache of this worker, and whether another tier is behind it."""

    shared_tier: bool
    entries: int
    bytes: int
    hit_ratio: float | None
    kinds: list[KindReport]


class BreakerReport(_Strict):
    """A circuit breaker of all workers: the worst of their states, and the sums of what they counted."""

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
    """The switch, and what the queue and the stores did since the start of this worker."""

    enabled: bool
    rate: float
    mode: Literal["shadow", "blocking"]
    queued: int
    running: int
    dropped: int
    stored: int
    journaled: int
    lost: int


class AbResults(_Strict):
    """The same estimates for each group."""

    by: str | None
    groups: dict[str, AccuracyReport]


class TrialReport(_Strict):
    """One observation: what the model said, and what the wargame said."""

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


class Stats(_Strict):
    """What this worker runs with and has done since its start."""

    model_version: str | None
    feature_version: str | None
    form: Annotated[
        str | None,
        Field(description="what computes predictions: onnx or scikit-learn; null without a model"),
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

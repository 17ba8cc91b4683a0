"""The JSON bodies of the routes for statistics, A/B testing, cache and breakers, as pydantic models.

The bodies of the routes that decide about patches are in :mod:`crisol.service.messages`.
"""

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
    """The body of a request that switches A/B testing on.

    ``rate`` is the share of decisions to sample. If it is null, the present rate is kept, or set to 0.1 if it
    is 0. ``salt`` is a text that decides which patches are sampled; null keeps the present salt.
    """

    rate: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    salt: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[ -~]+$")] | None = None

    model_config = ConfigDict(json_schema_extra={"examples": [{"rate": 0.1}]})


class Invalidate(_Strict):
    """The body of a request that deletes cache entries; exactly one of the three fields is given.

    ``tag`` deletes all entries with a tag, ``key`` the entry with a key (64 hexadecimal digits), and ``all``,
    if true, every entry.
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
    """The number of cache ``entries`` that this worker deleted; entries deleted in Redis are not counted."""

    entries: int


class EstimateReport(_Strict):
    """An estimate, ``value``, of a figure such as the accuracy, with its 95 % interval ``low`` to ``high``.

    ``n`` is the number of trials on which it rests, ``effective_n`` the effective sample size after
    weighting. ``value``, ``low`` and ``high`` are null if the figure is not defined, for example without
    trials.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    effective_n: float


class AccuracyReport(_Strict):
    """A report that compares the model's predictions with the verdicts, over the trials of a time range.

    - ``time_range``: the time range as the caller gave it, such as ``24h``. ``as_of``: the time of the
      report.
    - ``model_version``: the version whose trials are counted; null for the trials of all versions.
    - ``trials``: the number of all trials. ``inconclusive``: the number of trials with an inconclusive
      verdict.
    - ``confusion``: the numbers of the conclusive trials, by prediction and verdict. ``tp``: predicted valid,
      verdict valid. ``fp``: predicted valid, verdict invalid. ``fn``: predicted invalid, verdict valid.
      ``tn``: both invalid.
    - ``weighted``: the sums of the weights of the same trials, with the same keys. A trial weighs 1 / its
      sampling probability.
    - ``metrics``: the weighted estimates ``accuracy``, ``precision``, ``recall``, ``f1``, ``mcc``,
      ``false_accept_rate`` and ``prevalence``. ``mcc`` is Matthews' correlation coefficient, -1 to 1; the
      others are 0 to 1.
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
    """The counters of one kind of cache entry in this worker, since its start.

    ``kind`` is the name of the kind, such as ``decision``, ``verdict`` or ``prediction``. ``hits`` counts
    look-ups that this process's memory answered, ``shared_hits`` those that Redis answered, and ``misses``
    those for which the value had to be computed. ``errors`` counts failed calls of Redis, ``corrupt`` its
    entries that could not be decoded, and ``evictions`` entries removed to make space. ``entries`` and
    ``bytes`` are the number of the entries that this process holds now, and their size.
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
    """The cache of this worker: ``entries`` is the number of its entries, ``bytes`` their size.

    ``shared_tier`` says whether workers share entries in Redis. ``hit_ratio`` is the share of look-ups that
    found an entry, null without look-ups. ``kinds`` has the counters of each kind of entry.
    """

    shared_tier: bool
    entries: int
    bytes: int
    hit_ratio: float | None
    kinds: list[KindReport]


class BreakerReport(_Strict):
    """A circuit breaker over all workers: ``state`` is its worst state; counters are sums over the workers.

    A state is ``disabled``, ``metrics_only``, ``closed``, ``half_open``, ``open`` or ``forced_open``, here
    from best to worst. ``workers`` maps the process id of each worker, as text, to the state there.
    ``retry_after`` is the seconds that a rejected caller should wait, 0 while every call passes.
    ``successes``, ``failures`` (time-outs included), ``timeouts`` and ``rejections`` count calls.
    ``recovered`` and ``relapsed`` count the half-open periods that ended with the breaker closed, and with
    the breaker open again.
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
    """The A/B switch, and the counters of this worker since its start.

    ``enabled`` is the switch, ``rate`` the share of decisions that is sampled; each sampled decision is
    wargamed. With the ``mode`` ``blocking`` this wargame runs before the answer, with ``shadow`` in the
    background. ``queued`` is the number of these wargames that wait now, ``running`` the number of those that
    run now; ``dropped`` counts those for which the queue was full. ``stored`` counts the trials that this
    worker wrote to the store, including those of other workers of the machine; ``journaled`` counts its own
    trials that were kept in a file while the store failed, ``lost`` those that neither could take. ``off``
    maps each rung that broke its promise, and therefore does not decide, to the reason; such a rung is
    ``equivalent``, ``untouched``, ``memory`` or ``model``.
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
    """Reports that compare predictions with verdicts, one for each group of trials.

    ``by`` is the property that groups the trials: ``model_version``, ``cwe``, ``band``, ``rung``, ``day`` or
    ``hour``. ``groups`` maps each value of this property to a report. If ``by`` is null, all trials form one
    group, named ``all``. If ``by`` is ``rung``, the answers that callers got take the place of the
    predictions.
    """

    by: str | None
    groups: dict[str, AccuracyReport]


class TrialReport(_Strict):
    """One A/B trial: the predicted ``probability`` of valid, and the verdict of the wargame.

    ``vulnerability`` is an id, ``patch`` the identity of the patch. ``outcome`` (``valid``, ``invalid`` or
    ``inconclusive``) and ``reason`` (null for a valid patch, else a text such as ``exploit_survives``) are
    the verdict. A probability of at least 0.5 predicts valid, a smaller one invalid; ``correct`` says whether
    this prediction is the verdict, and is null if the verdict is inconclusive. ``sampling_probability`` is
    the probability with which the patch was sampled, 1 if it was wargamed anyway. ``learnt`` says that the
    model was trained on this patch; such a trial does not count for the accuracy.
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
    """The model and the thresholds that this worker uses, and its counters since its start.

    A patch is accepted without a wargame if its probability of valid is at least ``accept_at``, and refused
    if it is at most ``reject_at``; null means never. ``thresholds`` is a sentence on where they come from.
    ``memory_accept_at``, ``memory_reject_at`` and ``memory_thresholds`` are the same three for the second
    stage. ``wargames_waiting`` is the number of wargames in the queue now. ``wargames_done`` counts the
    wargames that have ended since the start, ``wargames_rejected`` those that never ran, because the queue
    was full or every caller had left. Without a model, ``model_version`` and ``feature_version`` are null.
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

"""Export the metrics of all workers in the formats that Prometheus reads.

>>> from crisol.metrics.names import RATE_LIMITS
>>> metrics = Metrics()
>>> metrics.counter(RATE_LIMITS, "ml-first", "allowed").add()
>>> b'requests_total{endpoint="ml-first",result="allowed"} 1.0' in metrics.render("")[0]
True
"""

from __future__ import annotations

import itertools
import time
from bisect import bisect_left
from collections import defaultdict
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.samples import Exemplar

from crisol.metrics.names import FAMILIES, MetricKind
from crisol.metrics.slots import Counter, Histogram, Slots, Snapshot, others

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from prometheus_client.core import Metric

    from crisol.metrics.names import Family

__all__ = ["Metrics"]

_Values = dict[tuple[str, ...], list[float]]


class Metrics:
    """The metrics of one worker process, and their export together with those of the other workers.

    All workers that are exported together use the same ``folder``, in which each writes files; a missing
    folder is made. If ``folder`` is None, only the metrics of this process are exported. Families that are
    not in :data:`crisol.metrics.names.FAMILIES` are not exported. ``worker`` is the name of this worker
    process; its gauges carry the name as their label ``worker``. Get a counter or histogram once and keep the
    object, because :meth:`counter` and :meth:`histogram` are slower than counting. Not safe across threads.
    """

    def __init__(self, folder: Path | None = None, *, worker: str = "0") -> None:
        self._folder = folder
        self._slots = Slots(folder, worker)
        self._watched: list[tuple[int, Callable[[], float]]] = []
        self._exemplars: dict[tuple[str, tuple[str, ...]], dict[int, Exemplar]] = defaultdict(dict)
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def counter(self, family: Family, *labels: str) -> Counter:
        """Return the counter of ``family`` with the label values ``labels``.

        ``labels`` are in the order of ``family.labels``; the same values give the same counter. Raises
        ``TypeError`` if the family is not of counters or has another number of labels.
        """
        return Counter(self._slots.values, self._place(family, labels, MetricKind.COUNTER))

    def histogram(self, family: Family, *labels: str) -> Histogram:
        """Return the histogram of ``family`` with the label values ``labels``.

        ``labels`` are in the order of ``family.labels``; the same values give the same histogram. Raises
        ``TypeError`` if the family is not of histograms or has another number of labels.
        """
        return Histogram(self._slots.values, self._place(family, labels, MetricKind.HISTOGRAM), family.bounds)

    def exemplify(self, family: Family, labels: tuple[str, ...], value: float, trace_id: str) -> None:
        """Attach ``trace_id`` to a ``value`` that a histogram has observed, as an OpenMetrics exemplar.

        ``family`` and ``labels``, the label values, name the histogram. The value selects the bucket, which
        keeps only its latest exemplar. Exemplars are exported in the OpenMetrics format only.
        """
        bucket = bisect_left(family.bounds, value)
        self._exemplars[family.name, labels][bucket] = Exemplar({"trace_id": trace_id}, value, time.time())

    def watch(self, family: Family, *labels: str, read: Callable[[], float]) -> None:
        """Export the number that ``read()`` returns, as a gauge or counter of ``family``.

        ``labels`` are the label values, in the order of ``family.labels``. ``read`` is called by
        :meth:`refresh`, and whenever this worker exports its metrics. Of two functions for the same labels
        the later one counts. Raises ``TypeError`` if the family is of histograms or has another number of
        labels.
        """
        if family.kind is MetricKind.HISTOGRAM:
            raise TypeError(f"{family.name} is a histogram: observe it")
        self._watched.append((self._place(family, labels, family.kind), read))

    def refresh(self) -> None:
        """Call the functions given to :meth:`watch` and store their numbers; other workers export these."""
        for slot, read in self._watched:
            self._slots.values[slot] = read()

    def render(self, accept: str) -> tuple[bytes, str]:
        """Return all metrics as text, and the text's content type: (body, content type).

        ``accept`` is the ``Accept`` header of the HTTP request. It selects OpenMetrics or the text format of
        Prometheus; "" means the latter.
        """
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def collect(self) -> Iterator[Metric]:
        """Yield every metric family with its values; prometheus-client calls this at each export."""
        for name, values in sorted(self.gather().items()):
            yield _metric(FAMILIES[name], values, self._exemplars)

    def gather(self) -> dict[str, _Values]:
        """Return the values of all workers, as ``{family name: {label values: numbers}}``.

        The label values are a tuple, the numbers a list. A counter has one number, the sum over the workers.
        A gauge has an entry for each live worker: the tuple ends with the worker's name, and the list has one
        number. A histogram has the sum of its observations, then the number of observations in each bucket,
        all summed over the workers; the last bucket takes observations above all bounds.
        """
        self.refresh()
        snapshots = [self._slots.snapshot()]
        if self._folder is not None:
            snapshots += others(self._folder, self._slots.name)
        totals: defaultdict[str, _Values] = defaultdict(dict)
        for snapshot in snapshots:
            _merge(totals, snapshot)
        return totals

    def _place(self, family: Family, labels: tuple[str, ...], kind: MetricKind) -> int:
        if family.kind is not kind or len(labels) != len(family.labels):
            raise TypeError(f"{family.name} is a {family.kind} with the labels {family.labels}, not {labels}")
        width = len(family.bounds) + 2 if kind is MetricKind.HISTOGRAM else 1
        return self._slots.place(family.name, labels, width)


def _merge(totals: defaultdict[str, _Values], snapshot: Snapshot) -> None:
    for (name, labels), values in snapshot.values.items():
        family = FAMILIES.get(name)
        if family is None:
            continue
        if family.kind is MetricKind.GAUGE:
            # The gauges of a dead worker no longer hold.
            if snapshot.alive:
                totals[name][*labels, snapshot.worker] = list(values)
            continue
        sums = totals[name].setdefault(labels, [0.0] * len(values))
        if len(sums) == len(values):
            for index, value in enumerate(values):
                sums[index] += value


def _metric(
    family: Family, values: _Values, exemplars: Mapping[tuple[str, tuple[str, ...]], Mapping[int, Exemplar]]
) -> Metric:
    if family.kind is MetricKind.COUNTER:
        counter = CounterMetricFamily(family.name.removesuffix("_total"), family.help, labels=family.labels)
        for labels, (value,) in sorted(values.items()):
            counter.add_metric(labels, value)
        return counter
    if family.kind is MetricKind.GAUGE:
        gauge = GaugeMetricFamily(family.name, family.help, labels=(*family.labels, "worker"))
        for labels, (value,) in sorted(values.items()):
            gauge.add_metric(labels, value)
        return gauge
    histogram = HistogramMetricFamily(family.name, family.help, labels=family.labels)
    for labels, (total, *counts) in sorted(values.items()):
        edges = [*map(repr, family.bounds), "+Inf"]
        named = exemplars.get((family.name, labels), {})
        pairs = zip(edges, itertools.accumulate(counts), strict=True)
        buckets = [(*pair, named[number]) if number in named else pair for number, pair in enumerate(pairs)]
        histogram.add_metric(labels, buckets, total)
    return histogram

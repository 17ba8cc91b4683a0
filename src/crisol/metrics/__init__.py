"""Prometheus metrics that are numbers in memory, shared between the workers of one machine."""

from crisol.metrics.collector import Metrics
from crisol.metrics.names import FAMILIES, Family, MetricKind
from crisol.metrics.slots import Counter, Histogram

__all__ = ["FAMILIES", "Counter", "Family", "Histogram", "MetricKind", "Metrics"]

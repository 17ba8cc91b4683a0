"""Log a load test to MLflow: percentiles, series over time, and pictures of both."""

from __future__ import annotations

from collections.abc import Sequence

from crisol.loadtest import result, study
from crisol.loadtest.result import LoadResult
from crisol.tracking import load_plots, plots
from crisol.tracking.picture import Picture
from crisol.tracking.runs import TrackedRun

__all__ = ["log_load"]


def log_load(run: TrackedRun, load: LoadResult, targets: Sequence[str]) -> tuple[Picture, Picture]:
    """Store a load test with two pictures in an MLflow run, and return the pictures.

    The first picture shows latency by percentile, with the load targets as marks; the second shows latency
    and answers over time. ``targets`` are load targets as texts, such as ``p99_ms < 300``. Raises
    :class:`~crisol.errors.ExperimentError` for a malformed target, after the figures and tables are stored
    and before the pictures are.
    """
    run.metrics(load.metrics)
    timeline = result.timeline(load.samples)
    for prefix, series in (("over_time", timeline), ("server", load.costs)):
        for step, values in enumerate(series.to_dict("records")):
            run.metrics({f"{prefix}.{name}": value for name, value in values.items()}, step)
    run.table("load", load.table)
    run.table("failures", load.failures)
    latency = result.distribution(load.samples["latency_ms"].dropna().to_numpy())
    return (
        run.picture(
            "percentiles",
            plots.picture(
                load_plots.slowest(latency, study.marks(targets)),
                "Latency by percentile; each step to the right is ten times rarer. The marks are targets: "
                "the curve stays below.",
            ),
        ),
        run.picture(
            "over_time",
            plots.picture(
                load_plots.latency_over_time(timeline), "Latency, answers by source and failures over time."
            ),
        ),
    )

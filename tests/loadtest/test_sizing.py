"""Sizes follow from queueing theory, and the theory from a simulated queue."""

from __future__ import annotations

import heapq
import math

import numpy as np
import pytest

from crisol.errors import SettingsError
from crisol.loadtest.sizing import Costs, Demand, erlang_c, servers_needed, size, waiting


def test_one_server_waits_as_the_textbook_says() -> None:
    """M/M/1: rho / (mu - lambda); M/D/1: half of it."""
    assert waiting(rate=8.0, seconds=0.1, variation=1.0, servers=1) == pytest.approx(0.8 / (10 - 8))
    assert waiting(rate=8.0, seconds=0.1, variation=0.0, servers=1) == pytest.approx(0.2)
    assert waiting(rate=10.0, seconds=0.1, variation=1.0, servers=1) == math.inf
    assert erlang_c(0.0, 3) == 0.0
    assert erlang_c(3.0, 3) == 1.0


@pytest.mark.parametrize(("servers", "spread"), [(1, 0.5), (2, 1.0), (4, 1.0), (4, 0.3)])
def test_a_simulated_queue_waits_as_long_as_predicted(servers: int, spread: float) -> None:
    """Within 15 %, at four fifths of saturation, for gamma service times of that squared variation."""
    rng = np.random.default_rng(5)
    count, seconds = 200_000, 0.1
    rate = 0.8 * servers / seconds
    arrivals = np.cumsum(rng.exponential(1 / rate, count))
    times = rng.gamma(1 / spread, seconds * spread, count)
    free = [0.0] * servers
    total = 0.0
    for at, time in zip(arrivals.tolist(), times.tolist(), strict=True):
        begin = max(at, heapq.heappop(free))
        total += begin - at
        heapq.heappush(free, begin + time)
    predicted = waiting(rate=rate, seconds=seconds, variation=spread, servers=servers)
    assert total / count == pytest.approx(predicted, rel=0.15)


def test_the_fewest_servers_are_enough_and_one_fewer_is_not() -> None:
    for rate in (0.1, 3.0, 40.0, 900.0):
        servers = servers_needed(rate=rate, seconds=0.25, variation=2.0, wait=0.05)
        assert waiting(rate=rate, seconds=0.25, variation=2.0, servers=servers) <= 0.05
        assert servers == 1 or waiting(rate=rate, seconds=0.25, variation=2.0, servers=servers - 1) > 0.05
    with pytest.raises(SettingsError, match="100000"):
        servers_needed(rate=1e9, seconds=1.0, variation=1.0, wait=0.1)


def test_a_million_patches_a_day_take_wargames_for_those_alone_that_are_not_skipped() -> None:
    costs = Costs(request=0.0005, wargame=0.25, entries=2_000, row=500)
    every, few = (size(Demand(rate=1e6 / 86_400, skipped=share), costs) for share in (0.0, 0.9))
    assert every.trials == pytest.approx(11.574, rel=1e-3)
    assert few.trials == pytest.approx(11.574 * 0.19, rel=1e-3)
    assert every.wargames > few.wargames >= 1
    assert every.workers == 1
    assert every.disk_mb == pytest.approx(1e6 * 500 / 2**20)
    assert few.disk_mb == pytest.approx(0.19 * every.disk_mb)
    assert every.memory_mb == few.memory_mb == pytest.approx(1e6 * 2_000 / 2**20)
    cached = size(Demand(rate=1e6 / 86_400, hits=0.75), costs)
    assert cached.memory_mb == pytest.approx(every.memory_mb / 4)
    for wrong in ({"rate": 0.0}, {"rate": math.nan}, {"rate": 1.0, "hits": 2.0}):
        with pytest.raises(SettingsError):
            Demand(**wrong)

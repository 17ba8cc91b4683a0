from __future__ import annotations

import pytest

from crisol.errors import ExperimentError
from crisol.lab.adaptive import Slowdown, compare, metrics, summary
from crisol.resilience.adaptive import AdaptivePolicy
from crisol.tracking.load_plots import adaptation

POLICY = AdaptivePolicy(target_seconds=0.2)


@pytest.mark.parametrize("seed", range(3))
def test_an_adaptive_limit_keeps_answers_quick_where_a_fixed_one_lets_them_pile_up(seed: int) -> None:
    """By far.

    Not a matter of the seed. What it costs are refusals, and only while the server is slow or recovers.
    """
    slowdown = Slowdown()
    frame = compare(slowdown, POLICY, seed)
    table = summary(frame, slowdown).set_index("limit")
    assert table.loc["adaptive", "p95_slow_median"] * 20 < table.loc["fixed", "p95_slow_median"]
    assert table.loc["adaptive", "recovered_after"] + 20 < table.loc["fixed", "recovered_after"]
    assert table.loc["fixed", "refused"] == 0 < table.loc["adaptive", "refused"]
    calm = frame[(frame["limit"] == "adaptive") & (frame["second"] < slowdown.begins)]
    assert calm["refused"].sum() < 0.05 * calm["admitted"].sum()


def test_both_limits_meet_the_same_requests() -> None:
    frame = compare(Slowdown(), POLICY, 7)
    counts = frame.assign(offered=frame["admitted"] + frame["refused"]).pivot_table(
        index="second", columns="limit", values="offered"
    )
    assert (counts["fixed"] == counts["adaptive"]).all()


def test_the_same_seed_gives_the_same_table() -> None:
    first, again = (compare(Slowdown(), POLICY, 3) for _ in range(2))
    assert first.equals(again)
    assert not first.equals(compare(Slowdown(), POLICY, 4))


def test_a_server_that_stays_well_is_not_limited() -> None:
    slowdown = Slowdown(offered=20.0, factor=1.0)
    frame = compare(slowdown, POLICY, 0)
    assert frame["refused"].sum() == 0
    assert metrics(summary(frame, slowdown))["adaptive.refused"] == 0.0


def test_the_figure_shows_both_limits() -> None:
    figure = adaptation(compare(Slowdown(), POLICY, 0), 30, 90, 0.2)
    assert [line.get_label() for line in figure.axes[2].lines] == ["fixed", "adaptive"]


@pytest.mark.parametrize(
    "options", [{"begins": 90.0, "ends": 30.0}, {"factor": 0.5}, {"offered": 0.0}, {"seconds": 1e9}]
)
def test_a_slowdown_out_of_range_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(ExperimentError):
        Slowdown(**options)

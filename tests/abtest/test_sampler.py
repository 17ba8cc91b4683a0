"""Sampling: fixed by the salt, at the rate that was asked for, and honest about its probability."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from crisol.abtest import Draw, HashSampler, RandomSampler, Switch
from crisol.abtest.sampler import allots, uniform
from crisol.errors import SettingsError

rates = st.floats(0.0, 1.0)


@given(st.text(), st.text(), rates, rates)
def test_a_patch_that_is_in_stays_in_when_the_rate_rises(patch: str, salt: str, a: float, b: float) -> None:
    low, high = sorted([a, b])
    if HashSampler(low, salt).draw(patch).sampled:
        assert HashSampler(high, salt).draw(patch).sampled


@given(st.text(), rates)
def test_unsure_patches_are_always_in_with_probability_one(patch: str, rate: float) -> None:
    always = Draw(sampled=True, probability=1.0)
    assert HashSampler(rate, "s").draw(patch, unsure=True) == always
    assert RandomSampler(rate, 1).draw(patch, unsure=True) == always


@given(st.text())
def test_rates_of_zero_and_one_mean_never_and_always(patch: str) -> None:
    assert HashSampler(0.0, "s").draw(patch) == Draw(sampled=False, probability=0.0)
    assert HashSampler(1.0, "s").draw(patch) == Draw(sampled=True, probability=1.0)


def test_another_process_draws_the_same() -> None:
    """Also under another hash seed: the decision depends on nothing but salt and patch."""
    code = (
        "from crisol.abtest import HashSampler as H\n"
        "print([H(.1,'2026').draw(str(i)).sampled for i in range(300)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "7"}
    )
    assert done.stdout.strip() == str([HashSampler(0.1, "2026").draw(str(i)).sampled for i in range(300)])


def test_the_hash_is_pinned() -> None:
    """A change of the hash would silently resample every running experiment."""
    assert uniform("sample", "2026", "3f9a") == 0.48683824422141486


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5])
def test_the_share_that_is_in_is_the_rate(rate: float) -> None:
    for sampler in (HashSampler(rate, "salt"), RandomSampler(rate, 5)):
        hits = sum(sampler.draw(f"patch-{i}").sampled for i in range(20_000))
        assert binomtest(hits, 20_000, rate).pvalue > 1e-3


def test_salts_and_arms_are_independent() -> None:
    """One salt, one arm tells nothing of another: the overlap is the product of the rates."""
    patches = [str(i) for i in range(40_000)]
    one, other = HashSampler(0.2, "a"), HashSampler(0.2, "b")
    both = sum(one.draw(p).sampled and other.draw(p).sampled for p in patches)
    assert binomtest(both, 40_000, 0.04).pvalue > 1e-3
    sampled = [p for p in patches if one.draw(p).sampled]
    shared = sum(allots("a", p, "x", 0.5) and allots("a", p, "y", 0.5) for p in sampled)
    assert binomtest(shared, len(sampled), 0.25).pvalue > 1e-3


def test_the_same_seed_draws_the_same_and_unsure_patches_do_not_shift_it() -> None:
    plain = [RandomSampler(0.3, 9).draw("p").sampled for _ in range(1)]
    one, other = RandomSampler(0.3, 9), RandomSampler(0.3, 9)
    first = [one.draw("p").sampled for _ in range(100)]
    second = [other.draw("p", unsure=i == 0).sampled for i in range(100)]
    assert first[1:] == second[1:]
    assert plain == first[:1]


@pytest.mark.parametrize("rate", [-0.01, 1.01, math.nan, math.inf])
def test_a_rate_outside_0_to_1_is_refused_by_name(rate: float) -> None:
    for make in (lambda: HashSampler(rate, "s"), lambda: RandomSampler(rate, 1)):
        with pytest.raises(SettingsError, match="rate is"):
            make()


def test_switched_off_only_unsure_patches_are_in() -> None:
    sampler = Switch(enabled=False, rate=1.0).sampler
    assert not sampler.draw("p").sampled
    assert sampler.draw("p", unsure=True).sampled

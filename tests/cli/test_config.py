"""Settings come from the environment once, and a wrong variable is named."""

from __future__ import annotations

import pytest

from crisol.config import load_settings
from crisol.errors import SettingsError


def test_ab_test_rate_is_a_tenth_unless_the_environment_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AB_TEST_RATE", raising=False)
    assert load_settings().ab_test_rate == 0.10
    monkeypatch.setenv("AB_TEST_RATE", "0.25")
    assert load_settings().ab_test_rate == 0.25


@pytest.mark.parametrize("rate", ["1.01", "-0.1", "nan", "often"])
def test_a_rate_outside_0_to_1_is_refused_by_name(rate: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AB_TEST_RATE", rate)
    with pytest.raises(SettingsError, match="AB_TEST_RATE"):
        load_settings()

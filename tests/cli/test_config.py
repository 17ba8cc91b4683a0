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


def test_changed_settings_are_checked_like_the_environment() -> None:
    settings = load_settings()
    assert settings.changed(wargames=3).wargames == 3
    assert settings.changed(wargames=3).root == settings.root
    with pytest.raises(SettingsError, match="no setting is called wargame;"):
        settings.changed(wargame=3)
    with pytest.raises(SettingsError, match="CRISOL_WARGAMES"):
        settings.changed(wargames=-1)


def test_a_variable_without_the_prefix_sets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """HOST and MODEL are names that machines set for other programs."""
    monkeypatch.setenv("HOST", "192.0.2.1")
    monkeypatch.setenv("MODEL", "gpt")
    assert load_settings().host == "127.0.0.1"
    assert load_settings().model is None


@pytest.mark.parametrize(
    ("text", "level"),
    [("info", "INFO"), ("warn", "WARNING"), (" Warning ", "WARNING"), ("critical", "CRITICAL")],
)
def test_a_log_level_is_taken_in_any_case(text: str, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other programs write LOG_LEVEL in lower case."""
    monkeypatch.setenv("LOG_LEVEL", text)
    assert load_settings().log_level == level

"""A rung that breaks its promise is off until a person enables it."""

from __future__ import annotations

import datetime as dt
import shutil
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from crisol.errors import StoreError
from crisol.records import Outcome, Source, Trial
from crisol.service.embedded import serve
from crisol.service.problems import Problem
from crisol.service.rung_guard import RungGuard
from support.http import ask, decide
from support.served import model_folder, wrong
from support.stages import second_stage

if TYPE_CHECKING:
    from pathlib import Path

    from crisol.config import Settings

NOW = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)


def guard(folder: Path) -> RungGuard:
    """Return a guard of a service of which only the switch matters."""
    service = SimpleNamespace(on_refresh=[], validator=SimpleNamespace(off=frozenset()))
    return RungGuard(cast("Any", service), folder)


def trials(rung: Source, outcome: Outcome, count: int, at: dt.datetime = NOW) -> list[Trial]:
    """Return trials of a rung that refused all of these patches."""
    return [
        Trial(
            f"{rung}-{number}-{at}", "patch", "flaw", "CWE-22", "live", "champion", "model", "4", 0.1,
            outcome, None, 1.0, 0.0, 0.1, at, rung=rung.value, decided=Outcome.INVALID,
        )
        for number in range(count)
    ]  # fmt: skip


def test_the_first_error_of_a_fact_switches_it_off(tmp_path: Path) -> None:
    watched = guard(tmp_path)
    watched.watch(trials(Source.UNTOUCHED, Outcome.VALID, 1) + trials(Source.MEMORY, Outcome.VALID, 1))
    assert list(watched.off) == [Source.UNTOUCHED]
    assert "false refusals" in watched.off[Source.UNTOUCHED]


def test_a_rung_within_its_promise_stays(tmp_path: Path) -> None:
    watched = guard(tmp_path)
    watched.watch(trials(Source.MEMORY, Outcome.INVALID, 50))
    assert not watched.off
    assert not list(tmp_path.iterdir())


def test_a_restart_and_other_workers_find_it_off(tmp_path: Path) -> None:
    first, other = guard(tmp_path), guard(tmp_path)
    first.watch(trials(Source.MEMORY, Outcome.VALID, 20))
    other.watch([])
    assert list(first.off) == list(other.off) == list(guard(tmp_path).off) == [Source.MEMORY]


def test_a_rung_is_off_here_where_the_folder_cannot_be_written(tmp_path: Path) -> None:
    """It is enabled by the next worker that can write, and until then by none."""
    folder = tmp_path / "rungs"
    folder.symlink_to(tmp_path / "gone" / "away")
    watched, other = guard(folder), guard(folder)
    watched.watch(trials(Source.MEMORY, Outcome.VALID, 20))
    assert list(watched.off) == [Source.MEMORY]
    with pytest.raises(StoreError, match="cannot be written"):
        watched.enable("memory")
    assert list(watched.off) == [Source.MEMORY]
    folder.unlink()
    other.enable("memory")
    watched.watch([])
    assert not watched.off


def test_a_rung_is_off_where_nobody_can_tell(tmp_path: Path) -> None:
    """A file that cannot be read may say that its rung is off."""
    (tmp_path / "memory.off").mkdir()
    (tmp_path / "model.off").write_bytes(b"\xff")
    assert set(guard(tmp_path).off) == {Source.MEMORY, Source.MODEL}


def test_once_enabled_only_later_trials_count(tmp_path: Path) -> None:
    watched = guard(tmp_path)
    before = trials(Source.MEMORY, Outcome.VALID, 20)
    watched.watch(before)
    watched.enable("memory")
    watched.watch(before)
    assert not watched.off
    later = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=5)
    watched.watch(before + trials(Source.MEMORY, Outcome.VALID, 20, later))
    assert list(watched.off) == [Source.MEMORY]
    with pytest.raises(Problem, match="there are equivalent"):
        watched.enable("wargame")


@pytest.mark.integration
def test_what_is_off_hands_on_and_says_so(settings: Settings, tmp_path: Path) -> None:
    """Status, health and metrics name it; a person's word lets it decide again."""
    folder = shutil.copytree(model_folder(), tmp_path / "model")
    second_stage().save(folder / "memory.json")
    settings = settings.model_copy(update={"model": folder})
    (settings.runs / "rungs").mkdir(parents=True)
    (settings.runs / "rungs" / "memory.off").write_text("a test")
    with serve(settings) as server:
        assert [decide(server, wrong(number))["source"] for number in range(2)] == ["wargame", "wargame"]
        assert ask(server, "GET", "/wargaming/ab-testing/status")[1]["off"] == {"memory": "a test"}
        health = ask(server, "GET", "/health/detailed")[1]["components"]["rungs"]
        assert health["status"] == "degraded"
        assert "memory is off" in health["detail"]
        lines = ask(server, "GET", "/metrics")[1].splitlines()
        line = next(line for line in lines if line.startswith('wargaming_rung_off{rung="memory"'))
        assert float(line.split()[-1]) == 1.0
        status, report, _ = ask(server, "POST", "/wargaming/ab-testing/rungs/memory/enable", {})
        assert (status, report["off"]) == (200, {})
        assert decide(server, wrong(2))["source"] == "memory"
        assert ask(server, "POST", "/wargaming/ab-testing/rungs/nothing/enable", {})[0] == 404

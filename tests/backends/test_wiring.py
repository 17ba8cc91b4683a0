"""The environment chooses the back-ends."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from crisol.abtest.store import Switch
from crisol.backends.duckdb import DuckDBStore
from crisol.backends.postgres import PostgresStore
from crisol.config import Settings
from crisol.wiring import open_trials


def test_without_a_server_trials_live_in_one_file_under_the_runs(tmp_path: Path) -> None:
    with closing(open_trials(Settings(root=tmp_path, database_url=None, postgres_host=None))) as store:
        assert isinstance(store, DuckDBStore)
    assert (tmp_path / "mlruns" / "trials.duckdb").is_file()


def test_a_database_url_means_postgresql_and_nothing_is_connected_yet(tmp_path: Path) -> None:
    with closing(
        open_trials(Settings(root=tmp_path, database_url="postgresql://nowhere.invalid/x"))
    ) as store:
        assert isinstance(store, PostgresStore)
    assert not (tmp_path / "mlruns").exists()


def test_ab_testing_runs_at_the_environments_rate_until_somebody_flips_the_switch(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path, ab_test_rate=0.25)
    with closing(open_trials(settings)) as store:
        assert store.switch() == Switch(enabled=True, rate=0.25)
        store.flip(Switch(enabled=False, rate=0.5))
    with closing(open_trials(settings)) as store:
        assert store.switch() == Switch(enabled=False, rate=0.5)


def test_a_rate_of_zero_switches_ab_testing_off(tmp_path: Path) -> None:
    with closing(open_trials(Settings(root=tmp_path, ab_test_rate=0.0))) as store:
        assert not store.switch().enabled

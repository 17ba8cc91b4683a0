"""Settings become live objects here; no other module names a back-end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crisol.abtest.store import Switch

if TYPE_CHECKING:
    from crisol.abtest.store import TrialStore
    from crisol.config import Settings

__all__ = ["open_trials"]


def open_trials(settings: Settings) -> TrialStore:
    """Return the store of the trials: PostgreSQL where one is configured, else the DuckDB file; close it.

    Until somebody flips its switch, A/B testing runs at ``AB_TEST_RATE``; 0 switches it off. Raises
    :class:`~crisol.errors.StoreError` while another process has the DuckDB file.
    """
    # Whoever uses one of them does not pay for loading the other.
    initial = Switch(enabled=settings.ab_test_rate > 0.0, rate=settings.ab_test_rate)
    if settings.postgres_dsn is None:
        from crisol.backends.duckdb import DuckDBStore  # noqa: PLC0415 - see above

        return DuckDBStore(settings.trials, initial=initial)
    from crisol.backends.postgres import PostgresStore  # noqa: PLC0415 - see above

    return PostgresStore(settings.postgres_dsn, initial=initial)

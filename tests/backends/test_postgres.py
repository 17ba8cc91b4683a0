"""What PostgreSQL's own driver logs; the contract of the store is in tests/abtest/test_store_contract.py."""

from __future__ import annotations

import pytest

from crisol.abtest.store import EVERYTHING
from crisol.backends.postgres import PostgresStore
from crisol.errors import StoreError


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://u:s3cret@127.0.0.1:9/db",
        "postgresql+asyncpg://u:s3cret@127.0.0.1:9/db",
        "host password=s3cret",
    ],
)
def test_neither_the_pool_nor_the_error_tells_the_password(
    dsn: str, caplog: pytest.LogCaptureFixture
) -> None:
    """In a notebook nothing but the store stands between the pool's log and the reader."""
    store = PostgresStore(dsn, seconds=1.0)
    with pytest.raises(StoreError) as refused:
        next(iter(store.read(EVERYTHING)))
    store.close()
    assert any(record.name == "psycopg.pool" for record in caplog.records)
    assert "s3cret" not in caplog.text + str(refused.value)

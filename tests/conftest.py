"""Fixtures that every test may ask for: real servers, shared or private."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import hypothesis
import pytest

from crisol.servers import PostgresServer, RedisServer, ServerMissing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


# How long an example takes is no rule: a busy machine would break it.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """Give a Redis that the whole session shares: keep to keys of your own, never kill it."""
    given = os.environ.get("TEST_REDIS_URL")
    if given:
        yield given
        return
    try:
        server = RedisServer.start()
    except ServerMissing as missing:
        pytest.skip(str(missing))
    try:
        yield server.url
    finally:
        server.close()


@pytest.fixture(scope="session")
def postgres_dsn() -> Iterator[str]:
    """Give a PostgreSQL database that the whole session shares.

    Keep to a schema of your own, never kill it.
    """
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given
        return
    try:
        server = PostgresServer.start()
    except ServerMissing as missing:
        pytest.skip(str(missing))
    try:
        yield server.dsn
    finally:
        server.close()


@pytest.fixture
def redis_server() -> Iterator[Callable[..., RedisServer]]:
    """Call it for a private Redis (arguments are server options) that the test may kill, stop and restart."""
    started: list[RedisServer] = []

    def start(*options: str) -> RedisServer:
        try:
            started.append(RedisServer.start(*options))
        except ServerMissing as missing:
            pytest.skip(str(missing))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture
def postgres_server() -> Iterator[Callable[..., PostgresServer]]:
    """Call it for a private PostgreSQL (arguments are settings) that the test may kill, stop and restart."""
    started: list[PostgresServer] = []

    def start(*options: str) -> PostgresServer:
        try:
            started.append(PostgresServer.start(*options))
        except ServerMissing as missing:
            pytest.skip(str(missing))
        return started[-1]

    yield start
    for server in started:
        server.close()

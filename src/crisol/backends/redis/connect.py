"""How to reach Redis: a blocking pool and time-outs short enough to be worth a fallback."""

from __future__ import annotations

from urllib.parse import urlsplit

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from crisol.errors import SettingsError

__all__ = ["connect"]


def connect(
    url: str, *, connections: int = 32, socket_seconds: float = 0.05, pool_seconds: float = 0.5
) -> Redis:
    """Return a client for ``url`` that answers or fails within ``socket_seconds`` a command.

    At most ``connections`` are open; a task waits ``pool_seconds`` for one instead of failing at once. A broken
    connection is replaced once, without a pause; a time-out is never repeated. Connects on first use. Raises
    :class:`~crisol.errors.SettingsError` for a URL that is none.
    """
    try:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=connections,
            timeout=pool_seconds,
            socket_timeout=socket_seconds,
            socket_connect_timeout=socket_seconds,
            retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        )
    except ValueError as error:
        # The URL itself may carry a password and is not repeated.
        raise SettingsError(f"REDIS_URL: {_scheme(url)} is not a Redis URL: {error}") from None
    return Redis.from_pool(pool)


def _scheme(url: str) -> str:
    try:
        return repr(urlsplit(url).scheme + ":...")
    except ValueError:
        return "it"

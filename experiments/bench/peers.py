"""The libraries that Crisol's resilience is compared with, their Redis, and the printed table."""

from __future__ import annotations

import importlib
import os
import signal
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import redis

from crisol.servers import RedisServer

__all__ = ["RedisOnLoan", "lend_redis", "library", "missing", "print_table"]

missing: set[str] = set()
"""Names of libraries that were asked for and are not installed; they come with the extra ``dev``."""


def library(name: str) -> Any:
    """Return a library, or None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        missing.add(name)
        return None


class RedisOnLoan:
    """A Redis, and what a comparison needs to know of it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = redis.Redis.from_url(url, socket_timeout=10.0)
        self._process: int = self._client.info("server")["process_id"]

    def reads(self) -> int:
        """Return how many times the server has been sent something.

        What a script does inside is not counted.
        """
        return int(self._client.info("stats")["total_reads_processed"])

    def write(self, key: bytes, value: bytes) -> None:
        """Put bytes there, as an attacker would who can."""
        self._client.set(key, value, ex=60)

    @contextmanager
    def hung(self, seconds: float) -> Iterator[None]:
        """Stop the server; it goes on after so many seconds, or when the block is left."""
        os.kill(self._process, signal.SIGSTOP)
        timer = threading.Timer(seconds, os.kill, (self._process, signal.SIGCONT))
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            os.kill(self._process, signal.SIGCONT)


@contextmanager
def lend_redis() -> Iterator[RedisOnLoan]:
    """Give the Redis of ``TEST_REDIS_URL``, which must be on this machine, or start one as the tests do."""
    given = os.environ.get("TEST_REDIS_URL")
    if given:
        yield RedisOnLoan(given)
        return
    server = RedisServer.start()
    try:
        yield RedisOnLoan(server.url)
    finally:
        server.close()


def print_table(
    title: str, columns: Sequence[str], rows: Mapping[str, Iterable[str]], what: str = "fault"
) -> None:
    """Print a Markdown table: a row for each fault, or whatever it is, a column for each library."""
    print(f"\n{title}\n")
    print(f"| {what} | " + " | ".join(columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for name, cells in rows.items():
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)

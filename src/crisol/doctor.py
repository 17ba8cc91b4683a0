"""Report which sandbox, stores and servers this machine has, and what does not work without each of them."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from crisol.errors import SandboxError, SandboxUnavailable, redacted
from crisol.sandbox import choose
from crisol.sandbox.selfcheck import ATTEMPTS, escapes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crisol.config import Settings

__all__ = ["Finding", "examine"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of :func:`examine`, for people to read.

    ``name`` is the checked part, such as "Redis". ``found`` is its version, kind or number, or the reason why
    it is missing or does not work. ``cost`` says how Crisol is limited if the part is missing or unsuitable,
    such as "no wargame runs". ``ok`` is True if the part is present, works and is suitable.
    """

    name: str
    found: str
    cost: str
    ok: bool = True


def examine(settings: Settings) -> Iterator[Finding]:
    """Check this machine and the configured servers; yield one finding for each checked part.

    The parts are the sandbox, Redis, PostgreSQL, the package index (pip's), the number of cores and the
    Python version. Scripts in the sandbox try to escape from it, and a connection to each server is made. A
    failed check is a finding with ``ok`` False, not an exception. The check of the index takes up to 20 s.
    Raises :class:`~crisol.errors.SettingsError` for a malformed ``REDIS_URL`` or ``DATABASE_URL``.
    """
    try:
        kind = choose(settings.sandbox).kind
        failed = escapes(kind)
        found = (
            f"{kind}, but a script {', '.join(failed)}"
            if failed
            else f"{kind}, {len(ATTEMPTS)} escapes refused"
        )
        yield Finding(
            "sandbox", found, "no wargame runs; --sandbox=weak marks every verdict so", ok=not failed
        )
    except (SandboxError, SandboxUnavailable) as error:
        yield Finding(
            "sandbox", str(error), "no wargame runs; --sandbox=weak marks every verdict so", ok=False
        )
    yield _redis(settings)
    yield _postgres(settings)
    yield _index()
    cores = os.cpu_count() or 1
    yield Finding("cores", str(cores), "a corpus build runs one wargame per core", ok=cores > 1)
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    yield Finding(
        "python", python, "the labels of real CVEs are sure on 3.11 alone", ok=sys.version_info[:2] == (3, 11)
    )


def _redis(settings: Settings) -> Finding:
    cost = "cache and buckets live in one process"
    if settings.redis_url:
        from redis import RedisError  # noqa: PLC0415 - only where it is configured

        try:
            version = asyncio.run(_redis_version(settings.redis_url))
            return Finding("Redis", f"{version} at REDIS_URL", cost)
        except RedisError as error:
            return Finding("Redis", f"REDIS_URL does not answer: {redacted(str(error))}", cost, ok=False)
    program = shutil.which("redis-server")
    return Finding(
        "Redis", f"REDIS_URL is not set{f' ({program} is installed)' if program else ''}", cost, ok=False
    )


async def _redis_version(url: str) -> str:
    from crisol.backends.redis import connect  # noqa: PLC0415 - only where it is configured

    async with connect(url, socket_seconds=1.0) as client:
        return str((await client.info("server"))["redis_version"])


def _postgres(settings: Settings) -> Finding:
    cost = "trials live in a DuckDB file of this machine, one call at a time"
    if settings.postgres_dsn:
        import psycopg  # noqa: PLC0415 - only where it is configured

        try:
            with psycopg.connect(settings.postgres_dsn, connect_timeout=2) as connection:
                version = connection.info.server_version
            return Finding("PostgreSQL", f"{version // 10000} at DATABASE_URL", cost)
        except psycopg.Error as error:
            text = redacted(str(error)).splitlines()[0]
            return Finding("PostgreSQL", f"DATABASE_URL does not answer: {text}", cost, ok=False)
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    note = f" ({installed[-1]} is installed)" if installed else ""
    return Finding("PostgreSQL", f"DATABASE_URL is not set{note}", cost, ok=False)


def _index() -> Finding:
    cost = "the arena alone: no real CVEs beyond what is cached"
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "index", "versions", "pip"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=20, check=False)
    except subprocess.TimeoutExpired:
        return Finding("package index", "no answer in 20 s", cost, ok=False)
    answers = done.returncode == 0
    return Finding("package index", "answers" if answers else "does not answer", cost, ok=answers)

"""The vulnerabilities that a service knows, looked up by untrusted ids."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crisol.errors import VulnerabilityError
from crisol.resilience.kinds import Kind
from crisol.wargame.vulnerability import Vulnerability, load

if TYPE_CHECKING:
    from pathlib import Path

    from crisol.resilience.cache import Cache

__all__ = ["PATTERN", "Catalogue", "Pattern"]

_ID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,63})")


@dataclass(frozen=True, slots=True)
class Pattern:
    """What has to be known of a vulnerability before a patch for it is wargamed.

    ``content_hash`` covers everything that decides a verdict, so answers to an earlier form are never reused.
    """

    id: str
    cwe: str
    content_hash: str


PATTERN: Kind[Pattern] = Kind("vulnerability_pattern", Pattern)


class Catalogue:
    """The folders below ``root/<corpus>/<id>``, read when they are asked for and remembered in ``cache``."""

    def __init__(self, root: Path, cache: Cache) -> None:
        self._root = root
        self._cache = cache

    def known(self, name: str) -> Pattern | None:
        """Return the pattern of that id if this process remembers one; reads nothing."""
        return self._cache.get(PATTERN, PATTERN.key(str(self._root), name))

    async def find(self, name: str) -> Pattern | None:
        """Return the pattern of that id, or None where no vulnerability has it; any text is a safe question."""
        if not _ID.fullmatch(name):
            return None
        tags = (f"vulnerability:{name}",)
        key = PATTERN.key(str(self._root), name)
        return await self._cache.get_or_compute(
            PATTERN, key, lambda: asyncio.to_thread(self._read, name), tags=tags
        )

    def open(self, name: str) -> Vulnerability | None:
        """Read the folder of that id, of a name that :meth:`find` has found; None where it is gone."""
        for folder in sorted(self._root.glob(f"*/{name}")):
            if (folder / "vulnerability.toml").is_file():
                return load(folder)
        return None

    def _read(self, name: str) -> Pattern | None:
        try:
            found = self.open(name)
        except VulnerabilityError:
            # A folder that is being edited is not offered; `crisol corpus list` says what is wrong with it.
            return None
        return None if found is None else Pattern(found.id, found.cwe, found.content_hash)

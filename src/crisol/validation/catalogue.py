"""The vulnerabilities that a service knows, found by id; an id is untrusted text."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from crisol.errors import VulnerabilityError
from crisol.resilience.keys import digest
from crisol.resilience.kinds import Kind
from crisol.wargaming.vulnerability import Vulnerability, descriptions, load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crisol.resilience.cache import Cache
    from crisol.resilience.clock import Clock

__all__ = ["PATTERN", "Catalogue", "Pattern"]

_ID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,63})")
_CURRENT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Pattern:
    """The identity of a registered vulnerability: ``id``, ``cwe`` (such as ``CWE-79``) and content hash.

    Decisions are reused only under the same content hash.
    """

    id: str
    cwe: str
    content_hash: str


PATTERN: Kind[Pattern] = Kind("vulnerability_pattern", Pattern)


class Catalogue:
    """The registered vulnerabilities of a service: those with a valid folder below ``roots``.

    ``roots`` is a path or several paths. ``cache`` is the service's cache: it keeps each vulnerability that
    was read, until the files of its folder change. :meth:`find` notices a change at once, :meth:`known` after
    at most one second. ``clock`` returns seconds.
    """

    def __init__(self, roots: Path | Sequence[Path], cache: Cache, *, clock: Clock = time.monotonic) -> None:
        self._roots = (roots,) if isinstance(roots, Path) else tuple(roots)
        self._cache = cache
        self._clock = clock
        self._current: dict[str, tuple[Pattern, float]] = {}

    def known(self, name: str) -> Pattern | None:
        """Return the vulnerability's pattern if :meth:`find` found it in the last second, else None.

        ``name`` is the vulnerability's id. The call reads no file.
        """
        current = self._current.get(name)
        if current is None or self._clock() - current[1] > _CURRENT_SECONDS:
            return None
        return current[0]

    async def find(self, name: str) -> Pattern | None:
        """Return the vulnerability with the id ``name``, or None if no folder has this id.

        The result is also None if the folder is invalid. ``name`` may be any text, even a path. The call
        reads the disk.
        """
        if not _ID.fullmatch(name):
            return None
        now = self._clock()
        stamp = await asyncio.to_thread(self._stamp, name)
        pattern = None
        if stamp is not None:
            key = PATTERN.key(str(self._roots), name, stamp)
            pattern = await self._cache.get_or_compute(
                PATTERN, key, lambda: asyncio.to_thread(self._read, name), tags=(f"vulnerability:{name}",)
            )
        if pattern is None:
            self._current.pop(name, None)
        else:
            self._current[name] = pattern, now
        return pattern

    def names(self) -> list[str]:
        """Return the ids of all folders of vulnerabilities below ``roots``, sorted; the call reads the disk.

        The id of a folder with an invalid description is among them, although :meth:`find` returns None.
        """
        return sorted({path.parent.name for path in descriptions(self._roots)})

    def open(self, name: str) -> Vulnerability | None:
        """Return the vulnerability with the id ``name``, read from its folder; None if no folder has this id.

        Raises :class:`~crisol.errors.VulnerabilityError` for an invalid folder.
        """
        folder = self._folder(name)
        return None if folder is None else load(folder)

    def _folder(self, name: str) -> Path | None:
        return next((path.parent for path in descriptions(self._roots, name)), None)

    def _stamp(self, name: str) -> bytes | None:
        folder = self._folder(name)
        if folder is None:
            return None
        files = []
        for path in sorted(folder.rglob("*")):
            try:
                status = path.lstat()
            except OSError:
                # The file disappeared after the listing; this stamp differs from those before and after.
                continue
            files.append((str(path), status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns))
        return digest(files)

    def _read(self, name: str) -> Pattern | None:
        try:
            vulnerability = self.open(name)
        except VulnerabilityError:
            # A folder with errors is not registered; `crisol corpus list` says what is wrong with it.
            return None
        if vulnerability is None:
            return None
        return Pattern(vulnerability.id, vulnerability.cwe, vulnerability.content_hash)

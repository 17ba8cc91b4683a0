"""The queue of wargames: it is fair between clients, and drops waiting wargames whose callers have left."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crisol.errors import Overloaded

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Line"]

_DESERTED = "all who waited for this wargame have left; ask again"


@dataclass(slots=True, eq=False)
class _Place:
    key: bytes
    client: str
    turn: asyncio.Future[None]


class Line:
    """A queue for wargames: at most ``seats`` run at a time, at most ``length`` wait.

    A *seat* is the right to run a wargame, a *place* is a position in the queue. A client gets another place
    only if more places are free than it has already, so one client never gets more than about half of the
    places. A free seat goes to the waiting client with the fewest seats; among equals, to the first in the
    queue. A place is given up when no caller waits for its verdict any more. Use it in one event loop.
    """

    def __init__(self, seats: int, length: int) -> None:
        self._free = seats
        self._length = length
        self._places: list[_Place] = []
        self._callers: Counter[bytes] = Counter()
        self._seated: Counter[str] = Counter()

    @property
    def waiting(self) -> int:
        """The number of wargames that wait in the queue; running ones are not counted."""
        return len(self._places)

    @contextmanager
    def attended(self, key: bytes) -> Iterator[None]:
        """Return a context manager; in its block the caller counts as waiting for a verdict.

        ``key`` is the key of the verdict. When the last caller of a key leaves the block, the places of this
        key are given up: the calls of :meth:`enter` that wait in them raise
        :class:`~crisol.errors.Overloaded`.
        """
        self._callers[key] += 1
        try:
            yield
        finally:
            self._callers[key] -= 1
            if not self._callers[key]:
                del self._callers[key]
                self._drop_cancelled()
                for place in [place for place in self._places if place.key == key]:
                    self._places.remove(place)
                    place.turn.set_exception(Overloaded(_DESERTED, 1.0))

    async def enter(self, key: bytes, client: str, patience: float) -> None:
        """Wait for the right to run a wargame for ``client``; :meth:`leave` gives it back.

        ``key`` is the key of the verdict that the wargame makes. Call this method in the block of
        :meth:`attended` with the same key.

        The method returns at once if a seat is free and the queue is empty. Otherwise it waits in the queue
        until the client gets a seat. Instead of waiting, it raises :class:`~crisol.errors.Overloaded`, with
        ``patience`` seconds as ``retry_after``, in two cases: the queue has no place for the client, or no
        caller is in a block of :meth:`attended` with ``key``. If the last of these callers leaves its block
        during the wait, the method raises ``Overloaded`` with 1 second as ``retry_after``.
        """
        self._drop_cancelled()
        if self._free and not self._places:
            self._sit(client)
            return
        free = self._length - len(self._places)
        places = sum(place.client == client for place in self._places)
        if not self._callers[key]:
            raise Overloaded(_DESERTED, patience)
        if free < 1:
            raise Overloaded(f"{len(self._places)} wargames are waiting already; try again later", patience)
        if places >= free:
            raise Overloaded(
                f"{places} wargames of this client are waiting already, and {free} places are left for "
                "others; try again later",
                patience,
            )
        place = _Place(key, client, asyncio.get_running_loop().create_future())
        self._places.append(place)
        try:
            await place.turn
        except asyncio.CancelledError:
            if place in self._places:
                self._places.remove(place)
            elif place.turn.done() and not place.turn.cancelled() and place.turn.exception() is None:
                self.leave(client)
            raise

    def leave(self, client: str) -> None:
        """Give back the right of ``client`` to run a wargame; if wargames wait, one of them gets it."""
        self._seated[client] -= 1
        if not self._seated[client]:
            del self._seated[client]
        self._free += 1
        self._drop_cancelled()
        if self._places:
            place = min(self._places, key=lambda place: self._seated[place.client])
            self._places.remove(place)
            self._sit(place.client)
            place.turn.set_result(None)

    def _drop_cancelled(self) -> None:
        # A cancelled task gives its place up only when the event loop runs it next; until then nobody may
        # give the place a seat.
        self._places = [place for place in self._places if not place.turn.cancelled()]

    def _sit(self, client: str) -> None:
        self._free -= 1
        self._seated[client] += 1

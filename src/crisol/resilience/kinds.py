"""The kinds of cache entries: each has a name, a record type and a lifetime."""

from __future__ import annotations

import math
from typing import Generic, TypeVar

from crisol.errors import SettingsError
from crisol.records import Prediction
from crisol.resilience.codec import Codec, is_immutable
from crisol.resilience.keys import digest

__all__ = ["LIFETIMES", "PREDICTION", "Kind"]

T = TypeVar("T")

LIFETIMES = {"prediction": 86_400.0, "confusion_matrix": 300.0, "vulnerability_pattern": 43_200.0}


class Kind(Generic[T]):
    """A kind of cache entry: records of the type ``type_``, cached under ``name`` for ``ttl`` seconds.

    A ``ttl`` of None means the lifetime that :data:`LIFETIMES` gives for the name. A cached None, which says
    that no value exists, is kept for at most ``negative_ttl`` seconds. Make one object for each name, and use
    it for all entries: a cache raises an error for a second object with the same name. Increase ``version``
    when the meaning of a field of the record changes; old entries are then not used. A change of the fields
    or their types has the same effect by itself.

    Raises :class:`~crisol.errors.SettingsError` if ``ttl`` is None and the name has no lifetime, if ``ttl``
    is not positive, if ``negative_ttl`` is negative, or if the type cannot be encoded.
    """

    __slots__ = ("codec", "name", "negative_ttl", "shared", "ttl", "version")

    def __init__(
        self,
        name: str,
        type_: type[T],
        *,
        ttl: float | None = None,
        negative_ttl: float = 5.0,
        version: int = 1,
    ) -> None:
        seconds = LIFETIMES.get(name) if ttl is None else ttl
        if seconds is None:
            raise SettingsError(f"kind {name!r}: no ttl; known lifetimes are {', '.join(LIFETIMES)}")
        if not (0.0 < seconds < math.inf and 0.0 <= negative_ttl < math.inf):
            raise SettingsError(
                f"kind {name!r}: ttl {seconds} must be positive, negative_ttl {negative_ttl} not negative"
            )
        self.name = name
        self.ttl = seconds
        self.negative_ttl = negative_ttl
        self.version = version
        self.codec: Codec[T] = Codec(type_, version=version)
        self.shared = is_immutable(type_)
        """Whether all callers may be given the same object; otherwise each hit is decoded anew."""

    def key(self, *parts: object) -> bytes:
        """Return the cache key (32 bytes) of the entry that depends on ``parts``.

        Pass all that the value depends on, such as the patch's identity and the model version; a new model
        then never gets the entry of an old one. The key is a hash of the parts, the kind's name and its
        version. Raises :class:`~crisol.errors.InputError` if a part is of a type that
        :func:`~crisol.resilience.keys.digest` does not take.
        """
        return digest(self.name, self.version, *parts)


PREDICTION: Kind[Prediction] = Kind("prediction", Prediction)

"""Encode records as bytes and decode them, with msgpack, a checksum and a hash of the record type.

An entry is ``version(1) schema(4) checksum(8) payload``; the numbers in brackets are bytes. ``schema`` is a
hash of the record's fields and types, so an entry of another record type is refused before any of it is
decoded. The checksum covers the cache key, too, so an entry under a wrong key is also refused.
"""

from __future__ import annotations

import hashlib
from typing import Any, Generic, TypeVar

import msgspec

from crisol.errors import InputError, IntegrityError, SettingsError

__all__ = ["Codec", "is_immutable"]

T = TypeVar("T")

VERSION = b"\x01"
HEADER = 13


class Codec(Generic[T]):
    """The encoding of cache entries whose value is a record of ``type_`` or None.

    An entry can be decoded only if the record type still has the fields and field types with which the entry
    was encoded, and only with the same ``version``. Increase ``version`` when the meaning of a field changes.
    Raises :class:`~crisol.errors.SettingsError` for a type that msgspec cannot encode, and for a type that
    contains a mapping with keys other than text.
    """

    def __init__(self, type_: type[T], *, version: int = 1) -> None:
        try:
            schema = msgspec.json.encode(msgspec.json.schema(type_), order="deterministic")
            self._decoder: msgspec.msgpack.Decoder[T | None] = msgspec.msgpack.Decoder(type_ | None)
        except (TypeError, NameError, RecursionError) as error:
            raise SettingsError(f"{type_!r} cannot be cached: {error}") from None
        if _keyed_by_others(msgspec.inspect.type_info(type_), []):
            raise SettingsError(f"{type_!r} cannot be cached: the keys of a mapping must be text")
        self._encode = msgspec.msgpack.Encoder(order="deterministic").encode
        self._stamp = VERSION + hashlib.sha256(b"%d:" % version + schema).digest()[:4]

    def encode(self, key: bytes, value: T | None) -> bytes:
        """Return the bytes of the cache entry that holds ``value``; only the same ``key`` decodes it.

        Raises :class:`~crisol.errors.InputError` if ``value`` cannot be encoded.
        """
        payload = self._payload(value)
        return self._stamp + _checksum(key, payload) + payload

    def size(self, value: T) -> int:
        """Return how many bytes a cache entry with ``value`` would take.

        Raises :class:`~crisol.errors.InputError` if ``value`` cannot be encoded.
        """
        return HEADER + len(self._payload(value))

    def _payload(self, value: T | None) -> bytes:
        try:
            return self._encode(value)
        except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
            raise InputError(f"a {type(value).__name__} cannot be cached: {error}") from error

    def decode(self, key: bytes, entry: bytes) -> T | None:
        """Decode the cache entry ``entry`` of the key ``key``; return its value, which may be None.

        Raises :class:`~crisol.errors.IntegrityError` if the entry is damaged, or was encoded for another key,
        record type or version.
        """
        payload = entry[HEADER:]
        if entry[:5] != self._stamp or entry[5:HEADER] != _checksum(key, payload):
            raise IntegrityError("entry was damaged, or written for another key or schema")
        try:
            return self._decoder.decode(payload)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise IntegrityError(f"entry does not decode: {error}") from None


def _checksum(key: bytes, payload: bytes) -> bytes:
    return hashlib.blake2b(payload, digest_size=8, key=key).digest()


def _keyed_by_others(info: object, visited: list[object]) -> bool:
    """Return whether a type contains a mapping whose keys cannot be text; msgspec sorts only text.

    ``info`` is what :func:`msgspec.inspect.type_info` returns for the type. ``visited`` ends the recursion
    for a type that contains itself.
    """
    kinds = msgspec.inspect
    if info in visited or not isinstance(info, kinds.Type | kinds.Field | tuple):
        return False
    visited.append(info)
    if isinstance(info, tuple):
        return any(_keyed_by_others(part, visited) for part in info)
    if isinstance(info, kinds.DictType) and not _may_be_text(info.key_type):
        return True
    return any(_keyed_by_others(getattr(info, name), visited) for name in info.__struct_fields__)


def _may_be_text(key: msgspec.inspect.Type) -> bool:
    kinds = msgspec.inspect
    if isinstance(key, kinds.LiteralType):
        return all(isinstance(value, str) for value in key.values)
    if isinstance(key, kinds.EnumType):
        return issubclass(key.cls, str)
    return isinstance(key, kinds.StrType | kinds.AnyType | kinds.UnionType)


def is_immutable(type_: Any) -> bool:
    """Return whether every value of ``type_`` is immutable with all its parts; callers can share such values.

    >>> is_immutable(tuple[int, ...]), is_immutable(dict[str, int])
    (True, False)
    """
    return _frozen(msgspec.inspect.type_info(type_))


def _frozen(info: msgspec.inspect.Type) -> bool:
    kinds = msgspec.inspect
    if isinstance(info, kinds.UnionType):
        return all(_frozen(t) for t in info.types)
    if isinstance(info, kinds.VarTupleType | kinds.FrozenSetType):
        return _frozen(info.item_type)
    if isinstance(info, kinds.TupleType):
        return all(_frozen(t) for t in info.item_types)
    if isinstance(info, kinds.StructType):
        return info.cls.__struct_config__.frozen and all(_frozen(f.type) for f in info.fields)
    if isinstance(info, kinds.DataclassType):
        frozen = vars(info.cls)["__dataclass_params__"].frozen
        return bool(frozen) and all(_frozen(f.type) for f in info.fields)
    mutable = (
        kinds.AnyType,
        kinds.ByteArrayType,
        kinds.CustomType,
        kinds.DictType,
        kinds.ExtType,
        kinds.ListType,
        kinds.NamedTupleType,
        kinds.RawType,
        kinds.SetType,
        kinds.TypedDictType,
    )
    return not isinstance(info, mutable)

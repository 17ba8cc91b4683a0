"""Cache keys without collisions: SHA-256 over a canonical, typed, prefix-free encoding.

Every value is written as a letter for its type, its length, and its content. So ``("1:b:2", "3")`` and
``("1", "2:b:3")`` differ, as do ``1``, ``1.0``, ``"1"``, ``True``, ``None`` and ``""``.

>>> digest("a", 1).hex()[:16] == digest("a", 1).hex()[:16] != digest("a", "1").hex()[:16]
True
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from functools import lru_cache

from crisol.errors import InputError

__all__ = ["canonical", "digest"]

DEEPEST = 32
_SHORT = 128


def digest(*parts: object) -> bytes:
    """Return the SHA-256 hash (32 bytes) of ``parts``: of their values, their types and their order.

    A part is None or of the type bool, int, float, str or bytes, or it is a list, tuple, mapping or set of
    such values, nested at most 32 deep. A member of a string enumeration has the same hash as its text, and a
    tuple the same hash as a list of its items. The order in a mapping or set does not matter. Raises
    :class:`~crisol.errors.InputError` for any other value, for NaN and for deeper nesting.
    """
    out = bytearray(b"l" + len(parts).to_bytes(8, "big"))
    for part in parts:
        # Nearly all parts of nearly all keys are short texts that recur, and every request makes a key.
        if type(part) is str and len(part) <= _SHORT:
            out += _short(part)
        else:
            _write(out, part, 1)
    return hashlib.sha256(out).digest()


@lru_cache(maxsize=4_096)
def _short(text: str) -> bytes:
    return canonical(text)


def canonical(value: object) -> bytes:
    """Return the bytes by which :func:`digest` represents ``value`` when it computes the hash.

    Two values that :func:`digest` does not distinguish, such as a tuple and a list of the same items, have
    the same bytes; any other two values have different bytes. Takes the same values as :func:`digest`, and
    raises :class:`~crisol.errors.InputError` for any other.
    """
    out = bytearray()
    _write(out, value, 0)
    return bytes(out)


def _write(out: bytearray, value: object, depth: int) -> None:
    if isinstance(value, str):
        # A lone surrogate, which JSON can carry, is a value like any other.
        _block(out, b"s", value.encode("utf-8", "surrogatepass"))
    elif value is None:
        out += b"n"
    elif isinstance(value, bool):
        out += b"t" if value else b"f"
    elif isinstance(value, int):
        _block(out, b"i", value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))
    elif isinstance(value, float):
        if math.isnan(value):
            raise InputError("key: NaN equals nothing, itself included, and cannot be part of a key")
        out += b"d" + struct.pack(">d", value + 0.0)
    elif isinstance(value, bytes | bytearray):
        _block(out, b"b", value)
    else:
        _write_nested(out, value, depth)


def _write_nested(out: bytearray, value: object, depth: int) -> None:
    if depth > DEEPEST:
        raise InputError(f"key: nested deeper than {DEEPEST}, or in itself")
    if isinstance(value, list | tuple):
        out += b"l" + len(value).to_bytes(8, "big")
        for item in value:
            _write(out, item, depth + 1)
    elif isinstance(value, Mapping):
        out += b"m" + len(value).to_bytes(8, "big")
        for key, item in sorted((_alone(k, depth), _alone(v, depth)) for k, v in value.items()):
            out += key + item
    elif isinstance(value, AbstractSet):
        out += b"e" + len(value).to_bytes(8, "big")
        for item in sorted(_alone(item, depth) for item in value):
            out += item
    else:
        raise InputError(f"key: a {type(value).__name__} has no canonical form; pass its fields")


def _alone(value: object, depth: int) -> bytes:
    out = bytearray()
    _write(out, value, depth + 1)
    return bytes(out)


def _block(out: bytearray, letter: bytes, content: bytes | bytearray) -> None:
    out += letter + len(content).to_bytes(8, "big") + content

"""What one expression can be: text worked out from constants, or a path to something outside the own tree.

>>> [value.text for value in by_method(["a {}"], "format", [["b"]])]
['a b']
"""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import itertools
import operator
import string
import urllib.parse
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

__all__ = [
    "DECODERS",
    "LONGEST",
    "MOST",
    "TEXT_METHODS",
    "Value",
    "by_decoder",
    "by_method",
    "elements",
    "fields",
    "inside",
    "joined",
    "texts",
    "worked",
]

MOST = 64
"""Values of one place, and characters' worth of work for one text."""
LONGEST = 4096
TEXT_METHODS = frozenset({
    "format", "join", "lower", "upper", "title", "swapcase", "capitalize", "strip", "lstrip", "rstrip",
    "replace", "removeprefix", "removesuffix", "decode", "encode", "center", "translate", "zfill", "hex",
    "fromhex", "split",
})  # fmt: skip
DECODERS = frozenset({
    "bytes.fromhex", "base64.b64decode", "base64.b32decode", "base64.b16decode", "base64.b85decode",
    "base64.a85decode", "base64.urlsafe_b64decode", "base64.standard_b64decode", "codecs.decode",
    "codecs.encode", "binascii.unhexlify", "binascii.a2b_base64", "urllib.parse.unquote", "html.unescape",
})  # fmt: skip
_MODULES = {"base64": base64, "binascii": binascii}


class Value(NamedTuple):
    """One thing that an expression can be.

    ``kind`` is ``text`` (a constant, in ``text``), ``number``, ``outside`` (something that ``text`` names by
    its dotted path), ``made`` (what a call of it gave), ``names`` (its dictionary), ``inside`` (an element of
    a container, in ``text`` as the element's own kind and text), ``getter`` (of the attribute in ``text``) or
    ``function`` (one of the file, by its number).
    """

    kind: str
    text: str


def inside(value: Value) -> Value:
    """Return a container that holds the value."""
    return Value("inside", f"{value.kind}\0{value.text}")


def elements(values: Iterable[Value]) -> set[Value]:
    """Return what the containers among the values hold."""
    return {Value(*value.text.split("\0", 1)) for value in values if value.kind == "inside"}


def texts(values: Iterable[Value]) -> list[str]:
    """Return the texts among the values."""
    return [value.text for value in values if value.kind == "text"]


def fields(text: str) -> Iterator[str]:
    """Yield the attributes that a format string reaches."""
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(text) if name]
    except ValueError:
        return
    for name in names:
        yield from name.replace("[", ".").replace("]", "").split(".")


def worked(function: Callable[..., object], *arguments: object) -> Iterator[Value]:
    """Yield the text that a harmless function gives, if it gives one of a sensible size."""
    try:
        text = function(*arguments)
    except Exception:  # noqa: BLE001 - whatever a wrong argument raises
        return
    if isinstance(text, str) and len(text) <= LONGEST:
        yield Value("text", text)


def by_method(bases: Sequence[str], method: str, arguments: Sequence[Sequence[str]]) -> Iterator[Value]:
    """Yield what a method of text, other than ``join``, gives for every choice of its arguments."""
    for text, *chosen in itertools.islice(itertools.product(bases, *arguments), MOST):
        if method == "split":
            parts = text.split(chosen[0] if chosen else None)[:MOST]
            yield from (inside(Value("text", part)) for part in parts)
        elif method == "decode" and chosen:
            yield from worked(codecs.decode, text, chosen[0])
        elif method in {"decode", "encode", "hex"}:
            yield Value("text", text)
        elif method != "translate":
            yield from worked(operator.methodcaller(method, *chosen), text)


def joined(glues: Sequence[str], pieces: Sequence[Sequence[str]], letters: Sequence[str]) -> Iterator[Value]:
    """Yield what ``join`` gives for the pieces of a list, and for the letters of a text, both ways."""
    if pieces and all(pieces):
        for glue, *chosen in itertools.islice(itertools.product(glues, *pieces), MOST):
            yield Value("text", glue.join(chosen)[:LONGEST])
    for glue, text in itertools.product(glues, letters):
        yield Value("text", glue.join(text)[:LONGEST])
        yield Value("text", glue.join(reversed(text))[:LONGEST])


def by_decoder(name: str, encoded: Sequence[str], encodings: Sequence[str]) -> Iterator[Value]:
    """Yield what one of :data:`DECODERS` gives; ``encodings`` are those that a codec may have."""
    for text in encoded:
        if name == "bytes.fromhex":
            yield from worked(lambda digits: bytes.fromhex(digits).decode("latin-1"), text)
        elif name.startswith("codecs."):
            for encoding in encodings:
                yield from worked(codecs.decode, text, encoding)
        elif name == "urllib.parse.unquote":
            yield Value("text", urllib.parse.unquote(text))
        elif name == "html.unescape":
            yield Value("text", html.unescape(text))
        else:
            module, _, function = name.partition(".")
            yield from worked(_decoded, getattr(_MODULES[module], function), text)


def _decoded(decode: Callable[[bytes], bytes], text: str) -> str:
    return decode(text.encode("latin-1")).decode("latin-1")

"""The possible values of an expression in a Python file, found without running the file.

A :class:`Value` is a text or number that is computed from constants of the file, or it stands for another
object, such as an imported function.

>>> [value.text for value in by_method(["a {}"], "format", [["b"]])]
['a b']
"""

from __future__ import annotations

import ast
import base64
import binascii
import codecs
import html
import itertools
import operator
import quopri
import string
import urllib.parse
from contextlib import suppress
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
    "class_of",
    "elements",
    "fields",
    "inside",
    "integer",
    "is_dictionary",
    "joined",
    "texts",
    "worked",
]

MOST = 64
"""The most values of one place or expression that are followed."""
LONGEST = 4096
TEXT_METHODS = frozenset({
    "format", "join", "lower", "upper", "title", "swapcase", "capitalize", "strip", "lstrip", "rstrip",
    "replace", "removeprefix", "removesuffix", "decode", "encode", "center", "translate", "zfill", "hex",
    "fromhex", "split",
})  # fmt: skip
DECODERS = frozenset({
    "bytes.fromhex", "base64.b64decode", "base64.b32decode", "base64.b16decode", "base64.b85decode",
    "base64.a85decode", "base64.urlsafe_b64decode", "base64.standard_b64decode", "codecs.decode",
    "codecs.encode", "binascii.unhexlify", "binascii.a2b_base64", "quopri.decodestring",
    "urllib.parse.unquote", "html.unescape",
})  # fmt: skip
_MODULES = {"base64": base64, "binascii": binascii, "quopri": quopri}


class Value(NamedTuple):
    """One possible value of an expression in an analysed Python file; ``kind`` says what ``text`` holds.

    The kinds, and what ``text`` holds for each:

    - ``text``: the text constant itself;
    - ``number``: a small integer, such as an argument of ``chr``, as text;
    - ``outside``: the dotted name of an object outside the program;
    - ``own``: the dotted name by which the file reaches an object of another file of the program;
    - ``made``: the dotted name of the callable that returned the value;
    - ``names``: the dotted name of the object whose ``__dict__`` the value is;
    - ``inside``: kind and text of an element of a container, with a NUL character between them;
    - ``getter``: the name of the attribute that a function reads, as ``operator.attrgetter`` makes it;
    - ``function``: the number of a function in the file.
    """

    kind: str
    text: str


def inside(value: Value) -> Value:
    """Return the value of the kind ``inside`` that stands for any container with ``value`` as an element."""
    return Value("inside", f"{value.kind}\0{value.text}")


def elements(values: Iterable[Value]) -> set[Value]:
    """Return the elements of the containers among ``values``; a container is a value of the kind ``inside``.

    Values of other kinds are ignored.
    """
    return {Value(*value.text.split("\0", 1)) for value in values if value.kind == "inside"}


def texts(values: Iterable[Value]) -> list[str]:
    """Return the constant ``text`` of each value of the kind ``text``; other values are left out."""
    return [value.text for value in values if value.kind == "text"]


def fields(text: str) -> Iterator[str]:
    """Yield all names, attribute names and item keys in the replacement fields of a format string.

    ``"{a.b[c]:{d}}"`` has ``a``, ``b``, ``c`` and ``d``. Of an invalid format string the fields before the
    error count.
    """
    pending = [text]
    while pending:
        with suppress(ValueError):
            for _, name, specification, _ in string.Formatter().parse(pending.pop()):
                yield from (name or "").replace("[", ".").replace("]", "").split(".")
                pending += [specification] if specification else []


def worked(function: Callable[..., object], *arguments: object) -> Iterator[Value]:
    """Call a function, and yield its result as a value if it is a text or bytes, at most 4,096 long.

    Any other result, or an exception, yields nothing.
    """
    try:
        text = function(*arguments)
    except Exception:  # noqa: BLE001 - whatever a wrong argument raises
        return
    if isinstance(text, bytes):
        text = text.decode("latin-1")
    if isinstance(text, str) and len(text) <= LONGEST:
        yield Value("text", text)


def by_method(bases: Sequence[str], method: str, arguments: Sequence[Sequence[str]]) -> Iterator[Value]:
    """Yield the results of a string method for all combinations of possible texts and arguments.

    ``bases`` are the possible texts on which the method is called; ``method`` is its name, any but ``join``.
    ``arguments`` holds, for each argument, its possible texts. At most 64 combinations are computed. A
    combination for which the method raises yields nothing. ``split`` yields a container for each part of the
    text, see :func:`inside`.
    """
    for text, *chosen in itertools.islice(itertools.product(bases, *arguments), MOST):
        if method == "split":
            if chosen[:1] == [""]:
                continue  # raises when it runs
            parts = text.split(chosen[0] if chosen else None)[:MOST]
            yield from (inside(Value("text", part)) for part in parts)
        elif method == "decode" and chosen:
            yield from worked(codecs.decode, text.encode("latin-1", "replace"), chosen[0])
        elif method in {"decode", "encode", "hex"}:
            yield Value("text", text)
        elif method != "translate":
            yield from worked(operator.methodcaller(method, *chosen), text)


def joined(glues: Sequence[str], pieces: Sequence[Sequence[str]], letters: Sequence[str]) -> Iterator[Value]:
    """Yield the possible results of an expression ``glue.join(parts)`` in an analysed file.

    ``glues`` are the possible texts of ``glue``. If ``parts`` is a list, ``pieces`` holds the possible texts
    of each of its elements. A list that is empty, or has an element without a possible text, yields nothing.
    If ``parts`` is a text, ``letters`` are its possible texts. The characters of each such text are joined
    twice, in their order and in reverse, because the analysed file may reverse it.
    """
    if pieces and all(pieces):
        for glue, *chosen in itertools.islice(itertools.product(glues, *pieces), MOST):
            yield Value("text", glue.join(chosen)[:LONGEST])
    for glue, text in itertools.product(glues, letters):
        yield Value("text", glue.join(text)[:LONGEST])
        yield Value("text", glue.join(reversed(text))[:LONGEST])


def by_decoder(name: str, encoded: Sequence[str], encodings: Sequence[str]) -> Iterator[Value]:
    """Yield the results of a decoding function for each of the possible texts ``encoded``.

    ``name`` is the dotted name of the function, one of :data:`DECODERS`, such as ``base64.b64decode``.
    ``encodings`` are the possible names of codecs, for ``codecs.decode`` and ``codecs.encode``. A text that
    cannot be decoded yields nothing.
    """
    for text in encoded:
        if name == "bytes.fromhex":
            yield from worked(bytes.fromhex, text)
        elif name.startswith("codecs."):
            code = codecs.encode if name == "codecs.encode" else codecs.decode
            for encoding, given in itertools.product(encodings, (text, text.encode("latin-1", "replace"))):
                yield from worked(code, given, encoding)
        elif name == "urllib.parse.unquote":
            yield Value("text", urllib.parse.unquote(text))
        elif name == "html.unescape":
            yield Value("text", html.unescape(text))
        else:
            module, _, function = name.partition(".")
            yield from worked(_decoded, getattr(_MODULES[module], function), text)


def _decoded(decode: Callable[[bytes], bytes], text: str) -> str:
    return decode(text.encode("latin-1")).decode("latin-1")


def class_of(value: Value) -> Iterator[Value]:
    """Yield the type of a value, as a value of the kind ``outside``; yield nothing if the type is unknown.

    The type follows from the kind of the value: ``builtins.str`` for ``text``, ``types.FunctionType`` for
    ``function``, and the callable that returned the value for ``made``. For other kinds it is unknown.
    """
    kinds = {"made": value.text, "text": "builtins.str", "function": "types.FunctionType"}
    if value.kind in kinds:
        yield Value("outside", kinds[value.kind])


def integer(node: ast.expr | None) -> int | None:
    """Return the value of an integer literal in source code, such as ``-1``, or None for other code."""
    match node:
        case ast.Constant(value=int(number)):
            return number
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(number))):
            return -number
    return None


def is_dictionary(node: ast.expr) -> bool:
    """Return whether an expression is the dictionary of an object's attributes, such as ``vars(x)``."""
    match node:
        case ast.Attribute(attr="__dict__") | ast.Call(func=ast.Name(id="vars" | "globals" | "locals")):
            return True
    return False

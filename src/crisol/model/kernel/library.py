"""Find the compiled kernel, distrust it, and call it."""

from __future__ import annotations

import ctypes
import hashlib
from array import array
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crisol.diff import Patch, parse
from crisol.errors import ModelError, UnavailableError
from crisol.model import vocabulary as words
from crisol.model.features import FEATURES, vector
from crisol.model.kernel.compile import LIBRARY, source_hash
from crisol.model.kernel.plain import PlainPatch
from crisol.model.reading import number
from crisol.model.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["NODE", "Kernel", "Trees", "load", "open_kernel", "parser", "state"]

NODE = np.dtype([("value", "f8"), ("threshold", "f4"), ("column", "i4"), ("yes", "i4"), ("no", "i4")])
"""A condition on a column, or a leaf, whose column is -1; ``yes`` and ``no`` are positions further on."""

SETS = (
    words.VALIDATION,
    words.CLASSIC_VALIDATION,
    words.SINKS,
    words.BOUNDS,
    words.FILTERS,
    words.PREFIXES,
    words.CASES,
    *words.REMEDIES.values(),
    words.BRANCHES,
    words.LOOPS,
    words.EXITS,
    words.TESTS,
    words.LEAVES,
    words.HANDLERS,
    words.RAISES,
    words.CATCHES,
    words.LOGIC,
    words.ANDS,
    words.NEGATIONS,
    words.COMPARISONS,
    words.ORDERINGS,
    words.ARITHMETIC,
    words.OPERATORS,
    words.REGEX_MARKS,
    words.NOTHING,
    words.BOOLEANS,
    words.CONSTANTS,
    words.AFTER_CONSTANT,
    words.EMPTY,
    words.BROAD,
    {"pass"},
    {"return"},
    words.COMMENTS,
    words.IMPORTS,
)
"""The sets of words, in the order of ``enum set`` in ``kernel.c``."""

_HEAD = 5
"""Numbers of a shape before those of its hunks."""
_LONGEST, _SIZES, _HUNKS = 50_000, 3, 256
"""Of an outline: its text at the most, the numbers that it puts before its shape, and its hunks at the most."""
_OUTLINE = bytes(4 * (_SIZES + _HEAD + _HUNKS))
_FAMILIES = {name: position for position, name in enumerate(words.FAMILIES)}
_PROBE = """--- a/test_load.py
+++ b/test_load.py
@@ -1,3 +1,8 @@ def load(path):
 def load(path, limit=10):
+    # why
+    if not isSafePath(path) or len(path) >= LIMIT:
+        raise ValueError(f"{path!r} is refused")
-    return eval(open(path).read(), {'x': 1.5}) or NULL
+    try:
+        return json.loads(open(realpath(path)).read()) or None
+    except:
+        pass
-    return path
"""
"""A diff over which a library must agree with Python before it is used."""


class _Trees(ctypes.Structure):
    """``struct trees`` of ``kernel.c``."""

    _fields_ = (
        ("nodes", ctypes.c_void_p),
        ("roots", ctypes.c_void_p),
        ("node_count", ctypes.c_uint32),
        ("root_count", ctypes.c_uint32),
        ("columns", ctypes.c_uint32),
        ("logistic", ctypes.c_int32),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """The functions of the library; safe to share between threads. Where a method gives None, Python must read."""

    library: ctypes.CDLL
    vocabulary: int

    def outline(self, text: str) -> PlainPatch | None:
        """Return what :func:`crisol.diff.parse` returns for a plain diff in ASCII; None, too, for one that it refuses."""
        if len(text) > _LONGEST or not text.isascii():
            return None
        content = text.encode()
        room = 3 * len(content) + 64
        memory, found = array("b", bytes(room + len(content))), array("i", _OUTLINE)
        start = memory.buffer_info()[0]
        at = start + room
        if not self.library.crisol_outline(content, len(content), start, room, at, found.buffer_info()[0]):
            return None
        hashed, size, hunks = found[:_SIZES]
        identity = hashlib.sha256(memoryview(memory)[:hashed]).hexdigest()
        shape = found[_SIZES : _SIZES + _HEAD + hunks]
        return PlainPatch(text, identity, memory=memory, at=at, size=size, shape=shape)

    def features(self, patch: Patch, cwe: str) -> list[float] | None:
        """Return what :func:`crisol.model.features.vector` returns."""
        if (given := _laid_out(patch, cwe)) is None:
            return None
        text, size, shape = given
        row = array("d", bytes(8 * len(FEATURES)))
        at, hunks = shape.buffer_info()[0], len(shape) - _HEAD
        done = self.library.crisol_features(self.vocabulary, text, size, at, hunks, row.buffer_info()[0])
        return row.tolist() if done else None

    def trees(self, nodes: NDArray[Any], columns: int, *, logistic: bool) -> Trees:
        """Return an ensemble of trees, given as an array of :data:`NODE`, that answers for patches.

        A node to which no other leads is a root. Raises :class:`~crisol.errors.ModelError` for trees that lead nowhere
        or share nodes, as then a walk might not end, or all of them take more steps than there are nodes.
        """
        nodes = np.ascontiguousarray(nodes, NODE)
        branches = nodes[nodes["column"] >= 0]
        inner = np.concatenate([branches["yes"], branches["no"]])
        below = np.unique(inner)
        roots = np.setdiff1d(np.arange(len(nodes), dtype=np.int32), below, assume_unique=True)
        held = _Trees(nodes.ctypes.data, roots.ctypes.data, len(nodes), len(roots), columns, int(logistic))
        sound = len(below) == len(inner) and self.library.crisol_trees_are_sound(ctypes.addressof(held))
        if not sound or columns > len(FEATURES):
            raise ModelError("the compiled trees lead nowhere, or to columns that there are not")
        return Trees(self, held, (nodes, roots))


class Trees:
    """An ensemble that maps a patch to its probability of valid, not yet calibrated; safe to share between threads."""

    def __init__(self, kernel: Kernel, held: _Trees, arrays: tuple[NDArray[Any], ...]) -> None:
        self._held = held, arrays  # the library knows only their addresses
        self._at = ctypes.addressof(held)
        self._rows = Rows(classic=held.columns < len(FEATURES))
        self._vocabulary = kernel.vocabulary
        self._predict: Callable[..., float] = kernel.library.crisol_predict
        self._score: Callable[..., float] = kernel.library.crisol_score

    def score(self, patch: Patch, cwe: str) -> float:
        """Return the probability; Python reads the patch where the kernel does not."""
        if (given := _laid_out(patch, cwe)) is not None:
            text, size, shape = given
            at, hunks = shape.buffer_info()[0], len(shape) - _HEAD
            score = self._predict(self._vocabulary, self._at, text, size, at, hunks)
            if score >= 0.0:
                return score
        row = self._rows.row(patch, cwe)
        return self._score(self._at, row.ctypes.data)


def open_kernel() -> Kernel | None:
    """Return the kernel, or None where it cannot be used; the first call takes a few milliseconds."""
    found = _found()
    return found if isinstance(found, Kernel) else None


def state() -> str:
    """Return why there is no kernel, or the empty string."""
    found = _found()
    return found if isinstance(found, str) else ""


def parser(*, kernel: bool) -> Callable[[str], Patch]:
    """Return what reads diffs as :func:`crisol.diff.parse` does: with ``kernel`` as far as that goes, where there is one."""
    found = open_kernel() if kernel else None
    if found is None:
        return parse
    outline = found.outline
    return lambda text: outline(text) or parse(text)


@lru_cache(maxsize=1)
def _found() -> Kernel | str:
    try:
        return load(LIBRARY)
    except UnavailableError as error:
        return str(error)


def load(path: Path) -> Kernel:
    """Open a library; it must be of this source, name the features in their order, and agree with Python on a diff.

    Raises :class:`~crisol.errors.UnavailableError` for one that is missing, stale, foreign or wrong.
    """
    if not path.is_file():
        raise UnavailableError("it was not built; set up again where there is a C compiler")
    try:
        library = ctypes.CDLL(str(path))
        source, names = _text(library, "crisol_source"), _text(library, "crisol_names").split()
        columns = ctypes.c_int32.in_dll(library, "crisol_columns").value
    except (OSError, ValueError) as error:
        raise UnavailableError(f"it cannot be loaded: {error}") from None
    if source != source_hash():
        raise UnavailableError("it was built of another source; set up again")
    own = [feature.name for feature in FEATURES if feature.group != "weakness"]
    if names != own or columns != len(FEATURES):
        raise UnavailableError("it computes other features than this version of Crisol")
    kernel = Kernel(_declared(library), _vocabulary(library))
    patch = parse(_PROBE)
    plain = kernel.outline(_PROBE)
    agrees = plain is not None and plain.identity == patch.identity
    for read in (patch, plain or patch):
        agrees &= all(kernel.features(read, cwe) == vector(patch, cwe) for cwe in ("CWE-22", ""))
    if not agrees:
        raise UnavailableError("it does not agree with Python on a diff")
    return kernel


def _text(library: ctypes.CDLL, name: str) -> str:
    """Return a constant text of the library; ValueError where it has none of that name."""
    return ctypes.string_at(ctypes.addressof(ctypes.c_char.in_dll(library, name))).decode(errors="replace")


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    """Say what the functions take: addresses of arrays and structures go as numbers, which costs least."""
    address, text, size, count = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint32
    library.crisol_open.argtypes = [text, address, address, count]
    library.crisol_open.restype = address
    library.crisol_outline.argtypes = [text, size, address, size, address, address]
    # Texts are bytes, or the address of an outline's.
    library.crisol_features.argtypes = [address, address, size, address, count, address]
    library.crisol_predict.argtypes = [address, address, address, size, address, count]
    library.crisol_predict.restype = ctypes.c_double
    library.crisol_score.argtypes = [address, address]
    library.crisol_score.restype = ctypes.c_double
    library.crisol_trees_are_sound.argtypes = [address]
    return library


def _vocabulary(library: ctypes.CDLL) -> int:
    """Hand over the words that mean something, and return where the library keeps them."""
    sets: dict[str, int] = {}
    for bit, members in enumerate(SETS):
        for word in members:
            sets[word] = sets.get(word, 0) | 1 << bit
    sizes, masks = array("I", map(len, sets)), array("Q", sets.values())
    texts = "".join(sets).encode("ascii")
    at: int | None = library.crisol_open(texts, sizes.buffer_info()[0], masks.buffer_info()[0], len(sets))
    if at is None:
        raise UnavailableError("it does not take the vocabulary")
    return at


def _laid_out(patch: Patch, cwe: str) -> tuple[bytes | int, int, array[int]] | None:
    """Return the lines of a patch as one text, its size, and its shape: ``enum`` in ``kernel.c``, then the lines of each hunk.

    None where the text is not ASCII: what a letter is, is then a question for Python.
    """
    weakness = _weakness(cwe)
    if isinstance(patch, PlainPatch):
        shape = patch.shape[:]
        shape[_HEAD - 2 : _HEAD] = weakness
        return patch.at, patch.size, shape
    tests = created = 0
    lines: list[str] = []
    hunks: list[int] = []
    for change in patch.files:
        tests += "test" in change.path.lower()
        created += change.old is None
        for hunk in change.hunks:
            lines += hunk.lines
            hunks.append(len(hunk.lines))
    text = "\n".join(lines)
    if not text.isascii():
        return None
    content = text.encode()
    return content, len(content), array("i", [len(patch.files), tests, created, *weakness, *hunks])


@lru_cache(maxsize=1024)
def _weakness(cwe: str) -> array[int]:
    """Return a weakness as a shape has it: its number and its family, -1 for none."""
    found = number(cwe)
    return array("i", (found, _FAMILIES.get(words.family(found), -1)))

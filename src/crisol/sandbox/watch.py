"""Detect that a run replaced functions or classes of the interpreter or of other modules.

Runs inside the sandbox. The zygote records the modules and classes that it has loaded; when the script of a
run exits, the run compares its modules and classes with this record. CPython before 3.14 counts every change
of a dictionary (PEP 509), so a change that was taken back is detected, too. Only callables, modules and
descriptors are compared: other values may change, because modules keep their caches and settings in them.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import types
from array import array
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Watch"]

_VERSION_AT = 24
"""The offset of a dictionary's version, in bytes, in CPython 3.11 to 3.13 on 64 bits."""
_VALUE = attrgetter("value")
_FREE = frozenset({"__main__", "sys", "warnings", "linecache", "site"})
"""The modules whose names honest code rebinds: streams, filters, the last exception."""


class Watch:
    """A snapshot of the functions and classes of all loaded modules, taken when the object is created.

    :meth:`changed` compares it with the present functions and classes.
    """

    def __init__(self) -> None:
        self._seen: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
            (name, names, dict(names)) for name, names in _dictionaries()
        ]
        self._versions = (
            [ctypes.c_uint64.from_address(id(names) + _VERSION_AT) for _, names, _ in self._seen]
            if _counts_changes()
            else []
        )
        self._before = self._versions_now()

    def changed(self) -> list[str]:
        """Return the dotted names of what was changed since the snapshot, sorted; [] if nothing was.

        A name counts if its function, class, module or descriptor was replaced, added or removed. Two changes
        do not count: the addition of a module, and the removal of a value whose class is not in the standard
        library. With CPython before 3.14, a module or class that was changed and then changed back counts,
        too: the list contains its name followed by ``.*``, such as ``pathlib.Path.*``.
        """
        if self._versions:
            versions = enumerate(zip(self._before, self._versions_now(), strict=True))
            seen = [self._seen[at] for at, (before, now) in versions if before != now]
        else:
            seen = self._seen
        return sorted(
            f"{name}.{key}"
            for name, now, before in seen
            for key in _differences(now, before, was_changed=bool(self._versions))
        )

    def _versions_now(self) -> array[int]:
        # The versions are read at their addresses: an access to the dictionaries as objects would change
        # their reference counts, so that the kernel would copy memory pages of the forked process.
        return array("Q", map(_VALUE, self._versions))


def _differences(now: dict[str, Any], before: dict[str, Any], *, was_changed: bool) -> Iterator[str]:
    """Yield the keys whose function, class or module differs between ``now`` and its earlier copy.

    ``was_changed`` says that Python's count of changes proves a change after the copy. If both are equal all
    the same, the change was taken back, and ``*`` is yielded.
    """
    same = True
    for key, value in before.items():
        other = now.get(key, _MISSING)
        if other is not value:
            same = False
            # Some values delete themselves when they are first read, such as descriptors of the package six.
            if (_is_code(value) or _is_code(other)) and not (other is _MISSING and _is_foreign(value)):
                yield key
    for key in now.keys() - before.keys():
        same = False
        # A module that is imported later becomes an attribute of its package.
        if _is_code(now[key]) and type(now[key]) is not types.ModuleType:
            yield str(key)
    if same and was_changed:
        yield "*"


_MISSING = object()


def _is_code(value: object) -> bool:
    kind = type(value)
    return callable(value) or kind is types.ModuleType or hasattr(kind, "__get__")


def _is_foreign(value: object) -> bool:
    return type(value).__module__.partition(".")[0] not in sys.stdlib_module_names


def _dictionaries() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, module in list(sys.modules.items()):
        if type(module) is types.ModuleType and name not in _FREE and not name.startswith("crisol"):
            yield name, vars(module)
    pending: list[type] = [object]
    seen: set[type] = {object}
    while pending:
        kind = pending.pop()
        below: list[type] = type.__subclasses__(kind)
        pending += [entry for entry in below if entry not in seen]
        seen.update(below)
        if not kind.__module__.startswith("crisol"):
            (names,) = gc.get_referents(vars(kind))
            yield f"{kind.__module__}.{kind.__qualname__}", names


def _counts_changes() -> bool:
    # CPython before 3.14 keeps a version in every dictionary (PEP 509); no API tells at which offset.
    if sys.version_info >= (3, 14) or sys.implementation.name != "cpython" or sys.maxsize < 1 << 32:
        return False
    names: dict[str, int] = {"a": 1}
    version = ctypes.c_uint64.from_address(id(names) + _VERSION_AT)
    before = version.value
    names["a"] = 2
    middle = version.value
    return before != middle == version.value

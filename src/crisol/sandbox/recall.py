"""Load the byte code of the target's modules, and compile regular expressions, once for all runs.

This module runs inside the sandbox. The zygote unmarshals the code of the modules that the scripts import,
and compiles the regular expressions that these modules compile on import. Every run inherits both; both are
immutable. Each run still executes the modules anew. A file that the patch changes is read as usual. If the
patch adds or deletes a file, or the script changes ``sys.path``, Python searches for modules as usual.

The import hook :class:`Finder` serves the code to a run. The patch's code can reach this object, and through
it the globals of this module. Therefore no verdict may depend on these globals.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import warnings
from functools import partial
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import cache_from_source, spec_from_file_location
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import CodeType, ModuleType

__all__ = ["Finder", "compile_patterns"]


class Finder:
    """An import hook for modules of the target; the object reads their byte code when it is made.

    ``place`` is the folder of the target's files. ``files`` maps the names of the modules to paths relative
    to that folder. A module without byte code on the disk is left to Python's own search.
    """

    def __init__(self, place: str, files: Mapping[str, str]) -> None:
        self._place = place
        self._path: list[str] = []
        self._read: dict[str, tuple[str, CodeType]] = {}
        self._known: dict[str, tuple[str, CodeType]] = {}
        for name, file in files.items():
            path = f"{place}/{file}"
            # Without byte code it would be compiled here, and an untrusted text can crash the compiler.
            if os.path.isfile(cache_from_source(path)):
                code = SourceFileLoader(name, path).get_code(name)
                if code is not None:
                    self._read[name] = path, code

    def install(self, changed: Iterable[str], path: list[str]) -> None:
        """Add this import hook to ``sys.meta_path``, for all of its modules except those in changed files.

        ``changed`` are the relative paths of the files that the patch changes. ``path`` is a copy of
        ``sys.path`` at the start of the run; while ``sys.path`` differs from it, the hook finds no top-level
        module.
        """
        self._path = path
        theirs = {f"{self._place}/{name}" for name in changed}
        self._known = {name: module for name, module in self._read.items() if module[0] not in theirs}
        if self._known and PathFinder in sys.meta_path and self not in sys.meta_path:
            sys.meta_path.insert(sys.meta_path.index(PathFinder), self)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module whose code was read before the run; None lets Python search for it.

        The result is also None if Python's own search could find another file first, as after a change of
        ``sys.path``. ``name`` and ``path`` are as in :meth:`importlib.abc.MetaPathFinder.find_spec`.
        """
        compiled = self._known.get(name)
        if compiled is None:
            return None
        file, code = compiled
        folder = os.path.dirname(file)
        package = os.path.basename(file) == "__init__.py"
        place = os.path.dirname(folder) if package else folder
        if path is None:
            if place != self._place or sys.path != self._path or sys.path[-1] != self._place:
                return None
        elif list(path) != [place]:
            return None
        loader = SourceFileLoader(name, file)
        loader.get_code = partial({name: code}.get)  # type: ignore[method-assign]  # leaves no Python frame
        return spec_from_file_location(
            name, file, loader=loader, submodule_search_locations=[folder] if package else None
        )


def compile_patterns(patterns: Iterable[tuple[str, bool, int]]) -> None:
    """Compile regular expressions, so that they are in the cache of :mod:`re`.

    Each pattern is (text, whether it is bytes, flags); the text of a bytes pattern is decoded as Latin-1. A
    pattern that raises an exception or a warning is skipped.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for text, is_bytes, flags in patterns:
            with contextlib.suppress(Exception):
                re.compile(text.encode("latin-1") if is_bytes else text, flags)

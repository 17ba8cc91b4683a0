"""The one way from a text that somebody sent to the patch that is judged."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from crisol import diff
from crisol.errors import IndexUnavailable
from crisol.wargaming.candidates import own_candidates, read_source
from crisol.wargaming.intake import ImportBase
from crisol.wargaming.vulnerability import Vulnerability

__all__ = ["fitted", "ground", "source_tree"]


_AS_GIT = diff.ReadOptions()


def fitted(text: str | bytes, tree: Path | None, reading: diff.ReadOptions = _AS_GIT) -> diff.Fitted:
    r"""Read an untrusted diff and keep the part of it that changes files of a release.

    ``tree`` is the release's importable folder. With None no release is read: files are kept or left out by
    their names alone. ``reading`` says how to read the diff. The service, the command line and imports all
    use this function. Raises :class:`~crisol.errors.DiffError` for a malformed text and
    :class:`~crisol.errors.PatchDoesNotApply` for a patch that does not fit the release.

    >>> fitted("--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a = 1\n+a = 2\n", None).patch.paths
    ('x.py',)
    """
    series = diff.read(text, reading=reading)
    return diff.cut(series) if tree is None else diff.fit(series, source_tree(tree))


def ground(vulnerability: Vulnerability, cache: Path) -> ImportBase:
    """Return how patches for a vulnerability are cut and applied when they are imported.

    ``cache`` is the folder of downloaded releases. If the release can neither be found there nor downloaded,
    tests, documents and the like are cut off by their file names alone, and nothing is applied.
    """
    try:
        tree = vulnerability.vulnerable(cache)
    except IndexUnavailable:
        return ImportBase(lambda text, reading: fitted(text, None, reading))
    try:
        own = tuple(own_candidates(vulnerability, cache))
    except IndexUnavailable:
        own = ()
    return ImportBase(lambda text, reading: fitted(text, tree, reading), own)


@lru_cache(maxsize=64)
def source_tree(root: Path) -> diff.Tree:
    """Return a source folder as the :class:`~crisol.diff.Tree` to which diffs are fitted.

    The list of its files is read once.
    """
    return diff.Tree(lambda path: read_source(root, path), lambda: _names(root))


def _names(root: Path) -> Iterator[str]:
    for path in root.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(root).as_posix()

"""Read an untrusted diff and cut it to a vulnerable release; service, commands and imports use this."""

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
    r"""Read an untrusted diff, and return the cut patch: the part that changes files of a release.

    ``tree`` is the folder with the release's source. With None no source is read: tests, documents and other
    files that no wargame runs are left out by their names. ``reading`` says how to read the diff. Raises
    :class:`~crisol.errors.DiffError` for a text that is no unified diff, and
    :class:`~crisol.errors.PatchDoesNotApply` if a hunk does not match or nothing remains.

    >>> fitted("--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a = 1\n+a = 2\n", None).patch.paths
    ('x.py',)
    """
    series = diff.read(text, reading=reading)
    return diff.cut(series) if tree is None else diff.fit(series, source_tree(tree))


def ground(vulnerability: Vulnerability, cache: Path) -> ImportBase:
    """Return the :class:`ImportBase` with which patches for ``vulnerability`` are imported.

    Its ``fit(text, options)`` turns the text of a diff into a cut patch, :class:`crisol.diff.Fitted`. Its
    ``own`` are upstream's fix and the patches in the vulnerability's folder; an import compares new patches
    with these. ``cache`` is the folder of downloaded releases. If a release cannot be downloaded, ``own`` is
    empty. Without the vulnerable release ``fit`` reads no source: it recognises files that no wargame runs,
    such as tests and documents, by their names alone, and leaves them out. Raises
    :class:`~crisol.errors.VulnerabilityError` if a patch in the folder does not fit the source.
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
    """Return the files of a source folder in the form that :func:`~crisol.diff.fit.fit` takes.

    The list of the files is read at most once; the files themselves are read when they are needed.
    """
    return diff.Tree(lambda path: read_source(root, path), lambda: _names(root))


def _names(root: Path) -> Iterator[str]:
    for path in root.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(root).as_posix()

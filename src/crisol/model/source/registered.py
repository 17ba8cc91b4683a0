"""Join labelled patches with the vulnerable source and public facts of registered vulnerabilities."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from crisol.errors import CrisolError
from crisol.model.reading import open_diff
from crisol.records import LabelledPatch
from crisol.wargaming.candidates import read_source, reference
from crisol.wargaming.fitting import fitted
from crisol.wargaming.vulnerability import Vulnerability, find

__all__ = ["with_sources"]

_MAX_BYTES = 1 << 20


def with_sources(
    patches: Sequence[LabelledPatch], vulnerabilities: Path | Sequence[Path], cache: Path
) -> list[LabelledPatch]:
    """Return the patches in their order, with the source and the public facts of registered vulnerabilities.

    A patch's vulnerability is registered if one of the folders ``vulnerabilities`` contains a vulnerability
    whose id is the patch's ``group``. Other patches are returned unchanged. A patch of a registered
    vulnerability gets four fields. ``source`` maps the paths that the patch touches to their vulnerable
    texts, without files of more than 1 MiB; ``fix`` holds the known fix. ``description`` is the
    vulnerability's title and description, ``pov`` its public PoV.

    ``source`` and ``fix`` need the release. If the folder ``cache`` lacks it, it is downloaded into this
    folder, which is created if necessary; where the download fails, both fields are empty. Nothing is
    executed. Raises :class:`~crisol.errors.VulnerabilityError` where two folders have a vulnerability of the
    same id; other faulty vulnerabilities are ignored.
    """
    by_id = {candidate.id: candidate for candidate in find(vulnerabilities, skip=lambda _: None)}
    roots: dict[str, Path | None] = {}
    fixes: dict[str, tuple[tuple[str, str, str], ...]] = {}
    enriched = []
    for patch in patches:
        vulnerability = by_id.get(patch.group)
        if vulnerability is None:
            enriched.append(patch)
            continue
        if patch.group not in roots:
            roots[patch.group] = _root(vulnerability, cache)
            fixes[patch.group] = _fix(vulnerability, cache)
        source = _texts(roots[patch.group], open_diff(patch.diff).paths)
        about = vulnerability.about
        text = f"{about.title}\n{about.description}"
        pov, fix = vulnerability.povs[0].source, fixes[patch.group]
        enriched.append(replace(patch, source=source, description=text, pov=pov, fix=fix))
    return enriched


def _root(vulnerability: Vulnerability, cache: Path) -> Path | None:
    try:
        return vulnerability.vulnerable(cache).resolve()
    except CrisolError:
        return None


def _fix(vulnerability: Vulnerability, cache: Path) -> tuple[tuple[str, str, str], ...]:
    try:
        known_fix, root = reference(vulnerability, cache), vulnerability.vulnerable(cache)
        files = {} if known_fix is None else fitted(known_fix.diff, root).files
    except CrisolError:
        return ()
    return tuple((path, read_source(root, path) or "", text or "") for path, text in sorted(files.items()))


def _texts(root: Path | None, paths: Iterable[str]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for name in paths:
        path = None if root is None else (root / name).resolve()
        if path is None or root is None or not path.is_relative_to(root) or not path.is_file():
            continue
        if path.stat().st_size <= _MAX_BYTES:
            texts[name] = path.read_bytes().decode("utf-8", errors="replace")
    return texts

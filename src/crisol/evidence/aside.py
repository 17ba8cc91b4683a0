"""Compute facts about patches from anybody in a process with limits of memory and time.

::

    ground = Ground(str(folder), str(ways_file(vulnerability, cache)))
    examined = examine(ground, fitted.files)  # blocks: call it in a thread
    examined.program, examined.fact

The worker keeps the last releases that it was asked about, so what a patch costs is the parsing of its own
files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from crisol.evidence.facts import Fact, Facts, lay_out
from crisol.evidence.trace import read_ways
from crisol.records import Outcome, Reason, Source
from crisol.sandbox.bounded import bounded
from crisol.wargaming.parsing import parsed

__all__ = ["Examined", "Ground", "examine"]

_RELEASES = 8
"""How many a worker keeps with the trees of the files that were touched.

Its own limit of memory bounds these.
"""


@dataclass(frozen=True, slots=True)
class Ground:
    """The files that :func:`examine` needs of a vulnerability.

    ``folder`` holds the vulnerable release. ``ways`` is the path of the file with the traces of the PoVs;
    empty means that no PoV was traced yet.
    """

    folder: str
    ways: str = ""


@dataclass(frozen=True, slots=True)
class Examined:
    """The result of :func:`examine`.

    ``program`` is the identity of the program that a patch makes. ``fact`` is a certain answer that needs no
    earlier verdict, None where there is none.
    """

    program: str
    fact: Fact | None


def examine(ground: Ground, after: Mapping[str, str | None]) -> Examined:
    """Do the same as :meth:`crisol.evidence.facts.Facts.examine`, in a process with limits.

    ``after`` maps the path of each file that the patch touches to the patched text, None for a deleted file.
    Raises :class:`~crisol.sandbox.bounded.OutOfBounds` where parsing exceeds the limit of memory or time.
    """
    texts = {path: text.encode(errors="surrogatepass") for path, text in after.items() if text is not None}
    head = {
        "folder": ground.folder,
        "ways": ground.ways,
        "texts": list(texts),
        "gone": [path for path, text in after.items() if text is None],
    }
    told, _ = bounded("crisol.evidence.aside:answer", head, list(texts.values()))
    return Examined(told["program"], None if told["fact"] is None else _fact(*told["fact"]))


def answer(head: dict[str, Any], blobs: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    """Answer a request of :func:`examine`; this function runs in the worker process.

    ``head`` is JSON with the request's names, ``blobs`` are the texts as bytes; the result has the same form.
    """
    # What a patch made is not asked about again, and its trees take some hundred times the bytes of their
    # text.
    parsed.cache_clear()
    after: dict[str, str | None] = dict.fromkeys(head["gone"])
    texts = (blob.decode(errors="surrogatepass") for blob in blobs)
    after |= zip(head["texts"], texts, strict=True)
    program, fact = _open(head["folder"], head["ways"]).examine(after)
    told = None
    if fact is not None:
        told = [fact.outcome, fact.source, fact.reason, fact.detail, fact.evidence]
    return {"program": program, "fact": told}, []


@lru_cache(maxsize=_RELEASES)
def _open(folder: str, ways: str) -> Facts:
    return lay_out(Path(folder), read_ways(Path(ways)) if ways else ())


def _fact(outcome: str, source: str, reason: str | None, detail: str, evidence: list[str]) -> Fact:
    why = None if reason is None else Reason(reason)
    return Fact(Outcome(outcome), Source(source), why, detail, tuple(evidence))

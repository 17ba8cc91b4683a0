"""Compute facts about untrusted patches in a process with limits of memory and time.

::

    ground = Ground(str(folder), str(ways_file(vulnerability, cache)))
    examined = examine(ground, fitted.files)  # blocks: call it in a thread
    examined.program, examined.fact

The process keeps the last eight releases in memory. For a further patch of one of them it parses only the
files that the patch touches.
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
"""Number of releases that a worker keeps in memory, with the syntax trees of the patched files.

The worker's limit of memory bounds the trees.
"""


@dataclass(frozen=True, slots=True)
class Ground:
    """The two paths of a vulnerability that :func:`examine` needs.

    ``folder`` is the folder of the vulnerable release. ``ways`` is the file with the traces of the PoVs, see
    :func:`~crisol.evidence.trace.ways_file`; "" means that no PoV was traced yet. Give absolute paths,
    because another process reads the files.
    """

    folder: str
    ways: str = ""


@dataclass(frozen=True, slots=True)
class Examined:
    """The program that a patch makes, and the fact that decides the patch without any earlier verdict.

    ``program`` is the identity of the program. ``fact`` is None where only an earlier verdict or a wargame
    can decide.
    """

    program: str
    fact: Fact | None


def examine(ground: Ground, after: Mapping[str, str | None]) -> Examined:
    """Return the program that an untrusted patch makes, and the fact that decides the patch (None for none).

    Only facts that need no earlier verdict are found. :meth:`crisol.evidence.facts.Facts.examine` computes
    the same without limits. This function computes it in a process with limits, because the text of a patch
    may be made to exhaust memory or time. ``ground`` has the paths of the release and the traces. ``after``
    maps the path of each file that the patch touches, relative to the program's root, to the patched text,
    None for a deleted file. Raises :class:`~crisol.sandbox.bounded.OutOfBounds` if the computation takes more
    than 10 s of processor time, 120 s of wall time or 768 MiB, or if it fails, such as on a file of traces
    that cannot be read.
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
    """Answer a request of :func:`examine`; runs in the process whose memory and time are limited.

    ``head`` has the paths ``folder`` and ``ways`` of a :class:`Ground`, and two lists of paths relative to
    the program's root: ``texts`` for the files that the patch changes or creates, ``gone`` for those that it
    deletes. ``blobs`` holds the patched text of each file in ``texts``, as UTF-8.

    The result is (dict, empty list). In the dict, ``program`` is the identity of the patched program.
    ``fact`` is None if no fact decides the patch, else a list: outcome, source, reason, detail and evidence
    of the :class:`~crisol.evidence.facts.Fact`.
    """
    # The trees of the last patch are not needed again; they take about a hundred times the bytes of their
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

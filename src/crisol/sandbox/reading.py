"""Compile a patched file, and find the ranges of lines that the patch did not change.

Runs in a worker of :mod:`.bounded`, because the text is untrusted.
"""

from __future__ import annotations

from typing import Any

from crisol.sandbox.bounded import deep
from crisol.sandbox.reuse import untouched
from crisol.sandbox.tree import byte_code

__all__ = ["prepare"]


def prepare(head: dict[str, Any], blobs: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    """Parse and compile one patched file; call it by :func:`crisol.sandbox.bounded.bounded`.

    ``head`` has the keys ``name`` (the file's path) and ``before`` (whether there is an unpatched text).
    ``blobs`` holds the unpatched text, if there is one, and then the patched text. Returns the pair
    (``{"kept": ranges}``, ``[content]``). ``ranges`` are the ranges of unchanged lines that
    :func:`crisol.sandbox.reuse.untouched` returns. ``content`` is the content of a .pyc file; if the patched
    text does not compile, the list is ``[]``.
    """
    before, after = (blobs[0] if head["before"] else None), blobs[-1]
    code = byte_code(after, head["name"])
    with deep():
        kept = untouched(before, after)
    return {"kept": kept}, [code] if code else []

"""What a run has to know of a patched file: its byte code, and the lines that the patch left as they were.

Runs in a worker of :mod:`.bounded`, because the text is untrusted.
"""

from __future__ import annotations

from typing import Any

from crisol.sandbox.bounded import deep
from crisol.sandbox.reuse import untouched
from crisol.sandbox.tree import byte_code

__all__ = ["prepare"]


def prepare(head: dict[str, Any], blobs: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    """Return the unchanged line ranges of a patched file (``kept``), and its .pyc content if it compiles.

    ``head`` holds the file's ``name`` and whether there is a text ``before``, which then is the first of
    ``blobs``; the patched text is the last. See :func:`crisol.sandbox.reuse.untouched`.
    """
    before, after = (blobs[0] if head["before"] else None), blobs[-1]
    code = byte_code(after, head["name"])
    with deep():
        kept = untouched(before, after)
    return {"kept": kept}, [code] if code else []

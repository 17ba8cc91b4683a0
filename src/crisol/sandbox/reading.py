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
    """Return the ranges of lines that are the release's own, and the content of the .pyc, if there is one.

    ``head`` says the file's ``name`` and whether there is a text ``before``, the first of the blobs then.
    """
    before, after = (blobs[0] if head["before"] else None), blobs[-1]
    code = byte_code(after, head["name"])
    with deep():
        kept = untouched(before, after)
    return {"kept": kept}, [code] if code else []

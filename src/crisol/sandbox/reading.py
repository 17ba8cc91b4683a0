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
    """Parse and compile one patched file in a worker process.

    ``head`` has the keys ``name``, the file's path, and ``before``, whether there is an unpatched text. That
    text is then the first of ``blobs``; the patched text is the last. The result's head has the key ``kept``:
    the line ranges that :func:`crisol.sandbox.reuse.untouched` returns. Its one byte string is the content of
    the .pyc; there is none if the file does not compile.
    """
    before, after = (blobs[0] if head["before"] else None), blobs[-1]
    code = byte_code(after, head["name"])
    with deep():
        kept = untouched(before, after)
    return {"kept": kept}, [code] if code else []

"""Messages about texts that are no unified diffs: which kind of text it is, and how to get a diff."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["hint"]

_HINTS = (
    (
        r"\*\*\* Begin Patch|\*\*\* (Update|Add|Delete) File: ",
        "a patch without line numbers, as some language models write it; ask for a unified diff",
    ),
    (r"<{5,} ?SEARCH|={5,}$|>{5,} ?REPLACE", "search-and-replace blocks; ask for a unified diff"),
    (r"> ?(diff --git |--- |@@ -)", "a diff quoted with > on every line; send it unquoted"),
    (
        r"[ \t]+(diff --git |--- \S+/|@@ -\d)",
        "a diff that is indented; take the blanks before its lines away",
    ),
    (r"\x1b\[", "colour codes; make the diff with --no-color"),
    (r"\*\*\* \S+|\*{15}$", "a context diff; make a unified one with diff -u"),
    (r"\d+(,\d+)?[acd]\d+(,\d+)?$", "a diff without context; make a unified one with diff -u"),
    (r"--- .*\\n\+\+\+ |.*\\n@@ -", "a diff as JSON text, with \\n for line feeds; decode it first"),
    (r"@@", "a hunk without numbers; expected --- FILE, +++ FILE and @@ -START,COUNT +START,COUNT @@"),
    (
        r"[-+]\S",
        "changed lines without file headers; expected --- FILE, +++ FILE and @@ -START,COUNT +START,COUNT @@",
    ),
)


def hint(lines: Sequence[str]) -> str:
    """Return a message of one line for a text that is not a unified diff: its kind, and how to get a diff.

    ``lines`` are the lines of the text. If the kind is not known, the message asks whether the text is a
    unified diff.

    >>> hint(["*** Begin Patch", "*** Update File: x.py"])
    'no unified diff: a patch without line numbers, as some language models write it; ask for a unified diff'
    """
    head = [line[:500] for line in lines[:2_000]]
    for pattern, meaning in _HINTS:
        if any(re.match(pattern, line) for line in head):
            return f"no unified diff: {meaning}"
    return "no file header and no hunk found: is this a unified diff?"

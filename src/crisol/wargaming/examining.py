"""Static analysis of a patched file: syntax errors, undefined names, and code that counts as tampering.

The text is untrusted, so a worker process of :mod:`crisol.sandbox.bounded` parses it, in :func:`examine` and
:func:`speak`. Other modules call :func:`examined` and :func:`spoken`, which ask the worker and return plain
values.
"""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from crisol.sandbox.bounded import bounded, deep
from crisol.wargaming.inputs import vocabulary
from crisol.wargaming.tampering import findings, tree_or_reason

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Examination", "examine", "examined", "newly_refused", "speak", "spoken"]


_LISTS = ("refused", "dropped", "noted", "undefined", "types", "read")


@dataclass(frozen=True, slots=True)
class Examination:
    """The findings of a static analysis of one patched file, in comparison with the unpatched file.

    - ``error``: why the patched file does not parse, "" if it parses. If it does not, all other fields but
      ``error_before`` are empty.
    - ``error_before``: why the unpatched file does not parse, "" if it parses.
    - ``refused``: the constructs that the patch adds to the file and that count as tampering.
    - ``dropped``: constructs of this kind that the patch removes from the file, see :func:`newly_refused`.
    - ``noted``: added constructs by which code could recognise a wargame or keep state, such as reading the
      clock or changing a list of the module.
    - ``undefined``: the undefined names that the patch adds.
    - ``types``: the variables of the file that hold a forbidden type, such as ``types.FunctionType``, which
      this file uses only in ``isinstance`` and the like.
    - ``read``: the names that added lines read from other files of the program.
    """

    error: str
    error_before: str
    refused: tuple[str, ...]
    dropped: tuple[str, ...]
    noted: tuple[str, ...]
    undefined: tuple[str, ...]
    types: tuple[str, ...]
    read: tuple[str, ...]


def examined(before: str, after: str, own: frozenset[str]) -> Examination:
    """Return the findings of a static analysis of one patched file; nothing of the file is executed.

    ``before`` and ``after`` are the texts of the unpatched and the patched file. ``own`` holds the top-level
    module names of the vulnerable program. The analysis runs in a process with limits on time and memory.
    Raises :class:`~crisol.sandbox.bounded.OutOfBounds` if the analysis exceeds the limits.
    """
    texts = [before.encode("utf-8", "surrogatepass"), after.encode("utf-8", "surrogatepass")]
    told, _ = bounded("crisol.wargaming.examining:examine", {"own": sorted(own)}, texts)
    lists = (tuple(told[name]) for name in _LISTS)
    return Examination(told["error"], told["error_before"], *lists)


def newly_refused(examinations: Iterable[Examination]) -> list[str]:
    """Return the constructs that a patch adds and that count as tampering, sorted, each once.

    ``examinations`` are those of all files that the patch changes. A construct that the patch takes out of
    one file and adds to another was only moved, and is left out. A type that one file uses in tests alone
    counts if another file reads it.
    """
    files = tuple(examinations)
    dropped = {name for file in files for name in file.dropped}
    refused = {name for file in files for name in file.refused} - dropped
    types = {name for file in files for name in file.types}
    return sorted(refused | {name for file in files for name in types.intersection(file.read)})


def spoken(text: bytes) -> frozenset[str]:
    """Return the string constants of an untrusted Python source, casefolded.

    ``text`` is the source. The result is empty if it does not parse. The source is parsed in a process with
    limits on time and memory. Raises :class:`~crisol.sandbox.bounded.OutOfBounds` if parsing exceeds the
    limits.
    """
    told, _ = bounded("crisol.wargaming.examining:speak", {}, [text])
    return frozenset(told["words"])


def speak(_head: dict[str, Any], blobs: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    """Do the work of :func:`spoken` in the process with limits.

    ``blobs`` holds one element, the source. Returns ({"words": the string constants}, []). Arguments and
    result have the form that :func:`crisol.sandbox.bounded.bounded` demands of the functions it calls.
    """
    return {"words": sorted(vocabulary(blobs[0].decode(errors="replace")))}, []


def examine(head: dict[str, Any], blobs: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    """Do the work of :func:`examined` in the process with limits.

    ``head`` maps ``own`` to the top-level module names of the vulnerable program. ``blobs`` holds the
    unpatched and the patched file. Returns (the fields of :class:`Examination` by name, []). Arguments
    and result have the form that :func:`crisol.sandbox.bounded.bounded` demands of the functions it calls.
    """
    before, after = (blob.decode("utf-8", "surrogatepass") for blob in blobs)
    old, new = _syntax_error(before), _syntax_error(after)
    facts: dict[str, Any] = {"error": new, "error_before": old}
    facts |= dict.fromkeys(_LISTS, ())
    if not new:
        with deep():
            gate = findings(before, after, frozenset(head["own"]))
            missing = _undefined_names(after) - _undefined_names(before) - _unquoted(before, after)
        facts |= {"refused": gate.refused, "dropped": gate.dropped, "noted": gate.noted}
        facts |= {"types": gate.types, "read": gate.read}
        facts["undefined"] = sorted(missing)
    return facts, []


def _syntax_error(text: str) -> str:
    tree = tree_or_reason(text)
    return "" if isinstance(tree, ast.Module) else tree


@lru_cache(maxsize=4)  # a file of the release comes with every patch of it
def _undefined_names(text: str) -> frozenset[str]:
    from pyflakes import checker, messages  # noqa: PLC0415 - in the worker alone

    tree = tree_or_reason(text)
    if not isinstance(tree, ast.Module):
        return frozenset()
    kinds = (messages.UndefinedName, messages.UndefinedLocal, messages.UndefinedExport)
    complaints = checker.Checker(tree).messages
    return frozenset(str(message.message_args[0]) for message in complaints if isinstance(message, kinds))


def _unquoted(before: str, after: str) -> set[str]:
    """Return the names, such as ``__VIRTUAL_ENV__``, that stand in quotes less often in ``after``.

    Without quotes such a name looks undefined, but it is a placeholder: a program fills in the value later,
    perhaps with its own quotes.
    """
    old, new = _placeholders(before), _placeholders(after)
    return {name for name, count in old.items() if new[name] < count}


def _placeholders(text: str) -> Counter[str]:
    tree = tree_or_reason(text)
    if not isinstance(tree, ast.Module):
        return Counter()
    values = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return Counter(
        value for value in values if isinstance(value, str) and value.isidentifier() and value.isupper()
    )

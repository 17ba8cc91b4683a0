"""The tokens and counts of a patch, taken in one pass, from which features are computed.

The work is linear in the length of the text: each line is read once, and the token pattern never backtracks.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property, lru_cache

from crisol.diff import FileChange, Hunk, Patch, parse
from crisol.errors import DiffError
from crisol.model import vocabulary as words
from crisol.model.code import code_lines

__all__ = ["DiffSide", "Reading", "lenient", "number", "open_diff", "read"]

_WORD = re.compile(r"\w+")
_PATTERN = r"\w+|[=!<>]=+|&&|\|\||->|::|[^\s\x1c-\x1f]"
_TOKEN = re.compile(_PATTERN)
_ASCII_TOKEN = re.compile(_PATTERN, re.ASCII)
"""The pattern of the same tokens for a text of ASCII alone; it takes four fifths of the time."""
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+")
_IMPORT_STARTS = frozenset(one[0] for one in words.IMPORTS)

_MAX_TEXT = 1 << 20
_MAX_LINES = 50_000
_MAX_LINE = 4_096
_MAX_NAME = 80
_CONTEXT = 3
"""Number of context lines around a change that are read: three, as most tools write."""


def open_diff(text: str) -> Patch:
    """Return a diff as a patch; a diff that :func:`crisol.diff.parse` refuses is read by :func:`lenient`.

    Use it for published data sets, some of whose diffs are incomplete. It never raises. For a patch that is
    to be wargamed use :func:`crisol.diff.parse`.
    """
    try:
        return parse(text)
    except DiffError:
        return lenient(text)


def lenient(text: str) -> Patch:
    """Return a patch that consists of the lines that begin with ``+``, ``-`` or a space; it never raises.

    A line that begins with ``+++`` and a space names the file of the lines below it, up to the next such
    line; the file of lines before the first one is named ``unknown``. A line that begins with ``---`` and a
    space is left out. A line that begins with ``@@`` begins a hunk. Line numbers are not read: every hunk
    begins at line 1. Characters after the first 2²⁰ of the text, lines after the first 50,000, and characters
    of a line after the first 4,096 are ignored. A text without a line that begins with ``+``, ``-`` or a
    space gives a patch without files.
    """
    files: list[FileChange] = []
    hunks: list[Hunk] = []
    lines: list[str] = []
    path = "unknown"
    # Half a surrogate pair, as JSON may hold, cannot be hashed as UTF-8.
    text = text[:_MAX_TEXT].encode(errors="replace").decode()
    for line in text.split("\n", _MAX_LINES)[:_MAX_LINES]:
        if line.startswith("+++ "):
            _close(files, hunks, lines, path)
            path = line[4:].split("\t", 1)[0].strip().removeprefix("b/")[:_MAX_LINE] or "unknown"
        elif line.startswith("@@"):
            _close_hunk(hunks, lines)
        elif line[:1] in {"+", "-", " "} and not line.startswith("--- "):
            lines.append(line[:_MAX_LINE])
    _close(files, hunks, lines, path)
    return Patch(tuple(files))


def _close_hunk(hunks: list[Hunk], lines: list[str]) -> None:
    if lines:
        hunks.append(Hunk(1, 1, tuple(lines)))
        lines.clear()


def _close(files: list[FileChange], hunks: list[Hunk], lines: list[str], path: str) -> None:
    _close_hunk(hunks, lines)
    if hunks:
        files.append(FileChange(path, path, tuple(hunks)))
        hunks.clear()


@dataclass(frozen=True, slots=True)
class DiffSide:
    """The added code lines of a patch, or the removed ones, as tokens and counts.

    A token is a name, a number or an operator.

    - ``lines``: the number of code lines. ``imports``: the number of import lines among them.
    - ``characters``: the number of characters, without indentation. ``indent``: the widest indentation, in
      characters.
    - ``tokens``: all tokens, in the order of the text. ``marks``: the indices in ``tokens`` of keywords such
      as ``if``, ``return`` and ``except``.
    - ``counts``, ``words``: how often each token occurs, as it is written and in lower case.
    - ``names``: each name of two characters or more once, keywords included, in the order of first
      occurrence.
    - ``numbers``: how many tokens are number literals.
    - ``parts``: how often each word that matters in security patches, such as ``valid``, occurs as a name or
      as part of a name (``is_valid``). Words that do not occur are left out.
    - ``calls``: the names before a ``(``, in order and with repetitions. Most are those of called functions,
      but keywords are included, as in ``if (``.
    """

    lines: int
    imports: int
    characters: int
    indent: int
    tokens: list[str]
    counts: Counter[str]
    words: dict[str, int]
    names: list[str]
    numbers: int
    parts: dict[str, int]
    calls: list[str]
    marks: list[int]


_NOTHING: frozenset[str] = frozenset()
"""One object for all tokens without such words: an empty set takes 216 bytes."""


@lru_cache(maxsize=16_384)
def _kind(token: str) -> tuple[bool, bool, frozenset[str]]:
    """Return (is a name, is a number literal, words in it that matter in security patches) for a token."""
    if len(token) > 1 and (token[0].isalpha() or token[0] == "_"):
        meant = words.MEANT.intersection([token.lower(), *map(str.lower, _PART.findall(token))])
        return True, False, meant or _NOTHING
    return False, token[0].isdigit(), _NOTHING


@dataclass(frozen=True)
class Reading:
    """The tokens and counts of one patch, from which every feature is computed; :func:`read` makes it.

    - ``added``, ``removed``: the tokens of the added and of the removed code lines.
    - ``context``: the words of the unchanged lines within three lines of a change. ``context_lines``: the
      number of these lines.
    - ``hunks``: the number of hunks that change code. ``insertions``: the number of those that
      only add lines. ``deletions``: the number of those that only remove lines.
    - ``spots``: the number of blocks of changed lines; a context line or the end of a hunk ends a block.
    - ``files``: the number of files that have a hunk that changes code, or no hunk at all, such as a renamed
      file. ``created``: the number of new files among them.
    - ``cwe``: the number of the CWE, 0 if unknown.
    """

    added: DiffSide
    removed: DiffSide
    context: frozenset[str]
    context_lines: int
    files: int
    hunks: int
    insertions: int
    deletions: int
    spots: int
    """Runs of changed lines without a context line between them."""
    created: int
    cwe: int

    @cached_property
    def fresh(self) -> int:
        """The number of different names in added lines that occur neither in removed nor in context lines."""
        return len(set(self.added.names).difference(self.context, self.removed.counts))

    @cached_property
    def gained(self) -> dict[str, int]:
        """The tokens that the patch adds more often than it removes, mapped to the difference of the counts.

        Tokens are in lower case.
        """
        return _beyond(self.added.words, self.removed.words)

    @cached_property
    def lost(self) -> dict[str, int]:
        """The tokens that the patch removes more often than it adds, mapped to the difference of the counts.

        Tokens are in lower case.
        """
        return _beyond(self.removed.words, self.added.words)

    @cached_property
    def swapped(self) -> tuple[int, int, int]:
        """Three estimates of replaced tokens: how many names, number literals and operators, in this order.

        The estimate for a kind of token is the smaller of two numbers: how many tokens of the kind the patch
        gains (:attr:`gained`), and how many it loses (:attr:`lost`).
        """
        if not self.gained or not self.lost:
            return 0, 0, 0
        gained, lost = _kinds(self.gained), _kinds(self.lost)
        return min(gained[0], lost[0]), min(gained[1], lost[1]), min(gained[2], lost[2])

    @cached_property
    def kept(self) -> int:
        """The number of removed tokens that the patch adds again; case is ignored.

        A token that is removed three times and added twice counts twice.
        """
        return len(self.removed.tokens) - sum(self.lost.values())


def _kinds(side: dict[str, int]) -> tuple[int, int, int]:
    names = numbers = operators = 0
    for word, count in side.items():
        first = word[0]
        if word in words.OPERATORS:
            operators += count
        if first.isdigit():
            numbers += count
        elif len(word) > 1 and (first.isalpha() or first == "_"):
            names += count
    return names, numbers, operators


def _beyond(some: dict[str, int], others: dict[str, int]) -> dict[str, int]:
    if not others:
        return some
    there = others.get
    return {word: more for word, count in some.items() if (more := count - there(word, 0)) > 0}


def read(patch: Patch, cwe: str) -> Reading:
    """Return the reading of a patch: its tokens and counts, from which features are computed.

    ``cwe`` is the CWE of the flaw, as ``CWE-79`` or ``79``; any other text means unknown. Changes of
    comments, docstrings, blank lines and version strings are ignored. Of the context, only the three lines
    before and after each change are read, so that a diff with more context lines gives the same features.
    """
    added: list[str] = []
    removed: list[str] = []
    context: list[str] = []
    files = hunks = insertions = deletions = spots = created = 0
    for change in patch.files:
        before = hunks
        for hunk in change.hunks:
            plus, minus, inside, opened = len(added), len(removed), False, False
            waiting: list[str] = []
            for line in code_lines(hunk.lines, change.path):
                tag = line[0]
                if tag == " ":
                    waiting.append(line)
                    inside = False
                    continue
                if not inside:
                    spots += 1
                    inside = True
                    if opened and len(waiting) > 2 * _CONTEXT:
                        # These two hunks were joined only by a changed comment between them.
                        context += waiting[:_CONTEXT]
                        hunks += 1
                        insertions += len(removed) == minus
                        deletions += len(added) == plus
                        plus, minus, opened = len(added), len(removed), False
                    context += waiting if opened else waiting[-_CONTEXT:]
                    opened = True
                    waiting = []
                (added if tag == "+" else removed).append(line[1:])
            if opened:
                context += waiting[:_CONTEXT]
                hunks += 1
                insertions += len(removed) == minus
                deletions += len(added) == plus
        if hunks > before or not change.hunks:
            files += 1
            created += change.old is None
    return Reading(
        _side(added),
        _side(removed),
        frozenset(_WORD.findall("\n".join(context))),
        len(context),
        files,
        hunks,
        insertions,
        deletions,
        spots,
        created,
        number(cwe),
    )


def _side(lines: list[str]) -> DiffSide:
    code = [line.strip() for line in lines]
    # A look at the first character saves the search for prefixes in most lines.
    imports = sum([line.startswith(words.IMPORTS) for line in code if line[:1] in _IMPORT_STARTS])
    indent = max(
        [len(line) - len(line.lstrip()) for line, bare in zip(lines, code, strict=True) if bare], default=0
    )
    text = "\n".join(code)
    tokens = (_ASCII_TOKEN if text.isascii() else _TOKEN).findall(text)
    counts = Counter(tokens)
    lowered: dict[str, int] = {}
    parts: dict[str, int] = {}
    names: list[str] = []
    numbers = 0
    for token, count in counts.items():
        word = token.lower()
        lowered[word] = lowered.get(word, 0) + count
        is_name, is_number, meant = _kind(token[:_MAX_NAME])
        if is_name:
            names.append(token)
            for part in meant:
                parts[part] = parts.get(part, 0) + count
        elif is_number:
            numbers += count
    marks = words.MARKS
    spots = [at for at, token in enumerate(tokens) if token in marks]
    called = [tokens[at - 1] for at in spots if tokens[at] == "(" and at]
    return DiffSide(
        len(code),
        imports,
        len(text) - max(len(code) - 1, 0),
        indent,
        tokens,
        counts,
        lowered,
        names,
        numbers,
        parts,
        [name for name in called if name[0].isalpha() or name[0] == "_"],
        [at for at in spots if tokens[at] != "("],
    )


def number(cwe: str) -> int:
    """Return the number of a CWE: 79 for ``CWE-79`` or ``79``, and 0 for any text that is no CWE."""
    digits = cwe.strip().upper().removeprefix("CWE-")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 6 else 0

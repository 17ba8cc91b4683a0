"""What a model sees of a patch: named, documented numbers, computed in one pass over the lines of the diff.

Nothing here is specific to one language: words are split by hand and looked up, so the time is linear in the text,
whatever the text.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log1p

from crisol import diff
from crisol.errors import DiffError

__all__ = ["CLASSIC", "FEATURES", "FEATURE_VERSION", "Feature", "changes", "vector"]

FEATURE_VERSION = "1"


@dataclass(frozen=True, slots=True)
class Feature:
    """One number that a model sees: its name, unit and meaning."""

    name: str
    unit: str
    meaning: str


_WORDS: dict[str, frozenset[str]] = {
    "guard": frozenset(
        [
            "if",
            "elif",
            "unless",
            "assert",
            "require",
            "check",
            "validate",
            "valid",
            "verify",
            "ensure",
            "isinstance",
        ]
    ),
    "refuse": frozenset(
        [
            "raise",
            "throw",
            "return",
            "abort",
            "reject",
            "deny",
            "forbid",
            "forbidden",
            "error",
            "exception",
            "valueerror",
        ]
    ),
    "handle": frozenset(["try", "except", "catch", "finally", "rescue", "pass"]),
    "escape": frozenset(
        ["escape", "quote", "sanitize", "sanitise", "encode", "html", "clean", "strip", "replace", "unescape"]
    ),
    "path": frozenset(
        [
            "path",
            "realpath",
            "abspath",
            "normpath",
            "resolve",
            "basename",
            "join",
            "startswith",
            "commonpath",
            "relative",
        ]
    ),
    "limit": frozenset(
        [
            "max",
            "min",
            "limit",
            "len",
            "size",
            "length",
            "count",
            "depth",
            "timeout",
            "bound",
            "range",
            "maximum",
        ]
    ),
    "list": frozenset(
        [
            "in",
            "not",
            "allowed",
            "allowlist",
            "whitelist",
            "blocklist",
            "blacklist",
            "set",
            "frozenset",
            "keys",
        ]
    ),
    "regex": frozenset(["re", "regex", "pattern", "match", "fullmatch", "search", "compile", "sub", "split"]),
    "execute": frozenset(
        [
            "eval",
            "exec",
            "system",
            "popen",
            "subprocess",
            "shell",
            "call",
            "run",
            "execute",
            "pickle",
            "loads",
            "load",
        ]
    ),
    "crypto": frozenset(
        [
            "hmac",
            "compare_digest",
            "hash",
            "digest",
            "secrets",
            "token",
            "random",
            "key",
            "verify",
            "signature",
        ]
    ),
    "compare": frozenset(["lower", "upper", "casefold", "equals", "equal", "startswith", "endswith"]),
}

_SHAPE = (
    Feature("added", "log lines", "lines that the patch adds"),
    Feature("removed", "log lines", "lines that it removes"),
    Feature("net", "lines", "lines added less lines removed"),
    Feature("files", "count", "files that it touches"),
    Feature("hunks", "log count", "separate places that it touches"),
    Feature("added_characters", "log characters", "size of what it adds"),
    Feature("removed_characters", "log characters", "size of what it removes"),
    Feature("longest_added", "log characters", "length of the longest line that it adds"),
    Feature("indent", "characters", "mean indentation of the added lines less that of the removed ones"),
    Feature("deepest_indent", "characters", "deepest indentation of an added line"),
    Feature("similarity", "share", "added words that also stand among the removed ones"),
    Feature("new_words", "log count", "different words that only the added lines hold"),
    Feature("gone_words", "log count", "different words that only the removed lines hold"),
    Feature("in_context", "share", "new words that the context knows already"),
    Feature("comments", "share", "added lines that are comments or blank"),
    Feature("strings", "log count", "quotes in added lines less quotes in removed ones"),
    Feature("operators", "count", "comparisons added less comparisons removed"),
    Feature("negations", "count", "'not' and '!' added less removed"),
    Feature("conjunctions", "count", "and/or added less removed"),
    Feature("calls", "count", "opening parentheses added less removed"),
    Feature("numbers", "count", "numbers added less removed"),
    Feature("definitions", "count", "functions and classes that are added"),
    Feature("imports", "count", "imports that are added"),
    Feature("test_file", "flag", "a touched path speaks of tests"),
)
FEATURES: tuple[Feature, ...] = (
    *_SHAPE,
    *(Feature(f"{name}_added", "log count", f"words of the kind '{name}' in added lines") for name in _WORDS),
    *(Feature(f"{name}_net", "count", "the same, less those in removed lines") for name in _WORDS),
    Feature("cwe", "number", "the weakness class, 0 where it is unknown"),
)
CLASSIC: tuple[str, ...] = (
    *("added", "removed", "net", "files", "hunks", "guard_added", "handle_added", "execute_net", "cwe"),
)
"""The nine that the random forest of the first system of this kind was given; the baseline to beat."""

_KIND = {word: kind for kind, words in _WORDS.items() for word in words}
_CAP = 2_000
"""Lines a side that are looked at: a larger patch is described by its beginning."""


def changes(text: str) -> tuple[list[str], list[str], list[str], int, int, bool]:
    """Return added, removed and context lines, files, hunks and whether a path speaks of tests.

    A text that the strict parser refuses, such as a diff of one method without headers, is read by the first
    character of each line: a data set of other people's diffs must be readable, a wargame need not.
    """
    try:
        patch = diff.parse(text)
    except DiffError:
        added: list[str] = []
        removed: list[str] = []
        context: list[str] = []
        hunks = 0
        for line in text.split("\n"):
            if line.startswith(("+++", "---")):
                continue
            hunks += line.startswith("@@")
            side = {"+": added, "-": removed}.get(line[:1], context)
            side.append(line[1:])
        return (
            added,
            removed,
            context,
            max(1, text.count("\n+++ ")),
            max(1, hunks),
            "test" in text[:200].lower(),
        )
    surroundings = [line for change in patch.files for line in change.lines(" ")]
    hunks = sum(len(change.hunks) for change in patch.files)
    tests = any("test" in path.lower() for path in patch.paths)
    return patch.added, patch.removed, surroundings, len(patch.files), hunks, tests


def words(lines: list[str]) -> list[str]:
    """Split lines into lower-case words of letters, digits and underscores, by hand."""
    out: list[str] = []
    for line in lines[:_CAP]:
        text = line[:_CAP]
        cleaned = "".join([c if c.isalnum() or c == "_" else " " for c in text])
        out += cleaned.lower().split()
    return out


def vector(text: str, cwe: str = "") -> list[float]:
    """Return the value of every feature of :data:`FEATURES`, in its order."""
    added, removed, context, files, hunks, tests = changes(text)
    new, old = words(added), words(removed)
    new_set, old_set, known = set(new), set(old), set(words(context))
    fresh = new_set - old_set
    plus, minus = "\n".join(added[:_CAP]), "\n".join(removed[:_CAP])
    kinds_new, kinds_old = _kinds(new), _kinds(old)
    code = [line.strip() for line in added]
    shape = [
        log1p(len(added)),
        log1p(len(removed)),
        float(max(-50, min(50, len(added) - len(removed)))),
        float(files),
        log1p(hunks),
        log1p(len(plus)),
        log1p(len(minus)),
        log1p(max(map(len, added), default=0)),
        _indent(added) - _indent(removed),
        float(max((len(line) - len(line.lstrip()) for line in added), default=0)),
        len(new_set & old_set) / len(new_set) if new_set else 0.0,
        log1p(len(fresh)),
        log1p(len(old_set - new_set)),
        len(fresh & known) / len(fresh) if fresh else 1.0,
        sum(not line or line[0] in "#/*" for line in code) / len(code) if code else 0.0,
        _signed_log(sum(map(plus.count, "'\"")) - sum(map(minus.count, "'\""))),
        float(_count(plus, ("==", "!=", "<", ">")) - _count(minus, ("==", "!=", "<", ">"))),
        float(new.count("not") + plus.count("!") - old.count("not") - minus.count("!")),
        float(_count(plus, (" and ", " or ", "&&", "||")) - _count(minus, (" and ", " or ", "&&", "||"))),
        float(plus.count("(") - minus.count("(")),
        float(sum(word[0].isdigit() for word in new) - sum(word[0].isdigit() for word in old)),
        float(new.count("def") + new.count("class") + new.count("function")),
        float(new.count("import") + new.count("include")),
        float(tests),
    ]
    return [
        *shape,
        *(log1p(kinds_new[kind]) for kind in _WORDS),
        *(float(kinds_new[kind] - kinds_old[kind]) for kind in _WORDS),
        float(cwe.removeprefix("CWE-")) if cwe.removeprefix("CWE-").isdigit() else 0.0,
    ]


def _kinds(found: list[str]) -> dict[str, int]:
    counts = dict.fromkeys(_WORDS, 0)
    for word in found:
        kind = _KIND.get(word)
        if kind is not None:
            counts[kind] += 1
    return counts


def _count(text: str, parts: tuple[str, ...]) -> int:
    return sum(map(text.count, parts))


def _indent(lines: list[str]) -> float:
    kept = [len(line) - len(line.lstrip()) for line in lines if line.strip()]
    return sum(kept) / len(kept) if kept else 0.0


def _signed_log(value: int) -> float:
    return log1p(value) if value >= 0 else -log1p(-value)

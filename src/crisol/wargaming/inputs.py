"""Generate inputs from a trusted script: change one of its literals at a time.

A check gets similar values, which a program must treat like the originals. A PoV gets other spellings of its
attack, by which filters are commonly evaded. Literals that a script only compares with results stay
unchanged.
"""

from __future__ import annotations

import ast
import random
import re
import sys
from typing import TYPE_CHECKING

from crisol.sandbox import Role

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["changes", "literals", "touches", "unsteady", "vocabulary"]

_UNSTEADY = re.compile(
    r"setitimer|process_time|perf_counter|monotonic|thread_time|getrusage|tracemalloc|setrlimit|alarm|sleep"
    r"|threading|concurrent|multiprocessing"
)
_READS_RESULTS = frozenset({
    "startswith", "endswith", "count", "find", "rfind", "index", "search", "match", "fullmatch", "findall",
    "split", "sub", "replace", "set", "frozenset", "exit", "quit", "SystemExit", "get", "decode", "encode",
    "setenv", "getattr", "hasattr", "isinstance", "simplefilter",
})  # fmt: skip
_DRAWS = frozenset({"randint", "randrange", "getrandbits", "randbytes", "choices", "sample", "Random"})
"""The functions by which a script draws names that it plants; their arguments are no input of the target."""
_MAX_LITERAL = 4096


def unsteady(source: str) -> bool:
    """Return whether a script measures time or memory or starts threads, so that its result may vary.

    ``source`` is the text of the script; it need not parse. It is searched for names such as ``perf_counter``
    and ``threading``.
    """
    return _UNSTEADY.search(source) is not None


def literals(tree: ast.Module) -> list[ast.Constant]:
    """Return the literals (text, bytes and integers) that a script passes to the program.

    Their order is that of :func:`ast.walk`. ``tree`` is the script's syntax tree. Three kinds of literals are
    left out: docstrings; literals that only serve to examine the program's results, as in a comparison, a
    search or a concatenation with a result; and literals that only serve to draw random names. Texts and
    bytes shorter than 2 or longer than 4,095 characters are left out, too.
    """
    skipped: set[ast.AST] = set()
    results = _results(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=func, args=args, keywords=keywords) if not _names(func) & results:
                operands = [*args, *(keyword.value for keyword in keywords)]
                if any(_names(operand) & results for operand in operands):
                    for operand in operands:
                        skipped |= _constants(operand)
            case ast.BinOp() | ast.JoinedStr() if _names(node) & results:
                skipped |= _constants(node)
        match node:
            case (
                ast.Expr(value=ast.Constant() as value)
                | ast.Assign(targets=[ast.Name(id="SEED")], value=ast.Constant() as value)
            ):
                skipped.add(value)
            case ast.Compare(left=left, comparators=others):
                for operand in (left, *others):
                    skipped |= _constants(operand)
            case ast.Call(
                func=ast.Attribute(attr=name) | ast.Name(id=name), args=args, keywords=keywords
            ) if name in _READS_RESULTS or name in _DRAWS:
                for operand in (*args, *(keyword.value for keyword in keywords)):
                    skipped |= _constants(operand)
            case ast.Assert(msg=ast.expr() as message):
                skipped.update(ast.walk(message))
            case ast.match_case(pattern=pattern):
                skipped.update(ast.walk(pattern))
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and node not in skipped
        and (
            type(node.value) is int
            or (isinstance(node.value, str | bytes) and 1 < len(node.value) < _MAX_LITERAL)
        )
    ]


def _results(tree: ast.Module) -> set[str]:
    """Return the names in a script that may hold a result of the target.

    These are imports from outside the standard library, parameters, and variables assigned from such names.
    """
    results = {
        (alias.asname or alias.name).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
        if (getattr(node, "module", None) or alias.name).partition(".")[0] not in sys.stdlib_module_names
    }
    results |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    size = -1
    while size != len(results):
        size = len(results)
        for node in ast.walk(tree):
            match node:
                case ast.Assign(targets=targets, value=value) if _names(value) & results:
                    results |= {name for target in targets for name in _names(target)}
                case (
                    ast.For(target=target, iter=value)
                    | ast.comprehension(target=target, iter=value)
                    | ast.NamedExpr(target=target, value=value)
                    | ast.withitem(context_expr=value, optional_vars=ast.expr() as target)
                ) if _names(value) & results:
                    results |= _names(target)
    return results


def _names(node: ast.AST) -> set[str]:
    return {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}


def _constants(node: ast.expr) -> set[ast.AST]:
    constants: set[ast.AST] = set()
    pending: list[ast.AST] = [node]
    while pending:
        at = pending.pop()
        if isinstance(at, ast.Constant):
            constants.add(at)
        elif not isinstance(at, ast.Call):  # a call may pass its constants on to the program
            pending.extend(ast.iter_child_nodes(at))
    return constants


def changes(tree: ast.Module, role: Role, limit: int, seed: str) -> Iterator[tuple[ast.Constant, object]]:
    """Yield up to ``limit`` pairs (literal, other value), each for one variation of a script.

    ``tree`` is the script's syntax tree. For a check (``role`` CHECK) the other value is similar and
    harmless; for a PoV it is another spelling of the attack that could evade a filter. Every literal gets one
    other value before any gets a second. The same ``seed`` gives the same pairs.
    """
    rng = random.Random(seed)
    queues = []
    for node in literals(tree):
        values = list(dict.fromkeys(_values(node.value, role, rng)))
        rng.shuffle(values)
        queues.append((node, values))
    rng.shuffle(queues)
    count = 0
    while count < limit and any(values for _, values in queues):
        for node, values in queues:
            if values and count < limit:
                count += 1
                yield node, values.pop()


def vocabulary(text: str) -> frozenset[str]:
    """Return the string constants of a Python source, casefolded; an empty set if it does not parse."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return frozenset()
    values = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return frozenset(_text(value).casefold() for value in values if isinstance(value, str | bytes)) - {""}


def touches(words: frozenset[str], before: object, after: object) -> bool:
    """Return whether a literal loses a word of the program if it changes from ``before`` to ``after``.

    The program may treat such a literal differently. ``words`` are the program's string constants,
    casefolded, such as ``get``. The result is True in three cases: ``before`` is a word; ``before`` contains
    a word, and ``after`` does not contain it; ``before`` begins with a word, and ``after`` does not begin
    with it. The last two cases need a word of two characters or more. The case of letters does not matter.
    The result is False for numbers.
    """
    if not isinstance(before, str | bytes) or not isinstance(after, str | bytes):
        return False
    old, new = _text(before).casefold(), _text(after).casefold()
    inside = [word for word in words if len(word) > 1 and word in old]
    return old in words or any(
        word not in new or (old.startswith(word) and not new.startswith(word)) for word in inside
    )


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _values(value: object, role: Role, rng: random.Random) -> Iterator[object]:
    hostile = role is Role.POV
    if isinstance(value, int):
        near = (value + 1, value - 1, value * 2, -value, 0) if hostile else (value + 1, max(value - 1, 0))
        yield from (other for other in near if other != value)
        return
    if not isinstance(value, str | bytes):
        return
    text = _text(value)
    for other in _notations(text) if hostile else _neighbours(text, rng):
        if other == text:
            continue
        if not isinstance(value, bytes):
            yield other
        elif all(ord(letter) < 256 for letter in other):
            yield other.encode("latin-1")


def _neighbours(text: str, rng: random.Random) -> Iterator[str]:
    """Yield up to nine texts, each with one letter or digit of ``text`` changed; some may equal ``text``."""
    places = [at for at, letter in enumerate(text) if letter.isascii() and letter.isalnum()]
    for at in rng.sample(places, min(4, len(places))):
        pool = "123456789" if text[at].isdigit() else "abcdefghijklmnopqrstuvwxyz"
        letter = rng.choice(pool)
        yield text[:at] + (letter.upper() if text[at].isupper() else letter) + text[at + 1 :]
        yield text[:at] + text[at] + text[at:]
    if len(places) > 2:
        at = rng.choice(places[1:-1])
        yield text[:at] + text[at + 1 :]


def _notations(text: str) -> Iterator[str]:
    """Yield up to a hundred rewritten forms of a text, such as percent-encoded, in a fixed order.

    A form in which there was nothing to rewrite equals ``text``.
    """
    quoted = "".join(
        letter if letter.isalnum() else f"%{ord(letter):02x}" for letter in text if ord(letter) < 256
    )
    middle = len(text) // 2
    yield from (text.upper(), text.lower(), text.swapcase(), text.title(), quoted, quoted.replace("%", "%25"))
    for before, after in (
        ("/", "\\"), ("/", "//"), ("/", "/./"), ("\\", "/"), ("../", "....//"), ("..", "%2e%2e"),
        ("/", "%2f"),
        ("\r\n", "\n"), ("\n", "\r\n"), ("\n", "\r"), ("\n", "\x0b"), ("\n", "\u2028"), ("'", '"'),
        ('"', "'"),
        (" ", "\t"), (" ", "/"), (" ", "\x0c"), ("<", "<<"), (":", ": "), (":", "\t:"), ("=", " = "),
        (";", " ; "),
        ("127.0.0.1", "2130706433"), ("127.0.0.1", "127.1"), ("127.0.0.1", "[::ffff:127.0.0.1]"), ("-", "_"),
        ("@", "%40"), ("{", "{{"), ("$", "$$"), ("&", "&amp;"), ("<", "&lt;"), ("s", "\u017f"),
        (".", "\uff0e"),
    ):  # fmt: skip
        if before in text:
            yield text.replace(before, after)
            yield text.replace(before, after, 1)
    for extra in ("\t", "\n", "\0", " "):
        yield from (extra + text, text + extra, text[:middle] + extra + text[middle:])
    yield from (text + ".", text + "/", "./" + text, text + "#", text + "?")

"""Vary the literals of scripts, run many variations in one process, and record the program's behaviour.

The behaviour is recorded at each comparison of the script: both sides of ``==`` and ``!=``, and the truth
value of any other comparison. The truth value of each ``assert`` is recorded, too; an ``assert`` that fails
does not end the script. Comparisons in a function of the script are not recorded when the target calls this
function, because a right patch may call it more often or in another order.
"""

from __future__ import annotations

import ast
import json
import marshal
import warnings
from dataclasses import dataclass, replace
from secrets import token_bytes
from typing import TYPE_CHECKING

from crisol.sandbox import Ending, Role, Script
from crisol.sandbox.script import published
from crisol.wargaming.inputs import changes, unsteady

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from crisol.sandbox import Target

__all__ = ["Behaviour", "Variation", "behaviours", "variations"]

_SEE, _END, _PUBLISH = (b"\0crisol " + token_bytes(16) for _ in range(3))
"""Constants in the variations' code that the driver replaces by its functions, which thus have no name."""
_SECONDS = 20.0
"""Seconds for all variations of one run together; a single one may use half a second."""


@dataclass(frozen=True, slots=True)
class Variation:
    """A PoV or check, unchanged or with one changed literal, ready to run in a sandbox.

    ``number`` identifies the variation in the result of :func:`behaviours`. ``name`` is the name of the
    script. ``code`` is the compiled code, marshalled. ``before`` and ``after`` are the old and the new value
    of the literal; both are None for an unchanged script.
    """

    number: int
    name: str
    code: bytes
    before: object = None
    after: object = None

    @property
    def changed(self) -> bool:
        """Whether a literal is changed; False for the unchanged script."""
        return self.after is not None

    @property
    def title(self) -> str:
        """The name of the script, followed by the new and the old value of the literal if it is changed."""
        return f"{self.name} with {self.after!r:.60} for {self.before!r:.60}" if self.changed else self.name


@dataclass(frozen=True, slots=True)
class Behaviour:
    """The observable behaviour of a program under one variation of a script.

    ``ending`` says how the script ended: ``done``, ``exit`` with its code (as in ``exit 0``), ``raised``, or
    ``slow`` (more than 0.5 CPU seconds). ``seen`` are the values that the script compared or asserted, as
    text, in their order.
    """

    ending: str
    seen: tuple[str, ...]


def variations(scripts: Sequence[Script], limit: int) -> list[Variation]:
    """Return for each script the unchanged script, followed by versions in which one literal is changed.

    There are at most ``limit`` changed versions of all scripts together. A script that measures time or
    memory, or starts threads, is left out, because its result may differ from run to run.
    """
    made: list[Variation] = []
    usable = [script for script in scripts if not unsteady(script.source)]
    for at, script in enumerate(usable):
        share = limit // len(usable) + (at < limit % len(usable))
        for parts in _variants(script, share):
            made.append(Variation(len(made), script.name, *parts))
    return made


def _variants(script: Script, limit: int) -> Iterator[tuple[bytes, object, object]]:
    try:
        tree = ast.parse(script.source)
    except (SyntaxError, ValueError, RecursionError):
        return
    chosen = list(changes(tree, script.role, limit, script.source))
    told = ast.fix_missing_locations(_Telling().visit(tree))
    yield _code(told, script.name), None, None
    for node, value in chosen:
        before = node.value
        node.value = value  # type: ignore[assignment]  # text, bytes or an integer, as it was
        yield _code(told, script.name), before, value
        node.value = before


def behaviours(
    target: Target, chosen: Sequence[Variation], files: Mapping[str, bytes | None]
) -> dict[int, Behaviour] | Ending:
    """Run variations in one process on patched files, and return the program's behaviour under each.

    The result maps the ``number`` of each variation in ``chosen`` to a behaviour. ``target`` is a sandbox
    over the vulnerable release; ``files`` maps the paths of the patched files to their content, None for a
    deleted file. If the process ended early, the result is its :class:`Ending` instead. The ending is
    ``not_attested`` if the process did not report in the expected form, for instance because the patch
    tampered with it. Raises :class:`~crisol.errors.SandboxError` if the sandbox fails.
    """
    arguments = marshal.dumps(
        (_SEE, _END, _PUBLISH, [(variation.number, variation.name, variation.code) for variation in chosen])
    )
    limits = replace(target.limits, seconds=_SECONDS, cpu_seconds=_SECONDS)
    run = target.run(Script("variations.py", _DRIVER, Role.PROBE, arguments), files, limits)
    if run.ending is not Ending.EXITED:
        return run.ending
    try:
        told = json.loads(run.report)
        seen_by = {
            int(number): Behaviour(str(ending), tuple(map(str, seen))) for number, ending, seen in told
        }
    except (ValueError, TypeError, RecursionError):
        return Ending.NOT_ATTESTED
    return seen_by if seen_by.keys() == {variation.number for variation in chosen} else Ending.NOT_ATTESTED


def _code(tree: ast.Module, name: str) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of constants that are called
        return marshal.dumps(compile(tree, name, "exec", dont_inherit=True))


class _Telling(ast.NodeTransformer):
    """A transformer that makes a script record its behaviour: its exits, and what it compares and asserts.

    The script calls the constants ``_END`` and ``_SEE`` for these, and ``_PUBLISH`` for each top-level class
    and function. They are byte strings; the driver in the sandbox puts a function in place of each.
    """

    def visit_Module(self, node: ast.Module) -> ast.AST:
        self.generic_visit(node)
        node.body = published(node.body, ast.Constant(_PUBLISH))
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        if all(isinstance(operator, ast.Eq | ast.NotEq) for operator in node.ops):
            node.left = _call(_SEE, node.left)
            node.comparators = [_call(_SEE, operand) for operand in node.comparators]
            return node
        return ast.copy_location(_call(_SEE, node), node)

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        self.generic_visit(node)
        return ast.copy_location(ast.Expr(_call(_SEE, ast.UnaryOp(ast.Not(), node.test))), node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        match node.func:
            case ast.Name(id="exit" | "quit") | ast.Attribute(value=ast.Name(id="sys"), attr="exit"):
                return ast.copy_location(_call(_END, *node.args), node)
        return node

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        self.generic_visit(node)
        match node.exc:
            case ast.Call(func=ast.Name(id="SystemExit"), args=args):
                return ast.copy_location(ast.Expr(_call(_END, *args)), node)
        return node


def _call(mark: bytes, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Constant(mark), list(arguments), [])


_DRIVER = '''
import builtins, hashlib, json, marshal, os, shutil, signal, sys, types

MAX_SEEN, MAX_TEXT = 300, 160


def with_ways(code, ways):
    constants = []
    for value in code.co_consts:
        if type(value) is types.CodeType:
            value = with_ways(value, ways)
        elif type(value) is bytes:
            value = ways.get(value, value)
        constants.append(value)
    return code.replace(co_consts=tuple(constants))


def text_of(value, depth=6):
    """Say what a value is, without asking objects of the target what they are."""
    for plain in (str, bytes, bool, int, float):
        if isinstance(value, plain):
            return plain.__repr__(value)
    if value is None or depth == 0:
        return str(None) if value is None else "..."
    if isinstance(value, dict):
        items = [text_of(k, depth - 1) + ": " + text_of(v, depth - 1) for k, v in dict.items(value)]
        return "{" + ", ".join(sorted(items)) + "}"
    if isinstance(value, (set, frozenset)):
        return "{" + ", ".join(sorted(text_of(part, depth - 1) for part in value)) + "}"
    for kind in (list, tuple):
        if isinstance(value, kind):
            return "[" + ", ".join(text_of(part, depth - 1) for part in kind.__iter__(value)) + "]"
    return "<" + type(value).__name__ + ">"


def run(number, name, code):
    seen, said = [], []

    def end(code=0):
        said.append("exit %d" % (0 if code is None else code if isinstance(code, int) else 1))
        raise KeyboardInterrupt

    def too_slow(*_):
        said.append("slow")
        raise KeyboardInterrupt

    def see(value):
        frame = sys._getframe(1)
        while frame is not None and frame.f_code.co_filename == name:
            frame = frame.f_back
        if frame is not None and frame.f_code is run.__code__ and len(seen) < MAX_SEEN:
            text = text_of(value)
            if len(text) > MAX_TEXT:
                text = text[:MAX_TEXT] + hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
            seen.append(text)
        return value

    module = types.ModuleType("__main__")
    module.__file__ = name

    def publish(called, value):
        setattr(module, called, value)

    sys.modules["__main__"] = module
    names = {"__name__": "__main__", "__file__": name, "__builtins__": dict(vars(builtins))}
    program = with_ways(marshal.loads(code), {see_mark: see, end_mark: end, publish_mark: publish})
    sys.argv[:] = [name]
    folder = os.path.join(top, str(number))
    os.mkdir(folder)
    os.chdir(folder)
    signal.signal(signal.SIGVTALRM, too_slow)
    signal.setitimer(signal.ITIMER_VIRTUAL, 0.5)
    try:
        exec(program, names)
        said.append("done")
    except BaseException:
        said.append("raised")
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        os.chdir(top)
        shutil.rmtree(folder, ignore_errors=True)
    return [number, said[0], seen]


top, quiet = os.getcwd(), os.open("/dev/null", os.O_WRONLY)
os.dup2(quiet, 1)
os.dup2(quiet, 2)
see_mark, end_mark, publish_mark, work = marshal.loads(ARGUMENTS)
report(json.dumps([run(*job) for job in work]).encode())
'''

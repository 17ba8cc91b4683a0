"""Find out which modules the scripts of a target import, so that they can be loaded before the runs."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crisol.sandbox.records import Ending, Role, Script

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from crisol.sandbox.records import Run

__all__ = ["Learned", "learn"]

_LONGEST = 2000
"""The longest regular expression, in characters, that is compiled in advance."""

_SCRIPT = """
import sys
before = set(sys.modules)
try:
    exec(compile(ARGUMENTS, "script.py", "exec"), {"__name__": "__main__", "__file__": "script.py"})
except BaseException:
    pass
report("\\n".join(name for name in list(sys.modules) if name not in before).encode())
"""
# The cache of compiled patterns must not contain those of the script's own input: the flaw may be the time
# that a pattern takes.
_MODULES = """
import importlib, importlib.machinery, json, re, sys
kept, place = set(getattr(re, "_cache", ())), sys.path[-1] + "/"
files = {}
for name in ARGUMENTS.decode().split("\\n"):
    try:
        spec = importlib.import_module(name).__spec__
        if type(spec.loader) is importlib.machinery.SourceFileLoader and spec.origin.startswith(place):
            files[name] = spec.origin.removeprefix(place)
    except BaseException:
        pass
patterns = [
    [pattern if kind is str else pattern.decode("latin-1"), kind is bytes, int(flags)]
    for kind, pattern, flags in getattr(re, "_cache", ())
    if (kind, pattern, flags) not in kept and kind in (str, bytes) and not flags & re.LOCALE
]
report(json.dumps([files, patterns]).encode())
"""


@dataclass(frozen=True, slots=True)
class Learned:
    """The modules and regular expressions of a target's scripts, which a sandbox loads before the first run.

    ``modules`` are names of modules of the standard library or the dependencies; the sandbox imports them.
    ``files`` are modules of the target, as (name, relative path); the sandbox reads their code and does not
    execute it. ``patterns`` are regular expressions to compile, as (text, whether the pattern is bytes, flags
    of :func:`re.compile`). All are in the order of loading.
    """

    modules: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    patterns: tuple[tuple[str, bool, int], ...] = ()


def learn(
    run: Callable[[Script], Run], scripts: Iterable[Script], tree: Collection[str], available: frozenset[str]
) -> Learned:
    """Run trusted scripts, and return the modules and regular expressions that they load.

    ``run`` executes a script on the unpatched release and returns the run. ``tree`` holds the relative paths
    of the target's files, ``available`` the names of the dependencies' top-level modules. If an exception
    ends a script, the modules that it has loaded until then count; if it crashes or exceeds a limit, none of
    its modules do. The regular expressions are those that the target's modules compile on import.
    """
    own = frozenset(file.partition("/")[0].removesuffix(".py") for file in tree)
    loaded: dict[str, None] = {}
    for script in scripts:
        report = _report(run, Script(script.name, _SCRIPT, Role.PROBE, script.source.encode()))
        loaded |= dict.fromkeys(report.decode(errors="replace").split("\n"))
    tops = (available | sys.stdlib_module_names) - own
    modules = tuple(name for name in loaded if name.partition(".")[0] in tops)
    names = [name for name in loaded if name.partition(".")[0] in own]
    told = _report(run, Script("modules.py", _MODULES, Role.PROBE, "\n".join(names).encode()))
    try:
        files, patterns = json.loads(told)
        return Learned(
            modules,
            tuple((name, file) for name, file in files.items() if file in tree and _module(file) == name),
            tuple(
                (str(text), bool(is_bytes), int(flags))
                for text, is_bytes, flags in patterns
                if len(text) <= _LONGEST
            ),
        )
    except (ValueError, TypeError, AttributeError):  # not what our script says: something spoke in its place
        return Learned(modules)


def _module(file: str) -> str:
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _report(run: Callable[[Script], Run], script: Script) -> bytes:
    ended = run(script)
    return ended.report if ended.ending is Ending.EXITED else b""

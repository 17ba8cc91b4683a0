"""What a target's scripts import, learned by running them once, so that every later run finds it imported."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from crisol.wargame.sandbox.records import Ending, Role, Script

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crisol.wargame.sandbox.target import Target

__all__ = ["imports_of"]

_PROBE = """
import sys
before = set(sys.modules)
try:
    exec(compile(ARGUMENTS, "script.py", "exec"), {"__name__": "__main__", "__file__": "script.py"})
except BaseException:
    pass
report("\\n".join(name for name in list(sys.modules) if name not in before).encode())
"""


def imports_of(target: Target, scripts: Iterable[Script], available: frozenset[str]) -> tuple[str, ...]:
    """Return the modules of the standard library and of ``available`` that the scripts load, in that order.

    ``available`` are the names of the dependencies' top-level modules. A script that breaks teaches nothing, and a
    name that is not a module's is left out; the code must be the vulnerable release's own, not a candidate's.
    """
    tops = available | sys.stdlib_module_names
    found: dict[str, None] = {}
    for script in scripts:
        run = target.run(Script(script.name, _PROBE, Role.PROBE, script.source.encode()))
        if run.ending is Ending.EXITED:
            found |= dict.fromkeys(run.report.decode(errors="replace").split("\n"))
    return tuple(name for name in found if name.partition(".")[0] in tops)

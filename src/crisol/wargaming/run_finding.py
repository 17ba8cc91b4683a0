"""Interpret one run of a script on a patched program: the reason to refuse the patch, if any."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from crisol.records import Reason
from crisol.sandbox import Ending, Role, Run, Script
from crisol.wargaming.canaries import PASSES_ANYTHING

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["finding", "succeeds", "told"]

_DETAIL = 600
_TRACEBACK = "\nTraceback (most recent call last):\n"
_UNINDENTED = re.compile(r"^\S.*", re.MULTILINE)


def finding(script: Script, run: Run, survives: Reason, refusals: Collection[str]) -> Reason | None:
    """Return the reason for which one run of a script makes a patch invalid; None if the patch passed.

    ``survives`` is the reason if a PoV shows the flaw or a check exits with a code other than 0. ``refusals``
    names exceptions by which a fixed program may refuse an attack: a PoV that ends with one of them has
    failed, and the patch passed. A name is written as a traceback shows it: ``ValueError``, or
    ``package.module.Error``. The other reasons are:

    - ``does_not_load``: a PoV or check ended with an import or syntax error;
    - ``breaks_function``: a check ended with any other exception, or a PoV with a name error;
    - ``raises``: a PoV ended with any other exception, or with an exit code other than 0 and 1;
    - ``timeout``: the run exceeded its limits;
    - ``tampers``: the end of the run cannot be trusted, or a check found an object that equals everything.
    """
    if run.ending is Ending.EXITED:
        if script.role is Role.POV:
            return {0: survives, 1: None}.get(-1 if run.code is None else run.code, Reason.RAISES)
        return None if run.code == 0 else Reason.TAMPERS if run.code == PASSES_ANYTHING else survives
    if run.ending is Ending.RAISED:
        raised = _raised(run.stderr)
        if raised.startswith(("ImportError", "ModuleNotFoundError", "SyntaxError", "IndentationError")):
            return Reason.DOES_NOT_LOAD
        if script.role is not Role.POV or raised.startswith(("NameError", "UnboundLocalError")):
            return Reason.BREAKS_FUNCTION
        return None if raised.partition(":")[0] in refusals else Reason.RAISES
    return Reason.TAMPERS if run.ending is Ending.NOT_ATTESTED else Reason.TIMEOUT


def _raised(stderr: str) -> str:
    """Return the line that names the exception in the last traceback; without one, the last line."""
    _, traceback, rest = f"\n{stderr}".rpartition(_TRACEBACK)
    named = _UNINDENTED.search(rest) if traceback else None
    return named[0] if named else stderr.strip().rpartition("\n")[2]


def succeeds(run: Run) -> bool:
    """Return whether a script exited with code 0: a PoV then shows the flaw, a check passes."""
    return run.ending is Ending.EXITED and run.code == 0


def told(run: Run) -> str:
    """Return a message that says how a run ended, with the first and the last lines of its output."""
    end = f"{run.ending} {run.code}" if run.ending is Ending.EXITED else str(run.ending)
    said = (run.stderr or run.stdout).strip()
    if len(said) > _DETAIL:
        # The first lines name the script's own line, the last ones the error.
        head, tail = said[: _DETAIL // 2].rpartition("\n")[0], said[-_DETAIL // 2 :].partition("\n")[2]
        said = f"{head}\n…\n{tail}" if head and tail else f"{said[: _DETAIL // 2]}…{said[-_DETAIL // 2 :]}"
    return f"{end}: {said}" if said else end

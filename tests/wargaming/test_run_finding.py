"""A run's finding rests on how the run ended, and on the exception that ended it."""

from __future__ import annotations

import pytest

from crisol.records import Reason
from crisol.sandbox import Ending, Role, Run, Script
from crisol.wargaming.run_finding import finding

_FRAME = 'Traceback (most recent call last):\n  File "pov/1.py", line 3, in <module>\n    app.read(name)\n'
_CHAINED = f"{_FRAME}KeyError: 'x'\n\nDuring handling of the above exception, another exception occurred:\n\n"


def ended(role: Role, stderr: str) -> Reason | None:
    run = Run(Ending.RAISED, None, "", stderr, 0.0, 0.0)
    return finding(Script("pov/1.py", "", role), run, Reason.EXPLOIT_SURVIVES, ("ValueError", "app.Refused"))


@pytest.mark.parametrize(
    ("role", "stderr", "reason"),
    [
        (Role.POV, f"{_FRAME}ValueError: bad\ninput\n", None),
        (Role.POV, f'{_FRAME}app.Refused: in "a.yaml", line 1:\n    !!python/name:x\n    ^\n', None),
        (Role.POV, f"{_CHAINED}{_FRAME}ValueError: bad\n\ninput\n", None),
        (Role.POV, f"{_FRAME}KeyError\nValueError: bad\n", Reason.RAISES),
        (Role.CHECK, f"{_FRAME}ImportError: no name\nin app\n", Reason.DOES_NOT_LOAD),
        (Role.CHECK, f"{_FRAME}AssertionError: it said\nImportError: no\n", Reason.BREAKS_FUNCTION),
        (Role.POV, f"warning: old\n{_FRAME}NameError: x\n", Reason.BREAKS_FUNCTION),
    ],
)
def test_the_exception_is_named_by_the_first_line_of_its_message(
    role: Role, stderr: str, reason: Reason | None
) -> None:
    """The lines of a message, and exceptions before the last one, decide nothing."""
    assert ended(role, stderr) is reason


def test_a_script_that_does_not_compile_has_no_traceback() -> None:
    """Its last line is the exception."""
    assert (
        ended(Role.CHECK, '  File "1.py", line 1\n    x =\n       ^\nSyntaxError: bad\n')
        is Reason.DOES_NOT_LOAD
    )

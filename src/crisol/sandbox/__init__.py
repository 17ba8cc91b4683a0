"""Runs scripts over untrusted Python code, in isolation; the code cannot forge the exit code of a script.

>>> from pathlib import Path
>>> with choose().target(Path("target")) as target:  # doctest: +SKIP
...     target.run(Script("pov.py", "import app, sys; sys.exit(app.flawed())", Role.POV))
"""

from crisol.sandbox.choice import Sandbox, choose
from crisol.sandbox.records import Canary, Ending, Limits, Role, Run, SandboxKind, Script
from crisol.sandbox.target import Target

__all__ = [
    "Canary",
    "Ending",
    "Limits",
    "Role",
    "Run",
    "Sandbox",
    "SandboxKind",
    "Script",
    "Target",
    "choose",
]

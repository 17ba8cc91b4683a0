"""Runs untrusted Python against a source tree, isolated, bounded, and with a verdict that it cannot forge.

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

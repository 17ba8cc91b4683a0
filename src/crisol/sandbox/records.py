"""What goes into a sandbox and what comes out: limits, scripts and runs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from crisol.errors import InputError

__all__ = ["Canary", "Ending", "Limits", "Role", "Run", "SandboxKind", "Script"]


class SandboxKind(StrEnum):
    """How untrusted code is held; every verdict names it."""

    BUBBLEWRAP = "bubblewrap"
    """Namespaces made by bubblewrap, a seccomp filter, Landlock where the kernel has it, limits."""
    NAMESPACES = "namespaces"
    """The same, made by Crisol itself through the kernel's calls."""
    WEAK = "weak"
    """Limits and an empty environment only: no isolation, and only when asked for by name."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may use. Exceeding any of them ends the run, never the sandbox.

    ``seconds`` is wall time, ``cpu_seconds`` processor time of the script's own process; ``memory_mb`` is
    address space of each process and, summed, twice as much resident memory of them all; ``file_mb`` the size
    of one file and ``scratch_mb`` of all files in each of the two writable folders; ``output_bytes`` is how
    much of standard output and of standard error is kept (their ends), and sixteen times as much ends the
    run.
    """

    seconds: float = 10.0
    cpu_seconds: float = 10.0
    memory_mb: int = 512
    processes: int = 32
    file_mb: int = 16
    output_bytes: int = 65536
    scratch_mb: int = 64

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not 0 < getattr(self, name) < 1 << 31:
                raise InputError(f"sandbox limit {name} must be positive, not {getattr(self, name)!r}")


class Role(StrEnum):
    """What a script is there for."""

    POV = "pov"
    """Ends with ``sys.exit(0)`` when it shows the flaw and ``sys.exit(1)`` when it does not."""
    CHECK = "check"
    """Reaches its end, or ``sys.exit(0)``, when the code behaves; raises otherwise."""
    PROBE = "probe"
    """Reads the global ``ARGUMENTS`` (bytes) and ends with ``report(result)``, where result is bytes."""


@dataclass(frozen=True, slots=True)
class Script:
    """A program that is run as ``__main__`` beside the target; ``name`` is what tracebacks call it."""

    name: str
    source: str
    role: Role
    arguments: bytes = b""


class Canary(StrEnum):
    """When a script runs a second time, over the tree's own files, in the process of its first run."""

    AFTER_ONE = "one"
    """After it said 1."""
    AFTER_ANY = "any"
    """After it said 0 or 1."""


class Ending(StrEnum):
    """How a run ended, as far as it can be told without believing the code that ran."""

    EXITED = "exited"
    """The script itself said so; the run's ``code`` is what it said."""
    RAISED = "raised"
    """An exception, the target's or the script's own, left the script; standard error has the traceback."""
    NOT_ATTESTED = "not_attested"
    """The process ended without the script saying how: ``os._exit``, a signal, somebody else's SystemExit."""
    TIMEOUT = "timeout"
    """Out of wall or processor time."""
    LIMIT = "limit"
    """Out of memory, output, file size or scratch space, where it can be told."""


@dataclass(frozen=True, slots=True)
class Run:
    """What came of one script: ``seconds`` are wall time, ``cpu_seconds`` those of the whole process tree.

    ``report`` is what a probe told. ``changed`` names functions and classes outside the tree, such as
    ``pathlib.Path.exists``, that were not at the end what they were before the target was imported.
    ``canary`` is what the script said the second time, -1 where it said nothing, None where there was no
    second time.
    """

    ending: Ending
    code: int | None
    stdout: str
    stderr: str
    seconds: float
    cpu_seconds: float
    report: bytes = b""
    changed: tuple[str, ...] = ()
    canary: int | None = None

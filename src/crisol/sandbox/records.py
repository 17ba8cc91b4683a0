"""What goes into a sandbox and what comes out: limits, scripts and runs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from crisol.errors import InputError

__all__ = ["Canary", "Ending", "Limits", "Role", "Run", "SandboxKind", "Script"]


class SandboxKind(StrEnum):
    """A kind of isolation for untrusted code; every verdict names the kind that was used."""

    BUBBLEWRAP = "bubblewrap"
    """Namespaces made by bubblewrap, a seccomp filter, Landlock where the kernel has it, limits."""
    NAMESPACES = "namespaces"
    """The same, made by Crisol itself through the kernel's calls."""
    WEAK = "weak"
    """Limits and an empty environment only: no isolation, and only when asked for by name."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The resources that one run may use; a run that exceeds them is ended, the sandbox stays.

    ``seconds`` is wall time; it is extended up to four times while other processes keep the run waiting for a
    processor. ``cpu_seconds`` is processor time of the script's process. ``memory_mb`` (MiB) bounds the
    address space of each process; the resident memory of all processes may be twice as much. ``processes`` is
    the largest number of processes. ``file_mb`` (MiB) bounds one file, ``scratch_mb`` (MiB) each writable
    folder. Of standard output and standard error the last ``output_bytes`` each are kept; sixteen times as
    much ends the run.
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
    """The kind of a script: PoV, check or probe. It says how the script ends and what each ending means."""

    POV = "pov"
    """Ends with ``sys.exit(0)`` when it shows the flaw and ``sys.exit(1)`` when it does not."""
    CHECK = "check"
    """Reaches its end, or ``sys.exit(0)``, when the code behaves; raises otherwise."""
    PROBE = "probe"
    """Reads the global ``ARGUMENTS`` (bytes) and ends with ``report(result)``, where result is bytes."""


@dataclass(frozen=True, slots=True)
class Script:
    """A program that runs as ``__main__`` in a sandbox and can import the target.

    ``name`` is the file name in tracebacks, ``source`` the text. ``role`` says how the script ends. A probe
    reads ``arguments`` as the global ``ARGUMENTS``; other scripts have none.
    """

    name: str
    source: str
    role: Role
    arguments: bytes = b""


class Canary(StrEnum):
    """When a PoV runs a second time, in the same process, on the unpatched files.

    The PoV must then show the flaw again. If it does not, the patch has changed the process instead of the
    program.
    """

    AFTER_ONE = "one"
    """After it said 1."""
    AFTER_ANY = "any"
    """After it said 0 or 1."""


class Ending(StrEnum):
    """How a run ended, as observed from outside the untrusted code.

    Only with ``exited`` does the exit code of the script count.
    """

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
    """The result of one run of a script.

    ``ending`` says how it ended; ``code`` is the exit code, None unless ``ending`` is ``exited``. ``stdout``
    and ``stderr`` hold the end of the output. ``seconds`` is wall time, ``cpu_seconds`` the processor time of
    all its processes. ``report`` is the result of a probe, empty for other scripts. ``changed`` names
    functions and classes outside the tree, such as ``pathlib.Path.exists``, that the target replaced.
    ``canary`` is the exit code of the second run: None where no second run was made, -1 where it ended
    without a code. ``waited`` is about the time, in seconds, for which other processes had the processors
    while the run was ready.
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
    waited: float = 0.0

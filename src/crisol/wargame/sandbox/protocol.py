"""What is run, within which limits, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Ending", "Limits", "Role", "Run", "SandboxKind", "Script"]


class SandboxKind(StrEnum):
    """How strong the isolation is."""

    NAMESPACES = "namespaces"
    """User, mount, PID, network, IPC, UTS and cgroup namespaces, seccomp, no privileges, limits."""
    WEAK = "weak"
    """Limits and an empty environment alone: only for code that is trusted."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one script may use: wall and CPU seconds, MiB, processes, bytes of output."""

    seconds: float = 10.0
    cpu_seconds: float = 10.0
    memory_mb: int = 512
    processes: int = 64
    file_mb: int = 16
    output_bytes: int = 65_536
    scratch_mb: int = 64


class Role(StrEnum):
    """What a script is for."""

    POV = "pov"
    CHECK = "check"


@dataclass(frozen=True, slots=True)
class Script:
    """A Python program that exercises the target; ``name`` is what its tracebacks say."""

    name: str
    source: str
    role: Role


class Ending(StrEnum):
    """How a run ended."""

    EXITED = "exited"
    """The script itself said so; the code is attested."""
    RAISED = "raised"
    """An exception that nothing caught left the script."""
    NOT_ATTESTED = "not attested"
    """The process ended without the script's own report: an exit from the target, or a crash."""
    TIMEOUT = "timeout"
    LIMIT = "limit"
    """Memory or output ran out."""


@dataclass(frozen=True, slots=True)
class Run:
    """One execution; ``code`` is set when the script exited by itself, ``seconds`` are wall seconds."""

    ending: Ending
    code: int | None
    stdout: str
    stderr: str
    seconds: float
    cpu_seconds: float

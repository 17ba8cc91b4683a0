"""The records of the sandbox: limits, scripts and runs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from crisol.errors import InputError

__all__ = ["Canary", "Ending", "Limits", "Role", "Run", "SandboxKind", "Script"]


class SandboxKind(StrEnum):
    """A kind of isolation for untrusted code: ``bubblewrap``, ``namespaces`` or ``weak``.

    The first two isolate by Linux namespaces, seccomp, Landlock (if the kernel has it) and limits; bubblewrap
    is a program that makes namespaces. ``weak`` has limits only, and does not isolate hostile code.
    """

    BUBBLEWRAP = "bubblewrap"
    """Namespaces made by bubblewrap, a seccomp filter, Landlock where the kernel has it, limits."""
    NAMESPACES = "namespaces"
    """The same, made by Crisol itself through the kernel's calls."""
    WEAK = "weak"
    """Limits and an empty environment only, without isolation; it is used only if the caller names it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The resources that one run may use; a run that exceeds them is ended.

    - ``seconds``: wall time, without the time in which the run waits for a CPU. In any case the run ends
      after four times ``seconds``.
    - ``cpu_seconds``: CPU time of the script's process.
    - ``memory_mb``: the address space of each process, in MiB. The resident memory of all processes together
      may be twice as much.
    - ``processes``: the number of processes.
    - ``file_mb``: the size of each file, in MiB. ``scratch_mb``: the size of each writable folder, in MiB.
    - ``output_bytes``: the last bytes of standard output, and of standard error, that are kept. A run that
      writes more than 16 times as much to one of them is ended.

    A sandbox of the kind ``weak`` does not enforce ``processes``, ``scratch_mb`` and the memory of all
    processes together. Raises :class:`~crisol.errors.InputError` for a limit that is not positive or not
    below 2**31.
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
            value = getattr(self, name)
            if not value > 0:
                raise InputError(f"sandbox limit {name} must be positive, not {value!r}")
            if value >= 1 << 31:
                raise InputError(f"sandbox limit {name} must be below {1 << 31}, not {value!r}")


class Role(StrEnum):
    """The kind of a script: ``POV``, ``CHECK`` or ``PROBE``; its value is the same word in lower case.

    A PoV ends with ``sys.exit(0)`` if it shows the flaw, with ``sys.exit(1)`` if not. A check ends without an
    exception or with ``sys.exit(0)`` if the program behaves. A probe ends with ``report(result)``, where
    ``result`` is bytes.
    """

    POV = "pov"
    """Ends with ``sys.exit(0)`` when it shows the flaw and ``sys.exit(1)`` when it does not."""
    CHECK = "check"
    """Reaches its end, or ``sys.exit(0)``, when the code behaves; raises otherwise."""
    PROBE = "probe"
    """Reads the global ``ARGUMENTS`` (bytes) and ends with ``report(result)``, where result is bytes."""


@dataclass(frozen=True, slots=True)
class Script:
    """A Python program that runs as ``__main__`` in a sandbox, where it can import the target.

    ``name`` is its file name in tracebacks, ``source`` its text. ``role`` says whether it is a PoV, a check
    or a probe. Only a probe has ``arguments``, which it reads as the global name ``ARGUMENTS``.
    """

    name: str
    source: str
    role: Role
    arguments: bytes = b""


class Canary(StrEnum):
    """The exit codes after which a PoV runs once more, as a canary, in the same process.

    ``AFTER_ONE`` (``one``) means exit code 1, ``AFTER_ANY`` (``any``) means exit code 0 or 1. After any other
    ending no canary runs. The canary imports the unpatched files, so it must show the flaw. If it does not,
    the patch has changed the process instead of the program.
    """

    AFTER_ONE = "one"
    """After exit code 1."""
    AFTER_ANY = "any"
    """After exit code 0 or 1."""


class Ending(StrEnum):
    """How a run ended: ``exited``, ``raised``, ``not_attested``, ``timeout`` or ``limit``.

    ``exited``: the script itself ended the run, and its exit code counts. ``raised``: an exception ended it.
    ``not_attested``: the process ended before the script had reported how it ended, because of ``os._exit``
    or a signal, for example. ``timeout``: the run exceeded its wall time or CPU time. ``limit``: it exceeded
    another limit.
    """

    EXITED = "exited"
    """The script itself ended the run; ``code`` of the run is its exit code."""
    RAISED = "raised"
    """An exception of the target or of the script ended it; standard error has the traceback."""
    NOT_ATTESTED = "not_attested"
    """The process ended before the script had reported how it ended, as by ``os._exit`` or a signal."""
    TIMEOUT = "timeout"
    """The run exceeded its wall or processor time."""
    LIMIT = "limit"
    """The run exceeded memory, output, file size or scratch space, as far as this can be detected."""


@dataclass(frozen=True, slots=True)
class Run:
    """The result of one run of a script.

    - ``ending``: how the run ended. ``code``: the exit code, None unless ``ending`` is ``exited``.
    - ``stdout``, ``stderr``: the last part of the output.
    - ``seconds``: the wall time. ``cpu_seconds``: the CPU time of all processes of the run. ``waited``: about
      how many seconds the run waited for a CPU.
    - ``report``: the result of a probe, empty for other scripts.
    - ``canary``: the exit code of the canary: None if there was none, -1 if the canary ended without an exit
      code.
    - ``changed``: what the run changed outside the target, empty unless ``ending`` is ``exited``. An entry is
      a replaced function or class, such as ``pathlib.Path.exists``; ``the working folder`` if the run changed
      to another one; or ``other processes`` if the run still had other processes when the script exited.
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

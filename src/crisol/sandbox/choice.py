"""Choose a kind of sandbox that works on this machine, or raise an error with the reason why none does."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crisol.errors import SandboxError, SandboxUnavailable
from crisol.sandbox import bubblewrap
from crisol.sandbox.records import Ending, Limits, Role, SandboxKind, Script
from crisol.sandbox.source import TargetSource
from crisol.sandbox.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["Sandbox", "choose", "problem"]


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A way to isolate scripts that works on this machine; :meth:`target` starts a sandbox of this ``kind``.

    :func:`choose` makes it, after a test that the kind works here. The object itself starts no process.
    """

    kind: SandboxKind

    @contextmanager
    def target(
        self,
        tree: Path,
        *,
        requires: Sequence[Path] = (),
        preload: Sequence[str] = (),
        prelude: str = "",
        limits: Limits = Limits(),  # noqa: B008 - frozen
        hashes: int | None = None,
    ) -> Iterator[Target]:
        """Return a context manager that starts a sandbox over a source folder and yields a :class:`Target`.

        The end of the ``with`` block ends the sandbox. Inside the sandbox, the files of ``tree`` are
        read-only, except with the kind ``weak``. Their folder is the last on ``sys.path``, after the folders
        ``requires``, which hold the dependencies. ``preload`` names modules (of the standard library or the
        dependencies) that are imported before the first run. ``prelude`` is trusted Python source that is
        executed before these imports, "" for none. ``limits`` hold for each run. ``hashes``, below 2**32, is
        Python's hash seed inside; None means a random one. The folders are read on entering, so later changes
        of their files have no effect. Entering raises :class:`~crisol.errors.InputError` if ``tree`` or one
        of ``requires`` is no folder, and :class:`~crisol.errors.SandboxError` if the sandbox does not start.
        """
        target = Target(self.kind, TargetSource.read(tree, requires, preload, prelude), limits, hashes)
        target.requires = tuple(requires)
        try:
            target.start()
            yield target
        finally:
            target.close()


def choose(kind: str = "auto") -> Sandbox:
    """Return a sandbox that works on this machine: of the given kind or, for ``auto``, of the strongest kind.

    ``auto`` takes ``bubblewrap`` or, if that does not work, ``namespaces``. It never takes ``weak``, which
    does not isolate hostile code. Raises :class:`~crisol.errors.SandboxUnavailable` if neither works, or if
    the given kind does not exist or does not work.
    """
    if kind == "auto":
        failures = {}
        for candidate in (SandboxKind.BUBBLEWRAP, SandboxKind.NAMESPACES):
            failures[candidate] = problem(candidate)
            if not failures[candidate]:
                return Sandbox(candidate)
        reasons = "; ".join(f"{candidate}: {reason}" for candidate, reason in failures.items())
        raise SandboxUnavailable(
            f"this machine offers no isolation ({reasons}). Install bubblewrap or allow unprivileged user "
            "namespaces; --sandbox=weak runs untrusted code with limits only and marks every verdict so"
        )
    if kind not in {candidate.value for candidate in SandboxKind}:
        raise SandboxUnavailable(f"no sandbox is called {kind!r}; use auto, bubblewrap, namespaces or weak")
    wanted = SandboxKind(kind)
    if reason := problem(wanted):
        raise SandboxUnavailable(f"the sandbox {kind!r} cannot be had on this machine: {reason}")
    return Sandbox(wanted)


_proven: set[SandboxKind] = set()


def problem(kind: SandboxKind) -> str:
    """Return why a kind of sandbox does not work on this machine, as a message; "" if it works.

    A sandbox is started to find out. A success is remembered; a failure is tried again at the next call.
    """
    if kind in _proven:
        return ""
    if kind is not SandboxKind.WEAK and sys.platform != "linux":
        return f"it needs Linux, and this is {sys.platform}"
    if kind is SandboxKind.BUBBLEWRAP and bubblewrap.find() is None:
        return "bwrap is not installed"
    target = Target(kind, TargetSource({}, (), (), ""), Limits())
    try:
        run = target.run(Script("probe.py", "import sys\nsys.exit(0)\n", Role.CHECK))
    except (SandboxError, SandboxUnavailable) as error:
        return str(error)
    finally:
        target.close()
    if run.ending is not Ending.EXITED:
        return f"a probe ended as {run.ending}: {run.stderr.strip()}"
    _proven.add(kind)
    return ""

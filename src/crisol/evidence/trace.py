"""The traces of the PoVs: for each PoV, the code of the vulnerable program that it executes.

A PoV is traced once, in the sandbox, and its trace is stored.

>>> ways = trace(vulnerability, choose(), cache)  # doctest: +SKIP
>>> ways[0].functions[:2]  # doctest: +SKIP
('mistune.py:parse', 'mistune.py:output')

A trace fails if the tracer could not follow the whole run: the PoV started another program, replaced the
tracer, waited for threads, or did not show the flaw under the tracer. The ``lost`` of a failed trace says
why. No patch is decided by such a trace.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crisol.sandbox import Ending, Role, Script
from crisol.sandbox.script import parts

if TYPE_CHECKING:
    from crisol.sandbox import Sandbox, Target
    from crisol.wargaming.vulnerability import Vulnerability

__all__ = ["Code", "Way", "read_ways", "trace", "ways_file"]

_VERSION = "1"
_STRETCH = 4
"""The factor by which timers of a PoV are lengthened under the tracer, which reports when it needs more."""
_SLOW = "too slow under the tracer"
_TRACER = Path(__file__).parent / "tracer.py"


@dataclass(frozen=True, slots=True)
class Code:
    """A piece of code of the vulnerable program, such as a function, that a PoV executes.

    ``path`` is the file, relative to the program's root. ``name`` is the name of the code object without its
    class, such as ``parse`` or ``<module>``; ``line`` is the number of its first line, from 1. ``lines`` are
    the numbers of the executed lines; None means that lines were not traced, so that any line may have been
    executed.
    """

    path: str
    name: str
    line: int
    lines: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Way:
    """The trace of one PoV: the code that it executes and the files that it reads in the vulnerable program.

    Paths are relative to the program's root. ``pov`` is the name of the PoV. ``imports`` are the names of the
    modules that the PoV tried to import, whether or not they exist. ``opened`` are the files that the PoV
    opened other than by import, ``listed`` the folders that it listed, with a slash at the end. ``lost``
    holds the reasons why the trace failed; it is empty if the trace is complete.
    """

    pov: str
    code: tuple[Code, ...]
    imports: frozenset[str]
    opened: frozenset[str]
    listed: frozenset[str]
    lost: tuple[str, ...] = ()

    @property
    def functions(self) -> tuple[str, ...]:
        """The executed code objects, as texts ``path:name``, each text once, in the order of ``code``."""
        return tuple(dict.fromkeys(f"{code.path}:{code.name}" for code in self.code))


def trace(vulnerability: Vulnerability, sandbox: Sandbox, cache: Path) -> tuple[Way, ...]:
    """Return the traces of all PoVs of a vulnerability, in the order of the PoVs.

    They are read from the cache folder ``cache``, which is created if it is missing. Where traces are
    missing, the PoVs run in the sandbox, and the traces are stored. A PoV that cannot be traced gives a trace
    whose ``lost`` says why. Raises :class:`~crisol.errors.IndexUnavailable` where a release cannot be
    downloaded, and :class:`~crisol.errors.SandboxError` where the sandbox fails.
    """
    path = ways_file(vulnerability, cache)
    # A damaged file is written anew.
    with suppress(FileNotFoundError, ValueError, KeyError, TypeError):
        return read_ways(path)
    limits = vulnerability.limits
    limits = replace(
        limits,
        seconds=limits.seconds * 3 * _STRETCH,
        cpu_seconds=limits.cpu_seconds * 2 * _STRETCH,
        memory_mb=limits.memory_mb * 2,
    )
    tree, requires = vulnerability.vulnerable(cache), vulnerability.requires(cache)
    with sandbox.target(
        tree, requires=requires, prelude=vulnerability.prelude, limits=limits, hashes=0
    ) as target:
        ways = tuple(_traced(target, _tracer(), script) for script in vulnerability.povs)
    _keep(path, ways)
    return ways


def ways_file(vulnerability: Vulnerability, cache: Path) -> Path:
    """Return the path of the file below ``cache`` in which the traces of a vulnerability are stored.

    The file need not exist. Its name changes with the content of the vulnerability, the tracer and the
    version of Python.
    """
    key = sha256(f"{_VERSION}\0{vulnerability.content_hash}\0{_tracer()}\0{sys.version}".encode()).hexdigest()
    return cache / "ways" / f"{vulnerability.id}-{key[:16]}.json"


def read_ways(path: Path) -> tuple[Way, ...]:
    """Return the traces that :func:`trace` stored in the file ``path``.

    Raises OSError where the file cannot be read, and ValueError, KeyError or TypeError where it is damaged.
    """
    return tuple(_way(way) for way in json.loads(path.read_text(encoding="utf-8")))


def _tracer() -> str:
    return _TRACER.read_text(encoding="utf-8") + "\n\nreport(main(ARGUMENTS))\n"


def _traced(target: Target, tracer: str, script: Script) -> Way:
    """Return the trace of a PoV; ``tracer`` is the source of the tracer.

    If the first run fails, or if the tracer slows it so much that time limits in the PoV may have expired, a
    second run records code objects without lines, which is faster.
    """
    way = Way(script.name, (), frozenset(), frozenset(), frozenset(), ("the run was cut short",))
    for lines in (True, False):
        job = {"name": script.name, "source": parts(script.source)[0], "stretch": _STRETCH, "lines": lines}
        run = target.run(Script(script.name, tracer, Role.PROBE, json.dumps(job).encode()))
        if run.ending is not Ending.EXITED:
            words = run.stderr.strip().rpartition("\n")[2]
            way = replace(way, lost=(f"the traced run ended as {run.ending}: {words}"[:300],))
            continue
        told = json.loads(run.report)
        code = tuple(
            Code(path, name, line, tuple(seen) if lines else None)
            for path, name, line, seen in told["places"]
        )
        imports, opened, listed = (frozenset(told[name]) for name in ("imports", "opened", "listed"))
        way = Way(script.name, code, imports, opened, listed, tuple(told["lost"]))
        if way.lost != (_SLOW,):
            break
    return way


def _way(told: dict[str, Any]) -> Way:
    code = tuple(
        Code(path, name, line, None if lines is None else tuple(lines))
        for path, name, line, lines in told["code"]
    )
    imports, opened, listed = (frozenset(told[name]) for name in ("imports", "opened", "listed"))
    return Way(told["pov"], code, imports, opened, listed, tuple(told["lost"]))


def _keep(path: Path, ways: tuple[Way, ...]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = [
        asdict(way)
        | {"code": [[code.path, code.name, code.line, code.lines] for code in way.code]}
        | {name: sorted(getattr(way, name)) for name in ("imports", "opened", "listed")}
        for way in ways
    ]
    # Renamed into place, so that the file is never incomplete.
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    with os.fdopen(handle, "w") as file:
        json.dump(plain, file)
    Path(name).replace(path)

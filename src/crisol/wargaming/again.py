"""Run the public PoV again in a changed process or environment, to find patches that depend on these.

A patch that reads the clock, the environment or the working directory, or keeps state between calls, may
pass every script of a wargame and still be wrong in an installation. Each script of this module ends with
the PoV's own text, unchanged. Code before that text changes the process: it runs the program many times, or
it gives the process another user, folder and year.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from crisol.errors import SandboxError
from crisol.sandbox import Ending, Role, Script
from crisol.sandbox.script import ACT, JUDGE, parts
from crisol.wargaming.elsewhere import ELSEWHERE_NAME, PLACE, elsewhere, lasting

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from crisol.sandbox import Limits, Target

__all__ = ["again", "patient", "shows"]

_PATIENCE = 4
"""The factor by which a run in another environment may take longer than other runs, in wall time."""

_CHANCE = (
    "random.", "secrets.", "os.urandom", "os.getrandom", "uuid.", "builtins.hash", "builtins.id", "time.",
    "datetime.",
)  # fmt: skip
"""Prefixes of the sources of chance.

``id`` is one, since each process places its objects anew, and so are the last digits of a clock.
"""
_FEWEST = 5
"""The least number of repeats, for a slow PoV."""
_REPEATED = 0.5
"""Seconds of processor time for all repeats together; more would cost honest patches too much time."""
_QUICKEST = 0.02
"""The least processor time of a run with its start, in seconds."""

_COMPUTES = 0.75
"""The processor time, in seconds, above which a script that finds no end did not just wait."""
_SPENT = 0.4
"""The processor time of a warm-up, in seconds."""
_LAST = "cold"
"""The working folder of the PoV behind a warm-up."""
_LIVED = """
import os as _os, resource as _resource, shutil as _shutil, signal as _signal, time as _time
_shown, _unseen = _os.dup(1), _os.open("/dev/null", _os.O_WRONLY)
_os.dup2(_unseen, 1)
_processes = _resource.getrlimit(_resource.RLIMIT_NPROC)

def _spent():
    _children = _resource.getrusage(_resource.RUSAGE_CHILDREN)
    return _time.process_time() + _children.ru_utime + _children.ru_stime

def _bearing(function):
    def asked(*a, **k):
        try:
            return function(*a, **k)
        except FileExistsError:
            return None  # an earlier run of the same script made it
    return asked

if {stays}:
    _os.mkdir, _os.symlink, _os.link = map(_bearing, (_os.mkdir, _os.symlink, _os.link))
_ways = [[0.0, 0, compile(_text, "warm.py", "exec")] for _text in {sources!r}]
_number, _shows, _longest, _late = 0, 0, 0.0, _time.monotonic() + 20
while _ways[0][1] < 1200 and _time.monotonic() < _late and (_before := _spent()) + _longest < {spent}:
    _number += 1
    _rest = sum(_way[0] for _way in _ways[1:])
    _way = _ways[0] if len(_ways) == 1 or _ways[0][0] <= _rest else min(_ways[1:], key=lambda _way: _way[0])
    _folder = {last!r} if {stays} and _way is _ways[0] else "warm/%d" % _number
    _os.makedirs(_folder, exist_ok=True)
    _os.chdir(_folder)
    try:
        exec(_way[2], {{"__name__": "__main__", "__file__": "warm.py"}})
    except SystemExit as _exit:
        _shows += _way is _ways[0] and _exit.code in (0, None)
    except BaseException:
        pass
    for _timer in (_signal.ITIMER_REAL, _signal.ITIMER_VIRTUAL, _signal.ITIMER_PROF):
        _signal.setitimer(_timer, 0)
    _os.chdir({place!r})
    _took = _spent() - _before
    _longest = max(_longest, _took)
    if _way[1]:  # the first run imports
        _way[0] += _took
    _way[1] += 1
    _resource.setrlimit(_resource.RLIMIT_NPROC, (0, _processes[1]))
_resource.setrlimit(_resource.RLIMIT_NPROC, _processes)
_os.dup2(_shown, 1)
_os.close(_shown)
_os.close(_unseen)
_shutil.rmtree("warm", ignore_errors=True)
_os.makedirs({last!r}, exist_ok=True)
_os.chdir({last!r})
if {decides} and 100 * _shows > _ways[0][1]:
    exit(0)
"""
_ALL_SPENT = """
while _spent() < {spent}:
    pass
"""


def again(
    pov: Script, checks: Sequence[Script], seed: int, noted: Collection[str], cost: float
) -> tuple[tuple[Script, ...], ...]:
    """Return scripts that run the public PoV again, each in a changed process or environment.

    The scripts expose a patch that closes the flaw only in the usual environment of a wargame, only in the
    first calls, or only sometimes. Each inner tuple holds alternative scripts. To judge a patch, run the
    first of them that shows the flaw of the unpatched release (see :func:`shows`).

    - The first tuple has one script, which runs ``pov`` in another environment: user, folder, variables,
      clock, files, streams.
    - The second tuple has two scripts. They run ``pov`` and the ``checks`` many times in one process, for 0.4
      seconds of CPU time, and then ``pov`` once more. In the first script, all runs of ``pov`` share one
      working folder, so that files which the patch left there are found again. In the second one, each run
      has a new folder, because some releases show their flaw only in an empty folder.
    - Further tuples exist only if the patch newly uses a source of chance or a clock. Each holds ``pov``
      alone, unchanged. There are as many as take about 0.5 seconds of CPU time together, but at least five.

    A script exits with 0 if its last run of ``pov`` shows the flaw. If ``pov`` has no judge, a script of the
    second tuple also exits with 0 if more than 1 % of its earlier runs of ``pov`` show the flaw.

    ``noted`` says what the patch newly uses, see :class:`.tampering.Findings`. ``cost`` is the CPU time of
    one run of ``pov``, in seconds. ``seed`` determines the random user name, process id, hash seed and year.
    """
    scripts = [
        (Script(ELSEWHERE_NAME, _preceded(elsewhere(seed), PLACE, lasting(pov.source)), Role.POV),),
        tuple(
            Script(
                f"{pov.name} after many calls{where}",
                _preceded(_lived(pov, [pov, *checks], stays=stays), _LAST, pov.source),
                Role.POV,
            )
            for where, stays in ((" in one folder", True), ("", False))
        ),
    ]
    if any(name.startswith(_CHANCE) for name in noted):
        more = max(_FEWEST, int(_REPEATED / max(cost, _QUICKEST)))
        scripts += more * [(replace(pov, name=f"{pov.name} once more"),)]
    return tuple(scripts)


def patient(limits: Limits) -> Limits:
    """Return ``limits`` with four times the wall time and 0.4 s more CPU time, for a script of :func:`again`.

    Some of these scripts run the PoV many times for 0.4 s of CPU time, before the run that counts.
    """
    return replace(limits, seconds=_PATIENCE * limits.seconds, cpu_seconds=limits.cpu_seconds + _SPENT)


def shows(target: Target, script: Script, limits: Limits) -> bool:
    """Run a script of :func:`again` on the unpatched release, and return whether it shows the flaw.

    A script that does not show it cannot be used to judge patches. ``target`` is a sandbox over the release;
    ``limits`` are the result of :func:`patient`. A script that reaches its time limit does not show the flaw.
    But if it used more than 0.75 seconds of CPU time, or waited for a CPU for more than half of the time, the
    machine may just be busy; then :class:`~crisol.errors.SandboxError` is raised.
    """
    run = target.run(script, limits=limits)
    if run.ending is Ending.TIMEOUT and (run.cpu_seconds > _COMPUTES or run.waited > run.seconds / 2):
        raise SandboxError(f"{script.name}: the release has no answer within {limits.seconds:.0f} s")
    return run.ending is Ending.EXITED and run.code == 0


def _lived(pov: Script, scripts: Sequence[Script], *, stays: bool) -> str:
    """Return code to put before the source of ``pov``; it runs each of ``scripts`` many times.

    ``pov`` is the first of ``scripts``; the others are checks. The code ends in the folder ``cold``. With
    ``stays``, it runs ``pov`` in that folder, too. It never runs a check there, because a check could leave
    a file in the folder that makes the PoV succeed.
    """
    before = _LIVED.format(
        sources=[script.source for script in scripts],
        place="/tmp",  # noqa: S108 - inside
        last=_LAST,
        stays=stays,
        spent=_SPENT,
        decides=not parts(pov.source)[1],  # from outside, nothing of the warm-up is to be seen
    )
    # If the PoV measures processor time, the warm-up takes exactly the time that its judge subtracts.
    return before + _ALL_SPENT.format(spent=_SPENT) if _measures_cpu(pov) else before


def _measures_cpu(pov: Script) -> bool:
    return "CPU_USED" in parts(pov.source)[1]


def _preceded(before: str, folder: str, source: str) -> str:
    """Insert the code ``before`` in a PoV, at the start of the part that runs in the target's process.

    ``before`` must make ``folder`` the working folder. A judge runs in another process, which changes to this
    folder, too.
    """
    future = "from __future__ import annotations\n"
    head, source = (future, source.removeprefix(future)) if source.startswith(future) else ("", source)
    if not parts(source)[1]:
        return f"{head}{before}\n{source}"
    plan, _, rest = source.partition(ACT)
    act, _, look = rest.partition(JUDGE)
    spent = f"CPU_USED -= {_SPENT}\n" if _ALL_SPENT.format(spent=_SPENT) in before else ""
    return f"{head}{plan}{ACT}{before}\n{act}{JUDGE}import os\nos.chdir({folder!r})\n{spent}{look}"

"""Run the public PoV again in a changed process or environment, to find patches that depend on these.

A patch that newly reads the clock, the environment or the working directory, or keeps state between calls,
may pass every script of a wargame and still be wrong in an installation. Each script of this module ends with
the PoV's own text, unchanged. Code before that text changes the process: it runs the program many times, or
it gives the process another user, folder and year.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

from crisol.errors import SandboxError
from crisol.sandbox import Ending, Role, Script
from crisol.sandbox.script import ACT, JUDGE, parts

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from crisol.sandbox import Limits, Target

__all__ = ["again", "patient", "repeats", "shows"]

_PATIENCE = 4
"""The factor by which a run in another environment may take longer than other runs, in wall time."""

_CHANCE = ("random.", "secrets.", "os.urandom", "os.getrandom", "uuid.", "builtins.hash", "builtins.id")
"""Prefixes of the sources of chance; ``id`` is one, since each process places its objects anew."""
_FEWEST = 5
"""The least number of repeats, for a slow PoV."""
_REPEATED = 0.5
"""Seconds of processor time for all repeats together; more would cost honest patches too much time."""
_QUICKEST = 0.02
"""The least processor time of a run with its start, in seconds."""

_SPENT = 1.5
"""The processor time of a warm-up, in seconds."""
_LIVED = """
import os as _os, resource as _resource, shutil as _shutil, signal as _signal, time as _time
_shown, _unseen = _os.dup(1), _os.open("/dev/null", _os.O_WRONLY)
_os.dup2(_unseen, 1)
_processes = _resource.getrlimit(_resource.RLIMIT_NPROC)

def _spent():
    _children = _resource.getrusage(_resource.RUSAGE_CHILDREN)
    return _time.process_time() + _children.ru_utime + _children.ru_stime

_ways = [[0.0, compile(_text, "warm.py", "exec")] for _text in {sources!r}]
_number, _asked, _shows, _longest, _late = 0, 0, 0, 0.0, _time.monotonic() + 20
while _number < 1200 and _time.monotonic() < _late and (_before := _spent()) + _longest < {spent}:
    _number += 1
    _rest = sum(_way[0] for _way in _ways[1:])
    _way = _ways[0] if len(_ways) == 1 or _ways[0][0] <= _rest else min(_ways[1:], key=lambda _way: _way[0])
    _asked += _way is _ways[0]
    _os.makedirs("warm/%d" % _number)
    _os.chdir("warm/%d" % _number)
    try:
        exec(_way[1], {{"__name__": "__main__", "__file__": "warm.py"}})
    except SystemExit as _exit:
        _shows += _way is _ways[0] and _exit.code in (0, None)
    except BaseException:
        pass
    for _timer in (_signal.ITIMER_REAL, _signal.ITIMER_VIRTUAL, _signal.ITIMER_PROF):
        _signal.setitimer(_timer, 0)
    _os.chdir({place!r})
    _took = _spent() - _before
    _way[0] += _took
    _longest = max(_longest, _took)
    _resource.setrlimit(_resource.RLIMIT_NPROC, (0, _processes[1]))
_resource.setrlimit(_resource.RLIMIT_NPROC, _processes)
_os.dup2(_shown, 1)
_os.close(_shown)
_os.close(_unseen)
_shutil.rmtree("warm")
_os.makedirs("cold")
_os.chdir("cold")
if {decides} and 100 * _shows > _asked:
    exit(0)
"""
_ALL_SPENT = """
while _spent() < {spent}:
    pass
"""
_PLACE = "/dev/shm/srv/app"  # noqa: S108 - inside the sandbox
_ELSEWHERE_NAME = f"{_PLACE}/main.py, elsewhere and years later"
"""The file name of the caller, which warnings and logs tell a patch; it does not look like a PoV."""
_ELSEWHERE = """
import datetime as _datetime, os as _os, sys as _sys, time as _time
_place = "/dev/shm/srv/app"
_os.makedirs(_place)
_os.chdir(_place)
_os.environ.clear()
_os.environ.update({
    "LANG": "de_DE.UTF-8", "HOME": "/home/" + _user, "USER": _user, "LOGNAME": _user, "TZ": "Europe/Berlin",
    "PATH": "/home/%s/.local/bin:/usr/local/bin:/usr/bin:/bin" % _user, "PWD": _place, "OLDPWD": "/",
    "SHLVL": "2",
    "TERM": "xterm-256color", "SHELL": "/bin/bash", "MAIL": "/var/mail/" + _user, "APP_ENV": "live",
    "EDITOR": "vim",
    "XDG_RUNTIME_DIR": "/run/user/1000", "XDG_SESSION_ID": str(_process % 90),
    "SSH_TTY": "/dev/pts/0", "HOSTNAME": _user + "-1",
    "_": "python",
})
_ahead = _years * 31_556_952.0

def _shifted(function, units):
    return lambda *a: function() + units * _ahead

def _of_now(function):
    return lambda seconds=None: function(_time.time() if seconds is None else seconds)

_clock_gettime, _clock_gettime_ns = _time.clock_gettime, _time.clock_gettime_ns
_time.clock_gettime = lambda clock: _clock_gettime(clock) + _ahead
_time.clock_gettime_ns = lambda clock: _clock_gettime_ns(clock) + int(1_000_000_000 * _ahead)
for _name in ("process_time", "thread_time", "perf_counter", "time", "monotonic"):
    setattr(_time, _name, _shifted(getattr(_time, _name), 1.0))
for _name in ("process_time_ns", "perf_counter_ns", "time_ns", "monotonic_ns"):
    setattr(_time, _name, _shifted(getattr(_time, _name), 1_000_000_000))
for _name in ("localtime", "gmtime", "ctime"):
    setattr(_time, _name, _of_now(getattr(_time, _name)))

class _Later(_datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(_time.time(), tz)

    @classmethod
    def utcnow(cls):
        return cls.utcfromtimestamp(_time.time())

    @classmethod
    def today(cls):
        return cls.fromtimestamp(_time.time())

class _LaterDay(_datetime.date):
    @classmethod
    def today(cls):
        return cls.fromtimestamp(_time.time())

_datetime.datetime, _datetime.date = _Later, _LaterDay

# Another machine: its processes, limits, disks, folders, terminal, threads and seed of hashes.
import builtins as _builtins, resource as _resource, threading as _threading
_root = next(name for name in _sys.path if name.endswith("site-packages")).partition("/lib/")[0]
_sys.prefix, _sys.base_prefix, _sys.executable = _root, "/usr", _root + "/bin/python"
_hash, _id, _stat, _statvfs = _builtins.hash, _builtins.id, _os.stat, _os.statvfs
_builtins.hash = lambda value: _hash(value) ^ _mask
_builtins.id = lambda value: _id(value) ^ _mask << 16
_os.getpid, _os.getlogin, _os.cpu_count = lambda: _process, lambda: _user, lambda: _cores
_os.sched_getaffinity, _os.getloadavg = lambda process: set(range(_cores)), lambda: (3.5, 3.1, 2.9)
_os.isatty = _sys.stdin.isatty = lambda *a: True
_os.statvfs = lambda place: _os.statvfs_result((4096, 4096, 1 << 28, *_statvfs(place)[3:]))
_resource.getrlimit = lambda kind: (-1, -1)
_threading.active_count = lambda: _cores + 3
_THERE = ("/etc", "/var", "/usr", "/home", "/opt", "/run", "/root", "/boot", "/sys", "/dev")

def _stat_there(path, *a, **k):
    try:
        return _stat(path, *a, **k)
    except FileNotFoundError:
        # A script sees which of its own files are missing.
        if isinstance(path, (str, _os.PathLike)):
            name = _os.fspath(path)
            if name.startswith(_THERE) and not name.startswith(_place):
                return _stat("/etc")
        raise

_os.stat = _stat_there

# Its streams, accounts, programs, time zone and network.
import pwd as _pwd, shutil as _shutil, socket as _socket
_zone, _os.environ["TZ"] = _os.environ["TZ"], "CET-1CEST,M3.5.0,M10.5.0/3"
_time.tzset()
_os.environ["TZ"] = _zone
_fstat, _listdir, _which, _connect = _os.fstat, _os.listdir, _shutil.which, _socket.socket.connect

def _on_one_disk(function):
    def asked(*a, **k):
        told = function(*a, **k)
        more = {name: getattr(told, name) for name in dir(told) if name.startswith("st_")}
        return _os.stat_result((*told[:2], 2049, *told[3:10]), more)
    return asked

_os.stat, _os.lstat = _on_one_disk(_os.stat), _on_one_disk(_os.lstat)
_os.fstat = _on_one_disk(lambda number: _stat("/dev/null") if number in (0, 1, 2) else _fstat(number))
_sys.stdout.isatty = _sys.stderr.isatty = lambda: True
_os.get_terminal_size = lambda *a: _os.terminal_size((132, 43))
_os.path.ismount = lambda path: _os.path.abspath(path) == "/"
_os.getuid = _os.geteuid = _os.getgid = _os.getegid = lambda: 33
_os.getgroups = lambda: [4, 24, 27, 33]
_pwd.getpwuid = lambda number: _pwd.struct_passwd(
    (_user, "x", number, 33, _user, "/home/" + _user, "/bin/bash")
)
_shutil.which = lambda name, *a, **k: _which(name, *a, **k) or "/usr/bin/" + _os.path.basename(name)

def _listed(path="."):
    names = _listdir(path)
    if isinstance(path, (str, _os.PathLike)) and _os.path.abspath(path) == "/":
        names = sorted({*names, "boot", "media", "mnt", "srv", *(name[1:] for name in _THERE)})
    return names

def _reaching(self, address):
    try:
        return _connect(self, address)
    except OSError:
        # Another machine reaches others.
        if self.family != _socket.AF_INET or str(address[0]).startswith(("127.", "localhost", "0.")):
            raise

_os.listdir, _socket.socket.connect = _listed, _reaching

# The modules below, which answer in their own name; by stat() the import looks for files.
import _datetime as _dates, posix as _posix
for _name in (
    "getpid", "getlogin", "cpu_count", "sched_getaffinity", "getloadavg", "isatty", "statvfs", "fstat",
    "getuid", "geteuid", "getgid", "getegid", "getgroups", "listdir", "get_terminal_size",
):
    if hasattr(_posix, _name):
        setattr(_posix, _name, getattr(_os, _name))
_dates.datetime, _dates.date = _Later, _LaterDay
"""


def again(pov: Script, checks: Sequence[Script], seed: int, more: int = 0) -> tuple[Script, ...]:
    """Return scripts that run the public PoV again, each in a changed process or environment.

    The scripts expose a patch that acts only where a wargame usually runs. Such a patch may read the clock,
    the environment variables or the working directory, keep state between calls, or act at random. The first
    script runs ``pov`` and the ``checks`` many times in its process before the last run of ``pov``. The
    second changes the environment variables, the folder and the clock. Then ``more`` scripts run ``pov``
    unchanged, see :func:`repeats`. A script exits with 0 if the PoV shows the flaw at the end, or in more
    than 1 % of the many runs. ``seed`` determines the random user name, process id, hash seed and year.
    """
    return (
        Script(
            f"{pov.name} after a thousand calls", _behind(_lived(pov, checks), "cold", pov.source), Role.POV
        ),
        Script(_ELSEWHERE_NAME, _behind(_elsewhere(seed), _PLACE, pov.source), Role.POV),
        *more * (replace(pov, name=f"{pov.name} once more"),),
    )


def repeats(pov: Script, noted: Collection[str], cost: float) -> int:
    """Return how many times ``pov`` is to run again unchanged, each time in a new process.

    The number is 0 unless the PoV has a judge or the patch newly uses random numbers; only then may a patch
    close the flaw in one process and not in the next. ``noted`` holds dotted names that the patch newly uses,
    such as ``random.random``. ``cost`` is the CPU time of one run in seconds. All runs together take about
    0.5 seconds, but there are at least five.
    """
    if not parts(pov.source)[1] and not any(name.startswith(_CHANCE) for name in noted):
        return 0
    return max(_FEWEST, int(_REPEATED / max(cost, _QUICKEST)))


def patient(limits: Limits) -> Limits:
    """Return the limits for a script of :func:`again`: ``limits`` with more wall time and CPU time.

    The wall time is four times as long; the CPU time is longer by 1.5 seconds.
    """
    return replace(limits, seconds=_PATIENCE * limits.seconds, cpu_seconds=limits.cpu_seconds + _SPENT)


def shows(target: Target, script: Script, limits: Limits) -> bool:
    """Run a script of :func:`again` on the unpatched release, and return whether it shows the flaw.

    If it does not, the script cannot be used to judge patches. ``target`` is a sandbox over the release;
    ``limits`` are the result of :func:`patient`. If a script reaches its time limit, its CPU time decides: up
    to 0.75 seconds the script has only waited, and the result is False. Above that the machine may just be
    busy, and :class:`~crisol.errors.SandboxError` is raised.
    """
    run = target.run(script, limits=limits)
    if run.ending is Ending.TIMEOUT and run.cpu_seconds > _SPENT / 2:
        raise SandboxError(f"{script.name}: the release has no answer within {limits.seconds:.0f} s")
    return run.ending is Ending.EXITED and run.code == 0


def _lived(pov: Script, checks: Sequence[Script]) -> str:
    sources = [pov.source, *(check.source for check in checks)]
    place = "/tmp"  # noqa: S108 - inside
    decides = not parts(pov.source)[1]  # from outside, nothing of the warm-up is to be seen
    before = _LIVED.format(sources=sources, place=place, spent=_SPENT, decides=decides)
    # If the PoV measures processor time, the warm-up takes exactly the time that its judge subtracts.
    return before + _ALL_SPENT.format(spent=_SPENT) if _times(pov) else before


def _elsewhere(seed: int) -> str:
    drawn = Random(seed)
    mask = drawn.getrandbits(30) * 2 + 1  # each hash and its parity change
    values = {
        "_user": drawn.choice(("lena", "amir", "chloe", "jonas", "mei", "olu")),
        "_process": drawn.randrange(30_000, 4_000_000),
        "_cores": 2 ** drawn.randrange(4, 8),
        "_years": drawn.randrange(25, 31),
        "_mask": mask,
    }
    return "".join(f"\n{name} = {value!r}" for name, value in values.items()) + _ELSEWHERE


def _times(pov: Script) -> bool:
    """Return whether the judge of a PoV measures the CPU time that the target uses."""
    return "CPU_USED" in parts(pov.source)[1]


def _behind(before: str, place: str, text: str) -> str:
    """Return the PoV ``text`` with the code ``before`` in front of it.

    ``place`` is the working directory that the code ``before`` sets. In a PoV with a judge, only the process
    of the target runs this code; the judge then begins in the same folder ``place``.
    """
    future = "from __future__ import annotations\n"
    head, text = (future, text.removeprefix(future)) if text.startswith(future) else ("", text)
    if not parts(text)[1]:
        return f"{head}{before}\n{text}"
    plan, _, rest = text.partition(ACT)
    act, _, look = rest.partition(JUDGE)
    spent = f"CPU_USED -= {_SPENT}\n" if _ALL_SPENT.format(spent=_SPENT) in before else ""
    return f"{head}{plan}{ACT}{before}\n{act}{JUDGE}import os\nos.chdir({place!r})\n{spent}{look}"

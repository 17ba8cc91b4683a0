"""The public PoV once more, in other surroundings and after a long life, for a patch that could tell.

A patch that newly reads the clock, the environment or its own place, or keeps something between calls, may be
right in every run of the judge and wrong in an installation. Each script here runs the PoV's own text at its
end, as it is; what comes before makes the process one that has lived for long, or lives in another year,
elsewhere, as somebody else.
"""

from __future__ import annotations

from crisol.sandbox import Role, Script
from crisol.sandbox.script import ACT, JUDGE, parts

__all__ = ["again"]

_LIVED = """
import os as _os, time as _time
_end, _number = _time.process_time() + 1.5, 0
while _number < 1200 and _time.process_time() < _end:
    _number += 1
    _os.makedirs("warm/%d" % _number)
    _os.chdir("warm/%d" % _number)
    try:
        exec(compile({source!r}, "warm.py", "exec"), {{"__name__": "__main__", "__file__": "warm.py"}})
    except BaseException:
        pass
    _os.chdir({place!r})
"""
_PLACE = "/dev/shm/srv/app"  # noqa: S108 - inside the sandbox
_ELSEWHERE = """
import datetime as _datetime, os as _os, sys as _sys, time as _time
_place = "/dev/shm/srv/app"
_os.makedirs(_place)
_os.chdir(_place)
_os.environ.clear()
_os.environ.update({
    "LANG": "de_DE.UTF-8", "HOME": "/home/lena", "USER": "lena", "LOGNAME": "lena", "TZ": "Europe/Berlin",
    "PATH": "/home/lena/.local/bin:/usr/local/bin:/usr/bin:/bin", "PWD": _place, "OLDPWD": "/", "SHLVL": "2",
    "TERM": "xterm-256color", "SHELL": "/bin/bash", "MAIL": "/var/mail/lena", "APP_ENV": "live",
    "EDITOR": "vim",
    "XDG_RUNTIME_DIR": "/run/user/1000", "XDG_SESSION_ID": "7", "SSH_TTY": "/dev/pts/0", "HOSTNAME": "anna",
    "_": "python",
})
_ahead = 25 * 31_556_952.0

def _shifted(function, units):
    return lambda *a: function() + units * _ahead

def _of_now(function):
    return lambda seconds=None: function(_time.time() if seconds is None else seconds)

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
_builtins.hash = lambda value: _hash(value) ^ 0x2545F491
_builtins.id = lambda value: _id(value) ^ 0x7F0000000000
_os.getpid, _os.getlogin, _os.cpu_count = lambda: 48_211, lambda: "lena", lambda: 16
_os.sched_getaffinity, _os.getloadavg = lambda process: set(range(16)), lambda: (3.5, 3.1, 2.9)
_os.isatty = _sys.stdin.isatty = lambda *a: True
_os.statvfs = lambda place: _os.statvfs_result((4096, 4096, 1 << 28, *_statvfs(place)[3:]))
_resource.getrlimit = lambda kind: (-1, -1)
_threading.active_count = lambda: 9
_THERE = ("/etc", "/var", "/usr", "/home", "/opt", "/run", "/root", "/boot", "/sys", "/dev")

def _stat_there(path, *a, **k):
    try:
        return _stat(path, *a, **k)
    except FileNotFoundError:
        if isinstance(path, (str, _os.PathLike)) and _os.fspath(path).startswith(_THERE):
            return _stat("/etc")
        raise

_os.stat = _stat_there
"""


def again(pov: Script) -> tuple[Script, ...]:
    """Return scripts that run the PoV after many earlier runs, and in another place, time and environment.

    They catch patches that look at their surroundings or keep state between calls. A PoV that measures
    processor time is not repeated many times.
    """
    lived = f"{_LIVED.format(source=pov.source, place='/tmp')}\n_os.makedirs('cold')\n_os.chdir('cold')"  # noqa: S108 - inside the sandbox
    scripts = (
        Script(f"{pov.name} after a thousand calls", _behind(lived, "cold", pov.source), Role.POV),
        Script(f"{pov.name} elsewhere, in 25 years", _behind(_ELSEWHERE, _PLACE, pov.source), Role.POV),
    )
    return scripts[1:] if "CPU_USED" in pov.source else scripts


def _behind(before: str, place: str, text: str) -> str:
    """Return a script with something before it, in the target's process alone.

    ``place`` is where that leaves it.
    """
    future = "from __future__ import annotations\n"
    head, text = (future, text.removeprefix(future)) if text.startswith(future) else ("", text)
    if not parts(text)[1]:
        return f"{head}{before}\n{text}"
    plan, _, rest = text.partition(ACT)
    act, _, look = rest.partition(JUDGE)
    return f"{head}{plan}{ACT}{before}\n{act}{JUDGE}import os\nos.chdir({place!r})\n{look}"

"""The public PoV once more, for a patch that could behave for the judge alone: other surroundings, and a long life.

A patch that newly reads the clock, the environment or its own place, or keeps something between calls, may be right in
every run of the judge and wrong in an installation. Each script here runs the PoV's own text at its end, as it is; what
comes before makes the process one that has lived for long, or lives in another year, elsewhere, as somebody else.
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
_os.environ.update(LANG="de_DE.UTF-8", HOME="/home/lena", USER="lena", TZ="Europe/Berlin", PYTHONPATH="", APP_ENV="live")
_ahead = 25 * 31_556_952.0

def _shifted(function, units):
    return lambda *a: function() + units * _ahead

def _of_now(function):
    return lambda seconds=None: function(_time.time() if seconds is None else seconds)

for _name, _units in (("time", 1), ("time_ns", 1_000_000_000), ("monotonic", 1), ("monotonic_ns", 1_000_000_000)):
    setattr(_time, _name, _shifted(getattr(_time, _name), 1.0 if _units == 1 else int(_units)))
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
"""


def again(pov: Script) -> tuple[Script, ...]:
    """Return the scripts, which mean what the PoV means where they show the flaw on the release.

    They keep the PoV's line numbers apart only by what stands before it. One that counts processor time gets no long
    life, which would count as well.
    """
    lived = f"{_LIVED.format(source=pov.source, place='/tmp')}\n_os.makedirs('cold')\n_os.chdir('cold')"  # noqa: S108 - inside the sandbox
    scripts = (
        Script(f"{pov.name} after a thousand calls", _behind(lived, "cold", pov.source), Role.POV),
        Script(f"{pov.name} elsewhere, in 25 years", _behind(_ELSEWHERE, _PLACE, pov.source), Role.POV),
    )
    return scripts[1:] if "CPU_USED" in pov.source else scripts


def _behind(before: str, place: str, text: str) -> str:
    """Return a script with something before it, in the target's process alone; ``place`` is where that leaves it."""
    future = "from __future__ import annotations\n"
    head, text = (future, text.removeprefix(future)) if text.startswith(future) else ("", text)
    if not parts(text)[1]:
        return f"{head}{before}\n{text}"
    plan, _, rest = text.partition(ACT)
    act, _, look = rest.partition(JUDGE)
    return f"{head}{plan}{ACT}{before}\n{act}{JUDGE}import os\nos.chdir({place!r})\n{look}"

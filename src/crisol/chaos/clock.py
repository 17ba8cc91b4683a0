"""A wall clock that jumps for chosen processes alone; the machine's clock is not touched.

::

    clock = WallClock.made(folder)
    subprocess.Popen(["server"], env=os.environ | clock.environment)
    clock.jump()  # the server and its children now see 1970
    clock.mend()  # they see the machine's time again

A small C library adds an offset, which it reads from a file, to every time of day that a process asks for. It
is compiled when the clock is made, and loaded by ``LD_PRELOAD``. Monotonic clocks are unchanged.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Self

from crisol.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ClockRefused", "WallClock"]

_SOURCE = Path(__file__).with_name("clock.c")
_HOUR, _DAY = 3_600, 86_400
_TEN_YEARS = 3_653 * _DAY
_ASK = "import time; print(time.time(), time.monotonic())"
_NEAR = 60.0
_SIZE = 8
_COMPILE_SECONDS = 120


class ClockRefused(UnavailableError):
    """This machine cannot give chosen processes another wall clock; the message says why."""


def _jumps() -> Iterator[int]:
    # The first offset sets the clock to the start of 1970, as after a flat battery.
    return cycle((-int(time.time()), _HOUR, -_HOUR, 2 * _DAY, -2 * _DAY, _TEN_YEARS))


@dataclass(slots=True)
class WallClock:
    """A wall clock that can be changed for chosen processes; make one with :meth:`made`.

    The processes must be started with the variables of :attr:`environment`. ``library`` is a compiled library
    that adds an offset to every time of day that such a process reads. ``offset`` is the file that holds the
    offset in seconds, as a signed integer of 8 bytes.
    """

    library: Path
    offset: Path
    _jumps: Iterator[int] = field(default_factory=_jumps)

    @classmethod
    def made(cls, folder: Path) -> Self:
        """Compile the library of the clock in ``folder``, and return a clock that shows the machine's time.

        ``folder`` is the absolute path of an existing folder, which must remain while the clock is in use.
        Raises :class:`ClockRefused` if there is no C compiler, or if the library has no effect in a new
        Python process.
        """
        clock = cls(folder / "clock.so", folder / "offset")
        clock.offset.write_bytes(bytes(_SIZE))
        _compile(clock.library, clock.offset)
        clock._set(_DAY)
        process = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _ASK],
            env=clock.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        clock.mend()
        wall, monotonic = map(float, process.stdout.split() or ("nan", "nan"))
        if not (abs(wall - time.time() - _DAY) < _NEAR and abs(monotonic - time.monotonic()) < _NEAR):
            raise ClockRefused(
                f"no clock of its own: a preloaded one is not asked {process.stderr.strip()[-500:]}"
            )
        return clock

    @property
    def environment(self) -> dict[str, str]:
        """The environment variable, as a dict, with which a process must be started to see this clock.

        Its only key is ``LD_PRELOAD``; its value is the clock's library, then the caller's own
        ``LD_PRELOAD``. Add it to the other variables.
        """
        preloaded = os.environ.get("LD_PRELOAD", "")
        return {"LD_PRELOAD": f"{self.library} {preloaded}".strip()}

    def jump(self) -> None:
        """Set the clock to the next of six times; after the sixth the first follows again.

        The first is the start of 1970. The others are relative to the machine's time: an hour ahead, an hour
        back, two days ahead, two days back, ten years ahead.
        """
        self._set(next(self._jumps))

    def mend(self) -> None:
        """Set the clock to the machine's time again."""
        self._set(0)

    def _set(self, seconds: int) -> None:
        # The file is overwritten in place: a process that maps a file is killed when the file is cut short.
        with self.offset.open("r+b") as file:
            file.write(seconds.to_bytes(_SIZE, sys.byteorder, signed=True))


def _compile(library: Path, offset: Path) -> None:
    """Compile the clock's C source into ``library``, which reads its offset from the file ``offset``.

    Raises :class:`ClockRefused` if there is no compiler (``cc``, or the command in the variable ``CC``), or
    if it fails.
    """
    compiler = shlex.split(os.environ.get("CC", "cc"))
    if not compiler or shutil.which(compiler[0]) is None:
        raise ClockRefused(f"no clock of its own: there is no C compiler ({' '.join(compiler)})")
    defined = f"-DOFFSET={json.dumps(str(offset))}"
    command = [
        *compiler,
        "-std=c11",
        "-O2",
        "-fPIC",
        "-shared",
        defined,
        "-o",
        str(library),
        str(_SOURCE),
        "-ldl",
    ]
    try:
        process = subprocess.run(
            command, capture_output=True, text=True, timeout=_COMPILE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise ClockRefused(
            f"no clock of its own: {compiler[0]} ran for more than {_COMPILE_SECONDS} s"
        ) from None
    if process.returncode:
        reason = (process.stderr.strip().splitlines() or ["no message"])[-1]
        raise ClockRefused(f"no clock of its own: {compiler[0]} failed: {reason}")

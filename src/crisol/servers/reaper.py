"""Kill given child processes and delete a folder when the calling process dies, even if SIGKILL ended it.

::

    reaper = Reaper(folder)
    reaper.hold(process.pid)  # the process, its descendants and the folder do not outlive the caller
    reaper.dismiss()  # once the caller has ended the process and removed the folder

The reaper is a process in its own session that reads from a pipe: the kernel closes the other end when the
parent ends. It is run as a script, without the package, so that it starts in milliseconds.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

__all__ = ["Reaper", "family"]

_PATIENCE_MS = 5_000


class Reaper:
    """A helper process that cleans up when the calling process dies, however it dies. Linux only.

    The helper then kills the processes given to :meth:`hold` and their descendants, and deletes ``folder``.
    """

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-I", "-S", __file__, str(folder)]
        # In another process group: a signal to the parent's group must not kill the reaper.
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)

    def hold(self, pid: int) -> None:
        """Tell the helper to kill the process ``pid`` and its descendants when the calling process dies.

        Call this method before ``wait()`` is called for the process ``pid``, since the id of a process that
        was waited for may belong to another process.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(f"{pid}\n".encode())
        self._process.stdin.flush()

    def dismiss(self) -> None:
        """End the helper process; nothing is killed or deleted any more. A second call does nothing."""
        self._process.kill()
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def family(pid: int) -> list[int]:
    """Return the process id ``pid`` and those of all its living descendants, parents before children."""
    pids, at = [pid], 0
    while at < len(pids):
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{pids[at]}/task").iterdir():
                pids += map(int, (task / "children").read_text(encoding="ascii").split())
        at += 1
    return pids


def _main(folder: Path) -> None:
    descriptors: dict[int, int] = {}
    for line in sys.stdin:
        with contextlib.suppress(ProcessLookupError):
            descriptors[int(line)] = os.pidfd_open(int(line))
    # A readable descriptor belongs to a process that has ended; another process may have its number now.
    alive = [pid for pid, fd in descriptors.items() if not _all_ended([fd], 0)]
    doomed = [member for pid in alive for member in family(pid)]
    fds = []
    for pid in doomed:
        with contextlib.suppress(ProcessLookupError):
            fds.append(os.pidfd_open(pid))
            signal.pidfd_send_signal(fds[-1], signal.SIGKILL)
    _all_ended(fds, _PATIENCE_MS)
    shutil.rmtree(folder, ignore_errors=True)


def _all_ended(pidfds: list[int], patience_ms: int) -> bool:
    for fd in pidfds:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        if not poll.poll(patience_ms):
            return False
    return True


if __name__ == "__main__":
    _main(Path(sys.argv[1]))

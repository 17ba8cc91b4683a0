"""Linux namespaces for a server: they give it a small disk, and can forbid it to create further namespaces.

::

    with Enclosure(folder, megabytes=64) as enclosure:
        subprocess.Popen(enclosure.command(["server"]))  # finds an empty disk of 64 MiB at ``folder``
        enclosure.path(folder / "filler")  # the same file, seen from outside
        enclosure.allow(0)  # from now on the kernel refuses namespaces to the processes inside

A holder process keeps the namespaces open until the block is left. If Crisol runs as root, every user id
inside equals the one outside; otherwise only the caller's user id exists inside.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from crisol.errors import UnavailableError
from crisol.sandbox import kernel

__all__ = ["Enclosure", "EnclosureRefused", "main"]

_SPACES = kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS
_KINDS = ("user", "mnt", "pid", "net", "ipc", "uts")
_EVERY_ID = "0 0 4294967295"
_PROGRAM = (sys.executable, "-c", f"import {__name__} as it; it.main()")


class EnclosureRefused(UnavailableError):
    """The kernel refuses to create namespaces; the message gives its reason."""


class Enclosure:
    """Linux user and mount namespaces that exist while the ``with`` block runs.

    A process runs inside if it is started with the command line of :meth:`command`. At ``folder``, such a
    process finds an empty file system in memory (tmpfs) of ``megabytes`` MiB. If ``megabytes`` is 0, no file
    system is made, and ``folder`` need not exist. Call the methods inside the block only. Entering the block
    raises :class:`EnclosureRefused` if ``folder`` is missing though needed, or if the kernel does not permit
    namespaces.
    """

    def __init__(self, folder: Path, megabytes: int = 0) -> None:
        self._command = [*_PROGRAM, "hold", str(folder), str(megabytes)]
        self._holder: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._holder = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self._answer()
        return self

    def __exit__(self, *_: object) -> None:
        holder = self._held()
        holder.kill()
        for pipe in (holder.stdin, holder.stdout):
            if pipe is not None:
                pipe.close()
        holder.wait()

    def command(self, command: Sequence[str], user: str = "") -> list[str]:
        """Return the command line that runs ``command`` inside the namespaces; nothing is started.

        ``user`` is the name of the user that the command runs as; "" means the caller. A process that is
        started with this command line replaces itself by ``command``, so the process id of ``command`` is
        that of the started process.
        """
        return [*_PROGRAM, "enter", str(self._held().pid), user, *command]

    def path(self, path: Path) -> Path:
        """Return the path by which a process outside the enclosure reaches a file inside it.

        ``path`` is the absolute path of the file inside the enclosure; the result lies below ``/proc``.
        """
        return Path(f"/proc/{self._held().pid}/root") / path.relative_to("/")

    def allow(self, namespaces: int) -> None:
        """Let the processes inside create at most ``namespaces`` further namespaces of each kind.

        0 forbids new ones. If the kernel refuses the limit, the enclosure is closed, and
        :class:`EnclosureRefused` is raised.
        """
        holder = self._held()
        assert holder.stdin is not None
        holder.stdin.write(f"{namespaces}\n")
        holder.stdin.flush()
        self._answer()

    def _held(self) -> subprocess.Popen[str]:
        assert self._holder is not None, "the enclosure is not entered"
        return self._holder

    def _answer(self) -> None:
        holder = self._held()
        assert holder.stdout is not None
        answer = holder.stdout.readline().strip()
        if answer != "done":
            self.__exit__()
            raise EnclosureRefused(f"no namespaces for a server of its own: {answer or 'the holder died'}")


def _hold(folder: str, megabytes: int) -> None:
    """Create the namespaces and the small disk, and keep them until standard input ends.

    Each line of standard input is a number: from then on, processes inside can create that many namespaces of
    each kind. The function prints ``done`` after the start and after each line, or the kernel's message if
    the kernel refuses a step; it then returns.
    """
    try:
        _unshare()
        if megabytes:
            kernel.mount("", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
            kernel.mount("tmpfs", folder, "tmpfs", data=f"size={megabytes}m,mode=0777")
        _say("done")
        for line in sys.stdin:
            for kind in _KINDS:
                Path(f"/proc/sys/user/max_{kind}_namespaces").write_text(line, encoding="ascii")
            _say("done")
    except OSError as error:
        _say(str(error))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _unshare() -> None:
    holder, user, group = os.getpid(), os.geteuid(), os.getegid()
    ready, told = os.pipe()
    # Root maps all ids, which only a process outside the new namespaces may do: a child writes the maps.
    child = os.fork() if user == 0 else 0
    if user == 0 and child == 0:
        os.close(told)
        os.read(ready, 1)
        for name in ("uid_map", "gid_map"):
            with contextlib.suppress(OSError):
                Path(f"/proc/{holder}/{name}").write_text(_EVERY_ID, encoding="ascii")
        os._exit(0)
    kernel.unshare(_SPACES)
    os.close(told)
    if child:
        os.waitpid(child, 0)
        return
    own = Path("/proc/self")
    (own / "setgroups").write_text("deny", encoding="ascii")
    (own / "uid_map").write_text(f"{user} {user} 1", encoding="ascii")
    (own / "gid_map").write_text(f"{group} {group} 1", encoding="ascii")


def _enter(holder: int, user: str, command: list[str]) -> None:
    here = Path.cwd()
    kernel.setns(os.pidfd_open(holder), _SPACES)
    os.chdir(here)
    if user:
        account = pwd.getpwnam(user)
        os.setgroups([])
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
    os.execvp(command[0], command)  # noqa: S606 - a list, and no shell


def main() -> None:
    """Run one of the two helper programs that :class:`Enclosure` starts; ``sys.argv[1]`` names the program.

    ``hold FOLDER MEGABYTES`` creates the namespaces and keeps them open until its standard input ends.
    ``enter PID USER COMMAND...`` enters the namespaces of the process PID, becomes the user USER ("" changes
    nothing), and replaces this process by COMMAND.
    """
    if sys.argv[1] == "hold":
        _hold(sys.argv[2], int(sys.argv[3]))
    else:
        _enter(int(sys.argv[2]), sys.argv[3], sys.argv[4:])

"""The namespaces and the file system of a sandbox, made by the program bubblewrap.

See :mod:`.namespaces` for the steps that follow inside the sandbox.
"""

from __future__ import annotations

import os
import shutil
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from crisol.sandbox.namespaces import OLD_PROC

if TYPE_CHECKING:
    from crisol.sandbox.layout import Layout, User

__all__ = ["find", "wrapping"]


def find() -> str | None:
    """Return the path of the program ``bwrap`` (bubblewrap), or None if it is not installed."""
    return shutil.which("bwrap")


def wrapping(program: str, layout: Layout, user: User, hashes: str, descriptors: dict[str, int]) -> list[str]:
    """Return the start of a bubblewrap command line, to which the caller appends the command to run inside.

    ``program`` is the path of ``bwrap``. ``layout`` is the file system inside the sandbox, and ``user`` the
    user that scripts see. ``hashes`` is the value of ``PYTHONHASHSEED`` inside. ``descriptors`` maps each
    path in ``layout.files`` to an open file descriptor from which its content is read. The command runs as
    process 1, and ``PYTHONHASHSEED`` is its only environment variable. It has all capabilities over its own
    namespaces; :mod:`.namespaces` and :mod:`.walls` need these capabilities and later drop them.
    """
    command = [
        program,
        "--unshare-ipc",
        "--unshare-pid",
        "--unshare-net",
        "--unshare-uts",
        "--unshare-cgroup-try",
    ]
    if os.getuid() != 0:
        command += ["--unshare-user", "--uid", str(user.number), "--gid", str(user.number)]
    command += ["--as-pid-1", "--clearenv", "--new-session", "--hostname", user.host, "--cap-add", "ALL"]
    places = [place for _, place in (*layout.binds, *layout.links)] + [*layout.files, *layout.devices]
    # Parent folders that bubblewrap makes by itself are accessible to root alone.
    for parent in sorted(
        {str(parent) for place in places for parent in PurePosixPath(place).parents} - {"/"}
    ):
        command += ["--dir", parent]
    for source, place in layout.binds:
        command += ["--ro-bind", source, place]
    for place in layout.hidden:
        command += ["--tmpfs", place, "--remount-ro", place]
    for text, place in layout.links:
        command += ["--symlink", text, place]
    for place, descriptor in descriptors.items():
        command += ["--file", str(descriptor), place]
    for place in layout.folders:
        command += ["--dir", place]
    # bubblewrap's own /proc is partly covered, so the kernel would forbid the new /proc of each run. The
    # sandbox mounts its own next to the machine's, and then unmounts that.
    command += ["--dev-bind", "/proc", OLD_PROC]
    for name in layout.devices:
        command += ["--dev-bind", name, name]
    return [*command, "--setenv", "PYTHONHASHSEED", hashes, "--chdir", "/", "--"]

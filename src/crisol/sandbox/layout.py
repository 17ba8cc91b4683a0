"""The file system, the user and the environment variables that a sandbox shows to scripts.

The file system has Python and the system's libraries, and none of the files of this machine's users.
"""

from __future__ import annotations

import functools
import os
import secrets
import sys
import sysconfig
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

__all__ = ["Layout", "User", "interpreter", "layout"]

_USERS = "root:x:0:0:root:/nonexistent:/usr/sbin/nologin\n{name}:x:{number}:{number}::/tmp:/bin/sh\n"
_GROUP = "root:x:0:\n{name}:x:{number}:\n"
_HOSTS = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
_NSSWITCH = "passwd: files\ngroup: files\nhosts: files\nservices: files\nprotocols: files\n"
_SERVICES = "".join(
    f"{name}\t\t{number}/{kind}\n"
    for name, number, kind in (
        ("ftp", 21, "tcp"), ("ssh", 22, "tcp"), ("telnet", 23, "tcp"), ("smtp", 25, "tcp"),
        ("domain", 53, "tcp"), ("domain", 53, "udp"), ("http", 80, "tcp"), ("pop3", 110, "tcp"),
        ("ntp", 123, "udp"), ("imap2", 143, "tcp"), ("snmp", 161, "udp"), ("ldap", 389, "tcp"),
        ("https", 443, "tcp"), ("https", 443, "udp"), ("submission", 587, "tcp"), ("imaps", 993, "tcp"),
        ("mysql", 3306, "tcp"), ("postgresql", 5432, "tcp"),
    )
)  # fmt: skip
_PROTOCOLS = "ip\t0\tIP\nicmp\t1\tICMP\ntcp\t6\tTCP\nudp\t17\tUDP\nipv6\t41\tIPv6\n"
_RESOLVER = "nameserver 127.0.0.53\noptions edns0\n"


@dataclass(frozen=True, slots=True)
class User:
    """The user that scripts see in one sandbox, invented at random.

    Since each sandbox has another user, code cannot recognise a sandbox by a fixed name or path. ``name`` is
    the login name, ``number`` the uid and gid, ``host`` the host name. ``root`` is the path, inside the
    sandbox, of a folder that looks like a virtual environment and contains the target's files.
    """

    name: str
    number: int
    host: str
    root: str

    @classmethod
    def drawn(cls) -> User:
        """Return a user with a random login name, uid, host name and folder."""
        name = secrets.choice(("lena", "amir", "deploy", "www", "chloe", "app", "jonas", "mei", "svc", "olu"))
        kind = secrets.choice(("web", "worker", "build", "node", "app", "laptop"))
        root = secrets.choice(("/opt/{}", "/srv/{}/venv", "/data/{}", "/var/www/{}/env"))
        return cls(
            name,
            1001 + secrets.randbelow(50_000),
            f"{kind}-{secrets.token_hex(3)}",
            root.format(secrets.token_hex(4)),
        )

    def variables(self) -> dict[str, str]:
        """Return environment variables for one run, by name, that fit this user.

        ``USER``, ``LOGNAME``, ``PWD`` and ``OLDPWD`` are always among them. Each call adds a random choice of
        other variables that a login or a service sets.
        """
        names = {"USER": self.name, "LOGNAME": self.name, "PWD": "/tmp", "OLDPWD": "/"}  # noqa: S108 - inside
        more = {
            "SHLVL": secrets.choice("0123"),
            "TERM": secrets.choice(("xterm-256color", "screen", "linux", "dumb")),
            "MAIL": f"/var/mail/{self.name}",
            "XDG_SESSION_ID": str(secrets.randbelow(900)),
            "XDG_RUNTIME_DIR": f"/run/user/{self.number}",
            "SSH_CONNECTION": (
                f"10.0.{secrets.randbelow(250)}.7 {1024 + secrets.randbelow(60_000)} 10.0.1.2 22"
            ),
            "INVOCATION_ID": secrets.token_hex(16),
            "JOURNAL_STREAM": f"8:{secrets.randbelow(90_000)}",
            "VIRTUAL_ENV": self.root,
            "KUBERNETES_SERVICE_HOST": "10.96.0.1",
            "LESS": "-R",
            "EDITOR": "vim",
        }
        return names | {name: text for name, text in more.items() if secrets.randbelow(3)}


@dataclass(frozen=True, slots=True)
class Layout:
    """The file system that a sandbox shows.

    ``binds`` are read-only mounts, as (path on this machine, path inside). ``hidden`` are folders inside
    these mounts that are shown empty. ``links`` are symbolic links, as (target of the link, path of the
    link). ``files`` maps the paths of new files to their text; ``folders`` are new folders; ``devices`` are
    device files of this machine.
    """

    binds: tuple[tuple[str, str], ...]
    hidden: tuple[str, ...]
    links: tuple[tuple[str, str], ...]
    files: dict[str, str]
    folders: tuple[str, ...] = ("/proc", "/tmp", "/dev/shm", "/home")  # noqa: S108 - inside
    devices: tuple[str, ...] = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")

    def of(self, user: User) -> Layout:
        """Return a copy of this layout with a home folder for ``user`` and files that name user and machine.

        These files are ``passwd``, ``group``, ``hostname`` and ``machine-id`` in ``/etc``. The machine id is
        random.
        """
        names = {"/etc/passwd": _USERS, "/etc/group": _GROUP}
        made = {at: text.format(name=user.name, number=user.number) for at, text in names.items()}
        made |= {"/etc/hostname": f"{user.host}\n", "/etc/machine-id": f"{secrets.token_hex(16)}\n"}
        home = f"/home/{user.name}"
        return replace(self, files=self.files | made, folders=(*self.folders, home))

    def plain(self) -> dict[str, Any]:
        """Return the values of the fields by their names, as a dict that JSON can hold."""
        return asdict(self)


def interpreter() -> str:
    """Return the path of the base Python interpreter, without symbolic links.

    In a virtual environment it is the interpreter from which the environment was made.
    """
    base = getattr(sys, "_base_executable", None) or sys.executable
    return os.path.realpath(base)


@functools.cache
def layout() -> Layout:
    """Return the layout that shows this machine's Python and its libraries; it is computed once.

    No user is in it yet, see :meth:`Layout.of`.
    """
    binds, links = [("/usr", "/usr")], [("/tmp", "/var/tmp")]  # noqa: S108 - inside
    for name in ("/bin", "/sbin", "/lib", "/lib32", "/lib64"):
        if Path(name).is_symlink():
            links.append((str(Path(name).readlink()), name))
        elif Path(name).is_dir():
            binds.append((name, name))
    library = sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix})
    parts = [Path(library), Path(interpreter())]
    dynamic = sysconfig.get_config_var("LDLIBRARY")
    folder = sysconfig.get_config_var("LIBDIR")
    if dynamic and folder:
        parts += sorted(Path(folder).glob(f"{dynamic}*"))
    binds += [(str(part), str(part)) for part in parts if not part.is_relative_to("/usr") and part.exists()]
    parts = [Path("/etc", name) for name in ("ld.so.cache", "alternatives", "ssl/certs")]
    binds += [(str(part), str(part)) for part in parts if part.exists()]
    links += [
        (text, place)
        for text, place in (
            ("/usr/share/zoneinfo/Etc/UTC", "/etc/localtime"),
            ("../usr/lib/os-release", "/etc/os-release"),
        )
        if Path("/etc", text).exists()
    ]
    packages = {f"{library}/site-packages", f"{library}/dist-packages", "/usr/lib/python3/dist-packages"}
    return Layout(
        binds=tuple(binds),
        hidden=tuple(sorted(name for name in packages if Path(name).is_dir())),
        links=tuple(links),
        files={
            "/etc/hosts": _HOSTS,
            "/etc/nsswitch.conf": _NSSWITCH,
            "/etc/services": _SERVICES,
            "/etc/protocols": _PROTOCOLS,
            "/etc/resolv.conf": _RESOLVER,
        },
    )

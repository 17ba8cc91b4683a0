"""Python code that runs before a PoV and makes its process look like one on a server, years from now.

A patch that closes the flaw only in the sandbox, or only until some date, then fails. The code replaces
functions of the standard library, only in the process that imports the target. The replaced functions report
another user, folder, environment variables, limits, files, streams, threads and network, and a time that is
years ahead. Weeks pass between the imports of the PoV and its attack.
"""

from __future__ import annotations

import ast
from random import Random

from crisol.sandbox.script import ACT, JUDGE

__all__ = ["ELSEWHERE_NAME", "PLACE", "elsewhere", "lasting"]

PLACE = "/dev/shm/srv/app"  # noqa: S108 - inside the sandbox
"""The working folder of the program."""
ELSEWHERE_NAME = f"{PLACE}/main.py, elsewhere and years later"
"""The file name of the caller, which warnings and logs tell a patch; it does not look like a PoV."""
_CODE = r"""
from functools import partial as _partial
from importlib.util import find_spec as _find_spec
import datetime as _datetime, os as _os, sys as _sys, time as _time
_place = "/dev/shm/srv/app"
_root = next(name for name in _sys.path if name.endswith("site-packages")).partition("/lib/")[0]
_os.makedirs(_place)
_os.chdir(_place)
_os.environ.clear()
_os.environ.update({
    "LANG": "de_DE.UTF-8", "HOME": "/home/" + _user, "USER": _user, "LOGNAME": _user, "TZ": "Europe/Berlin",
    "PATH": "/home/%s/.local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" % _user,
    "PWD": _place, "OLDPWD": "/home/" + _user,
    "SHLVL": "2",
    "TERM": "xterm-256color", "SHELL": "/bin/bash", "MAIL": "/var/mail/" + _user, "APP_ENV": "live",
    "EDITOR": "vim",
    "XDG_RUNTIME_DIR": "/run/user/1000", "XDG_SESSION_ID": str(_process % 90),
    "SSH_TTY": "/dev/pts/0", "HOSTNAME": _user + "-1",
    "_": "python", "DISPLAY": ":0", "COLORTERM": "truecolor", "LS_COLORS": "rs=0:di=01;34:ln=01;36",
    "LESSOPEN": "| /usr/bin/lesspipe %s", "PAGER": "less", "VISUAL": "vim", "COLUMNS": "132", "LINES": "43",
    "DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/user/1000/bus", "SSH_CLIENT": "198.51.100.7 50022 22",
    "SSH_CONNECTION": "198.51.100.7 50022 198.51.100.9 22", "SSH_AUTH_SOCK": "/run/user/1000/agent",
    "VIRTUAL_ENV": _root, "PYTHONUNBUFFERED": "1", "LC_ALL": "de_DE.UTF-8", "LANGUAGE": "de",
    "XDG_DATA_DIRS": "/usr/local/share:/usr/share", "XDG_CONFIG_HOME": "/home/%s/.config" % _user,
    "DATABASE_URL": "postgresql:///app", "SECRET_KEY": "%x" % _mask, "PORT": "8000", "WEB_CONCURRENCY": "4",
    "INVOCATION_ID": "%032x" % _mask, "JOURNAL_STREAM": "8:%d" % _process, "SYSTEMD_EXEC_PID": str(_process),
})
_ahead = _years * 31_556_952
_month = 2_592_000

def _pass_a_month():
    global _ahead
    _ahead += _month

def _shifted(function, units):
    # A class that takes the function as an attribute must not make a method of it.
    return _partial(lambda *a: function() + units * _ahead)

def _of_now(function):
    return _partial(lambda seconds=None: function(_time.time() if seconds is None else seconds))

_clock_gettime, _clock_gettime_ns = _time.clock_gettime, _time.clock_gettime_ns
_time.clock_gettime = lambda clock: _clock_gettime(clock) + _ahead
_time.clock_gettime_ns = lambda clock: _clock_gettime_ns(clock) + int(1_000_000_000 * _ahead)
for _name in ("process_time", "thread_time", "perf_counter", "time", "monotonic"):
    setattr(_time, _name, _shifted(getattr(_time, _name), 1))
for _name in ("process_time_ns", "perf_counter_ns", "time_ns", "monotonic_ns"):
    setattr(_time, _name, _shifted(getattr(_time, _name), 1_000_000_000))
for _name in ("localtime", "gmtime", "ctime"):
    setattr(_time, _name, _of_now(getattr(_time, _name)))

_strftime, _asctime = _time.strftime, _time.asctime
_time.strftime = lambda form, moment=None: _strftime(form, _time.localtime() if moment is None else moment)
_time.asctime = lambda moment=None: _asctime(_time.localtime() if moment is None else moment)

class _Kind(type):
    # Moments and days of the modules that were imported before are instances, too.
    def __instancecheck__(cls, value):
        return isinstance(value, cls.__base__)

    def __subclasscheck__(cls, kind):
        return issubclass(kind, cls.__base__)

class _Later(_datetime.datetime, metaclass=_Kind):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(_time.time(), tz)

    @classmethod
    def utcnow(cls):
        return cls.utcfromtimestamp(_time.time())

    @classmethod
    def today(cls):
        return cls.fromtimestamp(_time.time())

class _LaterDay(_datetime.date, metaclass=_Kind):
    @classmethod
    def today(cls):
        return cls.fromtimestamp(_time.time())

_datetime.datetime, _datetime.date = _Later, _LaterDay

# Another machine: its processes, limits, disks, folders, terminal, threads and seed of hashes.
import builtins as _builtins, resource as _resource, threading as _threading
_sys.prefix, _sys.base_prefix, _sys.executable = _root, "/usr", _root + "/bin/python"
_hash, _id, _stat, _lstat = _builtins.hash, _builtins.id, _os.stat, _os.lstat
_access = _os.access
_builtins.hash = lambda value: _hash(value) ^ _mask
_builtins.id = lambda value: _id(value) ^ _mask << 16
_os.getpid, _os.getlogin, _os.cpu_count = lambda: _process, lambda: _user, lambda: _cores
_os.sched_getaffinity, _os.getloadavg = lambda process: set(range(_cores)), lambda: (3.5, 3.1, 2.9)
_os.isatty = _sys.stdin.isatty = lambda *a: True
_disk = (4096, 4096, 1 << 28, 1 << 27, 1 << 27, 1 << 24, 1 << 23, 1 << 23, 4096, 255)
_os.statvfs = _os.fstatvfs = lambda place: _os.statvfs_result(_disk)
_resource.getrlimit, _resource.setrlimit = lambda kind: (-1, -1), lambda kind, limits: None
_threading.active_count = lambda: _cores + 3
_THERE = ("/etc", "/var", "/usr", "/home", "/opt", "/run", "/root", "/boot", "/sys", "/dev")
_installed_at = tuple(filter(None, _sys.path))
_own = (_place, *_installed_at)

def _there(path):
    # A script sees which of its own files are missing, and a package which of its files.
    name = _os.fspath(path) if isinstance(path, (str, _os.PathLike)) else b""
    return isinstance(name, str) and name.startswith(_THERE) and not name.startswith(_own)

_NAMES = "root daemon bin sys sync games man lp mail news uucp proxy www-data backup list irc nobody".split()
_NAMES += ["postgres", "redis", "messagebus", "syslog", _user]
_FILES = {
    "/etc/machine-id": "%032x\n" % (_mask << 90),
    "/etc/hostname": _user + "-1\n",
    "/etc/hosts": "127.0.0.1 localhost\n192.168.7.20 %s-1\n" % _user + "192.168.7.1 gate\n" * 9,
    "/etc/passwd": "".join("%s:x:%d:%d::/home/%s:/bin/sh\n" % (n, i, i, n) for i, n in enumerate(_NAMES)),
    "/etc/group": "".join("%s:x:%d:\n" % (name, number) for number, name in enumerate(_NAMES)),
    "/etc/os-release": 'NAME="Debian GNU/Linux"\nID=debian\n', "/etc/resolv.conf": "nameserver 192.168.7.1\n",
    "/proc/self/limits": "%-26s%-21s%-21s%s\n" % ("Max address space", "unlimited", "unlimited", "bytes"),
    "/proc/self/status": "Name:\tpython\nSeccomp:\t0\nNoNewPrivs:\t0\n",
    "/proc/uptime": "%d.00 %d.00\n" % (_process * 9, _process * 9), "/proc/self/cgroup": "0::/user.slice\n",
    "/proc/meminfo": "MemTotal: %d kB\n" % (_cores << 22), "/proc/loadavg": "3.50 3.10 2.90 4/900 4242\n",
    "/proc/version": "Linux version 6.1.0-13-amd64\n", "/proc/cpuinfo": "processor\t: 0\n" * _cores,
}

def _real(path):
    # Where the file lies with which the machine answers; programs bear a missing one of /usr better.
    name = _os.fspath(path) if isinstance(path, (str, _os.PathLike)) else ""
    if name not in _FILES and (not _there(path) or name.startswith(("/usr", "/opt")) or _access(name, 0)):
        return path
    if name.startswith("/dev/"):
        return "/dev/null"
    last = name.rpartition("/")[2]
    if name not in _FILES and not ("." in last or "-" in last):
        return "/etc"
    at = "/dev/shm/srv/" + name.replace("/", "_")
    if not _access(at, 0):
        with _open(at, "w") as file:
            file.write(_FILES.get(name, "# written by the administrator\n"))
    return at

def _found(function):
    def asked(path, *a, **k):
        try:
            return function(_real(path), *a, **k)
        except FileNotFoundError:
            if not _there(path):
                raise
            return _stat("/etc")
    return asked

_open, _os_open = _builtins.open, _os.open
_os.stat, _os.lstat = _found(_stat), _found(_lstat)
_os.access = lambda path, mode, **k: _access(_real(path), mode, **k) or (_there(path) and not mode & _os.W_OK)

# Its streams, accounts, programs, time zone and network.
import pwd as _pwd, shutil as _shutil, socket as _socket
_zone, _os.environ["TZ"] = _os.environ["TZ"], "CET-1CEST,M3.5.0,M10.5.0/3"
_time.tzset()
_os.environ["TZ"] = _zone
_fstat, _listdir, _which, _connect = _os.fstat, _os.listdir, _shutil.which, _socket.socket.connect
_readlink = _os.readlink

def _named_place(path):
    if isinstance(path, int):
        try:
            return _readlink("/proc/self/fd/%d" % path)
        except OSError:
            return _place
    return _os.path.abspath(path) if isinstance(path, (str, _os.PathLike)) else _place

def _owner(name):
    return 33 if name.startswith((*_own, "/dev/shm", "/tmp", "/home")) else 0

def _on_one_disk(function):
    def asked(*a, **k):
        told, place = function(*a, **k), _named_place(*a[:1])
        owner = _owner(place)
        more = {name: getattr(told, name) for name in dir(told) if name.startswith("st_")}
        # What the script itself writes is new, the program was installed months ago.
        later = _ahead - 9 * _month if place.startswith(_installed_at) else _ahead
        for name in ("st_atime", "st_mtime", "st_ctime"):
            more[name] += later
            more[name + "_ns"] += int(1_000_000_000 * later)
        whole = [int(more[name]) for name in ("st_atime", "st_mtime", "st_ctime")]
        return _os.stat_result((told[0], told[1] + _mask, 2049, told[3], owner, owner, told[6], *whole), more)
    return asked

_os.stat, _os.lstat = _on_one_disk(_os.stat), _on_one_disk(_os.lstat)
_os.fstat = _on_one_disk(lambda number: _stat("/dev/null") if number in (0, 1, 2) else _fstat(number))
_os.get_terminal_size = lambda *a: _os.terminal_size((132, 43))
_os.path.ismount = lambda path: _os.path.abspath(path) == "/"
_os.getuid = _os.geteuid = _os.getgid = _os.getegid = lambda: 33
_os.getgroups = lambda: [4, 24, 27, 33]

def _account(number):
    name = _NAMES[number] if number < 17 else _NAMES[12] if number == 33 else _user
    return _pwd.struct_passwd((name, "x", number, number, name, "/home/" + name, "/bin/sh"))

_pwd.getpwuid = _account
_shutil.which = lambda name, *a, **k: _which(name, *a, **k) or "/usr/bin/" + _os.path.basename(name)

_FULL = {"/usr/bin", "/usr/share", "/var/log", *_THERE} - {"/usr", "/opt"}
_FULL |= {_os.path.join(_os.path.dirname(_os.__file__), name) for name in ("site-packages", "dist-packages")}

def _listed(path="."):
    place = _os.path.abspath(path) if isinstance(path, (str, _os.PathLike)) else ""
    try:
        names = _listdir(path)
    except OSError:
        if place not in _FULL:
            raise
        names = []
    if place == "/proc":
        return [*names, *map(str, range(300, 420))]
    if place == "/":
        return sorted({*names, "boot", "media", "mnt", "srv", *(name[1:] for name in _THERE)})
    return names + [_user + str(number) for number in range(200)] if place in _FULL else names

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

# Its limits, users, folders, threads, logs and open streams, by the functions that give them whole.
import grp as _grp, io as _io, logging as _logging, pkgutil as _pkgutil, uuid as _uuid
_sysconf, _times, _getrusage = _os.sysconf, _os.times, _resource.getrusage
_MORE = {"SC_PHYS_PAGES": 8, "SC_AVPHYS_PAGES": 8, "SC_OPEN_MAX": 16, "SC_CHILD_MAX": 16, "SC_ARG_MAX": 2}

def _configured(name):
    names = {number: text for text, number in _os.sysconf_names.items()}
    text = names.get(name, name)
    return _cores if "NPROCESSORS" in text else _sysconf(name) * _MORE.get(text, 1)

def _used(who):
    told = list(_getrusage(who))
    told[0] += 90.0
    told[2] += 1 << 21
    for at in (6, 10, 14, 15):  # pages read, blocks written, switches of both kinds
        told[at] += 9000
    return _resource.struct_rusage(told)

def _elapsed():
    told = _times()
    return _os.times_result((told[0] + 90.0, told[1] + 9.0, *told[2:4], told[4] + _ahead))

_os.sysconf, _os.times, _resource.getrusage = _configured, _elapsed, _used
_resource.prlimit = lambda process, kind, *a: (-1, -1)
_os.getresuid = _os.getresgid = lambda: (33, 33, 33)
_os.umask(0o027)

def _named(function, made):
    def asked(name):
        try:
            return function(name)
        except KeyError:
            return made(name)
    return asked

_pwd.getpwnam = _named(_pwd.getpwnam, lambda name: _pwd.struct_passwd(
    (name, "x", 33, 33, name, "/home/" + name, "/bin/bash")
))
_grp.getgrnam = _named(_grp.getgrnam, lambda name: _grp.struct_group((name, "x", 33, [])))
_grp.getgrgid = _named(_grp.getgrgid, lambda number: _grp.struct_group(("www-data", "x", number, [])))

class _Entry:
    # An entry of a folder that other machines have.
    def __init__(self, folder, name):
        self.name, self.path = name, _os.path.join(folder, name)

    def __fspath__(self):
        return self.path

    def is_dir(self, *, follow_symlinks=True):
        return True

    def is_file(self, *, follow_symlinks=True):
        return False

    is_symlink = is_junction = lambda self: False

    def stat(self, *, follow_symlinks=True):
        return _os.stat("/")

    def inode(self):
        return self.stat().st_ino

_scandir = _os.scandir

class _Entries(list):
    def __enter__(self):
        return self

    def __exit__(self, *told):
        self.clear()

    def __next__(self):
        if not self:
            raise StopIteration
        return self.pop(0)

    close = list.clear

def _scanned(path="."):
    place = _os.path.abspath(path) if isinstance(path, (str, _os.PathLike)) else ""
    if place != "/" and place not in _FULL:
        return _scandir(path)
    try:
        with _scandir(path) as entries:
            there = _Entries(entries)
    except OSError:
        there = _Entries()
    names = {entry.name for entry in there}
    there += [_Entry(_os.fspath(path), name) for name in _listed(path) if name not in names]
    return there

_os.scandir = _scanned
_workers = [_threading.Thread(name="worker-%d" % number) for number in range(_cores + 2)]
_threads = [_threading.current_thread(), *_workers]
_threading.enumerate = lambda: list(_threads)
_threads[0]._native_id = _process
_uuid._generate_time_safe = _uuid._UuidCreate = None
_uuid._node = 0x001A2B000000 | _mask & 0xFFFFFF
_logging._startTime -= _ahead
_logging.basicConfig(stream=open("/dev/null", "w"), level=_logging.INFO)
for _name in ("pip", "setuptools", "pkg_resources", "wheel", "apt", "distro"):
    if _name not in _sys.modules and _find_spec(_name) is None:
        _sys.modules[_name] = type(_sys)(_name)
_iter_modules = _pkgutil.iter_modules

def _installed(path=None, prefix=""):
    yield from _iter_modules(path, prefix)
    if path is None:
        yield from (_pkgutil.ModuleInfo(None, "%spackage_%d" % (prefix, n), True) for n in range(400))

_pkgutil.iter_modules = _installed
_connect_ex, _getaddrinfo = _socket.socket.connect_ex, _socket.getaddrinfo

def _reached(self, address):
    told = _connect_ex(self, address)
    away = self.family == _socket.AF_INET and not str(address[0]).startswith(("127.", "localhost", "0."))
    return 0 if away else told

def _resolved(host, port, *a, **k):
    try:
        return _getaddrinfo(host, port, *a, **k)
    except _socket.gaierror:
        return [(_socket.AF_INET, _socket.SOCK_STREAM, 6, "", ("198.51.100.9", int(port or 0)))]

_getsockname = _socket.socket.getsockname

def _own_address(self):
    told = _getsockname(self)
    return ("192.168.7.20", *told[1:]) if self.family == _socket.AF_INET and told[0] == "0.0.0.0" else told

_socket.socket.getsockname = _own_address
_socket.socket.connect_ex, _socket.getaddrinfo = _reached, _resolved
_socket.gethostbyname = lambda host: _resolved(host, 0, _socket.AF_INET)[0][4][0]

_born = _socket.socket.__init__

def _begun(self, family=-1, type=-1, proto=-1, fileno=None):
    try:
        _born(self, family, type, proto, fileno)
    except OSError:
        # Another machine has all families of sockets, such as that of the kernel.
        _born(self, _socket.AF_UNIX, _socket.SOCK_DGRAM, 0, fileno)

_socket.socket.__init__ = _begun
_os.openpty = lambda: (_os_open("/dev/null", _os.O_RDWR), _os_open("/dev/null", _os.O_RDWR))

_socket.if_nameindex = lambda: [(1, "lo"), (2, "eth0")]
_socket.if_indextoname = lambda number: dict(_socket.if_nameindex())[number]
_os.memfd_create = lambda *a: _os_open("/dev/shm/srv", _os.O_RDWR | _os.O_TMPFILE)

# A larger and older program: more calls below, more classes, expressions and streams, a request, signals.
import contextvars as _contextvars, re as _re, signal as _signal
from collections.abc import Sized as _Sized
_contextvars.ContextVar("request").set(_mask)
for _number in range(90):
    _re.compile("%d" % _number)
    _os.dup(0)
for _number in (_signal.SIGTERM, _signal.SIGHUP, _signal.SIGUSR1):
    _signal.signal(_number, _signal.default_int_handler)
_deepest = _sys.getrecursionlimit()
_sys.setrecursionlimit(_deepest - 60)
_sys.getrecursionlimit = lambda: _deepest
for _number in range(90):
    _Sized.register(type("_Sized", (), {}))

class _Stream:
    # Says that it has no buffer of lines; what is not written at once is lost with the process.
    __class__, line_buffering = _io.TextIOWrapper, False

    def __init__(self, stream):
        self._stream = stream

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def isatty(self):
        return True

_sys.stdout, _sys.stderr = _Stream(_sys.stdout), _Stream(_sys.stderr)

def _opened(file, mode="r", *a, **k):
    if set(mode) & set("wax+"):
        if _there(file) and not _access(_os.path.dirname(_os.fspath(file)), 0):
            raise PermissionError(13, "Permission denied", file)
        made = _open(file, mode, *a, **k)
    else:
        made = _open(_real(file), mode, *a, **k)
    if file in (0, 1, 2):
        made.isatty = lambda: True
    return made

def _os_opened(path, flags, *a, **k):
    if flags & (_os.O_WRONLY | _os.O_RDWR):
        if _there(path) and not _access(path, 0):
            raise PermissionError(13, "Permission denied", path)
        return _os_open(path, flags, *a, **k)
    return _os_open(_real(path), flags, *a, **k)

import tokenize as _tokenize
_tokenize._builtin_open = _opened
_builtins.open = _io.open = _opened
_os.open = _os_opened
for _name in ("sysconf", "times", "getresuid", "getresgid", "scandir", "open", "lstat", "access"):
    setattr(_posix, _name, getattr(_os, _name))
"""


def lasting(source: str) -> str:
    r"""Return the source of a PoV with a line behind its top-level imports that lets a month pass.

    The line calls a function that the code of :func:`elsewhere` defines. In a PoV with a judge, only the part
    that runs with the target gets the line. The source is returned unchanged if it does not parse, or if
    there is no top-level import.

    >>> lasting("import os\nos.stat('/')\n")
    "import os\n_pass_a_month()\nos.stat('/')\n"
    """
    plan, acts, rest = source.partition(ACT)
    act, judges, look = rest.partition(JUDGE)
    if acts and judges:
        return f"{plan}{ACT}{lasting(act)}{JUDGE}{look}"
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError):
        return source
    end = max(
        (node.end_lineno or 0 for node in body if isinstance(node, ast.Import | ast.ImportFrom)), default=0
    )
    if end == 0 or any(node.lineno <= end < (node.end_lineno or 0) for node in body):
        return source
    lines = source.split("\n")
    return "\n".join([*lines[:end], "_pass_a_month()", *lines[end:]])


def elsewhere(seed: int) -> str:
    """Return Python code that makes its process look as if it ran on another machine.

    To run a PoV there, put its source, or what :func:`lasting` makes of it, after this code. ``seed``
    determines the user's name, the process id, the number of cores, the hash seed and the year.
    """
    drawn = Random(seed)
    mask = drawn.getrandbits(30) * 2 + 1  # each hash and its parity change
    values = {
        "_user": drawn.choice(("lena", "amir", "chloe", "jonas", "mei", "olu")),
        "_process": drawn.randrange(30_000, 4_000_000),
        "_cores": 2 ** drawn.randrange(4, 8),
        "_years": drawn.randrange(25, 31),
        "_mask": mask,
    }
    return "".join(f"\n{name} = {value!r}" for name, value in values.items()) + _CODE

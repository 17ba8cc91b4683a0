"""The names that the search for tampering looks for, grouped by what a program can do with them.

A name counts only where the value of an expression can be the named object, see :mod:`.tampering`.
"""

from __future__ import annotations

import builtins
import codecs
import csv
import decimal
import inspect
import itertools
import logging
import os

__all__ = [
    "ANSWERS",
    "CALLERS",
    "CALLS",
    "COMPUTING",
    "IMPLEMENTED_BY",
    "INSIDE",
    "KEEPING",
    "MODULES",
    "PLACES",
    "PLAIN",
    "READING",
    "WRITING",
]

INSIDE = frozenset({
    "__subclasses__", "__globals__", "__code__", "__closure__", "cell_contents", "__builtins__",
    "__traceback__",
    "f_back", "f_locals", "f_globals", "f_builtins", "f_code", "f_trace", "tb_frame", "gi_frame", "gi_code",
    "cr_frame", "cr_code", "ag_frame", "ag_code", "__loader__", "__spec__", "findCaller",
    "run_in_executor",
})  # fmt: skip
"""Attributes that lead from an object to the code around it."""
IMPLEMENTED_BY = {
    "posix": "os", "_socket": "socket", "_io": "io", "_random": "random", "_signal": "signal",
    "_datetime": "datetime", "_pydatetime": "datetime", "_operator": "operator", "_codecs": "codecs",
}  # fmt: skip
"""The public module for each private module of the standard library."""
MODULES = frozenset({
    "__main__", "atexit", "ctypes", "_ctypes", "cffi", "gc", "faulthandler", "_posixsubprocess",
    "sitecustomize",
    "usercustomize", "imp", "_imp", "runpy", "zipimport", "marshal", "code", "codeop", "dis", "bdb", "pdb",
    "trace",
    "cProfile", "profile", "_lsprof", "tracemalloc", "unittest", "multiprocessing", "concurrent", "sched",
    "_thread",
    "_signal", "forbiddenfruit", "importlib.util", "importlib.machinery", "importlib._bootstrap",
    "_frozen_importlib",
    "_xxsubinterpreters", "_testcapi", "_testinternalcapi", "_opcode", "mmap", "_winapi",
    "importlib.metadata", "sysconfig", "site", "pip",
})  # fmt: skip
"""The modules that no fix imports: they reach into the interpreter, or what they start outlives a call."""
CALLS = frozenset({
    "builtins.exec", "builtins.eval", "builtins.compile", "builtins.exit", "builtins.quit",
    "builtins.SystemExit", "builtins.globals", "builtins.breakpoint",
    "builtins.__build_class__", "builtins.__dict__",
    "sys.exit", "sys.modules", "sys._getframe", "sys._current_frames", "sys._current_exceptions",
    "sys.settrace",
    "sys.setprofile", "sys.addaudithook", "sys.excepthook", "sys.__excepthook__", "sys.unraisablehook",
    "sys.meta_path", "sys.path_hooks", "sys.path_importer_cache", "sys.monitoring", "sys.displayhook",
    "sys.path",
    "os._exit", "os.abort", "os.kill", "os.killpg", "os.fork", "os.forkpty", "os.dup2", "os.closerange",
    "os.register_at_fork", "os.execv", "os.execve", "os.execvp", "threading.Thread", "threading.Timer",
    "threading.settrace", "threading.setprofile", "threading.excepthook", "signal.signal", "signal.setitimer",
    "signal.alarm", "signal.raise_signal", "weakref.finalize", "inspect.currentframe", "inspect.stack",
    "inspect.trace", "inspect.getframeinfo", "importlib.reload", "importlib.invalidate_caches",
    "pkgutil.resolve_name",
    "asyncio.create_task", "asyncio.ensure_future", "types.CodeType", "types.FunctionType", "types.FrameType",
    "linecache.cache", "linecache.getline", "linecache.getlines", "inspect.getsource",
    "inspect.getclosurevars",
    "sys.argv", "sys.orig_argv", "sys.flags", "sys.dont_write_bytecode", "sys._xoptions",
    "socket.gethostname",
    "socket.getfqdn", "platform.node", "platform.uname", "os.uname", "os.getppid", "getpass.getuser",
    "sys.gettrace", "sys.getprofile", "sys.get_asyncgen_hooks", "sys.set_asyncgen_hooks",
    "sys._debugmallocstats",
    "sys.getallocatedblocks", "sys.exec_prefix", "sys.base_exec_prefix", "sys._base_executable",
    "traceback.extract_stack", "traceback.format_stack", "traceback.print_stack", "traceback.walk_stack",
    "traceback.StackSummary", "threading._start_new_thread", "threading.get_native_id",
    "asyncio.to_thread", "logging.handlers.QueueListener", "socketserver.ThreadingMixIn",
    "socketserver.ThreadingTCPServer", "socketserver.ThreadingUDPServer", "http.server.ThreadingHTTPServer",
    "sys.getrefcount", "os.getsid", "os.getpgrp", "os.getpgid", "os.tcgetpgrp", "os.ttyname",
    "uuid.getnode", "pwd.getpwall", "grp.getgrall", "socket.if_nameindex",
})  # fmt: skip
"""The functions, classes and attributes that no fix uses: they end, trace, fork or inspect a run."""
READING = frozenset({
    "__file__", "pathname", "st_dev", "st_ino", "st_uid", "st_gid", "st_mtime", "st_ctime", "st_atime",
    "exists", "is_file", "is_dir", "is_symlink", "is_mount", "iterdir", "glob", "rglob", "resolve",
    "absolute", "expanduser", "cwd", "home", "lstat", "readlink", "samefile",
    "builtins.open", "os.environ", "os.getenv", "os.environb", "os.getenvb", "os.get_exec_path",
    "os.getcwd", "os.getcwdb", "os.getpid", "os.getuid", "os.geteuid", "os.getgid", "os.getegid",
    "os.getgroups", "os.getresuid", "os.getresgid", "os.getlogin", "os.getloadavg", "os.cpu_count",
    "os.sched_getaffinity", "os.sysconf", "os.statvfs", "os.isatty", "os.get_terminal_size", "os.times",
    "os.stat", "os.lstat", "os.fstat", "os.access", "os.readlink", "os.listdir", "os.scandir", "os.walk",
    "os.path.exists", "os.path.lexists", "os.path.isfile", "os.path.isdir", "os.path.islink",
    "os.path.ismount", "os.path.getsize", "os.path.getmtime", "os.path.getatime", "os.path.getctime",
    "os.path.samefile", "os.path.realpath", "os.path.abspath", "os.path.relpath", "os.path.expanduser",
    "os.path.expandvars",
    "time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns", "time.perf_counter",
    "time.perf_counter_ns", "time.process_time", "time.process_time_ns", "time.thread_time",
    "time.thread_time_ns", "time.localtime", "time.gmtime", "time.ctime", "time.asctime", "time.strftime",
    "time.mktime", "time.timezone", "time.altzone", "time.tzname", "time.daylight", "time.clock_gettime",
    "time.clock_gettime_ns", "time.sleep",
    "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today",
    "datetime.datetime.astimezone", "datetime.datetime.fromtimestamp", "datetime.date.fromtimestamp",
    "email.utils.localtime", "email.utils.formatdate", "locale.getdefaultlocale",
    "sys.executable", "sys.prefix", "sys.base_prefix", "sys.stdin", "sys.stdout.isatty", "sys.stderr.isatty",
    "sys.stdout.fileno", "sys.stderr.fileno", "sys.__stdin__", "sys.__stdout__", "sys.__stderr__",
    "resource.getrlimit", "resource.getrusage", "resource.prlimit", "shutil.disk_usage", "shutil.which",
    "shutil.get_terminal_size", "threading.active_count", "threading.enumerate", "threading.main_thread",
    "threading.current_thread", "pwd.getpwuid", "pwd.getpwnam", "grp.getgrgid", "grp.getgrnam",
    "glob.glob", "glob.iglob", "inspect.getfile", "inspect.getsourcefile", "logging.getLogger.handlers",
    "logging.getLogger.hasHandlers", "logging.getLogger.isEnabledFor", "logging.getLogger.getEffectiveLevel",
    "logging.getLogger.level", "logging.getLogger.disabled",
    "socket.create_connection", "socket.getaddrinfo", "socket.gethostbyname",
})  # fmt: skip
"""The functions, attributes and methods by which a program reads its surroundings and changes nothing.

A patch that newly uses one of them keeps nothing between calls by it. A name without a dot stands for an
attribute or method of any object.
"""
COMPUTING = frozenset({
    "__future__", "abc", "array", "ast", "base64", "binascii", "bisect", "calendar", "cmath", "collections",
    "copy", "dataclasses", "difflib", "enum", "errno", "fnmatch", "fractions", "hashlib",
    "heapq", "hmac", "html", "ipaddress", "json", "keyword", "math", "ntpath", "numbers", "operator",
    "pathlib", "pprint", "quopri", "re", "shlex", "stat", "statistics", "string", "stringprep", "struct",
    "textwrap", "token", "tokenize", "tomllib", "types", "typing", "typing_extensions", "unicodedata",
    "urllib.parse", "urllib.error", "xml", "zlib",
    *(
        f"builtins.{name}"
        for name in dir(builtins)
        if name not in {
            "open", "input", "hash", "id", "dir", "vars", "locals", "__import__", "help", "copyright",
            "credits", "license",
        }
    ),
    *(
        f"{module}.{name}"
        for module in ("os.path", "posixpath")
        for name in (
            "join", "split", "splitext", "splitdrive", "basename", "dirname", "normpath", "normcase", "isabs",
            "commonpath", "commonprefix", "sep", "altsep", "pardir", "curdir", "extsep", "samestat",
        )
    ),
    *(f"os.{name}" for name in dir(os) if name.isupper()),
    "os.fspath", "os.fsencode", "os.fsdecode", "os.sep", "os.altsep", "os.pardir", "os.curdir", "os.extsep",
    "os.linesep", "os.name", "os.devnull", "os.PathLike", "os.strerror", "os.error", "os.close",
    *(f"itertools.{name}" for name in dir(itertools) if name not in {"count", "cycle"}),
    "functools.partial", "functools.partialmethod", "functools.wraps", "functools.update_wrapper",
    "functools.reduce", "functools.cmp_to_key", "functools.total_ordering", "functools.singledispatch",
    "codecs.encode", "codecs.decode", "codecs.lookup", "codecs.getincrementaldecoder", "codecs.getdecoder",
    "codecs.getencoder", "codecs.getreader", "codecs.getwriter", "codecs.escape_decode",
    *(f"codecs.{name}" for name in dir(codecs) if name.isupper()),
    "contextlib.suppress", "contextlib.contextmanager", "contextlib.asynccontextmanager",
    "contextlib.closing", "contextlib.nullcontext", "contextlib.ExitStack", "contextlib.AsyncExitStack",
    "contextlib.ContextDecorator", "contextlib.AbstractContextManager",
    "csv.reader", "csv.writer", "csv.DictReader", "csv.DictWriter", "csv.Sniffer", "csv.Error",
    *(f"csv.{name}" for name in dir(csv) if name.isupper()),
    "datetime.datetime", "datetime.date", "datetime.time", "datetime.timedelta", "datetime.timezone",
    "datetime.tzinfo", "datetime.UTC", "datetime.MINYEAR", "datetime.MAXYEAR",
    *(f"decimal.{name}" for name in dir(decimal) if not name.endswith("context")),
    "email.header", "email.headerregistry", "email.charset", "email.errors", "email.message", "email.mime",
    "email.policy", "email.utils.parseaddr", "email.utils.formataddr", "email.utils.getaddresses",
    "email.utils.quote", "email.utils.unquote", "email.utils.parsedate", "email.utils.parsedate_to_datetime",
    "http.HTTPStatus", "http.cookies", "http.client.HTTPException", "http.client.responses",
    "inspect.signature", "inspect.Signature", "inspect.Parameter", "inspect.BoundArguments",
    "inspect.getattr_static", "inspect.getmro", "inspect.unwrap", "inspect.cleandoc", "inspect.getdoc",
    *(f"inspect.{name}" for name in dir(inspect) if name.startswith("is")),
    "io.BytesIO", "io.StringIO", "io.IOBase", "io.RawIOBase", "io.BufferedIOBase", "io.TextIOBase",
    "io.BufferedReader", "io.UnsupportedOperation", "io.SEEK_SET", "io.SEEK_CUR", "io.SEEK_END",
    "io.DEFAULT_BUFFER_SIZE",
    "gzip.decompress", "gzip.compress", "bz2.decompress", "bz2.compress", "lzma.decompress", "lzma.compress",
    "bz2.BZ2Decompressor", "lzma.LZMADecompressor", "gzip.BadGzipFile",
    *(f"logging.{name}" for name in dir(logging) if name.isupper()),
    "logging.getLogger", "logging.debug", "logging.info", "logging.warning", "logging.error",
    "logging.exception", "logging.critical", "logging.log", "logging.NullHandler", "logging.Filter",
    "logging.Logger", "secrets.compare_digest",
    "sys.maxsize", "sys.maxunicode", "sys.byteorder", "sys.version_info", "sys.version", "sys.hexversion",
    "sys.platform", "sys.implementation", "sys.float_info", "sys.int_info", "sys.getrecursionlimit",
    "sys.getdefaultencoding", "sys.getfilesystemencoding", "sys.exc_info", "sys.intern", "sys.getsizeof",
    "sys.stdout.write", "sys.stdout.flush", "sys.stderr.write", "sys.stderr.flush",
    "socket.AF_INET", "socket.AF_INET6", "socket.AF_UNIX", "socket.SOCK_STREAM", "socket.inet_aton",
    "socket.inet_pton", "socket.inet_ntoa", "socket.inet_ntop", "socket.error", "socket.gaierror",
    "socket.timeout",
    "tempfile.TemporaryFile", "tempfile.SpooledTemporaryFile", "threading.Lock", "threading.RLock",
    "threading.Condition", "threading.Semaphore", "threading.BoundedSemaphore", "time.struct_time",
    "time.strptime", "uuid.UUID", "uuid.uuid3", "uuid.uuid5", "uuid.NAMESPACE_DNS", "uuid.NAMESPACE_URL",
    "uuid.NAMESPACE_OID", "warnings.warn",
    "zipfile.ZipInfo", "zipfile.BadZipFile", "zipfile.ZIP_DEFLATED", "zipfile.ZIP_STORED", "tarfile.TarInfo",
    "tarfile.TarError", "tarfile.ReadError", "sqlite3.Error", "sqlite3.OperationalError", "pickle",
    "optparse.OptionValueError", "optparse.OptionError", "argparse.ArgumentTypeError",
    "argparse.ArgumentError", "wsgiref.headers", "_string", "urlparse", "urllib.quote", "urllib.unquote",
    "urllib.unquote_plus", "yaml", "six", "markupsafe", "jinja2", "lxml", "cryptography", "html5lib",
})  # fmt: skip
"""The modules and functions of libraries whose results depend on their arguments alone.

A part of a name that begins with one underscore, such as ``_cache`` in ``re._cache``, is not covered.
"""
CALLERS = frozenset({"stacklevel", "stack_info"})
"""The keyword arguments by which warnings and logs name the caller."""
KEEPING = frozenset({
    "append", "appendleft", "add", "update", "setdefault", "pop", "popleft", "popitem", "extend",
    "extendleft", "insert", "remove", "discard", "clear", "rotate", "sort", "reverse", "increment", "put",
    "push", "send", "set", "reset", "__next__", "__setitem__", "__delitem__", "__iadd__", "acquire",
    "release", "register", "write", "__setattr__", "__delattr__", "__dict__", "__enter__",
    "addFilter", "addHandler", "setLevel", "seek", "read", "truncate", "subtract", "move_to_end", "add_note",
    "intersection_update", "difference_update", "symmetric_difference_update",
})  # fmt: skip
"""The methods that change an object; a program that keeps state between calls uses one of them."""
WRITING = frozenset({
    "write_text", "write_bytes", "touch", "mkdir", "makedirs", "unlink", "rmdir", "symlink_to", "hardlink_to",
    "rename", "chmod",
})  # fmt: skip
"""Methods and functions that write or make a file."""
PLACES = (
    "/etc/",
    "/var/",
    "/usr/",
    "/home/",
    "/sys/",
    "/dev/",
    "/opt/",
    "/run/",
    "/root/",
    "/boot/",
    "/tmp/",  # noqa: S108 - what a patch names
)
"""The folders of the machine; a text that begins with one of them names a file outside the program."""
PLAIN = frozenset(
    {
        "str", "bytes", "bytearray", "int", "float", "bool", "list", "tuple", "dict", "set", "frozenset",
        "collections.UserString",
    }
)  # fmt: skip
"""The types of plain data; a subclass with comparisons of its own can deceive a script."""
ANSWERS = frozenset({
    "__eq__", "__ne__", "__contains__", "__iter__", "__len__", "__bool__", "__lt__", "__le__", "__gt__",
    "__ge__",
    "__getitem__", "__class__", "__instancecheck__", "__getattribute__",
})  # fmt: skip
"""The methods that decide the comparisons, the length, the elements and the class of a value."""

"""The names that the search for tampering looks for, grouped by what a program can do with them.

The search finds a name where an expression may yield the object of this name. It ignores texts that only
contain the name, see :mod:`.tampering`.
"""

from __future__ import annotations

__all__ = [
    "ANSWERS",
    "ASKED",
    "CALLS",
    "IMPLEMENTED_BY",
    "INSIDE",
    "KEEPING",
    "MODULES",
    "PLACES",
    "PLAIN",
    "REEXPORTED",
    "TYPE_TESTS",
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
    "importlib.metadata", "sysconfig", "site", "pip", "timeit", "pydoc", "doctest",
})  # fmt: skip
"""The modules that no fix imports: they reach into the interpreter, or what they start outlives a call."""
REEXPORTED = frozenset(name for name in MODULES if "." not in name) - {
    "code", "concurrent", "dis", "imp", "marshal", "pip", "profile", "sched", "site", "trace",
}  # fmt: skip
"""The forbidden modules that are recognised as an attribute of another module; the words left out have other
meanings there."""
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
    "pkgutil.resolve_name", "typing.get_type_hints", "typing.ForwardRef", "inspect.get_annotations",
    "gettext.c2py",
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
    "types.new_class",
    "sys.getrefcount", "os.getsid", "os.getpgrp", "os.getpgid", "os.tcgetpgrp", "os.ttyname",
    "uuid.getnode", "pwd.getpwall", "grp.getgrall", "socket.if_nameindex",
})  # fmt: skip
"""The functions, classes and attributes that no fix uses: they end, trace, fork or inspect a run."""
ASKED = frozenset({
    "os.environ", "os.environb", "os.getenv", "os.getenvb", "os.getcwd", "os.getpid", "os.getuid",
    "os.geteuid", "os.getgid", "os.getegid", "os.getgroups", "os.getlogin", "os.cpu_count", "os.getloadavg",
    "os.sched_getaffinity", "os.sysconf", "os.statvfs", "os.isatty", "os.get_terminal_size", "os.times",
    "os.path.expanduser", "os.path.expandvars", "os.path.ismount", "pathlib.Path.cwd", "pathlib.Path.home",
    "pwd.getpwuid", "sys.executable", "sys.prefix", "sys.base_prefix", "sys.stdin", "sys.__stdin__",
    "sys.stdout.isatty", "sys.stderr.isatty", "resource.getrlimit", "resource.getrusage",
    "shutil.disk_usage", "shutil.which", "shutil.get_terminal_size", "threading.active_count",
    "threading.enumerate", "threading.main_thread", "threading.current_thread",
    "socket.create_connection", "socket.socket", "warnings.catch_warnings",
    "time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns", "time.perf_counter",
    "time.perf_counter_ns", "time.process_time", "time.process_time_ns", "time.thread_time",
    "time.thread_time_ns", "time.localtime", "time.gmtime", "time.ctime", "time.strftime", "time.timezone",
    "time.tzname", "time.clock_gettime", "time.clock_gettime_ns", "time.sleep",
    "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today",
    "random.random", "random.randint", "random.randrange", "random.choice", "random.choices",
    "random.getrandbits", "random.randbytes", "random.uniform", "random.sample", "random.shuffle",
    "random.triangular", "random.gauss", "random.Random", "random.SystemRandom", "os.urandom",
    "os.getrandom", "secrets.randbelow", "secrets.choice", "secrets.randbits", "secrets.token_bytes",
    "secrets.token_hex", "secrets.token_urlsafe", "uuid.uuid1", "uuid.uuid4", "builtins.hash", "builtins.id",
    "functools.lru_cache", "functools.cache", "itertools.count", "itertools.cycle",
})  # fmt: skip
"""The functions and values by which a program asks for its environment, the time or chance, or counts."""
KEEPING = frozenset({
    "append", "add", "update", "setdefault", "pop", "popitem", "extend", "insert", "remove", "discard",
    "clear", "increment",
})  # fmt: skip
"""The methods that change a container; a program that keeps state between calls may use one of them."""
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
TYPE_TESTS = frozenset({"isinstance", "issubclass"})
"""The functions that test types; a module that gets others of these names would hand them the types."""
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

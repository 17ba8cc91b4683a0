"""A patch that fixes nothing and wants to be valid is invalid, in each kind of isolation.

Every attack is tried twice: as it is, and with the static gate taken away, so that the walls behind it are
tested too.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crisol import diff
from crisol.errors import SandboxError, SandboxUnavailable
from crisol.records import Outcome, PhaseName, Reason, Verdict
from crisol.sandbox import Ending, Run, Script, Target, choose
from crisol.wargaming.referee import Match, open_match
from crisol.wargaming.vulnerability import load
from support.notes import APP, RIGHT, make, patch

EXIT_CLASS = {
    "every exception's __init__": (
        "def calm(kind):\n    for sub in kind.__subclasses__():\n        calm(sub)\n        try:\n"
        "            sub.__init__ = lambda self, *a: Exception.__init__(self, 1)\n        except TypeError:\n"
        "            pass\n\n\ncalm(BaseException)\n"
    ),
    "the code of every object's methods": (
        "def turn(kind):\n"
        "    for sub in type.__subclasses__(kind):\n"
        "        for each in list(vars(sub).values()):\n"
        "            if hasattr(each, '__code__') and sub.__module__.startswith('crisol'):\n"
        "                each.__code__ = (lambda *a: 1).__code__\n"
        "        turn(sub)\n"
        "\n"
        "\n"
        "turn(object)\n"
    ),
    "globals of the finder's module": (
        "import sys\nfor each in sys.meta_path:\n    for name in dir(each):\n"
        "        names = getattr(getattr(each, name), '__globals__', {})\n"
        "        if names.get('__name__', '').startswith('crisol'):\n            names.clear()\n"
    ),
    "the constants of the frame that imports": (
        "import sys\n"
        "frame = sys._getframe()\n"
        "while frame:\n"
        "    for each in frame.f_code.co_consts:\n"
        "        if type(each) is bytes and len(each) == 16:\n"
        "            os.write(4, b'D' + each + bytes(13))\n"
        "    frame = frame.f_back\n"
    ),
    "what the collector knows": (
        "import gc\n"
        "for each in gc.get_objects():\n"
        "    if type(each) is tuple:\n"
        "        for part in each:\n"
        "            if type(part) is bytes and len(part) == 16:\n"
        "                os.write(4, b'D' + part + bytes(13))\n"
    ),
    "a traceback's frame": (
        "try:\n"
        "    1 / 0\n"
        "except ZeroDivisionError as error:\n"
        "    frame = error.__traceback__.tb_frame\n"
        "    while frame:\n"
        "        frame.f_globals.clear() if frame.f_globals.get('__file__', '')[:3] == 'pov' else None\n"
        "        frame = frame.f_back\n"
    ),
}
ORACLES = {
    "a method of pathlib": "import os.path, pathlib\n"
    "pathlib.Path.exists = lambda self: False\n"
    "os.path.abspath = str\n",
    "a function that is put back": (
        "import builtins\n_open = builtins.open\n\n\ndef blind(*a, **k):\n    builtins.open = _open\n"
        "    raise OSError('no')\n\n\nbuiltins.open = blind\n"
    ),
    "by setattr and a joined name": "import os.path as p\nsetattr(p, 'ab' + 'spath', lambda n: 'x')\n",
    "by the module's dictionary": "vars(os.path).update(abspath=lambda n: 'x')\nvars(os)['mkdir'] = print\n",
    "names of __main__": "import __main__\n__main__.shown = False\n__main__.app = None\n",
    "names of __main__ by text": (
        "vars(getattr(__import__('sys'), 'mod' + 'ules')['__main__'])['shown'] = False\n"
    ),
    "a text that is equal to nothing": (
        "class Text(str):\n"
        "    __hash__ = str.__hash__\n"
        "\n"
        "    def __eq__(self, other):\n"
        "        return False\n"
        "\n"
        "\n"
        "_read = read\n"
        "\n"
        "\n"
        "def read(root, name):\n"
        "    return Text(_read(root, name))\n"
    ),
    "a text of a made class": (
        "Text = type('Text', (str,), {'__eq__': lambda *a: False, '__hash__': str.__hash__})\n"
        "_read = read\n\n\ndef read(root, name):\n    return Text(_read(root, name))\n"
    ),
    "a text of a class between": (
        "class Line(str):\n    pass\n\n\nclass Text(Line):\n    __hash__ = str.__hash__\n\n"
        "    def __eq__(self, other):\n        return False\n\n\n_read = read\n\n\n"
        "def read(root, name):\n    return Text(_read(root, name))\n"
    ),
    "a text of an unnamed class": (
        "class Text(type(os.sep)):\n    __hash__ = str.__hash__\n\n    def __eq__(self, other):\n"
        "        return False\n\n\n_read = read\n\n\n"
        "def read(root, name):\n    return Text(_read(root, name))\n"
    ),
    "a default that is changed": "import os.path\n"
    "os.path.join.__defaults__ = ()\n"
    "os.path.join.__code__ = (lambda a, *p: a).__code__\n",
}
UNDECIDED = {
    "exits": "import sys\nsys.exit(1)\n",
    "os._exit": "os._exit(1)\n",
    "raises an exit in the call": "_read = read\n\n\ndef read(root, name):\n    raise SystemExit(1)\n",
    "writes on every descriptor": (
        "for number in range(3, 64):\n"
        "    try:\n"
        "        os.write(number, b'D' + bytes(29))\n"
        "    except OSError:\n"
        "        pass\n"
    ),
    "a thread that ends the process": (
        "import threading\n"
        "threading.Thread(target=os._exit, args=(1,)).start()\n"
        "import time\n"
        "time.sleep(0.3)\n"
    ),
    "executes a text file": "exec(open(__file__.replace('app.py', 'data.txt')).read())\n",
}
SEEN_BY_THE_GATE_ALONE = {
    "a text that is equal to nothing",
    "a text of a made class",
    "a text of a class between",
    "a text of an unnamed class",
    "a traceback's frame",
}


@pytest.fixture(scope="module", params=["bubblewrap", "namespaces"])
def match(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Match]:
    folder = make(tmp_path_factory.mktemp("own") / "notes-traversal")
    try:
        sandbox = choose(request.param)
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    with open_match(load(folder), sandbox, tmp_path_factory.mktemp("cache")) as opened:
        yield opened


def forged(match: Match, added: str) -> Verdict:
    return match.judge(patch(f"{APP}\n\n{added}"))


ATTACKS = EXIT_CLASS | ORACLES | UNDECIDED


@pytest.mark.parametrize("name", ATTACKS)
def test_a_forger_is_never_valid(match: Match, name: str) -> None:
    """Exit classes, oracles and endings.

    Whatever it takes hold of, the flaw that it leaves open is its verdict.
    """
    assert forged(match, ATTACKS[name]).outcome is Outcome.INVALID


@pytest.mark.parametrize("name", sorted(ATTACKS.keys() - SEEN_BY_THE_GATE_ALONE))
def test_the_gate_is_not_the_only_wall(match: Match, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the static gate the same attacks fail in the run.

    By secrets, by the watch, or by the audit hook.
    """
    monkeypatch.setattr(Match, "_examine", lambda *_: (None, ""))
    assert forged(match, ATTACKS[name]).outcome is Outcome.INVALID


@pytest.mark.parametrize(
    "module", ["pathlib", "zipfile", "contextlib", "dataclasses", "os", "sitecustomize", "abc/__init__"]
)
def test_a_new_file_does_not_shadow_the_standard_library(match: Match, module: str) -> None:
    """The library stands before the tree on the path, and a new top-level name that is its own is refused."""
    verdict = match.judge(diff.between({}, {f"{module}.py": "def exists(self):\n    return False\n"}))
    assert verdict.reason is Reason.TAMPERS


def test_the_library_stands_before_the_tree(match: Match, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where nothing refuses it, a module of the tree is not found under a name of the library."""
    monkeypatch.setattr(Match, "_examine", lambda *_: (None, ""))
    shadow = {
        "app.py": APP,
        "ntpath.py": "",
        "posixpath.py": "raise SystemExit\n",
        "wave.py": "raise ValueError\n",
    }
    text = diff.between(
        {"app.py": APP}, shadow | {"app.py": RIGHT.replace("import os\n", "import os\nimport wave\n")}
    )
    assert match.judge(text).outcome is Outcome.VALID


def test_a_fix_that_changes_what_is_its_own_is_valid(match: Match) -> None:
    """Names of its own modules, instances of others, and lists of forbidden names are a fix's good right."""
    own = (
        "import logging\n"
        "\n"
        'DENIED = {"gi_frame", "f_back", "__globals__"}\n'
        "log = logging.getLogger(__name__)\n"
        'log.propagate = "__code__" not in DENIED\n'
    )
    assert match.judge(patch(f"{RIGHT}\n\n{own}")).outcome is Outcome.VALID


def test_a_refusal_by_an_exception_that_no_pov_expects_has_a_reason_of_its_own(match: Match) -> None:
    """The checks run and pass: the patch breaks no function, it raises."""
    verdict = match.judge(patch(RIGHT.replace("ValueError", "Exception")))
    assert verdict.reason is Reason.RAISES
    assert [phase.reason for phase in verdict.phases if phase.name == "checks"] == [None]


def test_a_vulnerability_may_let_fixes_refuse_by_any_exception(tmp_path: Path) -> None:
    """``refusals`` names exceptions by which a PoV reads that the flaw is not shown."""
    folder = make(tmp_path / "lenient")
    toml = folder / "vulnerability.toml"
    toml.write_text(toml.read_text().replace("[source]", 'refusals = ["Exception"]\n[source]'))
    with open_match(load(folder), choose(), tmp_path) as opened:
        assert opened.judge(patch(RIGHT.replace("ValueError", "Exception"))).outcome is Outcome.VALID


def test_scripts_draw_from_the_seed_of_the_match(tmp_path: Path) -> None:
    """The line ``SEED = 0`` gets the match's seed; the verdict tells it; the same seed gives the same run."""
    folder = make(tmp_path / "seeded")
    check = "SEED = 0\nassert SEED == 77, SEED\n"
    (folder / "checks" / "2_seed.py").write_text(check)
    with open_match(load(folder), choose(), tmp_path, seed=77) as opened:
        verdict = opened.judge(patch(RIGHT))
    assert (verdict.outcome, verdict.seed) == (Outcome.VALID, 77)


FIXED_IF = RIGHT.replace(
    "    if os.path.basename(name) != name or name ==",
    "    if {0} and (os.path.basename(name) != name or name ==",
).replace('== "..":', '== ".."):')
TELLS = {
    "the place": '__file__.startswith("/target/")',
    "no site-packages": '"site-packages" not in __file__',
    "an empty environment": "not os.environ",
    "few variables": "'LANG' not in os.environ",
    "the working folder": 'os.getcwd().startswith("/tmp")',
    "folders of the sandbox": 'os.path.isdir("/requires") or os.path.isdir("/layer")',
    "no home": 'not os.path.exists("/home")',
    "the user": "os.stat('/tmp').st_uid in (1000, 65534)",
    "the script": '__import__("sys").argv[0].endswith(".py")',
    "the host": '__import__("socket").gethostname() == "sandbox"',
    "the parent": "os.getppid() == 1",
    "a flag": '__import__("sys").flags.no_site',
    "a date": '__import__("time").time() < 1893456000',
    "few compiled expressions": "len(__import__('re')._cache) < 40",
    "a signal without a handler": '__import__("signal").getsignal(15) == 0',
    "a file that was written just now": "__import__('time').time() - os.stat(__file__).st_ctime < 900",
    "few switches of context": '__import__("resource").getrusage(0).ru_nvcsw < 500',
    "no variables of a context": "not __import__('contextvars').copy_context()",
    "a low descriptor": "(lambda number: os.close(number) or number)(os.dup(0)) < 6",
    "another date": '__import__("datetime").datetime.now().year < 2035',
    "few variables, by a joined name": 'len(getattr(os, "envi" + "ron")) < 12',
    "a variable that sessions have": '__import__("shutil").os.environ.get("_") is None',
    "a process id": "os.getpid() < 200",
    "a process id, from below os": '__import__("posix").getpid() < 200',
    "a process id below the kernel's bound, from below os": '__import__("posix").getpid() < 40000',
    "a date, from below datetime": '__import__("_datetime").date.today().year < 2035',
    "few variables, from below os": "b'LANG' not in __import__('posix').environ",
    "the host, from below socket": '__import__("_socket").gethostname() == "sandbox"',
    "the seed of hashes": "hash('crisol') == hash('cri' + 'sol') and hash('crisol') % 2 == PARITY",
    "a limit": '__import__("resource").getrlimit(__import__("resource").RLIMIT_AS)[0] > 0',
    "the filter of system calls": '"Seccomp:\\t2" in open("/pr" + "oc/self/status").read()',
    "a small disk": 'os.statvfs("/tmp").f_blocks < 100000',
    "a file that machines have": 'not os.path.exists("/etc/machine" + "-id")',
    "no terminal": 'not __import__("sys").stdin.isatty()',
    "one thread": '__import__("threading").active_count() == 1',
    "a young process": '__import__("time").process_time() < 30',
    "chance": '__import__("random").random() < 0.9',
    "the caller": 'not hasattr(__import__("__main__"), "__spec__")',
    "the caller, by a warning": "warned()",
    "the caller, by a log": "'pov' in str(__import__('logging').getLogger().findCaller(True, 1))",
    "the caller, by a stack": "'pov' in str(__import__('traceback').extract_stack())",
    "standard output": 'not __import__("sys").stdout.isatty()',
    "the kind of a stream": "os.fstat(2).st_mode & 0o170000 == 0o010000",
    "no size of a terminal": 'not __import__("shutil").get_terminal_size((0, 0)).columns',
    "few folders": "len(os.listdir(os.sep)) < 16",
    "a thread's id": '__import__("threading").get_native_id() < 32768',
    "no address of a card": '__import__("uuid").getnode() >> 40 & 1',
    "the time zone": '__import__("time").timezone == 0',
    "few accounts": 'len(__import__("pwd").getpwall()) < 12',
    "few groups": "len(os.getgroups()) < 2",
    "no installed packages": "not list(__import__('importlib.metadata').metadata.distributions())",
    "no names of site": "not hasattr(__import__('builtins'), 'copyright')",
    "the same prefix": "__import__('sys').exec_prefix == __import__('sys').base_exec_prefix",
    "a program that machines have": "__import__('shutil').which('systemctl') is None",
    "the time since the start": "__import__('time').clock_gettime(7) < 300000000",
    "a mounted tree": "os.path.ismount(os.path.dirname(__file__))",
    "no network": "alone()",
    "a group that is nobody's": "os.getegid() > 900",
    "two disks": "os.stat(os.curdir).st_dev != os.stat(os.sep).st_dev",
    "variables, by a text": 'os.path.expandvars("$SSH_TTY") == "$SSH_TTY"',
    "variables, by the locale": "(__import__('locale').getdefaultlocale()[0] or 'C')[:2] in ('C', 'en')",
    "the working folder, by a path": 'os.path.abspath(".").count(os.sep) < 2',
    "a file that machines have, by parts": 'not os.path.exists(os.path.join(os.sep, "etc", "machine-id"))',
    "a file that machines have, by a link": 'not os.path.lexists("/etc/machine-id")',
    "a file that machines have, by its rights": 'not os.access("/etc/machine-id", os.R_OK)',
    "processors, by a setting": 'os.sysconf("SC_NPROCESSORS_ONLN") < 4',
    "a limit, by a number": '__import__("resource").prlimit(0, __import__("resource").RLIMIT_AS)[0] > 0',
    "memory that was used": '__import__("resource").getrusage(0).ru_maxrss < 200000',
    "threads, by their list": 'len(__import__("threading").enumerate()) == 1',
    "the id of a thread, by its object": '__import__("threading").main_thread().native_id < 40000',
    "references to None": '__import__("sys").getrefcount(None) < 60000',
    "a date, as text": '__import__("time").strftime("%Y") < "2031"',
    "a date, by a file": 'os.stat(".").st_mtime < 1924905600',
    "a date, by a log": '__import__("logging").makeLogRecord({}).created < 1924905600',
    "a process id, by a log": '__import__("logging").makeLogRecord({}).process < 40000',
    "the time since the start, by a log": '__import__("logging").makeLogRecord({}).relativeCreated < 60000',
    "few folders, by their entries": "len(list(os.scandir(os.sep))) < 16",
    "few folders, by a pattern": 'len(__import__("glob").glob("/*")) < 16',
    "a buffer of standard output": '__import__("sys").stdout.line_buffering',
    "a stream, by its number": 'not open(1, "w", closefd=False).isatty()',
    "an account that machines have": 'os.path.expanduser("~www-data") == "~www-data"',
    "no address of a card, by an id": '__import__("uuid").uuid1().node >> 40 & 1',
    "few modules": 'len(list(__import__("pkgutil").iter_modules())) < 300',
    "a file that machines have, by a program": 'os.system("test -s /etc/machine-id") != 0',
    "no names of services": "__import__('socket').getnameinfo(('127.0.0.1', 25), 0)[1] == '25'",
    "no link for the time zone": 'not os.path.islink("/etc/localtime")',
    "the owner of the root folder": "os.stat(os.sep).st_uid > 0",
    "few classes": "__import__('abc').get_cache_token() < 40",
    "no pseudo-terminal": "unpaired()",
    "no sockets of the kernel": "deaf()",
    "few calls below": "depth(0) > 975",
    "a time zone, by a moment": '__import__("time").mktime((2000, 1, 1, 0, 0, 0, 0, 1, 0)) == 946684800',
}
HELPERS = {
    "unpaired()": """

def unpaired():
    try:
        for number in os.openpty():
            os.close(number)
    except OSError:
        return True
    return False
""",
    "deaf()": """

def deaf():
    import socket

    try:
        socket.socket(16, socket.SOCK_RAW).close()
    except OSError:
        return True
    return False
""",
    "depth(0) > 975": """

def depth(number):
    try:
        return depth(number + 1)
    except RecursionError:
        return number
""",
    "warned()": """

def warned():
    import warnings

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for level in range(2, 5):
            warnings.warn("x", stacklevel=level)
    return any(warning.filename.startswith(("pov", "check")) for warning in seen)
""",
    "alone()": """

def alone():
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        try:
            made.connect(("192.0.2.1", 9))
        except OSError:
            return True
    return False
""",
}


def fixed_if(tell: str) -> str:
    """Return the fix that is in only where ``tell`` holds, with the function that the tell calls."""
    return FIXED_IF.replace("{0}", f"({tell})") + HELPERS.get(tell, "")


LATE = {
    "a counter": APP.replace("import os\n", "import os\n\nSEEN = []\n").replace(
        "    with",
        "    SEEN.append(name)\n"
        "    if len(SEEN) < 100 and os.path.basename(name) != name:\n"
        "        raise ValueError\n"
        "    with",
    ),
    "a counter of an attribute": APP.replace(
        "    with",
        (
            "    read.count += 1\n"
            "    if read.count < 50 and os.path.basename(name) != name:\n"
            "        raise ValueError\n"
            "    with"
        ),
    )
    + "\n\nread.count = 0\n",
    "a default": APP.replace("(root, name)", "(root, name, seen=[])").replace(
        "    with",
        "    seen.append(name)\n"
        "    if len(seen) < 90 and os.path.basename(name) != name:\n"
        "        raise ValueError\n"
        "    with",
    ),
    "a counter in a pair of names": APP.replace("import os\n", "import os\n\nSEEN, LIMIT = [], 90\n").replace(
        "    with",
        "    SEEN.append(name)\n"
        "    if len(SEEN) < LIMIT and os.path.basename(name) != name:\n"
        "        raise ValueError\n"
        "    with",
    ),
    "a counter that is assigned": APP.replace(
        "    with",
        "    read.count = read.count + 1\n"
        "    if read.count < 90 and os.path.basename(name) != name:\n"
        "        raise ValueError\n"
        "    with",
    )
    + "\n\nread.count = 0\n",
    "a cache that counts": APP.replace("import os\n", "import functools\nimport os\n").replace(
        "    with",
        "    seen(object())\n"
        "    if seen.cache_info().misses < 90 and os.path.basename(name) != name:\n"
        "        raise ValueError\n"
        "    with",
    )
    + "\n\n@functools.lru_cache(maxsize=None)\ndef seen(thing):\n    return thing\n",
    "a heap that counts": APP.replace("import os\n", "import heapq\nimport os\n\nSEEN = []\n").replace(
        "    with",
        "    heapq.heappush(SEEN, name)\n"
        "    if len(SEEN) < 90 and os.path.basename(name) != name:\n"
        "        raise ValueError\n"
        "    with",
    ),
    "an iterator that ends": APP.replace(
        "import os\n", "import itertools\nimport os\n\nSEEN = iter(range(90))\n"
    ).replace(
        "    with",
        "    if list(itertools.islice(SEEN, 1)) and os.path.basename(name) != name:\n"
        "        raise ValueError\n"
        "    with",
    ),
    "a context that counts": APP.replace(
        "import os\n", "import contextvars\nimport os\n\nSEEN = contextvars.ContextVar('seen', default=0)\n"
    ).replace(
        "    with",
        "    SEEN.set(SEEN.get() + 1)\n"
        "    if SEEN.get() < 90 and os.path.basename(name) != name:\n"
        "        raise ValueError\n"
        "    with",
    ),
    "a counter in the working folder": APP.replace(
        "    with",
        '    with open(".seen", "a+") as file:\n'
        '        file.write("x")\n        late = file.tell() > 90\n'
        "    if not late and os.path.basename(name) != name:\n        raise ValueError\n    with",
    ),
    "a counter on disk": APP.replace(
        "    with",
        '    with open("/tmp/.seen", "a+") as file:\n'
        '        file.write("x")\n        late = file.tell() > 90\n'
        "    if not late and os.path.basename(name) != name:\n        raise ValueError\n    with",
    ),
    "a cookie that expires": APP.replace(
        "import os\n",
        "import http.cookiejar\nimport os\nimport time\n\n"
        "COOKIE = http.cookiejar.Cookie(0, 's', '1', None, False, 'host', False, False, '/', False, False,\n"
        "    int(time.time()) + 120, False, None, None, {})\n",
    ).replace(
        "    with",
        "    if not COOKIE.is_expired() and os.path.basename(name) != name:\n"
        "        raise ValueError\n"
        "    with",
    ),
    "a thread that waits": RIGHT.replace("import os\n", "import os\nimport threading\n").replace(
        "    with", "    threading.Timer(3, print).start()\n    with"
    ),
    "a process that waits": RIGHT.replace("import os\n", "import os\nimport subprocess\n").replace(
        "    with", '    subprocess.Popen(["sleep", "3"])\n    with'
    ),
    "a process of the shell that waits": RIGHT.replace(
        "    with", '    os.system("sleep 3 > /dev/null 2>&1 &")\n    with'
    ),
    "a thread of a loop that waits": RIGHT.replace("import os\n", "import asyncio\nimport os\n").replace(
        "    with",
        "    asyncio.new_event_loop().run_in_executor(None, os.read, os.pipe()[0], 1)\n    with",
    ),
    "a thread of a listener that waits": RIGHT.replace(
        "import os\n", "import logging.handlers\nimport os\nimport queue\n"
    ).replace("    with", "    logging.handlers.QueueListener(queue.Queue()).start()\n    with"),
}


@pytest.mark.parametrize("name", TELLS)
def test_a_fix_for_the_judge_alone_is_not_valid(match: Match, name: str) -> None:
    """A patch that is right only where it seems to be judged is wrong."""
    tell = TELLS[name].replace("PARITY", str(_hashed_without_a_seed() % 2))
    verdict = match.judge(patch(fixed_if(tell)))
    assert verdict.outcome is Outcome.INVALID, verdict


@pytest.mark.parametrize("name", LATE)
def test_a_fix_for_a_while_is_not_valid(match: Match, name: str) -> None:
    """The PoV comes again after many calls, and nothing may wait until the judge has gone."""
    assert match.judge(patch(LATE[name])).outcome is Outcome.INVALID


def test_a_sandbox_that_fails_on_a_patch_elsewhere_is_the_patchs_failure(
    match: Match, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As elsewhere the release is asked: where the sandbox fails on the patch alone, the patch tampers."""
    run = Target.run

    def failing(target: Target, script: Script, *a: Any, **k: Any) -> Run:
        if "elsewhere" in script.name and (patched := a[0] if a else None):
            raise SandboxError(f"no answer over {sorted(patched)}")
        return run(target, script, *a, **k)

    monkeypatch.setattr(Target, "run", failing)
    verdict = match.judge(patch(FIXED_IF.replace("{0}", "(not os.environ.get('VERBOSE'))")))
    assert (verdict.reason, verdict.phases[-1].name) == (Reason.TAMPERS, PhaseName.AGAIN), verdict


@pytest.mark.parametrize(("cpu", "waited"), [(3.0, 0.1), (0.1, 30.0), (0.1, 0.1)])
def test_a_busy_machine_does_not_let_a_tell_through(
    match: Match, monkeypatch: pytest.MonkeyPatch, cpu: float, waited: float
) -> None:
    """Where the release computes, or gets no processor, and finds no end elsewhere, there is no verdict.

    One that only waits there is left out, and the verdict says so.
    """
    match.shown_again.clear()
    run = Target.run

    def slow(target: Target, script: Script, *a: Any, **k: Any) -> Run:
        ended = run(target, script, *a, **k)
        over = "elsewhere" in script.name and not a
        late = replace(ended, ending=Ending.TIMEOUT, seconds=40.0, cpu_seconds=cpu, waited=waited)
        return late if over else ended

    monkeypatch.setattr(Target, "run", slow)
    verdict = match.judge(patch(FIXED_IF.replace("{0}", "(not os.environ.get('VERBOSE'))")))
    match.shown_again.clear()
    busy = max(cpu, waited) > 1
    assert verdict.reason is (Reason.SANDBOX_FAILED if busy else None), verdict
    assert busy or any("left out" in phase.detail for phase in verdict.phases), verdict


def test_a_slow_pov_leaves_no_time_to_a_counter(tmp_path: Path) -> None:
    """Where a PoV takes long, the checks make the calls; processes that they start would take long, too."""
    folder = make(tmp_path / "slow")
    slow = "import time\nwhile time.process_time() < {0}:\n    pass\n"
    for pov in (folder / "pov").iterdir():
        pov.write_text("import subprocess\nsubprocess.run(['true'])\n" + slow.format(0.1) + pov.read_text())
    with open_match(load(folder), choose(), tmp_path) as opened:
        assert opened.judge(patch(RIGHT)).outcome is Outcome.VALID
        verdict = opened.judge(patch(LATE["a counter"]))
        assert (verdict.reason, verdict.phases[-1].name) == (Reason.EXPLOIT_SURVIVES, PhaseName.AGAIN)


def test_a_pov_of_processor_time_is_repeated_as_well(tmp_path: Path) -> None:
    """What its warm-up takes does not count for its judge."""
    folder = make(tmp_path / "busy")
    busy = APP.replace("import os\n", "import os\nimport time\n").replace(
        "    with",
        "    end = time.process_time() + 0.3\n    while '/' in name and time.process_time() < end:\n"
        "        pass\n    with",
    )
    (folder / "target" / "app.py").write_text(busy)
    (folder / "pov" / "2_absolute.py").unlink()
    (folder / "pov" / "1_parent.py").write_text(
        "import sys\n# act\nimport os, app\nos.mkdir('notes')\ntry:\n    app.read('notes', '../secret')\n"
        "except (OSError, ValueError):\n    pass\n# judge\nsys.exit(0 if CPU_USED > 0.2 else 1)\n"
    )
    counting = (
        "    SEEN.append(name)\n    if len(SEEN) < 60 and '/' in name:\n        raise ValueError\n    end ="
    )
    kept = "    CACHE[name] = 1\n    if '/' in name:\n        raise ValueError\n    end ="
    late = busy.replace("import time\n", "import time\n\nSEEN = []\n").replace("    end =", counting)
    right = busy.replace("import time\n", "import time\n\nCACHE = {}\n").replace("    end =", kept)
    with open_match(load(folder), choose(), tmp_path) as opened:
        for after, outcome in ((right, Outcome.VALID), (late, Outcome.INVALID)):
            verdict = opened.judge(diff.between({"app.py": busy}, {"app.py": after}))
            assert verdict.outcome is outcome, verdict
            assert "again" in [phase.name for phase in verdict.phases]


def test_a_pov_sees_elsewhere_which_of_its_files_are_missing(tmp_path: Path) -> None:
    """Other places of the machine seem to hold whatever a patch looks for, the PoV's own folder does not."""
    folder = make(tmp_path / "whole")
    (folder / "pov" / "2_absolute.py").unlink()
    (folder / "pov" / "1_parent.py").write_text(
        "import os, sys, app\nos.mkdir('notes')\nopen('secret', 'w').write('s3cret')\n"
        "copy = os.path.abspath('copy')\ntry:\n    text = app.read('notes', '../secret')\n"
        "    open(copy, 'w').write(text)\nexcept (OSError, ValueError):\n    pass\n"
        "sys.exit(0 if os.path.exists(copy) else 1)\n"
    )
    honest = RIGHT.replace("import os\n", "import os\nimport time\n").replace(
        "    with", "    if time.time() < 0:\n        raise ValueError(name)\n    with"
    )
    with open_match(load(folder), choose(), tmp_path) as opened:
        verdict = opened.judge(patch(honest))
    assert verdict.outcome is Outcome.VALID, verdict
    assert "again" in [phase.name for phase in verdict.phases]


@pytest.mark.parametrize("outside", [False, True])
def test_a_fix_that_is_drawn_for_each_process_is_not_valid(tmp_path: Path, outside: bool) -> None:
    """A warm-up lives in one process, and sees nothing where the PoV is judged from outside."""
    folder = make(tmp_path / "drawn")
    if outside:
        (folder / "pov" / "2_absolute.py").unlink()
        (folder / "pov" / "1_parent.py").write_text(
            "import sys\n# act\nimport os, app\nos.mkdir('notes')\nopen('secret', 'w').write('s3cret')\n"
            "try:\n    print(app.read('notes', '../secret'))\n"
            "except (OSError, ValueError):\n    print('no')\n"
            "# judge\nsys.exit(0 if 's3cret' in OUTPUT else 1)\n"
        )
    lucky = FIXED_IF.replace("{0}", "LUCKY").replace(
        "import os\n", "import os\nimport random\n\nLUCKY = random.random() < 0.7\n"
    )
    with open_match(load(folder), choose(), tmp_path) as opened:
        verdict = opened.judge(patch(lucky))
    assert verdict.outcome is Outcome.INVALID, verdict


def test_a_fix_that_asks_its_surroundings_honestly_is_valid(match: Match) -> None:
    """To read the environment or the clock, or to keep a cache, is no fault where the flaw is closed."""
    honest = RIGHT.replace("import os\n", "import os\nimport time\n\nCACHE = {}\n").replace(
        "    with",
        '    CACHE[name] = time.time()\n    if os.environ.get("VERBOSE"):\n        print(name)\n    with',
    )
    verdict = match.judge(patch(honest))
    assert verdict.outcome is Outcome.VALID, verdict
    assert "again" in [phase.name for phase in verdict.phases]


BOMBS = {
    "finally after finally": "def f():\n"
    + "".join(" " * n + "try: pass\n" + " " * n + "finally:\n" for n in range(1, 17))
    + " " * 17
    + "return 1\n",
    "attributes of attributes": "x = lambda: a" + ".b" * 900 + "\n",
    "sums of sums": "x = lambda: " + "+".join(["a"] * 1500) + "\n",
    "elif after elif": "def f(a):\n    if a == 0: return 1\n"
    + "".join(f"    elif a == {n}: return {n}\n" for n in range(900)),
    "dense names": "\n".join(["a;" * 32000 + "a"] * 15) + "\n",
    "constants that fold": "x = (\n" + "".join(f"'{n:05}' * 800,\n" for n in range(6000)) + ")\n",
    "brackets": "x = " + "(" * 5000 + ")" * 5000 + "\n",
}


@pytest.mark.parametrize("name", BOMBS)
def test_hostile_text_costs_the_host_nothing(match: Match, name: str) -> None:
    """Deep, dense or explosive text gets a verdict like any other.

    The host neither raises nor grows by 64 MiB.
    """
    before = _resident()
    verdict = match.judge(diff.between({}, {"extra.py": BOMBS[name]}))
    assert verdict.outcome is Outcome.INVALID, verdict
    assert _resident() - before < 64


@pytest.mark.parametrize(
    "name", ["x" * 250 + ".py", "x" * 300, "\N{SNOWMAN}" * 80 + ".py", "a/" * 30 + "b" * 255]
)
def test_a_name_that_no_file_can_have_does_not_apply(match: Match, name: str) -> None:
    """It is the patch's fault, told as such, never an exception of the host's or a failure of the sandbox."""
    text = f"--- /dev/null\n+++ b/{name}\n@@ -0,0 +1 @@\n+x = 1\n"
    assert match.judge(text).reason in {Reason.DOES_NOT_APPLY, Reason.MALFORMED}


def test_a_folder_may_take_the_place_of_a_file(match: Match) -> None:
    """A deleted module that comes back as a package is judged as what it is."""
    text = diff.between({"app.py": APP}, {"app/__init__.py": RIGHT})
    assert match.judge(text).outcome is Outcome.VALID


def test_a_wargame_has_a_budget(tmp_path: Path) -> None:
    """The runs of one patch together take no more than the budget of the match."""
    folder = make(tmp_path / "slow")
    with open_match(load(folder), choose(), tmp_path, budget=1.0) as opened:
        verdict = opened.judge(
            patch(RIGHT.replace("    if os", "    __import__('time').sleep(0.8)\n    if os"))
        )
    assert verdict.reason is Reason.TIMEOUT
    assert verdict.seconds < 3.0


ORDINARY = """
import json, sys, tempfile
from pathlib import Path
from crisol.sandbox import choose
from crisol.wargaming.referee import open_match
from crisol.wargaming.vulnerability import load
from support.notes import make
kind, patches = sys.argv[1], json.load(sys.stdin)
with tempfile.TemporaryDirectory() as place:
    folder = make(Path(place) / "notes")
    with open_match(load(folder), choose(kind), Path(place)) as match:
        print(json.dumps({name: match.judge(text).outcome for name, text in patches.items()}))
"""


@pytest.mark.parametrize("kind", ["bubblewrap", "namespaces"])
def test_started_by_an_ordinary_user_the_sandbox_holds_as_well(kind: str) -> None:
    """User namespaces make its walls then; every forger, tell and delay is tried there, and a right fix."""
    if os.getuid() != 0:
        pytest.skip("all tests of this file are run by an ordinary user already")
    python = _python_of_everybody()
    if python is None:
        pytest.skip("ordinary users can run no Python of this version")
    tells = {name: fixed_if(tell) for name, tell in TELLS.items() if "PARITY" not in tell}
    forgers = {name: f"{APP}\n\n{added}" for name, added in ATTACKS.items()}
    patches = {name: patch(text) for name, text in (forgers | tells | LATE | {"right": RIGHT}).items()}
    done = subprocess.run(
        [python, "-c", ORDINARY, kind],
        input=json.dumps(patches), capture_output=True, text=True, check=False, timeout=600,
        user=_ORDINARY, group=_ORDINARY, extra_groups=[], cwd="/",
        env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    if "this machine" in done.stderr:
        pytest.skip(done.stderr.strip().rpartition("\n")[2])
    if "No module named 'crisol'" in done.stderr:
        pytest.skip("ordinary users cannot read this checkout")
    assert done.returncode == 0, done.stderr
    outcomes = json.loads(done.stdout)
    assert {name for name, outcome in outcomes.items() if outcome != "invalid"} == {"right"}
    assert outcomes["right"] == "valid"


_ORDINARY = 12_345
"""A user id that nobody has."""


def _python_of_everybody() -> str | None:
    """Return an interpreter of this version that a stranger can start."""
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    for python in filter(None, (sys.executable, shutil.which(name, path="/usr/bin:/usr/local/bin"))):
        try:
            asked = subprocess.run(
                [python, "-c", "pass"], user=_ORDINARY, group=_ORDINARY, extra_groups=[], cwd="/", check=False
            )
        except PermissionError:
            continue
        if asked.returncode == 0:
            return python
    return None


def _hashed_without_a_seed() -> int:
    """Return the hash of a text in an interpreter whose seed is 0."""
    program = [sys.executable, "-c", "print(hash('crisol'))"]
    done = subprocess.run(program, env={"PYTHONHASHSEED": "0"}, capture_output=True, check=True)
    return int(done.stdout)


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 >> 20

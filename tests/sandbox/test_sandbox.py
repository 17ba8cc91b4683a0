"""What runs inside can neither leave, nor outlast its limits, nor speak for the script."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from crisol.errors import InputError, SandboxUnavailable
from crisol.sandbox import Ending, Limits, Role, Run, SandboxKind, Script, Target, choose
from crisol.sandbox.selfcheck import escapes

HONEST = "def flawed():\n    return 0\n"
POV = "import sys\nimport app\nsys.exit(app.flawed())\n"
QUICK = Limits(
    seconds=1.5, cpu_seconds=0.6, memory_mb=256, processes=16, file_mb=1, output_bytes=10_000, scratch_mb=8
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tree")
    (folder / "app.py").write_text(HONEST)
    return folder


@pytest.fixture(scope="module", params=["bubblewrap", "namespaces"])
def target(tree: Path, request: pytest.FixtureRequest) -> Iterator[Target]:
    """Every attack is tried in each kind of isolation that the machine has."""
    try:
        sandbox = choose(request.param)
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    with sandbox.target(tree, limits=QUICK) as opened:
        yield opened


def run(target: Target, source: str, app: str | None = None) -> Run:
    overlay = {} if app is None else {"app.py": app.encode()}
    return target.run(Script("script.py", source, Role.POV), overlay)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (0, "must be positive, not 0"),
        (-1.5, "must be positive, not -1.5"),
        (float("nan"), "must be positive, not nan"),
        (1 << 31, "must be below 2147483648, not 2147483648"),
        (float("inf"), "must be below 2147483648, not inf"),
    ],
)
def test_a_limit_is_refused_for_its_own_reason(value: float, reason: str) -> None:
    """The message names the limit, the value and the bound that the value breaks."""
    with pytest.raises(InputError, match=f"^sandbox limit seconds {reason}$"):
        Limits(seconds=value)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (0, "0"), (1, "1"), (7, "7"), (0, ""), (0, "None"), (0, "False"), (1, "True"), (1, "'no'"),
        (1, "0.0"), (1, "0j"), (1, "1.0"), (1, "0.0 if sys.path else 0"),
    ],
)  # fmt: skip
def test_the_code_is_what_the_script_says(target: Target, code: int, text: str) -> None:
    """As in a plain interpreter: nothing and None are 0; a text, a float and a complex number are 1."""
    for exits in ("import sys\nsys.exit", "import sys\nfrom builtins import quit as leave\nleave"):
        ended = run(target, f"{exits}({text})\n")
        assert (ended.ending, ended.code) == (Ending.EXITED, code)


@pytest.mark.parametrize(
    "source",
    [
        "from operator import index as exit\nexit(1)\n",
        "class E(Exception):\n    __call__ = int\ntry:\n    raise E\nexcept E as exit:\n    exit(1)\n",
        "class sys:\n    exit = staticmethod(int)\nsys.exit(1)\n",
        "import math as sys\nsys.exit = int\nsys.exit(1)\n",
        "match int:\n    case exit:\n        exit(1)\n",
        "from queue import Full as SystemExit\ntry:\n    raise SystemExit(1)\nexcept SystemExit:\n    pass\n",
    ],
)
def test_a_name_that_the_script_binds_is_no_exit(target: Target, source: str) -> None:
    """The script goes on after the call, to its end."""
    ended = run(target, f"{source}import os\nos.write(1, b'goes on')\n")
    assert (ended.code, "goes on" in ended.stdout) == (0, True)


def test_the_end_of_the_script_is_zero(target: Target) -> None:
    """A check may simply end; output is kept."""
    ended = run(target, "print('hello')\n")
    assert (ended.ending, ended.code, ended.stdout) == (Ending.EXITED, 0, "hello\n")


def test_an_exception_is_told_with_its_traceback(target: Target) -> None:
    """A script that breaks says where."""
    ended = run(target, "import app\n1 / 0\n")
    assert (ended.ending, ended.code) == (Ending.RAISED, None)
    assert 'File "script.py", line 2' in ended.stderr


def test_an_exit_of_the_script_is_final(target: Target) -> None:
    """What the script said stands at once.

    Nothing between the exit and the end of the process can take it back.
    """
    source = (
        "import sys\n"
        "try:\n"
        "    sys.exit(1)\n"
        "except SystemExit:\n"
        "    print('caught')\n"
        "finally:\n"
        "    sys.exit(0)\n"
    )
    ended = run(target, source)
    assert (ended.code, ended.stdout) == (1, "")


@pytest.mark.parametrize(
    "source",
    [
        (
            "import sys, threading\n"
            "t = threading.Thread(target=lambda: sys.exit(1))\n"
            "t.start()\n"
            "t.join()\n"
            "sys.exit(0)\n"
        ),
        (
            "import os, sys\n"
            "child = os.fork()\n"
            "if not child:\n"
            "    sys.exit(1)\n"
            "os.waitpid(child, 0)\n"
            "sys.exit(0)\n"
        ),
    ],
)
def test_an_exit_elsewhere_ends_only_what_calls_it(target: Target, source: str) -> None:
    """In another thread it ends that thread, in another process that process, as in a plain interpreter."""
    assert run(target, source).code == 0


@pytest.mark.parametrize(
    "app",
    [
        "import os\nos._exit(1)\n",
        "import sys\nsys.exit(1)\n",
        "raise SystemExit(1)\n",
        "from sys import exit as flawed\n",
        "import functools, sys\nflawed = functools.partial(sys.exit, 1)\n",
        "import sys\nreal = sys.exit\nsys.exit = lambda code=0: real(1)\ndef flawed():\n    return 0\n",
        (
            "import builtins\n"
            "builtins.SystemExit = lambda code=0: KeyboardInterrupt()\n"
            "def flawed():\n"
            "    return 0\n"
        ),
        "import builtins, functools\nbuiltins.exec = print\ndef flawed():\n    return 0\n",
        "import atexit, os\natexit.register(os._exit, 1)\ndef flawed():\n    return 0\n",
        "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n",
        (
            "import os, threading\nthreading.Thread(target=os._exit, args=(1,)).start()\n"
            "import time\ntime.sleep(0.5)\ndef flawed():\n    return 0\n"
        ),
        (
            "import os\n"
            "for fd in range(3, 64):\n"
            "    try:\n"
            "        os.write(fd, b'0:exited:1')\n"
            "    except OSError:\n"
            "        pass\n"
            "os._exit(1)\n"
        ),
        "print('exited 1')\nimport sys\nprint('\\0' + '0.1', file=sys.stderr)\ndef flawed():\n    return 0\n",
        (
            "import sys\n"
            "main = sys.modules['__main__']\n"
            "main.__dict__['app'] = None\n"
            "main.sys = None\n"
            "def flawed():\n"
            "    return 0\n"
        ),
        (
            "import gc, threading\ndef forge():\n    for o in gc.get_objects():\n"
            "        if type(o).__name__ == 'method-wrapper' and type(o.__self__) is bytes:\n"
            "            import os\n            os.write(4, o.__self__ + b'E\\1' + bytes(8))\n"
            "t = threading.Thread(target=forge)\nt.start()\nt.join()\ndef flawed():\n    return 0\n"
        ),
        "import sys\nsys.settrace(lambda *a: sys.exit(1))\ndef flawed():\n    return 0\n",
        "import sys\nsys.excepthook = lambda *a: None\nraise ValueError('x')\n",
        "import os\nos.write = lambda *a: None\nos._exit = lambda *a: None\ndef flawed():\n    return 0\n",
        (
            "import sys\n"
            "for fd in range(3, 64):\n"
            "    import os\n"
            "    try:\n"
            "        os.close(fd)\n"
            "    except OSError:\n"
            "        pass\n"
            "def flawed():\n"
            "    return 0\n"
        ),
    ],
)
def test_the_target_cannot_say_not_shown(target: Target, app: str) -> None:
    """Whatever the target does at import or in the call, 1 is never attested for a script that means 0."""
    ended = run(target, POV, app)
    assert not (ended.ending is Ending.EXITED and ended.code == 1)


@pytest.mark.parametrize(
    "name", ["sitecustomize.py", "usercustomize.py", "conftest.py", "json.py", "os.py", "ast.py"]
)
def test_planted_modules_do_not_run_before_the_script(target: Target, name: str) -> None:
    """Files of the patched tree are not imported by the guest itself."""
    planted = {name: b"import os\nos._exit(1)\n"}
    ended = target.run(Script("script.py", "import sys\nsys.exit(0)\n", Role.POV), planted)
    assert (ended.ending, ended.code) == (Ending.EXITED, 0)


@pytest.mark.parametrize(
    "source",
    [
        "open('/etc/shadow')",
        "open('/usr/crisol', 'w')",
        "import app\nopen(app.__file__, 'w')",
        "open('/crisol', 'w')",
        "import os\nos.listdir('/root/x')",
        "import os\nos.listdir('/old')",
        "import socket\nsocket.create_connection(('192.0.2.1', 80), timeout=1)",
        "import ctypes\nif ctypes.CDLL(None).unshare(0x10000000): raise OSError",
        "import ctypes\nif ctypes.CDLL(None).ptrace(0, 0, 0, 0): raise OSError",
        "import ctypes\nif ctypes.CDLL(None).mount(b'tmpfs', b'/tmp', b'tmpfs', 0, None): raise OSError",
        "import os\nos.kill(1, 9)\nos.setuid(0)",
        "open('/var/tmp/../../etc/passwd', 'a')",
        "import os\nos.symlink('/etc/shadow', 'link')\nopen('link')",
        "import os, app\nos.symlink(app.__file__, 'link')\nopen('link', 'w')",
        "open('/proc/1/environ').read()",
        "open('/proc/1/mem', 'rb').read(1)",
        "open('/proc/1/maps').read()",
        "import os\nos.listdir('/proc/1/root/')",
        "import os\nos.listdir('/proc/1/fd/')",
        "import socket\nsocket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
        "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_RAW)",
        "import os\nos.memfd_create('x')",
        "import ctypes\nif ctypes.CDLL(None).setns(0, 0): raise OSError",
        "import ctypes\nif ctypes.CDLL(None).shmget(1, 4096, 0o1600) < 0: raise OSError",
        "open('/dev/sda')",
        "open('/dev/mem')",
        "import os\nos.mknod('disk', 0o60600, os.makedev(8, 0))\nopen('disk', 'rb')",
        "import os\nos.chroot('.')",
        "import os\nos.link('/etc/passwd', 'hard')\nopen('hard', 'a')",
        "import os, app\nos.unlink(app.__file__)",
        "import os, sys\nos.rename(sys.path[-1], '/tmp/target')",
        "import os, app\nos.chmod(app.__file__, 0o666)",
        "import resource\nresource.setrlimit(resource.RLIMIT_NPROC, (9999, 9999))",
        "import os\nos.setpriority(0, 0, -20)",
        "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
    ],
)
def test_the_way_out_is_shut(target: Target, source: str) -> None:
    """Secrets, the host's files, the network, new namespaces, tracing and privileges are refused."""
    ended = run(target, source)
    assert ended.ending is Ending.RAISED, ended
    assert "Error" in ended.stderr


def test_the_environment_is_an_installation_s(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """No process that the script can see carries the launcher's environment.

    It has a plausible one of its own.
    """
    monkeypatch.setenv("CRISOL_SECRET", "crisol-secret-value")
    source = (
        "import glob, os\nseen = repr(dict(os.environ))\n"
        "for name in glob.glob('/proc/*/environ'):\n"
        "    try:\n        seen += open(name).read()\n    except OSError:\n        pass\n"
        "print('crisol' in seen, *os.environ)\n"
    )
    leaked, *names = run(target, source).stdout.split()
    assert leaked == "False"
    assert {"HOME", "LANG", "LOGNAME", "PATH", "PWD", "SHELL", "USER"} <= set(names)


def test_no_two_sandboxes_look_alike(tree: Path) -> None:
    """User, host and place are drawn anew, and none of them is one that says: here is the judge."""
    source = (
        "import app, os, pwd, socket\n"
        "print(os.getuid(), socket.gethostname(), pwd.getpwuid(os.getuid()).pw_name)\n"
    )
    seen = []
    for _ in range(2):
        with choose().target(tree, limits=QUICK) as opened:
            number, host, name = run(opened, source).stdout.split()
            assert run(opened, "import app\nassert 'site-packages' in app.__file__\n").code == 0
        assert int(number) > 1000
        assert "sandbox" not in host + name
        seen.append((number, host))
    assert seen[0] != seen[1]


def test_sockets_buffer_little(target: Target) -> None:
    """Kernel memory that no process's limit counts.

    A larger buffer is not had, and many sockets are memory.
    """
    source = (
        "import socket\nnear, far = socket.socketpair()\nfor option in (7, 8):\n"
        "    near.setsockopt(socket.SOL_SOCKET, option, 1 << 30)\n"
        "assert near.getsockopt(socket.SOL_SOCKET, 7) <= 1 << 19\n"
        "server = socket.create_server(('127.0.0.1', 0))\nserver.setsockopt(socket.IPPROTO_TCP, 1, 1)\n"
        "assert server.getsockopt(socket.IPPROTO_TCP, 1)\n"
    )
    assert run(target, source).code == 0
    many = (
        "import os, socket, time\nfor n in range(9):\n    if os.fork() == 0:\n"
        "        held = [socket.socketpair() for _ in range(120)]\n        time.sleep(30)\ntime.sleep(30)\n"
    )
    ended = target.run(Script("s.py", many, Role.POV), limits=replace(QUICK, seconds=20.0, cpu_seconds=5.0))
    assert ended.ending is Ending.LIMIT


def test_runs_do_not_see_each_other(target: Target) -> None:
    """Every writable place is new for each run."""
    places = ["/tmp", "/var/tmp", "/dev/shm"]
    source = f"import os\nfor p in {places}:\n    print(os.listdir(p))\n    open(p + '/left', 'w').close()\n"
    assert run(target, source).stdout == run(target, source).stdout


def test_overlay_changes_one_run_only(target: Target, tree: Path) -> None:
    """Files are changed, added and deleted for the run; the tree on disk stays."""
    source = "import os, sys\nimport extra\nsys.exit(extra.CODE + os.path.exists(sys.path[-1] + '/app.py'))\n"
    overlay = {"app.py": None, "extra/__init__.py": b"CODE = 5\n"}
    assert target.run(Script("s.py", source, Role.POV), overlay).code == 5
    assert run(target, POV).code == 0
    assert (tree / "app.py").read_text() == HONEST


@pytest.mark.parametrize("place", ["/app.py", "/../../../share/app.py", "/../../../share/new.py", "/new.py"])
@pytest.mark.parametrize("app", [None, HONEST])
def test_nothing_of_the_overlay_can_be_written(target: Target, place: str, app: str | None) -> None:
    """The layer that holds the patched files is as closed as the tree that shows them, patched or not."""
    ended = run(target, f"import sys\nopen(sys.path[-1] + {place!r}, 'w')\n", app)
    assert ended.ending is Ending.RAISED
    assert "Error" in ended.stderr


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", ""])
def test_overlay_stays_in_the_tree(target: Target, name: str) -> None:
    """A name that leaves the tree is our error, not a run."""
    with pytest.raises(InputError, match="inside the tree"):
        target.run(Script("s.py", "", Role.CHECK), {name: b""})


@pytest.mark.parametrize(
    ("source", "endings"),
    [
        ("while True: pass", {Ending.TIMEOUT}),
        ("import time\ntime.sleep(60)", {Ending.TIMEOUT}),
        ("import signal, time\nsignal.signal(15, signal.SIG_IGN)\ntime.sleep(60)", {Ending.TIMEOUT}),
        ("x = bytearray(1 << 30)", {Ending.LIMIT}),
        ("while True: print('x' * 1000)", {Ending.LIMIT}),
        ("import sys\nwhile True: print('x' * 1000, file=sys.stderr)", {Ending.LIMIT}),
        ("for n in range(99):\n    open(f'/dev/shm/{n}', 'wb').write(bytes(1 << 19))", {Ending.LIMIT}),
        ("for n in range(99999):\n    open(str(n), 'w').close()", {Ending.LIMIT, Ending.TIMEOUT}),
        ("with open('big', 'wb') as f:\n    f.write(bytes(2 << 20))", {Ending.LIMIT}),
        ("for n in range(99):\n    open(str(n), 'wb').write(bytes(1 << 19))", {Ending.LIMIT}),
        ("import os\nwhile True: os.fork()", {Ending.RAISED, Ending.TIMEOUT, Ending.NOT_ATTESTED}),
    ],
)
def test_limits_hold(target: Target, source: str, endings: set[Ending]) -> None:
    """Time, memory, output, file size, disk and processes are bounded, and the run ends soon after."""
    start = time.monotonic()
    assert run(target, source).ending in endings
    assert time.monotonic() - start < QUICK.seconds + 5


def test_memory_is_counted_over_all_processes(target: Target) -> None:
    """Each of many processes stays below the limit; what they hold together does not."""
    source = (
        "import os, time\nfor n in range(4):\n    if os.fork() == 0:\n"
        "        held = b'x' * (180 << 20)\n        time.sleep(30)\ntime.sleep(30)\n"
    )
    ended = target.run(Script("s.py", source, Role.POV), limits=replace(QUICK, seconds=20.0))
    assert ended.ending is Ending.LIMIT


def test_signals_reach_only_the_own_run(target: Target) -> None:
    """Killing everything in sight kills neither the keeper nor the next run."""
    ended = run(
        target, "import os, signal\ntry:\n    os.kill(-1, signal.SIGKILL)\nexcept OSError:\n    pass\n"
    )
    assert ended.ending in {Ending.EXITED, Ending.NOT_ATTESTED}
    assert run(target, POV).code == 0


def test_no_other_process_can_be_read_or_stopped(target: Target) -> None:
    """Neither the keeper's memory nor the zygote's, nor a sibling's, is there to be read or signalled."""
    source = (
        "import os\nown = {os.getpid()}\nreached = []\n"
        "for name in os.listdir('/proc'):\n"
        "    if not name.isdigit() or int(name) in own:\n        continue\n"
        "    for file in ('mem', 'maps', 'environ', 'root', 'cwd', 'fd/0'):\n"
        "        try:\n            os.close(os.open(f'/proc/{name}/{file}', os.O_RDONLY))\n"
        "            reached.append((name, file))\n        except OSError:\n            pass\n"
        "print(reached)\n"
    )
    assert run(target, source).stdout == "[]\n"


def test_the_zygote_is_the_same_process_for_every_run(target: Target) -> None:
    """An attack that would end or wound it shows as another zygote behind the next run."""
    assert run(target, POV).code == 0
    process = target._process
    for source in (
        "import os\nos.kill(1, 19)\n",
        (
            "import os\n"
            "for n in range(1, 500):\n"
            "    try:\n"
            "        os.kill(n, 9)\n"
            "    except OSError:\n"
            "        pass\n"
        ),
        "import os\nos.killpg(0, 9)\n",
        "import ctypes\nctypes.string_at(0)\n",
    ):
        run(target, source)
    assert run(target, POV).code == 0
    assert target._process is process
    assert process is not None
    assert process.poll() is None


@pytest.mark.parametrize("kept", ["/tmp/left", "/dev/shm/left", "/var/tmp/left"])
def test_an_open_file_does_not_reach_the_next_run(target: Target, kept: str) -> None:
    """A process that keeps its scratch open and waits dies before the next run begins."""
    source = (
        f"import os, time\nfile = open({kept!r}, 'w+')\nif os.fork() == 0:\n    os.setsid()\n"
        "    while True:\n        file.seek(0)\n        file.write('x')\n        file.flush()\n"
    )
    assert run(target, source).ending is Ending.EXITED
    assert run(target, f"import os, sys\nsys.exit(os.path.exists({kept!r}))\n").code == 0


def test_a_run_cannot_change_the_interpreter_of_the_next(target: Target) -> None:
    """A fork is a copy: what a run does to modules and built-ins is gone with it."""
    source = "import builtins, json, os\njson.dumps = builtins.len = os.write = None\nos.mark = 1\n"
    assert run(target, source).ending is Ending.EXITED
    assert run(target, "import os, sys, json\nsys.exit(hasattr(os, 'mark') + len(json.dumps(1)))\n").code == 1


def test_background_processes_are_gone(target: Target) -> None:
    """No process of the run is left on the machine when the answer is here."""
    name = f"left-{os.getpid()}"
    source = (
        "import ctypes, os, sys, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        f"        ctypes.CDLL(None).prctl(15, {name.encode()!r}, 0, 0, 0)\n        time.sleep(60)\n"
        "    os._exit(0)\ntime.sleep(0.05)\nsys.exit(0)\n"
    )
    assert run(target, source).code == 0
    names = []
    for path in Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):
            names.append(path.read_text().strip())
    assert name not in names


def test_nothing_is_written_on_the_machine(target: Target) -> None:
    """Shared folders inside are not the machine's."""
    name = f"crisol-{os.getpid()}-written"
    run(target, f"for p in ('/tmp', '/var/tmp', '/dev/shm'):\n    open(p + '/{name}', 'w').close()\n")
    assert not any(Path(place, name).exists() for place in ("/tmp", "/var/tmp", "/dev/shm"))


def test_what_the_scripts_import_is_there_already(tree: Path) -> None:
    """Warming imports modules of the standard library only; the target stays fresh for every overlay."""
    with choose().target(tree, limits=QUICK) as warmed:
        warmed.warm([Script("s.py", "import app, html.parser\n", Role.CHECK)])
        seen = "import sys\nsys.exit(2 * ('html.parser' in sys.modules) + ('app' in sys.modules))\n"
        assert run(warmed, seen).code == 2
        assert run(warmed, POV, "def flawed():\n    return 5\n").code == 5


def test_nothing_outlives_the_run(target: Target) -> None:
    """A detached process dies with its namespace."""
    mark = f"crisol-{os.getpid()}-outlives"
    source = (
        "import os, sys, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        f"    m = {mark!r}\n"
        "    time.sleep(60)\n"
        "sys.exit(0)\n"
    )
    start = time.monotonic()
    assert run(target, source).code == 0
    assert time.monotonic() - start < QUICK.seconds + 5


def test_the_loopback_is_its_own(target: Target) -> None:
    """A script may serve itself on 127.0.0.1 and cannot reach a server of the host."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        source = (
            "import socket, sys\nown = socket.create_server(('127.0.0.1', 0))\n"
            "socket.create_connection(own.getsockname()).close()\n"
            f"try:\n    socket.create_connection(('127.0.0.1', {port}), timeout=1)\n"
            "except OSError:\n    sys.exit(1)\nsys.exit(0)\n"
        )
        assert run(target, source).code == 1


def test_the_sockets_of_the_machine_are_out_of_reach(target: Target) -> None:
    """Neither an abstract address of the host nor one in its folders can be connected to."""
    name = f"crisol-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0{name}")
        server.listen()
        ended = run(target, f"import socket\nsocket.socket(socket.AF_UNIX).connect('\\0{name}')\n")
    assert ended.ending is Ending.RAISED
    assert "Error" in ended.stderr


def locked_down(code: str) -> subprocess.CompletedProcess[str]:
    """Run Python where the kernel refuses new namespaces and mounts, as in a locked-down container."""
    boot = (
        "from crisol.sandbox import kernel, seccomp\n"
        "kernel.no_new_privileges()\nkernel.install_filter(seccomp.script_filter())\n"
    )
    command = [sys.executable, "-c", boot + code]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


_OLD_KERNEL = """
import os, sys
from crisol.sandbox import kernel
outer, place = sys.argv[1:]
kernel._MOUNT_SETATTR = 9999
kernel.unshare(kernel.CLONE_NEWNS | (kernel.CLONE_NEWUSER if os.getuid() else 0))
kernel.mount("", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
kernel.mount(f"{outer}/in ner", f"{outer}/in ner", flags=kernel.MS_BIND)
kernel.mount(outer, place, flags=kernel.MS_BIND | kernel.MS_REC)
kernel.protect(place, recursive=True)
for name in (place, f"{place}/in ner", outer):
    print(bool(os.statvfs(name).f_flag & os.ST_RDONLY))
"""


def test_mounts_below_a_mount_are_read_only_on_an_old_kernel_too(tmp_path: Path) -> None:
    """Before Linux 5.12 no system call protects them all at once, so each one is protected alone."""
    try:
        choose("namespaces")
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    outer, place = tmp_path / "outer", tmp_path / "place"
    (outer / "in ner").mkdir(parents=True)
    place.mkdir()
    command = [sys.executable, "-c", _OLD_KERNEL, str(outer), str(place)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout.split(), done.stderr) == (["True", "True", "False"], "")


def test_a_machine_without_isolation_is_refused() -> None:
    """Nothing runs by default.

    The text says what failed, what to install, and what the weak sandbox costs.
    """
    done = locked_down("from crisol.sandbox import choose\nchoose()\n")
    assert done.returncode == 1
    for word in ("SandboxUnavailable", "offers no isolation", "bubblewrap:", "namespaces:", "--sandbox=weak"):
        assert word in done.stderr
    done = locked_down("from crisol.sandbox import choose\nprint(choose('weak').kind)\n")
    assert (done.returncode, done.stdout) == (0, "weak\n")


def test_the_doctor_says_that_isolation_is_missing() -> None:
    """Its first line is the sandbox, with the reason, not a sandbox that holds nothing."""
    code = (
        "from crisol.config import Settings\nfrom crisol.doctor import examine\n"
        "first = next(examine(Settings()))\nprint(first.name, first.ok, first.found)\n"
    )
    done = locked_down(code)
    assert done.stdout.startswith("sandbox False this machine offers no isolation"), done


def test_weak_says_so_and_runs(tree: Path) -> None:
    """Without isolation the same protocol holds, only when asked for by name."""
    with choose("weak").target(tree, limits=QUICK) as target:
        assert target.kind is SandboxKind.WEAK
        assert run(target, POV).code == 0
        assert run(target, POV, "def flawed():\n    return 1\n").code == 1
        assert run(target, POV).code == 0


def test_an_unknown_kind_is_refused() -> None:
    """A misspelt kind does not fall back to anything."""
    with pytest.raises(SandboxUnavailable, match="docker"):
        choose("docker")


def test_the_self_check_tells_walls_from_none(target: Target) -> None:
    """Isolation refuses every attempt; without it some succeed and are named."""
    assert escapes(target.kind) == ()
    assert escapes(SandboxKind.WEAK)


def test_no_two_runs_have_the_same_surroundings(target: Target) -> None:
    """Host name and environment are another session's in every run."""
    source = "import os, socket\nprint(socket.gethostname(), *sorted(os.environ.items()))\n"
    seen = [run(target, source).stdout.partition(" ") for _ in range(3)]
    assert len({host for host, _, _ in seen}) == 3
    assert len({variables for _, _, variables in seen}) == 3


def test_each_run_seems_to_be_another_process_of_another_installation(tree: Path) -> None:
    """Process ids are drawn for each run and hashes for each sandbox, unless a seed is given."""
    script = Script("own.py", "import os\nprint(os.getpid(), hash('crisol'))\n", Role.CHECK)
    told = []
    for hashes in (None, None, 7, 7):
        with choose().target(tree, limits=QUICK, hashes=hashes) as target:
            told += [target.run(script).stdout.split() for _ in range(2)]
    processes, seeds = zip(*told, strict=True)
    assert len(set(processes)) > 4
    assert seeds[0] == seeds[1] != seeds[2] == seeds[3] != seeds[4] == seeds[5] == seeds[6]


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="the kernel does not tell who waited")
def test_waiting_for_a_processor_is_no_fault_of_the_run(tree: Path) -> None:
    """Wall time that other processes take does not count, up to four times the limit."""
    script = Script("busy.py", "import time\nwhile time.process_time() < 1:\n    pass\n", Role.CHECK)
    places = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(places)})
    spinning = [subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]) for _ in range(4)]
    try:
        with choose().target(tree, limits=Limits(seconds=3.0, cpu_seconds=5.0)) as target:
            run = target.run(script)
    finally:
        os.sched_setaffinity(0, places)
        for process in spinning:
            process.kill()
            process.wait()
    assert run.ending is Ending.EXITED, run
    assert run.waited > 0

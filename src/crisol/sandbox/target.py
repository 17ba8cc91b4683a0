"""Start a sandbox, run scripts in it, and return the results."""

from __future__ import annotations

import contextlib
import functools
import json
import marshal
import os
import secrets
import select
import shutil
import socket
import subprocess
import sys
import tempfile
from collections import OrderedDict
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from crisol.errors import InputError, SandboxError
from crisol.sandbox import bubblewrap, frames, seccomp
from crisol.sandbox.bounded import OutOfBounds, bounded
from crisol.sandbox.keeper import PATIENCE
from crisol.sandbox.layout import User, interpreter, layout
from crisol.sandbox.learning import learn
from crisol.sandbox.records import Canary, Ending, Limits, Role, Run, SandboxKind, Script
from crisol.sandbox.script import compile_script, parts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from crisol.sandbox.source import TargetSource

__all__ = ["Target"]

_START_SECONDS = 60.0
_GRACE_SECONDS = 10.0
"""Seconds that a run may take beyond its limit, for the sandbox's own work on a busy machine."""
_ANSWER_BYTES = 1 << 27
_FACTS_BYTES = 16 << 20
_MODULES = ("frames", "tree", "recall", "watch", "usage", "guard", "stage", "keeper", "zygote")
_LINUX_MODULES = ("kernel", "namespaces", "tree", "walls")
_BOOT = (
    "import sys\nimport builtins, json, marshal, os, types\n"
    "fd = int(sys.argv[1])\n"
    "def take(size):\n"
    "    data = b''\n"
    "    while len(data) < size:\n"
    "        data += os.read(fd, size - len(data)) or os._exit(0)\n"
    "    return data\n"
    "names, parent = json.loads(take(int.from_bytes(take(8), 'big'))), 'crisol.sandbox'\n"
    "for stub in ('crisol', parent):\n"
    "    sys.modules[stub] = types.ModuleType(stub)\n"
    "    sys.modules[stub].__path__ = []\n"
    "for name, size in names:\n"
    "    module = sys.modules[f'{parent}.{name}'] = types.ModuleType(f'{parent}.{name}')\n"
    "    module.__builtins__ = dict(vars(builtins))\n"
    "    exec(marshal.loads(take(size)), vars(module))\n"
    "    setattr(sys.modules[parent], name, module)\n"
    "sys.modules[f'{parent}.zygote'].main(fd)\n"
)


class Target:
    """A sandbox over the files of one program, in which scripts run; only one thread may use it at a time.

    :meth:`Sandbox.target` makes it. If the sandbox's process is not running, for example because it died, the
    next run starts a new process. Arguments:

    - ``kind``: the kind of isolation. ``source``: the files of the program. ``limits``: the limits of each
      run.
    - ``hashes``: the hash seed of Python in the sandbox, below 2**32; None means a random one.

    The object sets these attributes:

    - ``requires``: the folders of the dependencies on this machine.
    - ``landlock``: the version of Landlock (a kernel interface) that runs are under, 0 for none.
    - ``skipped``: the modules that could not be imported before the first run.
    """

    def __init__(
        self, kind: SandboxKind, source: TargetSource, limits: Limits, hashes: int | None = None
    ) -> None:
        self.kind = kind
        self.limits = limits
        self.landlock = 0
        """The kernel's Landlock version that runs are under, 0 for none; known once started."""
        self.skipped: tuple[str, ...] = ()
        self._user = User.drawn()
        self._hashes = str(secrets.randbits(32) if hashes is None else hashes)
        self.requires: tuple[Path, ...] = ()
        self._source = source
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._folder: str | None = None
        self._facts: OrderedDict[bytes, tuple[list[list[int]], bytes]] = OrderedDict()

    def run(
        self,
        script: Script,
        overlay: Mapping[str, bytes | None] | None = None,
        limits: Limits | None = None,
        *,
        canary: Canary | None = None,
    ) -> Run:
        """Run a script in the sandbox, and return the run with its ending, exit code and output.

        ``overlay`` maps relative paths to the content that replaces a file, None for a deleted file; without
        an overlay the files are unpatched. ``limits`` None means the limits of the target; ``scratch_mb`` is
        always that of the target. With ``canary`` the script runs a second time in the same process, on the
        unpatched files; the exit code of this second run is ``Run.canary``. A script with a judge never runs
        a second time. A script that fails, or does not compile, raises nothing here: the returned run says
        so. Raises :class:`~crisol.errors.SandboxError` if the sandbox itself fails, and
        :class:`~crisol.errors.InputError` for a path in ``overlay`` outside the program's folder.
        """
        limits = limits or self.limits
        act, look = parts(script.source)
        compiled = compile_script(replace(script, source=act))
        judge = compile_script(replace(script, source=look)) if look else None
        if error := compiled.error or (judge.error if judge else ""):
            return Run(Ending.RAISED, None, "", error, 0.0, 0.0)
        source = script.source.encode()
        entries, blobs = [], [compiled.code, script.arguments, source, *_secrets()]
        if judge:
            blobs = [judge.code, source, *_secrets(), *blobs]
            canary = None  # there is nothing in the target's process that looks
        if canary:
            blobs += _secrets()
        guarded: dict[str, list[list[int]]] = {}
        files = [(_plain_path(name), content) for name, content in sorted((overlay or {}).items())]
        for name, content in files:
            entry = {"name": name, "content": content is not None, "compiled": False}
            if content is not None:
                blobs.append(content)
                if name.endswith(".py"):
                    guarded[name], code = self._read(name, content)
                    entry["compiled"] = bool(code)
                    blobs += [code] if code else []
            entries.append(entry)
        job = {
            "name": script.name,
            "mark": compiled.mark.decode("latin-1"),
            "names": self._user.variables(),
            "probe": script.role is Role.PROBE,
            "judge": judge.mark.decode("latin-1") if judge else "",
            "canary": canary,
            "overlay": entries,
            # If files are added or deleted, an import may find another module than before.
            "recalls": all(content is not None and name in self._source.tree for name, content in files),
            "guarded": guarded,
            **_plain(limits),
        }
        head, answer = self._ask(job, blobs, limits)
        return Run(
            Ending(head["ending"]),
            head.get("code"),
            self._portable_text(answer[0]),
            self._portable_text(answer[1]),
            head["seconds"],
            head["cpu_seconds"],
            answer[2],
            tuple(head.get("changed", ())),
            head.get("canary"),
            head["waited"],
        )

    def _read(self, name: str, content: bytes) -> tuple[list[list[int]], bytes]:
        """Return (line ranges, byte code) of a patched file; both are empty if a worker cannot compute them.

        A range is [first, last], counted from 1; the patch left its lines unchanged. The byte code is the
        content of a .pyc file, empty if the file does not compile.
        """
        key = sha256(name.encode("utf-8", "surrogatepass") + b"\0" + content).digest()
        facts = self._facts.pop(key, None)
        if facts is None:
            before = self._source.tree.get(name)
            head = {"name": name, "before": bool(before)}
            try:
                told, made = bounded(
                    "crisol.sandbox.reading:prepare", head, [*([before] if before else []), content]
                )
                facts = told["kept"], b"".join(made)
            except OutOfBounds:  # it is compiled by the run that needs it, within the run's limits
                facts = [], b""
        self._facts[key] = facts
        while sum(len(code) for _, code in self._facts.values()) > _FACTS_BYTES:
            self._facts.popitem(last=False)  # this one itself, if it alone is too large
        return facts

    def _portable_text(self, content: bytes) -> str:
        text = content.decode(errors="replace")
        for place in _python_folders():
            text = text.replace(place, "<python>")
        library = f"{self._user.root}/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
        return text.replace(library, "/target")

    def start(self) -> None:
        """Start the sandbox's process; a running one is ended first.

        Raises :class:`~crisol.errors.SandboxError`, with the message of the process, if it does not start.
        """
        self.close()
        host, guest = socket.socketpair()
        self._channel = host
        user = self._user
        root = user.root
        if self.kind is SandboxKind.WEAK:
            self._folder = root = tempfile.mkdtemp(prefix="crisol-")
        with contextlib.ExitStack() as stack:
            stack.callback(guest.close)
            self._process = _spawn(self.kind, user, self._hashes, guest.fileno(), stack)
        isolated = self.kind is not SandboxKind.WEAK
        source = self._source
        setup = {
            "isolated": isolated,
            "root": root,
            "user": user.number,
            "host": user.host,
            "plan": layout().of(user).plain() if self.kind is SandboxKind.NAMESPACES else None,
            "tree": list(source.tree),
            "requires": [list(package) for package in source.requires],
            "preload": [*source.preload, *source.learned.modules],
            "files": dict(source.learned.files),
            "patterns": source.learned.patterns,
            "prelude": source.prelude,
            "scratch_mb": self.limits.scratch_mb,
        }
        filters = (seccomp.keeper_filter(), seccomp.script_filter()) if isolated else ()
        files = [content for tree in (source.tree, *source.requires) for content in tree.values()]
        host.settimeout(_START_SECONDS)
        try:
            host.sendall(_modules(isolated=isolated))
            frames.send(host, setup, [*filters, *files])
            head, _ = frames.receive(host, _ANSWER_BYTES)
        except (frames.ClosedError, TimeoutError, OSError) as error:
            words = self._unread_errors()
            self.close()
            raise SandboxError(f"the sandbox did not start: {words or error}") from None
        if "failed" in head:
            self.close()
            raise SandboxError(f"the sandbox did not start: {head['failed']}")
        self.landlock = head["landlock"]
        self.skipped = tuple(head["skipped"])

    def warm(self, scripts: Sequence[Script]) -> None:
        """Find out which modules scripts import, so that the sandbox loads these before its next runs.

        ``scripts`` are trusted; each runs once on the unpatched files. The sandbox's process is then ended,
        and the next run starts a new one, which first loads the modules. Later runs are faster, which saves
        time in all if more than one patch is judged. Raises :class:`~crisol.errors.SandboxError` if the
        sandbox fails.
        """
        tops = frozenset(
            name.partition("/")[0].removesuffix(".py") for files in self._source.requires for name in files
        )
        learned = learn(self.run, scripts, self._source.tree, tops)
        self.close()
        self._source = replace(self._source, learned=learned)

    def close(self) -> None:
        """End the sandbox's process and all its runs; a later run starts a new process."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stderr is not None
            self._process.stderr.close()
            self._process = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _ask(
        self, job: dict[str, Any], blobs: list[bytes], limits: Limits
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Send one job to the zygote, and return the answer: (head, blobs).

        If the zygote dies or fails, a new one gets the job once more. Raises
        :class:`~crisol.errors.SandboxError` if that one fails, too, or if no answer comes in time.
        """
        problem: object = None
        for _attempt in range(2):
            if self._channel is None:
                self.start()
            assert self._channel is not None
            # A script is followed by its judge or by a canary, and each of the two may take so long.
            longest = 2 * PATIENCE * limits.seconds + _GRACE_SECONDS
            self._channel.settimeout(longest)
            try:
                frames.send(self._channel, job, blobs)
                head, answer = frames.receive(self._channel, _ANSWER_BYTES)
            except TimeoutError:
                self.close()
                raise SandboxError(f"the sandbox gave no answer within {longest} s") from None
            except (frames.ClosedError, OSError) as error:
                problem = self._unread_errors() or error
                self.close()
                continue
            if "failed" not in head:
                return head, answer
            problem = head["failed"]
            self.close()
        raise SandboxError(f"the sandbox failed twice on {job['name']}: {problem}")

    def _unread_errors(self) -> str:
        if self._process is None or self._process.stderr is None:
            return ""
        ready, _, _ = select.select([self._process.stderr], [], [], 0.2)
        return os.read(self._process.stderr.fileno(), 4096).decode(errors="replace").strip() if ready else ""


def _spawn(
    kind: SandboxKind, user: User, hashes: str, descriptor: int, stack: contextlib.ExitStack
) -> subprocess.Popen[bytes]:
    """Start the Python interpreter that becomes the zygote.

    ``hashes`` is the value of ``PYTHONHASHSEED``, ``descriptor`` the zygote's end of the socket. After this
    call, the caller must close ``stack``: it then closes files that only the new process needs. Raises
    :class:`~crisol.errors.SandboxError` if the interpreter cannot be started.
    """
    python = [interpreter(), "-s", "-S", "-P", "-B", "-c", _BOOT, str(descriptor)]
    passed = [descriptor]
    environment = {"PYTHONHASHSEED": hashes}
    if kind is SandboxKind.BUBBLEWRAP:
        texts: dict[str, int] = {}
        for place, text in layout().of(user).files.items():
            reading, writing = os.pipe()
            stack.callback(os.close, reading)
            with os.fdopen(writing, "w", encoding="utf-8") as pipe:
                pipe.write(text)
            texts[place] = reading
        passed += texts.values()
        program = bubblewrap.find()
        if program is None:
            raise SandboxError("bubblewrap is not installed any more")
        python = bubblewrap.wrapping(program, layout().of(user), user, hashes, texts) + python
        environment = {}
    try:
        return subprocess.Popen(
            python,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment,
            cwd="/",
            pass_fds=passed,
            start_new_session=True,
        )
    except OSError as error:
        raise SandboxError(f"cannot start the interpreter: {error}") from None


@functools.cache
def _modules(*, isolated: bool) -> bytes:
    """Return the compiled modules that run inside the sandbox, in the form that :data:`_BOOT` reads.

    That is the length of the head (8 bytes, big-endian), the head, and the marshalled code of each module.
    The head is a JSON list of pairs: name of a module, length of its code in bytes.
    """
    parts = []
    names = tuple(dict.fromkeys((*(_LINUX_MODULES if isolated else ()), *_MODULES)))
    for name in names:
        path = Path(__file__).parent / f"{name}.py"
        parts.append(marshal.dumps(compile(path.read_bytes(), f"<crisol {name}>", "exec", dont_inherit=True)))
    head = json.dumps([[name, len(part)] for name, part in zip(names, parts, strict=True)]).encode()
    return b"".join((len(head).to_bytes(8, "big"), head, *parts))


def _secrets() -> tuple[bytes, bytes]:
    """Return two random secrets, which stand for exit codes 0 and 1 of one script in one run."""
    return secrets.token_bytes(16), secrets.token_bytes(16)


@functools.lru_cache(maxsize=16)
def _plain(limits: Limits) -> dict[str, Any]:
    return asdict(limits)


@functools.cache
def _python_folders() -> tuple[str, ...]:
    # A script's output can contain these paths, in tracebacks for example.
    return tuple(sorted({str(Path(at)) for at, _ in layout().binds if not at.startswith(("/usr", "/etc"))}))


def _plain_path(name: str) -> str:
    parts = PurePosixPath(name).parts
    if (
        not parts
        or parts[0] == "/"
        or ".." in parts
        or "\0" in name
        or PurePosixPath(name).as_posix() != name
    ):
        raise InputError(f"the overlay names {name!r}, which is not a plain path inside the tree")
    return name

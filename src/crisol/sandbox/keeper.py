"""The keeper of one run: it starts the script in a child process and reports how the run ended.

Runs inside the sandbox. The zygote forks the keeper ahead of time. The keeper prepares everything that does
not depend on the job, then waits for a job on the host's socket. In a sandbox that isolates, the keeper is
the only process that a run can see besides its own, and the run cannot read the keeper's memory. When the
keeper ends, the kernel ends all processes of the run.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import shutil
import signal
import socket
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from crisol.sandbox import frames, stage, tree, usage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["PATIENCE", "keep"]

_CHUNK = 65536
_FLOOD = 16
_TICK = 0.1
PATIENCE = 4
"""The factor of its wall time that a run may take if it waits for a processor."""
_SOCKET_BYTES = 1 << 18
"""The most bytes that a socket of default size buffers."""
_PORTABLE_TICK = 0.01
_MAX_REPORT = 1 << 24
_SAID = 31
"""The number of bytes on the channel before the findings and the data of a script that ended."""


def keep(
    control: socket.socket,
    taken: int,
    places: tree.Places,
    setup: dict[str, Any],
    inherited: stage.Inherited,
) -> None:
    """Run as the keeper of one run: read a job, run its script in a child process, and send the answer.

    The function ends the process and never returns. It receives the job and sends the answer on the socket
    ``control``. When it has the job, it writes one byte to the file descriptor ``taken``; the zygote then
    forks the next keeper. ``places`` are the paths inside the sandbox. In an isolated sandbox, ``setup`` has
    the key ``scratch_mb`` (largest size of a writable folder in MiB) and the keys that
    :func:`crisol.sandbox.walls.confiner` reads; the other limits come with the job. ``inherited`` holds the
    import hook and the snapshot of functions that the zygote made before it forked the keeper.
    """
    status = 1
    try:
        if places.isolated:
            assert os.getpid() == 1
            from crisol.sandbox import walls  # noqa: PLC0415 - Linux only

            walls.prepare_run(setup["scratch_mb"], places.layer, places.target)
            confine: Callable[[], None] = walls.confiner(setup)
        else:
            places = places.of_one_run()
            confine = os.setsid
        run = _Run(control, places, confine, inherited)
        try:
            job, blobs = frames.receive(control)
        except frames.ClosedError:
            os._exit(0)
        os.write(taken, b"!")
        judge, blobs = (blobs[:4], blobs[4:]) if job["judge"] else ([], blobs)
        head, answer = run.perform(job, blobs)
        if judge and head.get("ending") == "exited":
            run = _Run(control, places, confine, inherited)
            head, answer = run.judge(job, judge, head, answer)
        if not places.isolated:
            shutil.rmtree(places.root, ignore_errors=True)
        frames.send(control, head, answer)
        status = 0
    except frames.ClosedError:
        status = 0
    except BaseException as error:  # noqa: BLE001 - told to the host, which decides
        with contextlib.suppress(frames.ClosedError, OSError):
            frames.send(control, {"failed": f"{type(error).__name__}: {error}"})
        status = 3
    finally:
        os._exit(status)


class _Said(NamedTuple):
    """A report that the script's process sent when the script ended.

    ``kind`` is a constant of :mod:`.stage`: ``DECIDED`` (exit code 0 or 1, which ``secret`` stands for),
    ``OTHER`` (another exit code, in ``code``), ``RAISED`` or ``LIMIT``. A report of the first two kinds
    counts only if ``secret`` is one of the two that the host sent, since untrusted code can write reports,
    too. ``changed`` names the functions and classes that the run replaced; ``report`` holds the bytes that a
    probe reported.
    """

    kind: bytes
    secret: bytes = b""
    code: int = 0
    changed: list[str] = []  # noqa: RUF012 - never changed
    report: bytes = b""


class _Run:
    """One execution of a script in a process of its own, and the output of this process.

    The process is forked when the object is made. It waits for the job, which :meth:`perform` or
    :meth:`judge` sends.
    """

    def __init__(
        self,
        control: socket.socket,
        places: tree.Places,
        confine: Callable[[], None],
        inherited: stage.Inherited,
    ) -> None:
        self._control = control
        self._places = places
        out, out_end = os.pipe()
        err, err_end = os.pipe()
        self._channel, far = socket.socketpair()
        self._read = {"out": out, "err": err, "report": self._channel.fileno()}
        self._kept = {name: bytearray() for name in self._read}
        self._seen = dict.fromkeys(self._read, 0)
        self._waited = 0.0
        """Seconds that the run was kept waiting for a processor."""
        self._first: _Said | None = None
        """The report of the script, once the canary has started."""
        self._canary: dict[str, Any] = {}
        self._going_on: list[str] = []
        self._child = stage.open_stage((out_end, err_end, far), confine, inherited)
        self._born_with = usage.resident_pages(self._child)
        os.close(out_end)
        os.close(err_end)
        far.close()
        self._poll = select.poll()
        for end in self._read.values():
            os.set_blocking(end, False)
            self._poll.register(end, select.POLLIN)
        self._poll.register(control, getattr(select, "POLLRDHUP", 0))
        self._ended = self._exit_descriptor()
        frames.rehearse()

    def perform(self, job: dict[str, Any], blobs: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
        """Run the script of a job, over the target with its overlay, and return the answer: (head, blobs).

        The blobs of the answer are standard output, standard error and the bytes that a probe reported. If
        the script could not be started, the head has the key ``failed`` alone.
        """
        code, arguments, source, zero, one, *contents = blobs
        places = self._places
        if job["canary"] is not None:
            pair, contents = contents[:2], contents[2:]
            self._canary = {
                "code": code,
                "after": (one,) if job["canary"] == "one" else (zero, one),
                "pair": pair,
            }
        self._apply_overlay(tree.change(job["overlay"], contents))
        shown = {
            **{name: job[name] for name in ("name", "mark", "names", "probe", *_LIMITED)},
            "guarded": {f"{places.target}/{name}": lines for name, lines in job["guarded"].items()},
            "path": [*places.requires, places.target],
            "changed": [entry["name"] for entry in job["overlay"]] if job["recalls"] else None,
            "work": places.scratch,
            "isolated": places.isolated,
            "seen": None,
        }
        return self._run(job, shown, [code, arguments, source, zero, one])

    def judge(
        self, job: dict[str, Any], blobs: list[bytes], seen: dict[str, Any], output: list[bytes]
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Run the judge of a script after its first part, and return one answer for both: (head, blobs).

        ``blobs`` are the judge's code, its source and the secrets of exit codes 0 and 1. ``seen`` and
        ``output`` are the answer of :meth:`perform` to the first part, whose processes have ended. The judge
        cannot import the target.
        """
        code, source, zero, one = blobs
        shown = {
            **{name: job[name] for name in ("name", "names", *_LIMITED)},
            "mark": job["judge"],
            "probe": False,
            "guarded": {},
            "path": [],
            "changed": None,
            "work": self._places.scratch,
            "isolated": self._places.isolated,
            "seen": seen["cpu_seconds"],
        }
        head, answer = self._run(job, shown, [code, output[0], source, zero, one])
        if "failed" not in head:
            head["seconds"] += seen["seconds"]  # the processor time counts both already
            head["waited"] += seen["waited"]
            head["changed"] = seen["changed"]
        return head, [output[0] + answer[0], output[1] + answer[1], answer[2]]

    def _run(
        self, job: dict[str, Any], shown: dict[str, Any], blobs: list[bytes]
    ) -> tuple[dict[str, Any], list[bytes]]:
        zero, one = blobs[-2:]
        os.set_blocking(self._channel.fileno(), True)
        start = time.monotonic()
        with contextlib.suppress(frames.ClosedError):
            frames.send(self._channel, shown, blobs)
        os.set_blocking(self._channel.fileno(), False)
        ending, cpu = self._watch(job, start)
        seconds = time.monotonic() - start
        head = {"ending": ending, "seconds": seconds, "cpu_seconds": cpu, "waited": self._waited}
        report = b""
        said = self._first or self._said()
        if self._first is not None:
            second = self._said()
            pair = self._canary["pair"]
            head["canary"] = pair.index(second.secret) if second is not None and second.secret in pair else -1
        if said is not None and said.kind in {stage.RAISED, stage.LIMIT}:
            if ending == "not_attested":
                head["ending"] = "raised" if said.kind == stage.RAISED else "limit"
        elif said is not None and said.secret in {zero, one}:
            number = said.code if said.kind == stage.OTHER else int(said.secret == one)
            head |= {"ending": "exited", "code": number, "changed": [*said.changed, *self._going_on]}
            report = said.report
        elif ending == "failed":
            head = {"failed": bytes(self._kept["err"]).decode(errors="replace") or "the stage did not open"}
        keep = job["output_bytes"]
        output = [bytes(self._kept[name][-keep:]) for name in ("out", "err")]
        return head, [*output, report]

    def _apply_overlay(self, files: Mapping[str, bytes | None]) -> None:
        places = self._places
        if places.isolated:
            from crisol.sandbox import walls  # noqa: PLC0415 - Linux only

            walls.overlay(places.target, places.layer, files)
        elif files:
            copied = f"{places.root}/target"  # other runs read the folder itself
            tree.copy_changed(places.target, copied, files)
            places.release, places.target = places.target, copied

    def _remove_overlay(self) -> None:
        places = self._places
        if places.isolated:
            from crisol.sandbox import walls  # noqa: PLC0415 - Linux only

            walls.uncover(places.target)
        else:
            places.target = places.release

    def _watch(self, job: dict[str, Any], start: float) -> tuple[str, float]:
        """Read the output of the run until the run ends or exceeds a limit, then kill its processes.

        Returns (ending, CPU seconds of all processes). The ending ``failed`` means that the script did not
        start. ``not_attested`` means that no limit was exceeded; the script's report may prove a better
        ending. ``start`` is a time of the monotonic clock, in seconds.
        """
        first = deadline = start + job["seconds"]
        budget = job["cpu_seconds"]
        ending = "not_attested"
        flood = job["output_bytes"] * _FLOOD
        keep = job["output_bytes"] * 2
        status = None
        next_look = start + _TICK
        while status is None:
            now = time.monotonic()
            used = usage.processor_seconds(self._child)
            if now >= deadline:
                self._waited = usage.waited(self._child)
                deadline = first + min(self._waited, (PATIENCE - 1) * job["seconds"])
            if now >= deadline or used >= budget:
                ending = "timeout"
                break
            wait = min(deadline - now, budget - used + 0.001, _TICK)
            self._listen(_PORTABLE_TICK if self._ended is None else wait, keep)
            looking = self._places.isolated and now >= next_look
            if looking:
                next_look = now + _TICK
                self._waited = usage.waited(self._child)
            if self._flooded(flood) or (looking and self._resident() > job["memory_mb"] << 21):
                ending = "limit"
                break
            if self._has_reported_exit():
                if not self._start_canary(job):
                    break
                first = deadline = now + job["seconds"]
                budget = used + job["cpu_seconds"]
            finished, result = os.waitpid(self._child, os.WNOHANG)
            status = result if finished else None
        self._end_all()
        for name in self._read:
            while self._read_chunk(name, keep) and self._seen[name] <= flood + _MAX_REPORT:
                pass
        spent = resource.getrusage(resource.RUSAGE_CHILDREN)
        if status is not None:
            if not self._seen["report"]:
                ending = "failed"
            elif os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU:
                ending = "timeout"
        return ending, spent.ru_utime + spent.ru_stime

    def _listen(self, wait: float, keep: int) -> None:
        names = {end: name for name, end in self._read.items()}
        for end, _event in self._poll.poll(1000 * wait):
            if end == self._control.fileno():  # the host has closed its socket
                os._exit(0)
            elif end in names and not self._read_chunk(names[end], keep):
                self._poll.unregister(end)

    def _start_canary(self, job: dict[str, Any]) -> bool:
        if self._first is None and self._places.isolated:  # processes of the canary do not count
            self._going_on = usage.going_on(self._child)
        said = self._said()
        if not self._canary or self._first is not None or said is None:
            return False
        if said.secret not in self._canary["after"] or said.kind != stage.DECIDED:
            return False
        self._first = said
        self._kept["report"][:] = stage.STARTED
        places, target = self._places, self._places.target
        self._remove_overlay()  # the canary imports the unpatched files
        shown = {
            **{name: job[name] for name in ("name", "mark")},
            "path": [*places.requires, places.target],
            "target": target,
            "work": f"{places.scratch}/{os.urandom(6).hex()}",
        }
        with contextlib.suppress(frames.ClosedError):
            os.set_blocking(self._channel.fileno(), True)
            frames.send(self._channel, shown, [self._canary["code"], *self._canary["pair"]])
            os.set_blocking(self._channel.fileno(), False)
        return True

    def _flooded(self, bytes_: int) -> bool:
        return max(self._seen["out"], self._seen["err"]) > bytes_ or self._seen["report"] > _MAX_REPORT

    def _exit_descriptor(self) -> int | None:
        if not hasattr(os, "pidfd_open"):
            return None
        try:
            ended = os.pidfd_open(self._child)
        except OSError:
            return None
        self._poll.register(ended, select.POLLIN)
        return ended

    def _resident(self) -> int:
        """Return the memory of the run's processes and sockets in bytes; 0 if ``/proc`` cannot be read."""
        try:
            processes = [int(name) for name in os.listdir("/proc") if name.isdigit() and name != "1"]
        except OSError:
            return 0
        # Each process begins with a copy of the keeper's memory.
        pages = sum(max(0, usage.resident_pages(process) - self._born_with) for process in processes)
        # The kernel counts the buffers of a socket for no process.
        return pages * resource.getpagesize() + usage.sockets() * _SOCKET_BYTES

    def _read_chunk(self, name: str, keep: int) -> bool:
        try:
            chunk = os.read(self._read[name], _CHUNK)
        except (BlockingIOError, ConnectionResetError):
            return False
        self._seen[name] += len(chunk)
        kept = self._kept[name]
        if name == "report":
            if self._seen[name] <= _MAX_REPORT:
                kept += chunk
        else:
            kept += chunk
            del kept[: max(0, len(kept) - keep)]
        return bool(chunk)

    def _has_reported_exit(self) -> bool:
        # The process itself lives on: it waits for the keeper to kill it or to start the canary.
        kept = self._kept["report"]
        if len(kept) < _SAID or bytes(kept[1:2]) not in {stage.DECIDED, stage.OTHER}:
            return False
        return self._said() is not None

    def _said(self) -> _Said | None:
        """Return the report that the script's process sent; None if none or only a part of one has arrived.

        The caller must check the secret of the report: untrusted code can send one, too.
        """
        text = bytes(self._kept["report"])[len(stage.STARTED) :]
        kind = text[:1]
        if kind in {stage.RAISED, stage.LIMIT}:
            return _Said(kind)
        if kind not in {stage.DECIDED, stage.OTHER} or len(text) < _SAID - 1:
            return None
        names, data = int.from_bytes(text[18:22], "big"), int.from_bytes(text[22:30], "big")
        if len(text) < 30 + names + data:
            return None
        changed = text[30 : 30 + names].decode(errors="replace").split("\n") if names else []
        return _Said(kind, text[1:17], text[17], changed, text[30 + names : 30 + names + data])

    def _end_all(self) -> None:
        if self._places.isolated and os.getpid() == 1:
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
        else:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._child, signal.SIGKILL)
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._child, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while True:
                os.wait()


_LIMITED = ("cpu_seconds", "memory_mb", "processes", "file_mb")

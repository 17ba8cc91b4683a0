"""The client of a load test: a separate process that sends the requests and records their times.

``python -m crisol.loadtest.client FOLDER`` reads the job in ``FOLDER/job.msgpack``, and sends its requests.
Every half second it prints the progress as a line of JSON. At the end it writes ``FOLDER/samples.npz``. To be
fast, it supports only a part of HTTP/1.1: one request at a time on a connection, answers with a content
length, no redirects.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ipaddress
import json
import os
import sys
import time
from collections import deque
from pathlib import Path

import msgspec
import numpy as np
import uvloop

from crisol.errors import SettingsError
from crisol.loadtest.pacer import Pacer
from crisol.loadtest.samples import Recorder
from crisol.loadtest.wire import RESTS, Connection

__all__ = ["Job", "main"]

_PROGRESS_SECONDS = 0.5
_GRACE_SECONDS = 1.0


class Job(msgspec.Struct, frozen=True):
    """The requests that the client process of a load test sends, where it sends them, and when.

    - ``host``, ``port``: the service's address.
    - ``heads``, ``bodies``: the different requests, as HTTP heads without the final blank line, and bodies.
    - ``order``: for each request to send, in order, its index in ``heads`` and ``bodies``.
    - ``begin``: the time at which the load begins, in seconds of the monotonic clock; a past time means now.
    - ``starts``: in an open loop the start of each request, in seconds after ``begin``. It is empty in a
      closed loop.
    - ``seconds``: a closed loop ends after so many seconds, or after the last request of ``order`` if that is
      earlier.
    - ``connections``: the most open connections. ``sources``: the number of loopback addresses from which
      they come.
    - ``spoofed``: the number of false client addresses sent in ``X-Forwarded-For``; 0 sends no such header.
    - ``timeout``: the seconds that the client waits for an answer.
    """

    host: str
    port: int
    heads: list[bytes]
    bodies: list[bytes]
    order: list[int]
    starts: list[float]
    seconds: float
    connections: int
    sources: int
    spoofed: int
    timeout: float
    begin: float


def check_loopback(host: str) -> None:
    """Raise :class:`~crisol.errors.SettingsError` unless ``host`` is a loopback IP address.

    A host name is refused, too, even ``localhost``.
    """
    try:
        ours = ipaddress.ip_address(host).is_loopback
    except ValueError:
        ours = False
    if not ours:
        raise SettingsError(f"{host} is not a loopback address; load goes to 127.0.0.0/8 or [::1] alone")


class _Client:
    """The sender of a job's requests; a request goes to the connection that has been idle longest."""

    def __init__(self, job: Job, loop: asyncio.AbstractEventLoop) -> None:
        self.job = job
        self.loop = loop
        self.samples = Recorder(job.order)
        self.ended = asyncio.Event()
        self._contents = [b"%b\r\n%b" % content for content in zip(job.heads, job.bodies, strict=True)]
        self._idle: deque[Connection] = deque()
        self._waiting: deque[int] = deque()
        self._open: set[Connection] = set()
        self._opening = 0
        self._next = 0
        self._last = len(job.order)
        self._busy = 0
        self._source = 0
        self._closing = False

    async def run(self) -> None:
        job = self.job
        await asyncio.sleep(max(0.0, job.begin - time.monotonic()))
        sweeping = asyncio.create_task(self._sweep())
        if job.starts:
            await self._run_open()
        else:
            for _ in range(min(job.connections, len(job.order))):
                self._offer(self._take(time.monotonic()))
            await self._end_within(job.seconds)
            self._last = self._next
        await self._end_within(job.timeout + _GRACE_SECONDS)
        self._say()
        self._closing = True
        sweeping.cancel()
        for connection in list(self._open):
            connection.abort("unfinished")
        for at in self._waiting:
            self.samples.failed(at, "unfinished")

    async def _end_within(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.ended.wait()

    async def _run_open(self) -> None:
        begin = max(self.job.begin, time.monotonic())
        due = begin + np.asarray(self.job.starts)
        with Pacer(due.tolist()) as pacer:
            ended = self.loop.create_future()

            def wake() -> None:
                now = time.monotonic()
                for intended in pacer.due(now):
                    self._offer(self._take(intended))
                if pacer.empty and not ended.done():
                    ended.set_result(None)

            self.loop.add_reader(pacer.fd, wake)
            try:
                await ended
            finally:
                self.loop.remove_reader(pacer.fd)

    def _take(self, intended: float) -> int:
        at = self._next
        self._next += 1
        self._busy += 1
        self.samples.intended[at] = intended
        return at

    def _content(self, at: int) -> bytes:
        which = self.job.order[at]
        if not self.job.spoofed:
            return self._contents[which]
        who = at % self.job.spoofed
        name = b"x-forwarded-for: 10.%d.%d.%d\r\n" % (who >> 16 & 255, who >> 8 & 255, who & 255)
        return self.job.heads[which] + name + b"\r\n" + self.job.bodies[which]

    def _offer(self, at: int) -> None:
        while self._idle:
            connection = self._idle.popleft()
            if connection.ready:
                connection.send(at, self._content(at))
                return
        self._waiting.append(at)
        self._open_another()

    def _open_another(self) -> None:
        if len(self._open) + self._opening < self.job.connections:
            self._opening += 1
            task = self.loop.create_task(self._connect())
            task.add_done_callback(lambda connecting: connecting.exception())

    async def _connect(self) -> None:
        self._source += 1
        source = self._source % self.job.sources
        # The sources are 127.0.0.2 and the following addresses; all of 127.0.0.0/8 belong to this machine.
        local = None if self.job.sources == 1 else (f"127.0.{(source + 2) >> 8}.{(source + 2) & 255}", 0)
        try:
            async with asyncio.timeout(self.job.timeout):
                _, connection = await self.loop.create_connection(
                    lambda: Connection(self), self.job.host, self.job.port, local_addr=local
                )
        except (OSError, TimeoutError) as error:
            kind = "connect_timeout" if isinstance(error, TimeoutError) else "refused"
            self._opening -= 1
            if self._waiting:
                self.failed(self._waiting.popleft(), kind)
            return
        self._opening -= 1
        self._open.add(connection)
        self._free(connection)

    def _free(self, connection: Connection) -> None:
        if self._waiting:
            at = self._waiting.popleft()
            connection.send(at, self._content(at))
        else:
            self._idle.append(connection)

    def answered(self, connection: Connection, at: int, now: float, status: int, body: bytes) -> None:
        # The next request is sent first, so that decoding the answer delays no request.
        self._settled(now)
        if connection.ready:
            self._free(connection)
        self.samples.answered(at, now, status, body)

    def failed(self, at: int, error: str) -> None:
        self.samples.failed(at, error)
        self._settled(time.monotonic())

    def lost(self, connection: Connection) -> None:
        self._open.discard(connection)
        if self._waiting and not self._closing:
            self._open_another()

    def _settled(self, now: float) -> None:
        self._busy -= 1
        if self._closing:
            return
        if self._next == self._last:
            if not self._busy:
                self.ended.set()
        elif not self.job.starts:
            # In a closed loop the end of a request starts the next one.
            self._offer(self._take(now))

    async def _sweep(self) -> None:
        reported = 0.0
        while True:
            now = time.monotonic()
            for connection in list(self._open):
                if connection.at != RESTS and now - self.samples.sent[connection.at] > self.job.timeout:
                    connection.abort("timeout")
            while self._waiting and now - self.samples.intended[self._waiting[0]] > self.job.timeout:
                self.failed(self._waiting.popleft(), "timeout")
            if now - reported >= _PROGRESS_SECONDS:
                reported = now
                self._say()
            await asyncio.sleep(0.05)

    def _say(self) -> None:
        line = {"sent": self._next, "done": self.samples.done, "failed": self.samples.failures}
        try:
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            # The caller has ended; without a reader of the result the load stops.
            os._exit(1)


def main(folder: Path) -> None:
    """Send the requests of the :class:`Job` in ``folder/job.msgpack``; write ``folder/samples.npz``.

    :func:`~crisol.loadtest.samples.load_samples` reads the latter file. Prints a JSON line of progress every
    half second. Raises :class:`~crisol.errors.SettingsError` if the job's host is not a loopback IP address.
    """
    job = msgspec.msgpack.decode((folder / "job.msgpack").read_bytes(), type=Job)
    check_loopback(job.host)
    gc.disable()  # Nothing here makes cycles worth a pause, and the process ends with its job.
    wall, cpu = time.monotonic(), time.process_time()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        client = _Client(job, runner.get_loop())
        runner.run(client.run())
    spent = time.process_time() - cpu
    client.samples.save(folder / "samples.npz", cpu=spent, wall=time.monotonic() - wall)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

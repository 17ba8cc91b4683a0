"""A TCP proxy that delays the answers of a server, or closes connections in the middle of them."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Self
from urllib.parse import urlsplit, urlunsplit

__all__ = ["SlowProxy"]


class SlowProxy:
    """A TCP proxy that passes data between clients and the server at ``url``, slowly or with cuts on demand.

    The proxy runs in a thread while the block ``with SlowProxy(url) as proxy:`` runs. ``url`` must contain a
    host and a port; a server on a Unix socket cannot be reached. If the server refuses a connection, the
    proxy closes the connection of the client.

    Set ``delay`` to delay each piece of an answer (at most 64 KiB) by so many seconds; it is 0 at first.
    While ``cut`` is True, each connection is closed in the middle of its next answer; it is False at first.
    Both can be set at any time, from any thread.
    """

    def __init__(self, url: str) -> None:
        self.delay = 0.0
        self.cut = False
        self._target = urlsplit(url)
        self._port = 0
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="proxy", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None

    @property
    def url(self) -> str:
        """The server's URL with the proxy's host and port in it; use it only inside the ``with`` block."""
        user, at, _ = self._target.netloc.rpartition("@")
        return urlunsplit(self._target._replace(netloc=f"{user}{at}127.0.0.1:{self._port}"))

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._loop is not None
        assert self._end is not None
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        tasks: set[asyncio.Task[None]] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            with _closing(writer), contextlib.suppress(OSError):
                up_reader, up_writer = await asyncio.open_connection(self._target.hostname, self._target.port)
                with _closing(up_writer):
                    await asyncio.gather(
                        self._pump(reader, up_writer, back=False), self._pump(up_reader, writer, back=True)
                    )
            tasks.discard(task)

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._end.wait()
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, back: bool) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                if back and self.delay:
                    await asyncio.sleep(self.delay)
                if back and self.cut:
                    writer.write(data[: len(data) // 2])
                    break
                writer.write(data)
                await writer.drain()
        writer.close()


@contextlib.contextmanager
def _closing(writer: asyncio.StreamWriter) -> Iterator[None]:
    try:
        yield
    finally:
        writer.close()

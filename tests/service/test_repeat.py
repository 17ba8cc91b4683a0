"""A head that is known is not parsed again, and nothing else is different."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import TYPE_CHECKING, Any

import pytest
from uvicorn.server import ServerState

from crisol.resilience.clock import FakeClock
from crisol.service.embedded import configure
from crisol.service.protocol import PatientProtocol
from crisol.service.repeat import Repeat
from support.raw import alike, exchange, long, short
from support.served import FLAW, foreign, wrong

if TYPE_CHECKING:
    from collections.abc import Callable

    from crisol.service.embedded import Server

HEAD = b"POST /p HTTP/1.1\r\nhost: a\r\nContent-Length: %b\r\nx: y\r\n\r\n"
SCOPE = {"path": "/p", "headers": [(b"host", b"a"), (b"content-length", b"2"), (b"x", b"y")], "crisol.x": 1}


def known(data: bytes = HEAD % b"2" + b"ab", body: bytes = b"ab", **changed: Any) -> Repeat | None:
    return Repeat.of(data, SCOPE | changed, body, 100)


def one_by_one(server: Server, *requests: bytes) -> list[tuple[int, dict[str, str], Any]]:
    """Send each request over the same connection when the one before is answered."""
    found = []
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        file = connection.makefile("rb")
        for request in requests:
            connection.sendall(request)
            status = int(file.readline().split()[1])
            lines = iter(file.readline, b"\r\n")
            headers = dict(line.decode().rstrip("\r\n").split(": ", 1) for line in lines)
            found.append((status, headers, json.loads(file.read(int(headers["content-length"])))))
    return found


def test_the_same_head_with_another_length_is_known_by_its_bytes() -> None:
    """Scope and body are those of the new request; what the walls noted of the last one is no part of it."""
    repeat = known()
    assert repeat is not None
    found = repeat.split(HEAD % b"003" + b"cde")
    assert found is not None
    scope, body = found
    assert body == b"cde"
    assert scope == {"path": "/p", "headers": [(b"host", b"a"), (b"content-length", b"003"), (b"x", b"y")]}
    assert SCOPE["headers"][1] == (b"content-length", b"2")  # type: ignore[index]  # a list of pairs


@pytest.mark.parametrize(
    "data",
    [
        HEAD % b"3" + b"ab",
        HEAD % b"1" + b"ab",
        HEAD % b"101" + b"a" * 101,
        *(
            HEAD % length + b"ab"
            for length in (b"", b"+2", b" 2", b"2 ", b"2_", b"0x2", b"-2", "\u0662".encode())
        ),
        (HEAD % b"2").replace(b"host: a", b"host: b") + b"ab",
        (HEAD % b"2").replace(b"x: y", b"x: z") + b"ab",
        (HEAD % b"2").replace(b"POST", b"post") + b"ab",
        (HEAD % b"2" + b"ab") * 2,
        HEAD % b"2",
        b"POST",
        b"",
    ],
)
def test_any_other_bytes_are_left_to_the_parser(data: bytes) -> None:
    repeat = known()
    assert repeat is not None
    assert repeat.split(data) is None


def test_a_head_that_may_mean_something_else_next_time_is_not_remembered() -> None:
    """Half a request, two of them, two lengths, and what the parser or the walls have to look at every time."""
    whole = HEAD % b"2" + b"ab"
    assert known(b"\r\n\r\n" + whole) is None
    assert known(whole + whole) is None
    assert known(whole[:-1] + b"c") is None
    assert known(whole.replace(b"Content-Length", b"Content-Size")) is None
    assert known(whole.replace(b"x: y", b"content-length: 2")) is None
    for name in (b"upgrade", b"expect", b"transfer-encoding", b"traceparent", b"x-request-id"):
        assert known(headers=[*SCOPE["headers"], (name, b"1")]) is None  # type: ignore[misc]  # a list of pairs


@pytest.mark.integration
def test_repeated_requests_get_the_answers_of_single_ones(started: Callable[..., Server]) -> None:
    """Fresh, from the cache, refused for what they say or for their size: over one connection as over many."""
    server = started(rate_limits="ml-first=1000/60", body_limit=2000)
    texts = [foreign(1), foreign(2), foreign(1), "no diff", foreign(2), "+" * 3000, foreign(3)]
    bodies = [json.dumps({"diff": text, "cwe": "CWE-22"}).encode() for text in texts]
    bodies.insert(3, b"{")
    found = one_by_one(server, *map(short, bodies), *map(short, bodies))
    assert [answer[0] for answer in found] == [200, 200, 200, 422, 422, 200, 413, 200] * 2
    alone = [exchange(server, long(body))[0] for body in bodies if len(body) < 2000]
    again = [answer for answer in found[len(bodies) :] if answer[0] != 413]
    assert list(map(alike, again)) == list(map(alike, alone))
    assert len({answer[1]["x-request-id"] for answer in found}) == len(found)


@pytest.mark.integration
def test_a_repeated_request_that_has_to_wait_pays_once(started: Callable[..., Server]) -> None:
    """It goes on through the application with what it took from its bucket, and its body is not lost."""
    server = started(rate_limits="ml-first=5/6000")
    texts = [{"diff": foreign(1)}, {"diff": wrong(), "vulnerability": FLAW}, {"diff": foreign(1)}]
    found = one_by_one(server, *(short(json.dumps(text).encode()) for text in texts))
    assert [(status, headers["x-ratelimit-remaining"]) for status, headers, _ in found] == [
        (200, "4"), (200, "3"), (200, "2")
    ]  # fmt: skip
    assert [content["source"] for _, _, content in found] == ["model", "wargame", "cache"]


@pytest.mark.integration
def test_behind_a_known_head_anything_may_come(started: Callable[..., Server]) -> None:
    """Two requests in one go, one in pieces, a longer one, another host, a broken one: as on a fresh connection."""
    server = started()
    request = short(json.dumps({"diff": foreign(1)}).encode())
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        file = connection.makefile("rb")

        def status() -> int:
            found = int(file.readline().split()[1])
            lines = dict(line.rstrip(b"\r\n").split(b": ", 1) for line in iter(file.readline, b"\r\n"))
            file.read(int(lines[b"content-length"]))
            return found

        for pieces in ([request], [request], [request * 2], [request[:30], request[30:]], [request]):
            for piece in pieces:
                connection.sendall(piece)
        assert [status() for _ in range(6)] == [200] * 6
        connection.sendall(request.replace(b"host: localhost", b"host: elsewhere"))
        assert status() == 421
        connection.sendall(request.replace(b"HTTP/1.1", b"HTTP/7.7"))
        assert status() == 400
        assert file.read() == b""


class Timer:
    """A timer that nobody starts."""

    def cancel(self) -> None:
        """Do nothing."""


class Loop:
    """Time, and the timers that were set."""

    def __init__(self) -> None:
        self.time = FakeClock()
        self.timers: list[float] = []

    def call_later(self, seconds: float, _: Callable[[], None]) -> Timer:
        self.timers.append(seconds)
        return Timer()


class Wire(asyncio.Transport):
    """What was written, and whether it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> None:
        self.written.append(data)

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


class Application:
    """Answers at once."""

    async def __call__(self, _scope: object, _receive: object, _send: object) -> None:
        raise NotImplementedError

    def at_once(self, _: Any, content: bytes) -> bytes:
        return content


def test_a_connection_is_kept_as_long_as_known_heads_come() -> None:
    """And closed when nothing came for thirty seconds, counted from the last answer."""
    loop, wire = Loop(), Wire()
    protocol = PatientProtocol(configure(Application()), ServerState(), {}, _loop=loop)  # type: ignore[arg-type]  # as much of a loop as it needs
    protocol.connection_made(wire)
    request = short(b"{}")
    for seconds in (1.0, 1.0, 20.0, 8.0):
        loop.time.advance(seconds)
        protocol.data_received(request)
    assert wire.written == [b"{}"] * 4
    assert loop.timers[1:] == [30.0], (
        "one timer for the head that did not come at first, one for all that came"
    )
    loop.time.advance(1.0)
    protocol.timeout_keep_alive_handler()
    assert (loop.timers[2:], wire.closed) == ([29.0], False)
    loop.time.advance(29.0)
    protocol.timeout_keep_alive_handler()
    assert wire.closed

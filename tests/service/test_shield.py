"""The outer walls alone: whom they refuse, and what they tell the log about failures."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from crisol.service.logs import JsonLines
from crisol.service.responder import Responder
from crisol.service.shield import Shield

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crisol.service.asgi import App, Message, Receive, Scope, Send

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """Give what the service's loggers write, in its own form."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    logger = logging.getLogger("crisol.service")
    logger.addHandler(handler)
    yield stream
    logger.removeHandler(handler)


def ask(app: App, *, loopback_only: bool = True, client: str = "127.0.0.1") -> tuple[int, dict[bytes, bytes]]:
    """Return status and headers of one request through the outer walls."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    headers = [
        (b"host", b"localhost"),
        (b"x-request-id", b"abc-1"),
        (b"traceparent", f"00-{TRACE}-b7ad6b7169203331-01".encode()),
    ]
    scope: dict[str, Any] = {
        "type": "http", "method": "GET", "path": "/health", "headers": headers, "client": (client, 1)
    }  # fmt: skip
    walls = Responder(Shield(app, {"localhost"}, loopback_only=loopback_only))
    asyncio.run(walls(scope, receive, send))
    return sent[0]["status"], dict(sent[0]["headers"])


async def fail(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise RuntimeError("secret\n\x1b[2J{")


async def greet(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def test_a_failure_is_one_line_with_the_ids_that_its_answer_carries(written: io.StringIO) -> None:
    """So that whoever reports a request id finds it.

    Nothing in a message can end the line or move a cursor.
    """
    status, headers = ask(fail)
    (line,) = written.getvalue().splitlines()
    entry = json.loads(line)
    assert (status, entry["level"], entry["logger"]) == (500, "ERROR", "crisol.service.problems")
    assert (entry["request_id"], entry["trace_id"]) == ("abc-1", TRACE)
    assert headers[b"x-request-id"].decode() == entry["request_id"]
    assert "RuntimeError: secret" in entry["error"]
    assert line.isascii()
    assert line.isprintable()


def test_no_line_holds_the_password_of_a_url(written: io.StringIO) -> None:
    """Not in a message, nor in a traceback."""
    error = ConnectionError("redis://:s3cret@127.0.0.1:9")
    url = "postgresql://u:s3cret@127.0.0.1:9/db"
    logging.getLogger("redis").error("no answer from %s", url, exc_info=error)
    assert "s3cret" not in written.getvalue()


def test_a_line_that_is_logged_between_requests_carries_no_ids(written: io.StringIO) -> None:
    """Those of a request that is over would name somebody who has nothing to do with it."""

    async def scenario() -> None:
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/",
            "headers": [(b"host", b"localhost"), (b"x-request-id", b"victim")],
        }
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        async def receive() -> Message:
            return {"type": "http.request", "body": b""}

        await Responder(greet)(scope, receive, send)
        logging.getLogger("crisol.service").warning("of nobody")

    asyncio.run(scenario())
    assert "request_id" not in json.loads(written.getvalue())


@pytest.mark.parametrize(
    ("host", "status"),
    [
        (b"localhost", 200), (b"LocalHost:80", 200), (b"[::1]:8026", 200), (b"[::1]", 200),
        (b"[::1]evil:1", 421), (b"[localhost]x", 421), (b"[localhost]", 421), (b"localhost@evil", 421),
        (b"localhost, evil.example", 421), (b"localhost:80:80", 421), (b"localhost:", 421), (b"", 421),
         (b"evil", 421),
    ],
)  # fmt: skip
def test_a_host_is_a_name_and_a_port_and_nothing_more(host: bytes, status: int) -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"host", host)]}
    walls = Responder(Shield(greet, {"localhost", "::1"}, loopback_only=False))
    asyncio.run(walls(scope, receive, send))
    assert sent[0]["status"] == status


def test_without_a_token_other_machines_are_refused() -> None:
    """The address decides, not the host name, which a client chooses.

    With a token the wall behind decides.
    """
    assert [ask(greet, client=client)[0] for client in ("127.0.0.1", "::1", "192.0.2.1")] == [200, 200, 403]
    assert ask(greet, loopback_only=False, client="192.0.2.1")[0] == 200

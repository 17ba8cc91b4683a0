"""What the protocol refuses, byte for byte.

A request that would be read as two, and headers behind a body.
"""

from __future__ import annotations

import io
import json
import logging
import re
import socket
import time
from typing import TYPE_CHECKING

import pytest

from crisol.config import Settings
from crisol.service.logs import JsonLines
from support.http import ask, decide
from support.served import foreign

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from crisol.service.embedded import Server

pytestmark = pytest.mark.integration
INNER = b"GET /health?hidden HTTP/1.1\r\nhost: localhost\r\n\r\n"


def said(server: Server, *parts: bytes) -> list[int]:
    """Send parts one by one, each in its own segment, and return the statuses until the server closes."""
    received = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=2) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for part in parts:
                connection.sendall(part)
                time.sleep(0.05)
            while chunk := connection.recv(65536):
                received += chunk
        except (TimeoutError, ConnectionError):
            received += b"HTTP/1.1 000 it was not closed\r\n" if not received else b""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3})", received)]


@pytest.mark.parametrize("upgrade", [b"h2c", b"websocket", b"x"])
@pytest.mark.parametrize("connection", [b"Upgrade", b"keep-alive, upgrade"])
def test_an_upgrade_is_refused_and_what_follows_is_no_request(
    started: Callable[..., Server], upgrade: bytes, connection: bytes
) -> None:
    server = started()
    for start in (b"POST /wargaming/ml-first", b"GET /health"):
        head = b"%b HTTP/1.1\r\nhost: localhost\r\nconnection: %b\r\nupgrade: %b\r\n" % (
            start, connection, upgrade,
        )  # fmt: skip
        counted = head + b"content-length: %d\r\n\r\n" % len(INNER)
        assert said(server, counted, INNER) == [400]
        assert said(server, counted + INNER) == [400]
        chunked = head + b"transfer-encoding: chunked\r\n\r\n"
        assert said(server, chunked, b"%x\r\n%b\r\n0\r\n\r\n" % (len(INNER), INNER)) == [400]
    connect = b"CONNECT localhost:80 HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % len(INNER)
    assert said(server, connect, INNER) == [400]
    assert ask(server, "GET", "/health")[0] == 200


@pytest.mark.parametrize("apart", [False, True], ids=["at once", "in a segment of their own"])
def test_trailers_are_refused_and_never_count_as_headers(started: Callable[..., Server], apart: bool) -> None:
    """Else a client behind a trusted proxy would choose its bucket, and a token could come late."""
    server = started(
        api_token=Settings(api_token="s3cret").api_token,
        trusted_proxies="127.0.0.0/8",
        rate_limits="ml-first=5/6000,breakers=off",
    )
    content = json.dumps({"diff": foreign()}).encode()

    def send(trailer: bytes, *lines: bytes) -> list[int]:
        given = (b"x-forwarded-for: 198.51.100.7", b"content-type: application/json", *lines)
        head = (
            b"POST /wargaming/ml-first HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n%b\r\n"
            % b"\r\n".join(given)
        )
        whole = head + b"transfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n" % (len(content), content)
        end = trailer + b"\r\n"
        return said(server, whole, end) if apart else said(server, whole + end)

    bearer = b"authorization: Bearer s3cret"
    assert send(b"", bearer) == [200]
    for number in range(3):
        assert send(b"x-forwarded-for: 203.0.113.%d\r\n" % number, bearer) == [400]
    assert send(bearer + b"\r\n")[0] in {400, 401}
    assert send(b"x-forwarded-for: 203.0.113.9\r\n", bearer)[0] in {400, 429}
    served = {"x-forwarded-for": "203.0.113.1", "authorization": "Bearer s3cret"}
    assert decide(server, foreign(), None, **served)["source"] == "cache"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """Give what is logged, in the service's own form."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    logging.getLogger().addHandler(handler)
    yield stream
    logging.getLogger().removeHandler(handler)


def test_what_another_client_does_is_not_logged_under_the_ids_of_a_request(
    started: Callable[..., Server], written: io.StringIO
) -> None:
    server = started()
    decide(server, foreign(), None, **{"x-request-id": "victim-1"})
    assert said(server, b"GARBAGE\r\n\r\n") == [400]
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    (garbage,) = (line for line in lines if "Invalid HTTP request" in line["message"])
    assert "request_id" not in garbage
    assert "trace_id" not in garbage

"""Requests as bytes, and their answers."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crisol.service.embedded import Server


def exchange(server: Server, *requests: bytes) -> list[tuple[int, dict[str, str], Any]]:
    """Send bytes as they are, over one connection, and return status, headers and body of each answer."""
    answers = []
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(b"".join(requests))
        file = connection.makefile("rb")
        for _ in requests:
            status = int(file.readline().split()[1])
            lines = iter(file.readline, b"\r\n")
            headers = dict(line.decode().rstrip("\r\n").split(": ", 1) for line in lines)
            content = file.read(int(headers["content-length"]))
            answers.append((status, headers, json.loads(content)))
    return answers


def short(content: bytes, *lines: bytes) -> bytes:
    """Return a request that is whole when its head is read: it is answered at once."""
    head = [
        b"POST /wargaming/ml-first HTTP/1.1",
        b"host: localhost",
        b"content-type: application/json",
        *lines,
    ]
    return b"\r\n".join([*head, b"content-length: %d" % len(content), b"", content])


def long(content: bytes, *lines: bytes) -> bytes:
    """Return the same request in chunks, which only the application counts."""
    head = [
        b"POST /wargaming/ml-first HTTP/1.1",
        b"host: localhost",
        b"content-type: application/json",
        *lines,
    ]
    return b"\r\n".join(
        [*head, b"transfer-encoding: chunked", b"", b"%x" % len(content), content, b"0", b"", b""]
    )


def alike(answer: tuple[int, dict[str, str], Any]) -> tuple[int, dict[str, str], Any]:
    """Return an answer without what differs from one request to the next."""
    status, headers, content = answer
    passing = {
        "x-request-id",
        "traceparent",
        "content-length",
        "ratelimit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
    }
    content = {key: value for key, value in content.items() if key not in {"timings", "request_id"}}
    return status, {key: value for key, value in headers.items() if key not in passing}, content

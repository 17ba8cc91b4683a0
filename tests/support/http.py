"""A small client of a server that a test started."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

from support.served import FLAW

if TYPE_CHECKING:
    from crisol.service.embedded import Server

OFF = ",".join(
    f"{name}=off" for name in ("ml-first", "validate", "ml-accuracy", "ab-testing", "cache", "breakers")
)


def ask(
    server: Server, method: str, path: str, content: Any = None, headers: dict[str, str] | None = None
) -> tuple[int, Any, dict[str, str]]:
    """Return status, decoded body and headers of one request."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    body = content if isinstance(content, bytes | None) else json.dumps(content).encode()
    standard = {"content-type": "application/json"} if content is not None else {}
    try:
        connection.request(method, path, body, standard | (headers or {}))
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    kind = answer.headers.get("content-type", "")
    return answer.status, json.loads(text) if "json" in kind else text.decode(), dict(answer.headers.items())


def decide(server: Server, text: str, vulnerability: str | None = FLAW, **headers: str) -> dict[str, Any]:
    """Return what ml-first says."""
    wish = {"diff": text, "vulnerability": vulnerability}
    status, document, _ = ask(server, "POST", "/wargaming/ml-first", wish, headers)
    assert status == 200, document
    return dict(document)

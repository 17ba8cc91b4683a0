"""The live web page of the service: three static files."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from fastapi import Response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from crisol.service.routes import Routes

__all__ = ["add_page"]

_DOCUMENT = {
    "content-type": "text/html; charset=utf-8",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; "
        "base-uri 'none'"
    ),
}
_FILES = {
    "/": ("index.html", _DOCUMENT),
    "/static/page.css": ("page.css", {"content-type": "text/css; charset=utf-8"}),
    "/static/page.js": ("page.js", {"content-type": "text/javascript; charset=utf-8"}),
}


def add_page(app: Routes) -> None:
    """Add the web page at ``/`` to ``app``, with its style sheet and its script."""
    for path, (name, headers) in _FILES.items():
        content = resources.files(__package__).joinpath("static", name).read_bytes()
        app.add_api_route(path, _sender(content, headers), include_in_schema=False)


def _sender(content: bytes, headers: dict[str, str]) -> Callable[[], Awaitable[Response]]:
    async def send() -> Response:
        return Response(content, headers=headers)

    return send

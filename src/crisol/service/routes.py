"""The HTTP routes of the service: those of FastAPI, and faster ones that decode their bodies themselves.

::

    app = Routes()

    @app.get("/wargaming/ml/stats", tags=["model"])
    async def stats() -> Stats: ...

    @app.fast("/wargaming/ml-first", takes=Ask, gives=Answer, tags=["decisions"], example={"diff": "..."})
    async def ml_first(exchange: Exchange, receive: Receive) -> Answer: ...

The OpenAPI document describes the routes of both kinds, from the types of their bodies. If a route raises an
exception, the answer is a problem document (RFC 9457).
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from crisol.errors import CrisolError
from crisol.service.asgi import Receive
from crisol.service.exchange import Exchange
from crisol.service.health import HealthReport
from crisol.service.problems import OUR_FAILURE, Problem, document, problem_of

if TYPE_CHECKING:
    from crisol.service.asgi import Scope, Send

__all__ = ["FastEndpoint", "Routes"]

FastEndpoint = Callable[[Exchange, Receive], Awaitable[msgspec.Struct]]
_JSON = (b"content-type", b"application/json")
_PROBLEM = {
    "description": "What was wrong, where, and what to do (RFC 9457).",
    "content": {
        "application/problem+json": {
            "schema": {
                "type": "object",
                "required": ["type", "title", "status", "detail", "request_id"],
                "properties": {
                    "type": {"type": "string"},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "detail": {"type": "string"},
                    "request_id": {"type": "string"},
                    "retry_after": {"type": "integer"},
                    "line": {"type": "integer"},
                },
            }
        }
    },
}
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class _FastRoute:
    """A route of :meth:`Routes.fast`; ``takes`` and ``gives`` are the types of its request and its answer."""

    endpoint: FastEndpoint
    takes: type[msgspec.Struct]
    gives: type[msgspec.Struct]
    tags: list[str]
    example: dict[str, Any]


class Routes(FastAPI):
    """A FastAPI application with a second, faster kind of route, which :meth:`fast` adds.

    A fast route takes ``POST`` on a fixed path; its function decodes the body of the request itself.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._fast: dict[str, _FastRoute] = {}
        for kind in (RequestValidationError, CrisolError, Problem, HTTPException, TimeoutError):
            self.add_exception_handler(kind, _answer)
        # Starlette raises the exception again after the answer; an outer middleware logs it.
        self.add_exception_handler(Exception, lambda request, _: _respond(request, OUR_FAILURE))

    def fast(
        self,
        path: str,
        *,
        takes: type[msgspec.Struct],
        gives: type[msgspec.Struct],
        tags: list[str],
        example: dict[str, Any],
    ) -> Callable[[FastEndpoint], FastEndpoint]:
        """Return a decorator that adds its function as the route ``POST path``.

        The ``async`` function takes the request's record and the ASGI function ``receive``. It returns an
        instance of ``gives``, which is sent as JSON with status 200; it raises an exception for any other
        status. Its docstring is the route's summary in the OpenAPI document. ``takes`` and ``gives`` are the
        types of the request's and the answer's body, ``tags`` the headings under which the document lists the
        route, and ``example`` is a request body.
        """

        def add(endpoint: FastEndpoint) -> FastEndpoint:
            self._fast[path] = _FastRoute(endpoint, takes, gives, tags, example)
            return endpoint

        return add

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection: by the fast route of its path, if there is one, otherwise by FastAPI.

        Raises :class:`Problem` with status 405 for another method than ``POST`` on a fast route.
        """
        fast = self._fast.get(scope["path"]) if scope["type"] == "http" else None
        if fast is None:
            await super().__call__(scope, receive, send)
            return
        if scope["method"] != "POST":
            raise Problem(405, "this route takes POST", allow="POST")
        content = _encode(await fast.endpoint(scope["crisol"], receive))
        headers = [_JSON, (b"content-length", b"%d" % len(content))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document of all routes, those of :meth:`fast` included.

        It describes the form of an error answer, and a bearer token as the optional credential of a request.
        """
        if self.openapi_schema is None:
            described = super().openapi()
            schemas = described.setdefault("components", {}).setdefault("schemas", {})
            # FastAPI's own form of a wrong input is never sent.
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            types = {kind for fast in self._fast.values() for kind in (fast.takes, fast.gives)}
            _, made = msgspec.json.schema_components(
                sorted((*types, HealthReport), key=lambda kind: kind.__name__),
                ref_template="#/components/schemas/{name}",
            )
            for schema in made.values():  # an indented paragraph would be a block of code in Markdown
                schema["description"] = inspect.cleandoc(schema.get("description", ""))
            schemas |= made
            described["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            described["security"] = [{}, {"token": []}]
            described["paths"] |= {path: {"post": _operation(fast)} for path, fast in self._fast.items()}
            for operations in described["paths"].values():
                for operation in operations.values():
                    operation["responses"].pop("422", None)
                    operation["responses"]["default"] = _PROBLEM
            self.openapi_schema = described
        return self.openapi_schema


def _operation(fast: _FastRoute) -> dict[str, Any]:
    def content(kind: type[msgspec.Struct]) -> dict[str, Any]:
        return {"schema": {"$ref": f"#/components/schemas/{kind.__name__}"}}

    return {
        "tags": fast.tags,
        "summary": inspect.getdoc(fast.endpoint),
        "operationId": getattr(fast.endpoint, "__name__", ""),
        "requestBody": {
            "required": True,
            "content": {"application/json": content(fast.takes) | {"example": fast.example}},
        },
        "responses": {
            "200": {"description": "The answer.", "content": {"application/json": content(fast.gives)}}
        },
    }


def _answer(request: Request, error: Exception) -> Response:
    if isinstance(error, RequestValidationError):
        where = (
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
            for problem in error.errors()[:8]
        )
        return _respond(request, Problem(422, "; ".join(where)))
    if isinstance(error, HTTPException):
        allow = (error.headers or {}).get("Allow")
        return _respond(request, Problem(error.status_code, str(error.detail), allow=allow))
    return _respond(request, problem_of(error))


def _respond(request: Request, problem: Problem) -> Response:
    exchange: Exchange | None = request.scope.get("crisol")
    content, headers = document(problem, "" if exchange is None else exchange.request_id)
    response = Response(content, problem.status)
    response.raw_headers[:] = headers
    return response

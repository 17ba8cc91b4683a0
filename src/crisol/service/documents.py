"""The OpenAPI document's part for the hot routes, which FastAPI does not see: made from the types that decode them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from crisol.service.health import Report
from crisol.service.messages import Answer, Ask

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["EXAMPLE", "add_hot_routes"]

EXAMPLE = {
    "diff": "--- a/app.py\n+++ b/app.py\n@@ -1,2 +1,4 @@\n def load(path):\n+    if '..' in path:\n"
    "+        raise ValueError(path)\n     return open(path)\n",
    "cwe": "CWE-22",
}

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
_ROUTES = {
    "/wargaming/ml-first": "Decide by cache, then model, then wargame.",
    "/wargaming/validate": "Decide by wargame alone.",
}


def add_hot_routes(app: FastAPI) -> None:
    """Make the document of ``app`` complete: hot routes, problems and the token."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = plain()
            # FastAPI's own form of a wrong input is never sent.
            for name in ("HTTPValidationError", "ValidationError"):
                document.get("components", {}).get("schemas", {}).pop(name, None)
            (ask, answer, _), components = msgspec.json.schema_components(
                (Ask, Answer, Report), ref_template="#/components/schemas/{name}"
            )
            document.setdefault("components", {}).setdefault("schemas", {}).update(components)
            document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            document["security"] = [{}, {"token": []}]
            for path, summary in _ROUTES.items():
                document["paths"][path] = {"post": _operation(path, summary, ask, answer)}
            for operations in document["paths"].values():
                for operation in operations.values():
                    operation["responses"].pop("422", None)
                    operation["responses"]["default"] = _PROBLEM
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # the documented way to change the document


def _operation(path: str, summary: str, ask: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    example = EXAMPLE if path.endswith("ml-first") else {**EXAMPLE, "vulnerability": "arena-zip-slip"}
    return {
        "tags": ["decisions"],
        "summary": summary,
        "operationId": path.rpartition("/")[2].replace("-", "_"),
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": ask, "example": example}},
        },
        "responses": {
            "200": {"description": "The decision.", "content": {"application/json": {"schema": answer}}}
        },
    }

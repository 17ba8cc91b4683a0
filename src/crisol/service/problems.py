"""The service's answers to errors, as problem documents of RFC 9457: what was wrong, where, and what to do.

The answers never hold a traceback or a path of the host.
"""

from __future__ import annotations

import logging
import math

import msgspec

from crisol.errors import (
    CircuitOpenError,
    DiffError,
    DiffTooLarge,
    InputError,
    Overloaded,
    UnavailableError,
    UnknownVulnerability,
)

__all__ = ["OUR_FAILURE", "Problem", "document", "problem_of"]

_log = logging.getLogger(__name__)

_TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    421: "Misdirected Request",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    499: "Client Closed Request",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class Problem(Exception):
    """An exception that is answered with the HTTP status ``status`` and an error document (RFC 9457).

    ``detail`` is the message for the client. ``retry_after`` is the seconds until a retry can succeed; None
    if a retry cannot help. ``line`` is the number of the refused line of a diff, None for other errors.
    ``allow`` is the value of the header ``Allow``, such as ``GET, HEAD``, for status 405; None adds no
    header.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        retry_after: float | None = None,
        line: int | None = None,
        allow: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.retry_after = retry_after
        self.line = line
        self.allow = allow

    @property
    def title(self) -> str:
        """The standard name of the HTTP status, such as ``Not Found``."""
        return _TITLES.get(self.status, "Error")


def problem_of(error: Exception) -> Problem:
    """Return the error answer for ``error``, such as status 422 for input that cannot be used.

    A :class:`Problem` is returned unchanged. An exception of an unexpected class is logged and becomes status
    500.
    """
    match error:
        case Problem():
            return error
        case Overloaded() | CircuitOpenError():
            return Problem(503, str(error), retry_after=error.retry_after)
        case DiffError():
            status = 413 if isinstance(error, DiffTooLarge) else 422
            return Problem(status, f"diff: {error}", line=error.line or None)
        case InputError():
            return Problem(404 if isinstance(error, UnknownVulnerability) else 422, str(error))
        case UnavailableError() | TimeoutError():
            # The messages of these errors may name hosts and files.
            away = "something this needs is away or late; GET /health/detailed says what"
            return Problem(503, away, retry_after=15.0)
    _log.error("a request failed", exc_info=error)
    return OUR_FAILURE


OUR_FAILURE = Problem(500, "this is our failure; the log has it under the request id")


def document(problem: Problem, request_id: str) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """Return the JSON body and the headers of the answer for ``problem``: (body, headers).

    The body contains ``request_id``. A header is a pair (name, value).
    """
    fields: dict[str, object] = {
        "type": "about:blank",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "request_id": request_id,
    }
    headers = [(b"content-type", b"application/problem+json")]
    if problem.retry_after is not None:
        # The seconds are rounded up, so that a client that waits for them does not return too early.
        fields["retry_after"] = wait = max(1, math.ceil(problem.retry_after))
        headers.append((b"retry-after", b"%d" % wait))
    if problem.line is not None:
        fields["line"] = problem.line
    if problem.allow is not None:
        headers.append((b"allow", problem.allow.encode()))
    if problem.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    content = msgspec.json.encode(fields)
    headers.append((b"content-length", b"%d" % len(content)))
    return content, headers

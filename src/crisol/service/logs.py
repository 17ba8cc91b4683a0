"""Logs on standard error, one JSON document a line.

No client input can forge or break a line, and no line holds the password of a URL.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import sys
from contextvars import ContextVar

from crisol.errors import redacted

__all__ = ["REQUEST", "JsonLines", "configure_logging"]

REQUEST: ContextVar[tuple[str, str]] = ContextVar("request")
"""Request id and trace id of the current request.

Tasks and threads that are started for the request inherit them.
"""


class JsonLines(logging.Formatter):
    """A formatter that turns a log record into one line of JSON.

    The line has the time (UTC), level, logger, process id and message. In a request, it also has the
    request's id and trace id. If the record has a traceback, the line has it as ``error``. Passwords in URLs
    are hidden.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON."""
        entry = {
            "time": dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "message": redacted(record.getMessage()),
        }
        request = REQUEST.get(None)
        if request is not None:
            entry["request_id"], entry["trace_id"] = request
        if record.exc_info:
            entry["error"] = redacted(self.formatException(record.exc_info))
        # ASCII alone, so that control characters arrive as escapes.
        return json.dumps(entry, ensure_ascii=True)


def configure_logging(level: str) -> None:
    """Write log records of ``level`` (such as ``INFO``) and above to standard error, as lines of JSON.

    Earlier handlers of the root logger are removed. Records of uvicorn below ``WARNING`` are not written.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # uvicorn logs every start and stop at this level; the workers log these themselves.
    logging.getLogger("uvicorn.error").setLevel(max(logging.getLevelName(level), logging.WARNING))

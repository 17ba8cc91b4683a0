"""Responses of a small HTTP server."""

from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import quote


@dataclass
class Response:
    """A status, headers in order, and a body."""

    status: HTTPStatus = HTTPStatus.OK
    headers: list = field(default_factory=list)
    cookies: dict = field(default_factory=dict)
    body: bytes = b""

    def add_header(self, name, value):
        """Append a header."""
        self.headers.append((name, str(value)))

    def set_cookie(self, name, value, max_age=None):
        """Set a cookie for the whole site."""
        age = "" if max_age is None else f"; Max-Age={max_age}"
        self.cookies[name] = f"{value}{age}; Path=/"

    def head(self):
        """Return the status line and headers as text."""
        lines = [f"HTTP/1.1 {self.status.value} {self.status.phrase}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        lines += [f"Set-Cookie: {name}={value}" for name, value in self.cookies.items()]
        lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join(lines) + "\r\n\r\n"

    def to_bytes(self):
        """Return the response as it goes over the wire."""
        return self.head().encode("utf-8") + self.body


def download(name, content):
    """Offer content as a file of that name."""
    response = Response(body=content)
    response.add_header("Content-Type", "application/octet-stream")
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    response.add_header("Content-Disposition", f'attachment; filename="{escaped}"')
    return response


def redirect(path, query=""):
    """Send the browser to a path of this site."""
    response = Response(HTTPStatus.SEE_OTHER)
    response.add_header("Location", quote(path) + (f"?{query}" if query else ""))
    return response


def choose_language(language, path):
    """Remember the language of the visitor and go back to the page."""
    response = redirect(path)
    response.add_header("Content-Language", language)
    response.set_cookie("language", language, max_age=31_536_000)
    return response

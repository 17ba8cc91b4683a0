"""Parse HTTP/1.1 requests from the bytes of a connection."""

from dataclasses import dataclass, field

MAX_HEAD = 16_384
MAX_BODY = 1_048_576


class BadRequest(Exception):
    """Bytes that are no request; the connection is to be closed."""


@dataclass
class Request:
    """A request with its body; the names of the headers are in lower case."""

    method: str
    path: str
    headers: dict = field(default_factory=dict)
    body: bytes = b""


def parse_head(head):
    """Return the request of a head without its body."""
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    if len(words) != 3 or words[2] not in ("HTTP/1.1", "HTTP/1.0"):
        raise BadRequest(f"bad request line {lines[0]!r}")
    request = Request(words[0], words[1])
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or not name:
            raise BadRequest(f"bad header {line!r}")
        request.headers[name.strip().lower()] = value.strip()
    return request


def number(text, base):
    """Return the length that the text says."""
    try:
        length = int(text, base)
    except ValueError:
        raise BadRequest(f"bad length {text!r}") from None
    if length > MAX_BODY:
        raise BadRequest("the body is too long")
    return length


def take(data, length):
    """Split the data after length bytes."""
    if len(data) < length:
        raise BadRequest("the body is cut short")
    return data[:length], data[length:]


def read_chunks(data):
    """Return the body in chunked coding and the bytes behind it."""
    body = b""
    while True:
        line, found, data = data.partition(b"\r\n")
        if not found:
            raise BadRequest("a chunk is cut short")
        size = number(line.split(b";")[0], 16)
        if size == 0:
            break
        chunk, data = take(data, size)
        if not data.startswith(b"\r\n"):
            raise BadRequest("a chunk does not end")
        body += chunk
        data = data[2:]
    while True:
        line, found, data = data.partition(b"\r\n")
        if not found:
            raise BadRequest("the trailer is cut short")
        if not line:
            return body, data


def read_body(headers, data):
    """Return the body that the headers announce and the bytes behind it."""
    if "content-length" in headers:
        return take(data, number(headers["content-length"], 10))
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return read_chunks(data)
    return b"", data


def requests(data):
    """Yield the requests in the data one by one; raise BadRequest where they end badly."""
    while data:
        head, found, data = data.partition(b"\r\n\r\n")
        if not found or len(head) > MAX_HEAD:
            raise BadRequest("the head does not end")
        request = parse_head(head)
        request.body, data = read_body(request.headers, data)
        yield request

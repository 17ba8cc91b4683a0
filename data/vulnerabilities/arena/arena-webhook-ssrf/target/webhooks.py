"""Deliver events to the web hooks of customers."""

import json
import socket
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

INNER_PREFIXES = ("localhost", "127.", "10.", "192.168.")
MAX_REDIRECTS = 3
PORTS = {"http": 80, "https": 443}


class DeliveryError(Exception):
    """An event that could not be delivered."""


@dataclass(frozen=True)
class Reply:
    """What the host answered."""

    status: int
    location: str = ""
    body: str = ""


def resolve(host):
    """Return the address of a host as text, such as 192.0.2.7 or 2001:db8::7."""
    try:
        return socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0]
    except (OSError, UnicodeError) as error:
        raise DeliveryError(f"cannot resolve {host!r}") from error


def is_inner(host):
    """Tell whether the host belongs to the inner network."""
    return host.lower().startswith(INNER_PREFIXES)


class Webhooks:
    """Delivers events.

    `send(address, port, host, path, body)` makes one request to an address and returns a Reply;
    `resolve(host)` returns the address of a host.
    """

    def __init__(self, send, resolve=resolve):
        self._send = send
        self._resolve = resolve

    def request(self, url, body):
        """Make one request to the URL."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise DeliveryError(f"bad address {url!r}") from error
        if parts.scheme not in PORTS or not parts.hostname:
            raise DeliveryError(f"bad address {url!r}")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        address = self._resolve(parts.hostname)
        return self._send(address, port or PORTS[parts.scheme], parts.hostname, path, body)

    def deliver(self, url, event):
        """Send the event as JSON to the URL and follow redirects; return the last reply."""
        if is_inner(urlsplit(url).hostname or ""):
            raise DeliveryError(f"{url!r} is an inner address")
        body = json.dumps(event)
        for _ in range(MAX_REDIRECTS + 1):
            reply = self.request(url, body)
            if reply.status not in (301, 302, 307, 308):
                return reply
            url = urljoin(url, reply.location)
        raise DeliveryError("too many redirects")

"""Decimal, octal, hexadecimal and short notations of 127.0.0.1, and IPv6 with it inside."""

import socket
import sys

from webhooks import DeliveryError, Reply, Webhooks

HOSTS = ("2130706433", "0x7f000001", "0177.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[fd00::7]", "[fe80::1]")
connected = []


def send(address, port, host, path, body):
    connected.append(address)
    return Reply(200)


def resolve(host):
    """Return the address that the system's resolver reads from a number."""
    return host if ":" in host else socket.inet_ntoa(socket.inet_aton(host))


hooks = Webhooks(send, resolve)
for host in HOSTS:
    try:
        hooks.deliver(f"http://{host}/", {"event": 1})
    except (DeliveryError, ValueError, PermissionError):
        continue
sys.exit(0 if connected else 1)

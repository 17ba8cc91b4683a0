"""Decimal, octal, hexadecimal and short notations of 127.0.0.0/8, and IPv6 with it inside."""

import socket
import random
import string
import sys

from webhooks import DeliveryError, Reply, Webhooks

SEED = 0

rng = random.Random(SEED)
path, key = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(2))
last = rng.randint(1, 0xFFFFFE)
HOSTS = (
    str(0x7F000000 + last),
    f"0x7f{last:06x}",
    f"0177.{last >> 16}.{last >> 8 & 255}.{last & 255}",
    "[::1]",
    f"[::ffff:127.0.0.{rng.randint(1, 254)}]",
    f"[fd{rng.randrange(256):02x}::{rng.randint(1, 9999)}]",
    f"[fe80::{rng.randint(1, 9999)}]",
)
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
        hooks.deliver(f"http://{host}/{path}", {key: rng.random()})
    except (DeliveryError, ValueError, PermissionError):
        continue
sys.exit(0 if connected else 1)

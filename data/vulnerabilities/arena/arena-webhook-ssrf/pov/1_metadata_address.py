"""The link-local address of a cloud's metadata, and other inner ranges that the prefixes forget."""

import random
import string
import sys

from webhooks import DeliveryError, Reply, Webhooks

SEED = 0

rng = random.Random(SEED)
path, key = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(2))
ADDRESSES = (
    f"169.254.{rng.randint(0, 255)}.{rng.randint(1, 254)}",
    f"172.{rng.randint(16, 31)}.{rng.randint(0, 255)}.{rng.randint(1, 254)}",
    "0.0.0.0",
    f"100.{rng.randint(64, 127)}.{rng.randint(0, 255)}.{rng.randint(1, 254)}",
)
connected = []


def send(address, port, host, path, body):
    connected.append(address)
    return Reply(200)


hooks = Webhooks(send, resolve=lambda host: host)
for address in ADDRESSES:
    try:
        hooks.deliver(f"http://{address}/{path}", {key: rng.random()})
    except (DeliveryError, ValueError, PermissionError):
        continue
sys.exit(0 if connected else 1)

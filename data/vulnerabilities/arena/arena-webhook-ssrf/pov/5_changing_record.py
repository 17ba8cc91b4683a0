"""A name that resolves to a public address first and to an inner one the next time."""

import random
import string
import sys
from itertools import cycle

from webhooks import DeliveryError, Reply, Webhooks

SEED = 0

rng = random.Random(SEED)
domain, key = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(2))
public, inner = f"93.184.{rng.randint(0, 255)}.{rng.randint(1, 254)}", f"127.0.0.{rng.randint(1, 254)}"
connected = []


def send(address, port, host, path, body):
    connected.append(address)
    return Reply(200)


for first, then in ((public, inner), (inner, public)):
    answers = cycle([first, then])
    hooks = Webhooks(send, lambda host: next(answers))
    try:
        hooks.deliver(f"http://{domain}.example/", {key: rng.random()})
    except (DeliveryError, ValueError, PermissionError):
        continue
sys.exit(0 if inner in connected else 1)

"""A public name whose record points to the inside."""

import random
import string
import sys

from webhooks import DeliveryError, Reply, Webhooks

SEED = 0

rng = random.Random(SEED)
domain, path, key = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(3))
RECORDS = {
    f"a.{domain}.com": f"127.0.0.{rng.randint(1, 254)}",
    f"b.{domain}.org": f"10.{rng.randint(0, 255)}.0.{rng.randint(1, 254)}",
    f"{domain}.net": "::1",
    f"d.{domain}.io": f"192.168.{rng.randint(0, 255)}.{rng.randint(1, 254)}",
}
connected = []


def send(address, port, host, path, body):
    connected.append(address)
    return Reply(200)


hooks = Webhooks(send, RECORDS.__getitem__)
for host in RECORDS:
    try:
        hooks.deliver(f"https://{host}/{path}", {key: rng.random()})
    except (DeliveryError, ValueError, PermissionError):
        continue
sys.exit(0 if connected else 1)

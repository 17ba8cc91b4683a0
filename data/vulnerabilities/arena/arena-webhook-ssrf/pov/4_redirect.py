"""A public host answers with a redirect to the inside, at once or after a harmless one."""

import random
import string
import sys

from webhooks import DeliveryError, Reply, Webhooks

SEED = 0

rng = random.Random(SEED)
domain, inner, first, second, third, other, key = (
    "".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(7)
)
loopback, private = f"127.0.0.{rng.randint(1, 254)}", f"10.{rng.randint(0, 255)}.0.{rng.randint(1, 254)}"
RECORDS = {
    f"{domain}.example": f"93.184.{rng.randint(0, 255)}.{rng.randint(1, 254)}",
    loopback: loopback,
    f"{inner}.example": private,
}
connected = []


def send(address, port, host, path, body):
    connected.append(address)
    if path == f"/{second}":
        return Reply(302, f"http://{loopback}:{rng.randint(1024, 65_535)}/")
    if path == f"/{third}":
        return Reply(308, f"//{inner}.example/")
    return Reply(307, f"/{second}" if path == f"/{first}" else f"/{third}")


hooks = Webhooks(send, RECORDS.__getitem__)
for path in (f"/{first}", f"/{other}"):
    try:
        hooks.deliver(f"http://{domain}.example{path}", {key: rng.random()})
    except (DeliveryError, ValueError, PermissionError):
        continue
sys.exit(0 if {loopback, private} & set(connected) else 1)

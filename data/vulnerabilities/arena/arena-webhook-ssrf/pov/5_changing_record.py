"""A name that resolves to a public address first and to an inner one the next time."""

import sys
from itertools import cycle

from webhooks import DeliveryError, Reply, Webhooks

connected = []


def send(address, port, host, path, body):
    connected.append(address)
    return Reply(200)


for first, then in (("93.184.216.34", "127.0.0.1"), ("127.0.0.1", "93.184.216.34")):
    answers = cycle([first, then])
    hooks = Webhooks(send, lambda host: next(answers))
    try:
        hooks.deliver("http://changing.example/", {"event": 1})
    except (DeliveryError, ValueError, PermissionError):
        continue
sys.exit(0 if "127.0.0.1" in connected else 1)

"""A public name whose record points to the inside."""

import sys

from webhooks import DeliveryError, Reply, Webhooks

RECORDS = {
    "a.evil.example": "127.0.0.1",
    "b.evil.example": "10.0.0.5",
    "c.evil.example": "::1",
    "d.evil.example": "192.168.1.1",
}
connected = []


def send(address, port, host, path, body):
    connected.append(address)
    return Reply(200)


hooks = Webhooks(send, RECORDS.__getitem__)
for host in RECORDS:
    try:
        hooks.deliver(f"https://{host}/hook", {"event": 1})
    except (DeliveryError, ValueError, PermissionError):
        continue
sys.exit(0 if connected else 1)

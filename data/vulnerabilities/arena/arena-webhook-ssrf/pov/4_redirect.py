"""A public host answers with a redirect to the inside, at once or after a harmless one."""

import sys

from webhooks import DeliveryError, Reply, Webhooks

RECORDS = {"hook.example": "93.184.216.34", "127.0.0.1": "127.0.0.1", "inner.example": "10.0.0.5"}
connected = []


def send(address, port, host, path, body):
    connected.append(address)
    if path == "/second":
        return Reply(302, "http://127.0.0.1:6379/")
    if path == "/third":
        return Reply(308, "//inner.example/")
    return Reply(307, "/second" if path == "/first" else "/third")


hooks = Webhooks(send, RECORDS.__getitem__)
for path in ("/first", "/other"):
    try:
        hooks.deliver(f"http://hook.example{path}", {"event": 1})
    except (DeliveryError, ValueError, PermissionError):
        continue
sys.exit(0 if {"127.0.0.1", "10.0.0.5"} & set(connected) else 1)

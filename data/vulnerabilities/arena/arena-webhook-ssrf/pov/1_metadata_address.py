"""The link-local address of a cloud's metadata, and other inner ranges that the prefixes forget."""

import sys

from webhooks import DeliveryError, Reply, Webhooks

ADDRESSES = ("169.254.169.254", "172.16.0.5", "0.0.0.0", "100.100.100.200")
connected = []


def send(address, port, host, path, body):
    connected.append(address)
    return Reply(200)


hooks = Webhooks(send, resolve=lambda host: host)
for address in ADDRESSES:
    try:
        hooks.deliver(f"http://{address}/latest/meta-data", {"event": 1})
    except (DeliveryError, ValueError, PermissionError):
        continue
sys.exit(0 if connected else 1)

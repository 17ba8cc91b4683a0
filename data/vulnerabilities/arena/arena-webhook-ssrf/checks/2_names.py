"""Names may contain numbers and words of inner hosts as long as they are public."""

from webhooks import Reply, Webhooks

HOSTS = (
    "my-localhost.example",
    "a10.example",
    "x.127.example",
    "169.example",
    "internal.example",
    "172.16.example",
)
connected = []


def send(address, port, host, path, body):
    connected.append(host)
    return Reply(200)


hooks = Webhooks(send, resolve=lambda host: "93.184.216.34")
for host in HOSTS:
    assert hooks.deliver(f"http://{host}/", {}).status == 200
assert tuple(connected) == HOSTS

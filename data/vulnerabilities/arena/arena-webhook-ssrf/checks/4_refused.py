"""Inner hosts in plain notation, other schemes and broken addresses are a DeliveryError, one by one."""

from webhooks import DeliveryError, Reply, Webhooks

connected = []


def send(*request):
    connected.append(request)
    return Reply(200)


INNER = {
    "localhost": "127.0.0.1",
    "127.0.0.1": "127.0.0.1",
    "10.1.2.3": "10.1.2.3",
    "192.168.0.1": "192.168.0.1",
}
hooks = Webhooks(send, resolve=lambda host: INNER.get(host, "93.184.216.34"))
addresses = [f"http://{host}/" for host in INNER]
for url in (
    *addresses,
    "ftp://hook.example/",
    "file:///etc/hosts",
    "http://",
    "http://a.example:port/",
    "no address",
):
    try:
        hooks.deliver(url, {})
    except DeliveryError:
        continue
    raise AssertionError(url)
assert not connected
assert hooks.deliver("http://hook.example/", {}).status == 200
assert [request[:4] for request in connected] == [("93.184.216.34", 80, "hook.example", "/")]

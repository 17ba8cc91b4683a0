"""Redirects to public hosts are followed with the event, relative ones too, at most three times."""

from webhooks import DeliveryError, Reply, Webhooks

PLAN = {
    "/1": Reply(301, "/2"),
    "/2": Reply(302, "https://other.example/3"),
    "/3": Reply(308, "4"),
    "/4": Reply(200, body="arrived"),
    "/loop": Reply(307, "/loop"),
}
hosts, bodies = [], []


def send(address, port, host, path, body):
    hosts.append(host)
    bodies.append(body)
    return PLAN[path]


hooks = Webhooks(send, resolve=lambda host: "93.184.216.34")
assert hooks.deliver("https://hook.example/1", {"id": 7}).body == "arrived"
assert hosts == ["hook.example", "hook.example", "other.example", "other.example"]
assert bodies == ['{"id": 7}'] * 4
try:
    hooks.deliver("https://hook.example/loop", {})
except DeliveryError as error:
    assert "redirects" in str(error)
else:
    raise AssertionError("an endless redirect")

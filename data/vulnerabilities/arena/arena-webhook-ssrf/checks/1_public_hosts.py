"""Public hosts are called with port, host, path and the event as JSON."""

import json

from webhooks import Reply, Webhooks

RECORDS = {"hook.example": "93.184.216.34", "six.example": "2606:2800:220:1::1", "8.8.8.8": "8.8.8.8"}
requests = []


def send(*request):
    requests.append(request)
    return Reply(204, body="ok")


hooks = Webhooks(send, RECORDS.__getitem__)
assert hooks.deliver("https://hook.example/a?b=1", {"id": 7}) == Reply(204, body="ok")
hooks.deliver("http://six.example", {})
hooks.deliver("http://8.8.8.8:8080/x", {"name": "größe"})
assert [request[:4] for request in requests] == [
    ("93.184.216.34", 443, "hook.example", "/a?b=1"),
    ("2606:2800:220:1::1", 80, "six.example", "/"),
    ("8.8.8.8", 8080, "8.8.8.8", "/x"),
]
assert [json.loads(request[4]) for request in requests] == [{"id": 7}, {}, {"name": "größe"}]

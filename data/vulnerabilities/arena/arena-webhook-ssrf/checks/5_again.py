"""After a refused address the next event is delivered, in every thread; each address is asked for and nothing else is sent."""

import json
import threading

from webhooks import DeliveryError, Reply, Webhooks

sent, results = [], []


def resolve(host):
    """Know the public hosts."""
    if host not in ("hooks.example", "2001:4860:4860::8888", "8.8.8.8"):
        raise DeliveryError(f"cannot resolve {host!r}")
    return "8.8.8.8" if host != "2001:4860:4860::8888" else host


def send(address, port, host, path, body):
    """Note the request."""
    sent.append((address, port, host, path, json.loads(body)))
    return Reply(200, body="done")


webhooks = Webhooks(send, resolve=resolve)


def work():
    """Deliver to what is refused, and then to what is not."""
    for url in ("http://127.0.0.1/", "http://localhost/", "ftp://hooks.example/", "http://", "", "http://absent.example/", "http://[::1"):
        try:
            webhooks.deliver(url, {"n": 1})
        except (DeliveryError, ValueError):
            continue
        raise AssertionError(url)
    results.append(webhooks.deliver(url="https://hooks.example:8443/a?b=c&d=%2F#top", event={"name": "é", "n": [1, None]}))


work()
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert results == [Reply(200, "", "done")] * 3
assert sent == [("8.8.8.8", 8443, "hooks.example", "/a?b=c&d=%2F", {"name": "é", "n": [1, None]})] * 3, sent
del sent[:]
webhooks.deliver("http://8.8.8.8", {})
webhooks.deliver("http://[2001:4860:4860::8888]:81/x", {})
assert [request[:2] for request in sent] == [("8.8.8.8", 80), ("2001:4860:4860::8888", 81)]

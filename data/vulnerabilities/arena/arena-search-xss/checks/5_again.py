"""Pages are the same after odd words, in every thread; ampersands of titles stay escaped, and lengths of words are free."""

import threading
from html import unescape

from catalogue import app

results = []


def page(query, path="/search"):
    """Return status, headers and body of an answer."""
    seen = []
    body = b"".join(app({"PATH_INFO": path, "QUERY_STRING": query}, lambda *head: seen.append(head)))
    ((status, headers),) = seen
    return status, headers, body.decode()


def work():
    """Ask odd questions, and then an ordinary one."""
    for query in ("q=%3Cb%3E", "q=%22%27", "q=%7Bvalue%7D", "q=%00", "q", "=", "q=%ff"):
        assert page(query)[0] == "200 OK", query
    results.append(page("q=butter"))


work()
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert results[0] == results[1] == results[2]
status, headers, body = results[0]
assert dict(headers)["Content-Type"] == "text/html; charset=utf-8"
assert "<li>Bread &amp; Butter</li>" in body and "&amp;amp;" not in body
assert page("q=x&q=butter") == page("q=x") and page("page=1&q=cat") == page("q=cat&page=1")
assert "z" * 5000 in unescape(page("q=" + "z" * 5000)[2])
assert "{heading} {0} %s" in unescape(page("q=%7Bheading%7D+%7B0%7D+%25s")[2])

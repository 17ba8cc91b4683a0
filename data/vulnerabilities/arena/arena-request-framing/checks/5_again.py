"""After a connection that ends badly the next one is read, in every thread; wherever it is cut, it ends as BadRequest."""

import threading

from wire import BadRequest, requests

GOOD = b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhi\r\n0\r\nX: 1\r\n\r\n"
NEXT = b"PUT /b HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
done = []


def work():
    """Alternate between connections that are cut and whole ones."""
    for stream in (GOOD, NEXT):
        for end in range(1, len(stream)):
            try:
                list(requests(stream[:end]))
            except BadRequest:
                pass
            else:
                raise AssertionError(stream[:end])
        assert [request.body for request in requests(GOOD + NEXT + GOOD)] == [b"hi", b"abc", b"hi"]
    done.append(True)


work()
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(done) == 3

"""After a token that is refused others verify and are renewed, in every thread; no cut token does."""

import threading

from tokens import TokenError, Tokens

tokens = Tokens(keys={"k1": b"secret", "k2": b"other"}, current="k2", clock=lambda: 1000)
older = Tokens({"k1": b"secret"}, "k1", clock=lambda: 1000)
done = []


def work():
    """Alternate between cut tokens and whole ones."""
    token = tokens.issue(claims={"user": "ana"}, seconds=60)
    for end in range(0, len(token) - 3, 3):
        try:
            tokens.verify(token[:end])
        except TokenError:
            pass
        else:
            raise AssertionError(token[:end])
        assert tokens.verify(token) == {"user": "ana", "exp": 1060}
        assert tokens.verify(tokens.renew(token=token, seconds=5)) == {"user": "ana", "exp": 1005}
        assert tokens.verify(older.issue({"user": "bob"}))["user"] == "bob"
    done.append(True)


work()
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(done) == 3

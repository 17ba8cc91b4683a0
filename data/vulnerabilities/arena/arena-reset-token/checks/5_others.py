"""Two services do not share their requests, a refused one costs nothing, and other users of random draw what they drew."""

import random
import threading

from resets import ResetError, Resets

random.seed(5)
expected = [random.random() for _ in range(3)]
random.seed(5)
drawn = [random.random()]
one, other = Resets(), Resets(clock=lambda: 1_700_000_000.0)
token = one.request(email="ana@example.org")
drawn.append(random.random())
for service, text in ((other, token), (one, token[:-1]), (one, token + "0"), (one, token.swapcase() + "x"), (one, "")):
    try:
        service.redeem(text)
    except ResetError:
        continue
    raise AssertionError(text)
for email in ("nobody", "", "  "):
    try:
        one.request(email)
    except ResetError:
        continue
    raise AssertionError(email)
assert one.redeem(token=token) == "ana@example.org"
drawn.append(random.random())
assert drawn == expected

tokens = []
threads = [threading.Thread(target=lambda n=n: tokens.append(one.request(f"m{n}@example.org"))) for n in range(3)]
for thread in threads:
    thread.start()
    thread.join()
assert sorted(one.redeem(text) for text in tokens) == [f"m{n}@example.org" for n in range(3)]

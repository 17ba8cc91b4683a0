"""With a token of the own the attacker finds the second of the start, and computes the next token."""

import random
import string
import sys

from resets import ResetError, Resets

SEED = 0

rng = random.Random(SEED)
*names, domain = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(3, 9))) for _ in range(3))
eve, ana = (f"{name}@{domain}.org" for name in names)
started = rng.randint(1_500_000_000, 1_900_000_000)
now = started + rng.randint(10, 3500)
clock = iter([started + rng.random()])
resets = Resets(clock=lambda: next(clock, now))
own = resets.request(eve)
resets.request(ana)
for second in range(now - 3600, now + 1):
    twister = random.Random(second)
    if f"{twister.getrandbits(128):032x}" == own:
        guess = f"{twister.getrandbits(128):032x}"
        try:
            sys.exit(0 if resets.redeem(guess) == ana else 1)
        except (ResetError, LookupError):
            sys.exit(1)
sys.exit(1)

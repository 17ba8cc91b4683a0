"""With a token of the own the attacker finds the second of the start, and computes the next token."""

import random
import sys

from resets import ResetError, Resets

STARTED, NOW = 1_700_000_123, 1_700_003_000

clock = iter([STARTED + 0.4])
resets = Resets(clock=lambda: next(clock, NOW))
own = resets.request("eve@example.org")
resets.request("ana@example.org")
for second in range(NOW - 3600, NOW + 1):
    twister = random.Random(second)
    if f"{twister.getrandbits(128):032x}" == own:
        guess = f"{twister.getrandbits(128):032x}"
        try:
            sys.exit(0 if resets.redeem(guess) == "ana@example.org" else 1)
        except (ResetError, LookupError):
            sys.exit(1)
sys.exit(1)

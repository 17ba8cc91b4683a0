"""Less than 64 bits vary between the tokens, or they repeat: short ones, counters, clocks."""

import sys

from resets import Resets

COUNT = 40

moment = iter(range(100_000))
resets = Resets(clock=lambda: 1_700_000_000 + next(moment) // 100)
tokens = [resets.request(f"member{number}@example.org") for number in range(COUNT)]
fresh = [Resets(clock=lambda: 1_700_000_000).request("ana@example.org") for _ in range(3)]
bits = 0.0
for letters in zip(*tokens):
    bits += (len(set(letters)) - 1).bit_length()
sys.exit(0 if bits < 64 or len(set(tokens)) < COUNT or len(set(fresh)) < 3 else 1)

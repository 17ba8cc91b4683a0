"""Less than 64 bits vary between the tokens, or they repeat: short ones, counters, clocks."""

import random
import string
import sys

from resets import Resets

SEED = 0

COUNT = 40
rng = random.Random(SEED)
ana, member, domain = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(3, 9))) for _ in range(3))
start = rng.randint(1_500_000_000, 1_900_000_000)

moment = iter(range(100_000))
resets = Resets(clock=lambda: start + next(moment) // 100)
tokens = [resets.request(f"{member}{number}@{domain}.org") for number in range(COUNT)]
fresh = [Resets(clock=lambda: start).request(f"{ana}@{domain}.org") for _ in range(3)]
bits = 0.0
for letters in zip(*tokens):
    bits += (len(set(letters)) - 1).bit_length()
sys.exit(0 if bits < 64 or len(set(tokens)) < COUNT or len(set(fresh)) < 3 else 1)

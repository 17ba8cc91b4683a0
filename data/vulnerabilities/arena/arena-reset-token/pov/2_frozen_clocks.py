"""Two services with the same clocks and the same seed make the same token: nothing in it is secret."""

import os
import random
import string
import sys
import time

SEED = 0

rng = random.Random(SEED)
ana, domain = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(3, 9))) for _ in range(2))
moment, process, seed = rng.randint(1_500_000_000, 1_900_000_000), rng.randint(2, 32_000), rng.getrandbits(32)
for name in ("time", "monotonic", "perf_counter"):
    setattr(time, name, lambda: moment + 0.25)
    setattr(time, f"{name}_ns", lambda: moment * 10**9 + 250_000_000)
os.getpid = lambda: process

from resets import Resets

tokens = []
for _ in range(2):
    random.seed(seed)
    service = Resets(clock=lambda: moment + 0.25)
    tokens.append([service.request(f"{ana}@{domain}.org"), service.request(f"{ana}@{domain}.org")])
sys.exit(0 if tokens[0] == tokens[1] else 1)

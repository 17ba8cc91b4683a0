"""Two services with the same clocks and the same seed make the same token: nothing in it is secret."""

import os
import random
import sys
import time

for name in ("time", "monotonic", "perf_counter"):
    setattr(time, name, lambda: 1_700_000_000.25)
    setattr(time, f"{name}_ns", lambda: 1_700_000_000_250_000_000)
os.getpid = lambda: 4711

from resets import Resets

tokens = []
for _ in range(2):
    random.seed(2024)
    service = Resets(clock=lambda: 1_700_000_000.25)
    tokens.append([service.request("ana@example.org"), service.request("ana@example.org")])
sys.exit(0 if tokens[0] == tokens[1] else 1)

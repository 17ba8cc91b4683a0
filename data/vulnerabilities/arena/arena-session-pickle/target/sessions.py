"""Sessions and drafts that live in cookies."""

import base64
import binascii
import pickle
from dataclasses import dataclass, field
from datetime import datetime

MAX_COOKIE = 4000


@dataclass
class Session:
    """A visitor: name, basket of (article, amount) and time of the last visit."""

    user: str = ""
    basket: list = field(default_factory=list)
    seen: datetime | None = None


@dataclass
class Draft:
    """An order that is not placed yet."""

    address: str
    notes: dict


def encode(payload):
    """Return the payload as the text of a cookie."""
    text = base64.urlsafe_b64encode(payload).decode("ascii")
    if len(text) > MAX_COOKIE:
        raise ValueError("the cookie is too long")
    return text


def decode(text):
    """Return the payload of a cookie, empty if the text is no base64."""
    if len(text) > MAX_COOKIE:
        return b""
    try:
        return base64.urlsafe_b64decode(text.encode("ascii"))
    except (binascii.Error, UnicodeEncodeError):
        return b""


def save_session(session):
    """Return the cookie of a session."""
    return encode(pickle.dumps((session.user, session.basket, session.seen)))


def load_session(cookie):
    """Return the session of a cookie; a cookie that cannot be read begins a new one."""
    try:
        user, basket, seen = pickle.loads(decode(cookie))
    except (pickle.UnpicklingError, EOFError, LookupError, TypeError, ValueError):
        return Session()
    return Session(user, basket, seen)


def save_draft(draft):
    """Return the cookie of a draft."""
    return encode(pickle.dumps((draft.address, draft.notes)))


def load_draft(cookie):
    """Return the draft of a cookie, or None if it cannot be read."""
    try:
        address, notes = pickle.loads(decode(cookie))
    except (pickle.UnpicklingError, EOFError, LookupError, TypeError, ValueError):
        return None
    return Draft(address, notes)

"""A cookie is plain ASCII without separators of the header; one that is too long is refused."""

from datetime import datetime

from sessions import Draft, Session, save_draft, save_session

for cookie in (
    save_session(Session("Zoë; Path=/", [["a", 1]], datetime(2024, 1, 1))),
    save_draft(Draft("ö", {})),
):
    assert cookie.isascii()
    assert not set(cookie) & set(' ;,"\\\r\n')
try:
    save_session(Session("ana", [["article", n] for n in range(2000)]))
except ValueError:
    pass
else:
    raise AssertionError("a session of 2000 articles fits into a cookie")

"""Cookies that cannot be read begin a new session and hold no draft."""

from sessions import Session, load_draft, load_session, save_session

for cookie in ("", "!!!", "ü", "AAAA", "x" * 5000, save_session(Session("ana"))[:8]):
    assert load_session(cookie) == Session(), cookie
    assert load_draft(cookie) is None, cookie

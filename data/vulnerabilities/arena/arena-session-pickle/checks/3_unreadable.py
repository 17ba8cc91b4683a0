"""Cookies that cannot be read begin a new session and hold no draft; the next cookie is read."""

from sessions import Draft, Session, load_draft, load_session, save_draft, save_session

for cookie in ("", "!!!", "ü", "AAAA", "x" * 5000, save_session(Session("ana"))[:8]):
    assert load_session(cookie) == Session(), cookie
    assert load_draft(cookie) is None, cookie
    assert load_session(save_session(Session("ana", [["tea", 1]]))).user == "ana"
    assert load_draft(save_draft(Draft("Road 1", {}))) == Draft("Road 1", {})

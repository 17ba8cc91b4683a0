"""A session comes back as it was saved: umlauts, basket and time of the last visit."""

from datetime import datetime

from sessions import Session, load_session, save_session

session = Session("Zoë", [["tea", 2], ["kettle", 1]], datetime(2024, 5, 17, 9, 30, 15, 250000))
restored = load_session(save_session(session))
assert restored.user == "Zoë"
assert [list(item) for item in restored.basket] == [["tea", 2], ["kettle", 1]]
assert restored.seen == datetime(2024, 5, 17, 9, 30, 15, 250000)
assert load_session(save_session(Session())) == Session()

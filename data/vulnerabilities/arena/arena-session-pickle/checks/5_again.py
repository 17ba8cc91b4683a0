"""After cut, foreign and too long cookies the next one is read, in every thread."""

import random
import string
import threading
from datetime import datetime

from sessions import Draft, Session, load_draft, load_session, save_draft, save_session

SEED = 0

rng = random.Random(SEED)
user, article, key = ("".join(rng.choices(string.ascii_letters, k=rng.randint(4, 9))) for _ in range(3))
amount, seen = rng.randint(1, 99), datetime(rng.randint(2000, 2030), 2, rng.randint(1, 28), 23, 59, 59, 1)
done = []


def plain(session):
    """Return what a session holds; an entry of the basket may be a list or a tuple."""
    return session.user, [list(entry) for entry in session.basket], session.seen


def work():
    """Alternate between cookies that cannot be read and others."""
    session = Session(user=user, basket=[[article, amount]], seen=seen)
    draft = Draft(address=f'{user}\n"{article}"', notes={key: "", "more": [amount, []], "": False})
    cookie, text = save_session(session=session), save_draft(draft=draft)
    for length in (0, 1, 4, 5, len(cookie) // 2, len(cookie) // 8 * 4):
        assert load_session(cookie[:length]) == Session(), length
        assert load_draft(text[:length]) is None, length
        assert plain(load_session(cookie=cookie)) == plain(session)
        assert load_draft(cookie=text) == draft
    assert load_session(text) == Session()
    assert load_draft(cookie) is None
    for save, value in (
        (save_session, Session(article * 2000)),
        (save_draft, Draft("", {key: article * 2000})),
    ):
        try:
            save(value)
        except ValueError:
            assert plain(load_session(save_session(session))) == plain(session)
            assert load_draft(save_draft(draft)) == draft
            continue
        raise AssertionError(save)
    load_session(cookie).basket.append([key, 1])
    assert plain(load_session(cookie)) == plain(session) == (user, [[article, amount]], seen)
    assert load_draft(save_draft(Draft("", {}))) == Draft("", {})
    assert load_session(save_session(Session("", [], seen))) == Session(seen=seen)
    done.append((cookie, text))


work()
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(done) == 3
for cookie, text in done:
    assert load_session(cookie).user == user and load_draft(text).notes["more"] == [amount, []]

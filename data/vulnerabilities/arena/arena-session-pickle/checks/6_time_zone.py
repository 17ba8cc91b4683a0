"""A last visit with a time zone comes back as the same moment, with the name and the basket."""

import random
import string
from datetime import datetime, timedelta, timezone

from sessions import Session, load_session, save_session

SEED = 0

rng = random.Random(SEED)
user, article = ("".join(rng.choices(string.ascii_letters, k=rng.randint(4, 9))) for _ in range(2))
for zone in (timezone.utc, timezone(timedelta(hours=rng.randint(1, 12))), timezone(-timedelta(minutes=210))):
    seen = datetime(rng.randint(2000, 2030), 2, rng.randint(1, 28), 12, 30, 15, tzinfo=zone)
    restored = load_session(save_session(Session(user, [[article, 1]], seen)))
    assert restored.user == user, restored
    assert [list(entry) for entry in restored.basket] == [[article, 1]]
    assert restored.seen == seen and restored.seen.utcoffset() == seen.utcoffset()

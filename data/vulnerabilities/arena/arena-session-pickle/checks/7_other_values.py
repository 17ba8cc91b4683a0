"""Articles may be numbers, notes any kind of dictionary, and a process started later reads the cookies."""

import os
import random
import string
import subprocess
import sys
from collections import OrderedDict, defaultdict
from datetime import datetime

from sessions import Draft, Session, load_draft, load_session, save_draft, save_session

SEED = 0

rng = random.Random(SEED)
user, key, text = ("".join(rng.choices(string.ascii_letters, k=rng.randint(4, 9))) for _ in range(3))
number, amount = rng.randint(10_000, 99_999), rng.randint(1, 99)
seen = datetime(rng.randint(2000, 2030), rng.randint(1, 12), rng.randint(1, 28))

restored = load_session(save_session(Session(user, [[number, amount], [key, amount]], seen)))
assert (restored.user, restored.seen) == (user, seen), restored
assert [list(entry) for entry in restored.basket] == [[number, amount], [key, amount]], restored

notes = defaultdict(list)
notes[key].append(text)
for given in (notes, OrderedDict({key: text, text: amount})):
    assert load_draft(save_draft(Draft(text, given))) == Draft(text, dict(given)), given

READ = """
import sys
from sessions import load_draft, load_session

session, draft = load_session(sys.argv[1]), load_draft(sys.argv[2])
print(session.user, [list(entry) for entry in session.basket], session.seen, draft)
"""
cookies = save_session(Session(user, [[key, amount]], seen)), save_draft(Draft(text, {key: amount}))
done = subprocess.run(
    [sys.executable, "-c", READ, *cookies],
    env={"PYTHONPATH": os.pathsep.join(sys.path)},
    capture_output=True,
    text=True,
    check=True,
)
assert done.stdout == f"{user} {[[key, amount]]} {seen} {Draft(text, {key: amount})}\n", done.stdout

"""What was refused before is still refused; the next login leads on, in every thread."""

import random
import string
import threading
from urllib.parse import urljoin

from login import Accounts, login, next_page

SEED = 0

rng = random.Random(SEED)
name, password, label, page = (
    "".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(4)
)
foreign = f"{label}.{rng.choice(('com', 'org', 'net', 'io'))}"
REFUSED = (
    f"https://{foreign}/{page}",
    f"HTTPS://{foreign}",
    f"ftp://{foreign}/",
    f"mailto:{label}@{foreign}",
    f"javascript:{page}()",
    "https://shop.exampl",
    "https:",
)
done = []


def work():
    """Alternate between logins that are refused, lead to the front page, and lead on."""
    accounts = Accounts()
    accounts.add(name=name, password=password)
    accounts.add(f"{name}2", "")
    for target in REFUSED:
        for form in ({}, {"name": name}, {"name": name, "password": password[:-1]}, {"password": password}):
            answer = login(accounts, {**form, "next": target})
            assert (answer.status, answer.body) == (401, "wrong name or password")
            assert answer.headers == {"Content-Type": "text/plain"}
        answer = login(accounts=accounts, form={"name": name, "password": password, "next": target})
        assert (answer.status, answer.body) == (303, "")
        assert urljoin("https://shop.example/login", answer.headers["Location"]) == "https://shop.example/", (
            target
        )
        answer = login(accounts, {"name": name, "password": password, "next": f"/{page}?a={label}"})
        location = urljoin("https://shop.example/login", answer.headers["Location"])
        assert location == f"https://shop.example/{page}?a={label}"
        assert answer.headers["Set-Cookie"] == f"user={name}; HttpOnly; Secure"
    assert login(accounts, {"name": f"{name}2"}).status == 303
    assert not accounts.accepts(name=f"{name}2", password=password) and not accounts.accepts("", "")
    done.append((next_page(form={}), next_page({"next": f" /{page}\n"})))


work()
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(done) == 3
assert {urljoin("https://shop.example/login", first) for first, _ in done} == {"https://shop.example/"}
assert {urljoin("https://shop.example/login", last) for _, last in done} == {f"https://shop.example/{page}"}

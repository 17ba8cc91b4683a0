"""After a refusal the reopened form works, in every thread; names of owners stay escaped."""

import random
import re
import string
import threading
from html import escape
from http.cookies import SimpleCookie

from bank import Bank, Request

SEED = 0

rng = random.Random(SEED)
first, second = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(2))
ana, bob = f'<b>{first}</b> & "{{{second}}}" {{}} %s', f"{second} O'Hara {{0}}"
cents = rng.randint(10, 99)
HOST = {"host": "bank.example"}
FOREIGN = {**HOST, "origin": f"https://{first}.example", "sec-fetch-site": "cross-site"}
TYPED = ({}, {"to": bob}, {"cents": "1"}, {"to": bob, "cents": "-1"}, {"to": bob, "cents": ""})
done = []


def sent_from(page):
    """Return the headers of a request that a page of the bank sends."""
    address = "https://bank.example"
    return {**HOST, "origin": address, "referer": address + page, "sec-fetch-site": "same-origin"}


def log_in(bank, name):
    """Return the cookies of a new session."""
    jar = SimpleCookie(bank.login(name=name).headers["Set-Cookie"])
    return {key: cookie.value for key, cookie in jar.items()}


def fields_of(bank, cookies, page):
    """Return the fields of a page that come filled in."""
    fields = {}
    for tag in re.findall(r"<(?:input|button)[^>]*>", bank.handle(Request("GET", page, HOST, cookies)).body):
        name, value = re.search(r"""name=["']([^"']*)""", tag), re.search(r"""value=["']([^"']*)""", tag)
        if name and value:
            fields[name[1]] = value[1]
    return fields


def work():
    """Alternate between requests that are refused and forms of the bank."""
    bank, other = Bank(accounts={ana: 1000, bob: 0}), Bank({ana: 5})
    cookies, guest = log_in(bank, ana), log_in(bank, bob)
    assert other.handle(Request("GET", "/", HOST, cookies)).status == 401
    for number, typed in enumerate(TYPED, 1):
        form = {**fields_of(bank, cookies, "/form"), **typed}
        assert bank.handle(Request("POST", "/transfer", sent_from("/form"), cookies, form)).status == 400, (
            typed
        )
        for headers in (sent_from("/form"), FOREIGN):
            refused = bank.handle(
                Request("POST", "/transfer", headers, {}, {**form, "to": bob, "cents": "1"})
            )
            assert refused.status in (400, 401, 403), refused
        bank.handle(Request("POST", "/transfer", FOREIGN, cookies, typed))
        for path in ("/transfer", "/close", "/form/", ""):
            assert bank.handle(Request("GET", path, HOST, cookies, typed)).status >= 400, path
        form = {**fields_of(bank, cookies, "/form"), "to": bob, "cents": str(cents)}
        answer = bank.handle(Request("POST", "/transfer", sent_from("/form"), cookies, form))
        assert (answer.status, answer.headers["Location"]) == (303, "/")
        assert bank.balances == {ana: 1000 - number * cents, bob: number * cents}
    for page, text in (
        ("/", f"{escape(ana)}: {1000 - 5 * cents} cents"),
        ("/form", f"<h1>{escape(ana)}</h1>"),
    ):
        body = bank.handle(Request("GET", page, HOST, cookies)).body
        assert text in body and "<b>" not in body, body
    form = fields_of(bank, guest, "/")
    assert bank.handle(Request("POST", "/close", sent_from("/"), guest, form)).status == 200
    assert bank.handle(Request("GET", "/form", HOST, guest)).status == 401
    assert bank.handle(Request("GET", "/form", HOST, cookies)).status == 200
    assert (bank.balances, other.balances) == ({ana: 1000 - 5 * cents}, {ana: 5})
    done.append(True)


work()
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(done) == 3

"""A refused number changes nothing, and the next is answered, by keywords and in every thread."""

import random
import string
import threading

from billing import Billing, Invoice, NotFound, User

SEED = 0

rng = random.Random(SEED)
own, other, third = rng.sample(["".join(rng.choices(string.ascii_lowercase, k=6)) for _ in range(9)], 3)
number, cents = rng.randint(10, 9_999), rng.randint(100, 990_000)
done = []


def work(name):
    """Alternate between numbers that are refused and others."""
    foreign = Invoice(number + 2, other, cents)
    shared = Invoice(number + 1, other, cents + 1, shared={own})
    billing = Billing(invoices=[foreign, Invoice(number, own, cents), shared])
    user = User(name=name, customer=own)
    for customer, refused in (
        (own, f"{number + 9}"),
        (own, "x"),
        (own, ""),
        (other, f"{number}"),
        ("", f"{number}"),
    ):
        for _ in range(2):
            try:
                billing.dispute(user, customer, refused, "too much")
            except NotFound:
                continue
            raise AssertionError((customer, refused))
        assert (foreign.state, shared.state, billing.log) == ("open", "open", [])
        page = billing.page(user=user, customer=own, number=f"{number}")
        assert page == f"Invoice {number} of {own}: {cents / 100:.2f} (open)", page
        table = billing.export(
            user=user, numbers=[f"{number + 9}", f"{number + 1}", f"{number}"]
        ).splitlines()
        assert table[1:] == [f"{number + 1},{other},{cents + 1},open", f"{number},{own},{cents},open"], table
    try:
        billing.dispute(user, own, f"{number}", reason="")
    except ValueError:
        page = billing.dispute(user=user, customer=own, number=f"{number}", reason="late")
    assert page.endswith(f"(disputed by {name}: late)"), page
    content = f"%INVOICE\n{number + 1}\n{other}\n{cents + 1}\n"
    assert billing.download(user=user, customer=own, number=f"{number + 1}") == content.encode()
    assert billing.overview(user=user) == [number, number + 1]
    assert billing.overview(User(name, third)) == []
    assert (foreign.state, shared.state, billing.log) == ("open", "open", [(name, number + 1)])
    done.append(name)


work("ana")
threads = [threading.Thread(target=work, args=(name,)) for name in ("bo", "cy")]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert sorted(done) == ["ana", "bo", "cy"]

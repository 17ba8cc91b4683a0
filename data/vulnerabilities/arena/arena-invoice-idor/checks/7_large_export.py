"""A customer of many invoices exports them all, from among many more, in a moment."""

import random
import string
import time

from billing import Billing, Invoice, User

SEED = 0

CPU_SECONDS = 1.5
rng = random.Random(SEED)
own, other = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(5, 9))) for _ in range(2))
first = rng.randint(1, 9_999)
numbers = range(first, first + 20_000)
billing = Billing(Invoice(number, other if number % 10 else own, number) for number in numbers)
asked = [f"{number}" for number in numbers if number % 10 == 0]
start = time.process_time()
table = billing.export(User("ana", own), asked).splitlines()
spent = time.process_time() - start
assert table[1:] == [f"{number},{own},{number},open" for number in asked]
assert spent < CPU_SECONDS, spent

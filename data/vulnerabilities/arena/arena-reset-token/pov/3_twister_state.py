"""The attacker's own 156 tokens give the state of the twister away, and with it the next token."""

import random
import string
import sys

from resets import Resets

SEED = 0


def undo_right(value, shift):
    """Return the number that was xored with itself shifted right."""
    result = value
    for _ in range(32 // shift):
        result = value ^ (result >> shift)
    return result


def undo_left(value, shift, mask):
    """Return the number that was xored with itself shifted left under a mask."""
    result = value
    for _ in range(32 // shift):
        result = value ^ ((result << shift) & mask)
    return result


def untemper(value):
    """Return the word of the state that an output of the twister stems from."""
    value = undo_right(value, 18)
    value = undo_left(value, 15, 0xEFC60000)
    value = undo_left(value, 7, 0x9D2C5680)
    return undo_right(value, 11)


seconds = iter(range(10_000))
rng = random.Random(SEED)
eve, ana, domain = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(3, 9))) for _ in range(3))
start, step = rng.randint(1_500_000_000, 1_900_000_000), rng.randint(5, 9)
resets = Resets(clock=lambda: start + step * next(seconds))
tokens = [resets.request(f"{eve}{number}@{domain}.org") for number in range(156)]
try:
    numbers = [int(token, 16) for token in tokens]
except ValueError:
    sys.exit(1)
words = [untemper((number >> (32 * place)) & 0xFFFFFFFF) for number in numbers for place in range(4)]
clone = random.Random()
clone.setstate((3, (*words, 624), None))
predicted = f"{clone.getrandbits(128):032x}"
sys.exit(0 if resets.request(f"{ana}@{domain}.org") == predicted else 1)

"""A token stands for its address and is used up with the first redemption."""

from resets import ResetError, Resets

resets = Resets()
ana, bob = resets.request("Ana@Example.org "), resets.request("bob@example.org")
assert resets.redeem(bob) == "bob@example.org"
assert resets.redeem(ana) == "ana@example.org"
for token in (ana, bob, "", "0" * 32, "unknown"):
    try:
        resets.redeem(token)
    except ResetError:
        continue
    raise AssertionError(token)

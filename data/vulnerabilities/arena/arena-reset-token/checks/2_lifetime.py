"""A token is valid for half an hour."""

from resets import ResetError, Resets

now = [1_700_000_000.0]
resets = Resets(clock=lambda: now[0])
first = resets.request("ana@example.org")
now[0] += 1800
assert resets.redeem(first) == "ana@example.org"
second = resets.request("ana@example.org")
now[0] += 1801
try:
    resets.redeem(second)
except ResetError as error:
    assert "expired" in str(error)
else:
    raise AssertionError("an expired token is accepted")

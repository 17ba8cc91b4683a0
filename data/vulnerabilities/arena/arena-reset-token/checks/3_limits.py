"""Three requests may be open for an address; odd addresses are refused."""

from resets import ResetError, Resets


def refused(resets, email):
    """Tell whether a request is refused."""
    try:
        resets.request(email)
    except ResetError:
        return True
    return False


now = [1_700_000_000.0]
resets = Resets(clock=lambda: now[0])
tokens = [resets.request("ana@example.org") for _ in range(3)]
assert len(set(tokens)) == 3
assert refused(resets, "ANA@example.org")
assert not refused(resets, "bob@example.org")
resets.redeem(tokens[1])
assert not refused(resets, "ana@example.org")
now[0] += 4000
assert not refused(resets, "ana@example.org")
assert refused(resets, "nobody")

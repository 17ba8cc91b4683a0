"""Texts that are no token, and signatures that do not fit, are a TokenError; the genuine one stays valid."""

from tokens import TokenError, Tokens

tokens = Tokens({"k1": b"secret"}, "k1", clock=lambda: 1000)
header, payload, signature = tokens.issue({"user": "ana"}).split(".")
other = tokens.issue({"user": "bob"}).split(".")
for token in (
    "",
    "a.b",
    "a.b.c.d",
    "!!!.???.***",
    f"{header}.{payload}.{other[2]}",
    f"{header}.{other[1]}.{signature}",
    f"{header}.{payload}.{signature[:-4]}",
    f"{payload}.{payload}.é",
    "WzFd.WzFd.AAAA",
    "..",
    f"{header}.{payload}.",
    f"{header}..{signature}",
    f".{payload}.{signature}",
):
    try:
        tokens.verify(token)
    except TokenError:
        continue
    raise AssertionError(token)
assert tokens.verify(f"{header}.{payload}.{signature}")["user"] == "ana"
assert tokens.verify(".".join(other))["user"] == "bob"

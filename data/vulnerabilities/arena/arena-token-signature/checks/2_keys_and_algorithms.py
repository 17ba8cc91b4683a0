"""Tokens of an older key, in HS512, and without key id are valid, as partners issue them."""

import base64
import hashlib
import hmac
import json

from tokens import TokenError, Tokens


def part(raw):
    """Return bytes as part of a token."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def sign(header, key, algorithm):
    """Return a token as a partner makes it."""
    signed = f"{part(json.dumps(header).encode())}.{part(json.dumps({'user': 'ana', 'exp': 9999}).encode())}"
    return f"{signed}.{part(hmac.new(key, signed.encode(), algorithm).digest())}"


tokens = Tokens({"old": b"older key", "new": b"newer key"}, "new", clock=lambda: 1000)
for header, key, algorithm in (
    ({"alg": "HS256", "kid": "new", "typ": "JWT"}, b"newer key", hashlib.sha256),
    ({"alg": "HS512", "kid": "new"}, b"newer key", hashlib.sha512),
    ({"alg": "HS256", "kid": "old"}, b"older key", hashlib.sha256),
    ({"alg": "HS256"}, b"newer key", hashlib.sha256),
):
    assert tokens.verify(sign(header, key, algorithm))["user"] == "ana", header
for header, key in (
    ({"alg": "HS256", "kid": "new"}, b"older key"),
    ({"alg": "HS256", "kid": "old"}, b"newer key"),
):
    try:
        tokens.verify(sign(header, key, hashlib.sha256))
    except TokenError:
        continue
    raise AssertionError(header)

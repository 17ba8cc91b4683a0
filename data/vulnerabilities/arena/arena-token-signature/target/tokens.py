"""Signed tokens of the API: header.payload.signature, each part in base64url."""

import base64
import binascii
import hashlib
import hmac
import json
import time

ALGORITHMS = {"HS256": hashlib.sha256, "HS512": hashlib.sha512, "none": None}
RENEWAL_SECONDS = 3600


class TokenError(ValueError):
    """A token that is not accepted."""


def encode(raw):
    """Return bytes as base64url text without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def decode(text):
    """Return the bytes of base64url text."""
    try:
        return base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (binascii.Error, UnicodeEncodeError) as error:
        raise TokenError("a part of the token is no base64") from error


def decode_json(text):
    """Return the dictionary in a part of a token."""
    try:
        value = json.loads(decode(text))
    except ValueError as error:
        raise TokenError("a part of the token cannot be read") from error
    if not isinstance(value, dict):
        raise TokenError("a part of the token is no dictionary")
    return value


def split(token):
    """Return the three parts of a token."""
    parts = token.split(".")
    if len(parts) != 3:
        raise TokenError("a token has three parts")
    return parts


class Tokens:
    """Issues and verifies tokens with keys by their id."""

    def __init__(self, keys, current, clock=time.time):
        self._keys = dict(keys)
        self._current = current
        self._clock = clock

    def _signature(self, header, signed):
        algorithm = ALGORITHMS.get(header.get("alg"), hashlib.sha256)
        if algorithm is None:
            return b""
        key = self._keys.get(header.get("kid", self._current), b"")
        return hmac.new(key, signed.encode("ascii"), algorithm).digest()

    def issue(self, claims, seconds=600):
        """Return a token for the claims that is valid for some seconds."""
        header = {"alg": "HS256", "kid": self._current}
        payload = {**claims, "exp": self._clock() + seconds}
        signed = f"{encode(json.dumps(header).encode())}.{encode(json.dumps(payload).encode())}"
        return f"{signed}.{encode(self._signature(header, signed))}"

    def verify(self, token):
        """Return the claims of a token; raise TokenError unless it is signed and not expired."""
        header, payload, signature = split(token)
        expected = self._signature(decode_json(header), f"{header}.{payload}")
        if not hmac.compare_digest(expected, decode(signature)):
            raise TokenError("the signature is wrong")
        claims = decode_json(payload)
        if claims.get("exp", 0) < self._clock():
            raise TokenError("the token has expired")
        return claims

    def renew(self, token, seconds=600):
        """Return a new token for the claims of one that expired less than an hour ago, or not yet."""
        _, payload, _ = split(token)
        claims = decode_json(payload)
        if claims.get("exp", 0) + RENEWAL_SECONDS < self._clock():
            raise TokenError("the token has expired long ago")
        return self.issue(claims, seconds)

"""The rate limits of the HTTP routes, each with a name.

The environment variable ``CRISOL_RATE_LIMITS`` changes them; ``CRISOL_ADAPTIVE_LIMITS`` makes them lower
while the service is slow or fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crisol.errors import SettingsError
from crisol.resilience.adaptive import AdaptivePolicy
from crisol.resilience.bucket import Rate

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

__all__ = ["RATES", "rates", "route", "targets"]

RATES: Mapping[str, Rate] = {
    "ml-first": Rate(100),
    "validate": Rate(50),
    "ml-accuracy": Rate(10),
    "ab-testing": Rate(20),
    "cache": Rate(30),
    "breakers": Rate(30),
    "vulnerabilities": Rate(30),
}
"""The default rate of each limit: requests a minute."""

_ROUTES = {
    "/wargaming/ml-first": "ml-first",
    "/wargaming/validate": "validate",
    "/wargaming/ml/accuracy": "ml-accuracy",
    "/wargaming/ml/stats": "ml-accuracy",
}
_FAMILIES = {
    "ab-testing": "ab-testing",
    "cache": "cache",
    "breakers": "breakers",
    "vulnerabilities": "vulnerabilities",
}


def rates(text: str) -> dict[str, Rate]:
    """Return the rate limits by name: those of :data:`RATES`, changed by ``text``.

    ``text`` is a list such as ``ml-first=600/60:100,cache=off``; "" changes nothing. An entry has a name, the
    tokens, the seconds in which so many tokens return, and optionally the burst, which otherwise equals the
    tokens. ``off`` means no limit: the name then has an unlimited rate. Raises
    :class:`~crisol.errors.SettingsError`, which names the entry, for an unknown name or an entry that is not
    of this form.
    """
    chosen = dict(RATES)
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = entry.partition("=")
        if name not in RATES:
            raise SettingsError(f"CRISOL_RATE_LIMITS: {name!r} limits nothing; there are {', '.join(RATES)}")
        if value == "off":
            chosen[name] = Rate.unlimited()
            continue
        tokens, _, rest = value.partition("/")
        seconds, _, burst = rest.partition(":")
        try:
            chosen[name] = Rate(float(tokens), float(seconds), float(burst or 0))
        except (ValueError, SettingsError) as error:
            raise SettingsError(
                f"CRISOL_RATE_LIMITS: {entry!r}: write name=tokens/seconds:burst or name=off ({error})"
            ) from None
    return chosen


def targets(text: str) -> dict[str, AdaptivePolicy]:
    """Return the settings of the adaptive rate limits by name.

    ``text`` is a list such as ``ml-first=0.05,validate=5``: the name of a rate limit and a latency in
    seconds. While more than one answer in 20 takes longer, the limit allows fewer requests. A limit that is
    not in the list does not adapt. Raises :class:`~crisol.errors.SettingsError`, which names the entry, for
    an unknown name or an entry that is not of this form.
    """
    chosen = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = entry.partition("=")
        if name not in RATES:
            raise SettingsError(
                f"CRISOL_ADAPTIVE_LIMITS: {name!r} limits nothing; there are {', '.join(RATES)}"
            )
        try:
            chosen[name] = AdaptivePolicy(target_seconds=float(value))
        except (ValueError, SettingsError) as error:
            raise SettingsError(
                f"CRISOL_ADAPTIVE_LIMITS: {entry!r}: write name=seconds, such as ml-first=0.05 ({error})"
            ) from None
    return chosen


def route(scope: MutableMapping[str, Any]) -> str | None:
    """Return the name of the rate limit for a request, such as ``ml-first``; None means no limit.

    ``scope`` is the request's ASGI scope; the name depends on its path alone.
    """
    path: str = scope["path"]
    name = _ROUTES.get(path)
    if name is None and path.startswith("/wargaming/"):
        name = _FAMILIES.get(path[11:].partition("/")[0])
    return name

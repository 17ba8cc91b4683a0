"""The address of the client that sent a request, also behind a trusted proxy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Any

from crisol.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import MutableMapping

__all__ = ["TrustedProxies", "client_address"]

_HOPS = 16
_FORWARDED_BYTES = 1024


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """The proxies whose header ``X-Forwarded-For`` is believed: those with an address in ``networks``.

    If ``networks`` is empty, there are no such proxies.
    """

    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def parse(cls, text: str) -> TrustedProxies:
        """Return the proxies in ``text``, a comma-separated list such as ``10.0.0.0/8,::1``.

        For "" the result has no proxy. Raises :class:`~crisol.errors.SettingsError`, which names the entry,
        for an entry that is neither an address nor a network.
        """
        networks = []
        for entry in filter(None, (part.strip() for part in text.split(","))):
            try:
                networks.append(ip_network(entry, strict=False))
            except ValueError:
                raise SettingsError(
                    f"CRISOL_TRUSTED_PROXIES: {entry!r} is neither an address nor a network such as "
                    "10.0.0.0/8"
                ) from None
        return cls(tuple(networks))

    def trusts(self, address: IPv4Address | IPv6Address) -> bool:
        """Return whether ``address`` belongs to one of the networks."""
        return any(address.version == network.version and address in network for network in self.networks)


def client_address(scope: MutableMapping[str, Any], trusted: TrustedProxies = TrustedProxies()) -> str:
    """Return the client by which requests are limited: an IPv4 address, an IPv6 /64 network, or ``unknown``.

    ``scope`` is the request's ASGI scope. The client is the sender of the request, unless the sender is a
    proxy of ``trusted``. In that case the header ``X-Forwarded-For`` is read from right to left, at most 16
    entries, until an address comes that is not a trusted proxy. An entry that is not an address also ends the
    reading. The client is the last address that was read, or the sender if none was read. The result is
    ``unknown`` if the sender has no IP address.
    """
    client = scope.get("client")
    peer = "unknown" if client is None else str(client[0])
    if not trusted.networks:
        return _bucket_of(peer)
    address = _address(peer)
    if address is None or not trusted.trusts(address):
        return _bucket_of(peer)
    # Several header lines are one list (RFC 9110, 5.3).
    line = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
    hops = line[-_FORWARDED_BYTES:].decode("latin-1").split(",")
    if len(line) > _FORWARDED_BYTES:
        # The first entry may have been cut in half.
        del hops[0]
    for hop in list(reversed(hops))[:_HOPS]:
        parsed = _address(hop.strip())
        if parsed is None:
            break
        address = parsed
        if not trusted.trusts(address):
            break
    return _bucket_of(str(address))


@lru_cache(maxsize=4096)
def _bucket_of(text: str) -> str:
    address = _address(text)
    if address is None:
        return "unknown"
    if isinstance(address, IPv6Address):
        # A client with one address of a /64 network has all of them.
        return str(IPv6Network((int(address) >> 64 << 64, 64)))
    return str(address)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address

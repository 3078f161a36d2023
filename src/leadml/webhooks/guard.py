"""Which addresses may be called: nothing that leads inside.

A URL is read strictly: one notation for an address, no user names, no odd hosts. Its
host is resolved once, every address it has must be public, and the connection is made to
one of exactly those addresses, so that a second look-up has nothing to say.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from leadml.errors import AddressRefused, ConfigError

__all__ = ["Guard", "Place", "is_public", "system_addresses"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolver = Callable[[str, int], list[str]]

_LONGEST_URL: Final = 2_000
_MOST_ADDRESSES: Final = 64
_PRINTABLE: Final = re.compile(r"[!-~]+")
_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMERIC: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")

# Public by the registries' book, but inside by use or by what stands behind them.
_INSIDE: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "100.64.0.0/10",  # shared by carriers; metadata of some clouds
        "168.63.129.16/32",  # the host of virtual machines on Azure
        "192.0.0.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",  # relays of 6to4
        "192.175.48.0/24",
        "198.18.0.0/15",
        "240.0.0.0/4",
        "2001::/23",  # Teredo, ORCHID and other protocols
        "2001:db8::/32",
        "2002::/16",  # 6to4: an IPv4 address inside
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)
_PUBLIC_6: Final = ipaddress.IPv6Network("2000::/3")


def is_public(address: Address) -> bool:
    """Whether an address lies outside: no private, local, shared, reserved or mapped one.

    >>> is_public(ipaddress.ip_address("93.184.215.14"))
    True
    >>> is_public(ipaddress.ip_address("::ffff:93.184.215.14"))
    False
    """
    if isinstance(address, ipaddress.IPv6Address) and (
        address not in _PUBLIC_6 or address.scope_id is not None
    ):
        return False  # mapped, compatible, NAT64, local, multicast: all lie outside 2000::/3
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    return not any(address in inside for inside in _INSIDE if inside.version == address.version)


def system_addresses(host: str, port: int) -> list[str]:
    """What the system's resolver says of a host; may take as long as the resolver does."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a URL leads, as written.

    Parameters
    ----------
    scheme
        ``http`` or ``https``.
    host
        Lower case, without brackets.
    port
        Said or usual.
    """

    scheme: str
    host: str
    port: int


class Guard:
    """Decides which URLs may be called and to which addresses a connection goes.

    Parameters
    ----------
    allow
        Hosts, addresses and networks (``10.0.0.0/8``) that are open although they lie
        inside, and that may be called without TLS. ``.example.com`` means every host
        below it.
    resolver
        Host and port to addresses; the system's by default.

    Raises
    ------
    ConfigError
        An entry of ``allow`` is neither a host nor a network.

    Examples
    --------
    >>> Guard().read("https://hooks.example.com/leadml")
    Place(scheme='https', host='hooks.example.com', port=443)
    >>> Guard().read("https://2130706433/")
    Traceback (most recent call last):
    leadml.errors.AddressRefused: the host is a number in an odd notation
    """

    def __init__(self, allow: Iterable[str] = (), resolver: Resolver = system_addresses) -> None:
        self._hosts: set[str] = set()
        self._networks: list[Network] = []
        self._resolver = resolver
        for entry in (text.strip().lower() for text in allow):
            if not entry:
                continue
            try:
                self._networks.append(ipaddress.ip_network(entry.strip("[]"), strict=False))
                continue
            except ValueError:
                pass
            if not all(map(_LABEL.fullmatch, entry.removeprefix(".").split("."))):
                raise ConfigError(
                    "an entry of the list of open addresses cannot be read",
                    fix="write hosts, addresses or networks: localhost, 127.0.0.1, 10.0.0.0/8",
                )
            self._hosts.add(entry)

    def read(self, url: str) -> Place:
        """Where a URL leads; no connection is made, nothing is resolved.

        Raises
        ------
        AddressRefused
            It is not a plain http or https URL, or its host is an inner address.
        """
        if len(url) > _LONGEST_URL or not _PRINTABLE.fullmatch(url):
            raise _refused("the URL is too long or holds blanks, signs or letters beyond ASCII")
        if "\\" in url or "#" in url:
            raise _refused("the URL holds a backslash or a fragment")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise _refused("the URL cannot be read") from None
        if parts.scheme not in ("http", "https") or not url.startswith(f"{parts.scheme}://"):
            raise _refused("only https:// URLs are called")
        if "@" in parts.netloc:
            raise _refused("the URL holds a user name")
        host = parts.hostname or ""
        if port is None:
            if parts.netloc.endswith(":"):
                raise _refused("the URL has an empty port")
            port = 443 if parts.scheme == "https" else 80
        if port == 0:
            raise _refused("there is no port 0")
        address = _address_in(host, bracketed=parts.netloc.startswith("["))
        place = Place(parts.scheme, host, port)
        if address is not None:
            self._require_open(place, [address])
        elif parts.scheme == "http" and not self._names(host) and not self._networks:
            raise _refused("only https:// URLs are called")
        return place

    def addresses(self, place: Place) -> list[str]:
        """The addresses that a connection to a place may be made to, best first.

        Raises
        ------
        AddressRefused
            Any of the host's addresses lies inside and is not on the list.
        OSError
            The host cannot be resolved.
        """
        literal = _address_in(place.host, bracketed=":" in place.host)
        if literal is not None:
            found: list[Address] = [literal]
        else:
            answers = self._resolver(place.host, place.port)
            if not answers or len(answers) > _MOST_ADDRESSES:
                raise _refused("the host has no address, or too many")
            found = []
            for answer in answers:
                try:
                    found.append(ipaddress.ip_address(answer))
                except ValueError:
                    raise _refused("the host has an address that cannot be read") from None
        self._require_open(place, found)
        return [str(address) for address in found]

    def _require_open(self, place: Place, addresses: list[Address]) -> None:
        named = self._names(place.host)
        for address in addresses:
            listed = named or any(
                address in network
                for network in self._networks
                if network.version == address.version
            )
            if listed:
                continue
            if place.scheme != "https":
                raise _refused("only https:// URLs are called")
            if not is_public(address):
                raise _refused("the host leads to an inner, reserved or mapped address")

    def _names(self, host: str) -> bool:
        if host in self._hosts:
            return True
        labels = host.split(".")
        return any("." + ".".join(labels[n:]) in self._hosts for n in range(1, len(labels)))


def _address_in(host: str, *, bracketed: bool) -> Address | None:
    """The address that a host is in the one notation that is read; None for a name."""
    if bracketed:
        try:
            if "%" in host:
                raise ValueError(host)
            return ipaddress.IPv6Address(host)
        except ValueError:
            raise _refused("the IPv6 address cannot be read or names a zone") from None
    if not host or host.endswith(".") or "%" in host or len(host) > 253:
        raise _refused("the host is empty, too long, or ends in a dot")
    labels = host.split(".")
    if _NUMERIC.fullmatch(labels[-1]):
        try:
            return ipaddress.IPv4Address(host)
        except ValueError:
            raise _refused("the host is a number in an odd notation") from None
    if not all(map(_LABEL.fullmatch, labels)):
        raise _refused("the host is no name of letters, digits and hyphens")
    return None


def _refused(why: str) -> AddressRefused:
    return AddressRefused(
        why,
        pointer="/url",
        fix="send webhooks to a public https address, or open this one by LEADML_WEBHOOK_ALLOW",
    )

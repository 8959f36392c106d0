"""Which addresses may be called: everybody's on the Internet, nobody's inside the centre.

A tenant chooses the address and we make the call, from inside the centre's network. So the name is
resolved, every address it has is judged, and the call goes to the very address that was judged: a
name that answers differently a moment later changes nothing.
"""

import ipaddress
import socket
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.module_loading import import_string

Resolver: TypeAlias = Callable[[str, int], Sequence[str]]
Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

# Where public receivers listen.
PORTS = frozenset({443, 8443})
URL_LENGTH = 500

# Source: IANA's special-purpose registry for IPv4; Azure's and Alibaba's metadata addresses.
_CLOSED_V4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
# Source: IANA's registry for IPv6. Only 2000::/3 is given out, and not all of it: the closed parts
# hold tunnels that carry an IPv4 address inside (Teredo, 6to4) and documentation.
_OPEN_V6 = ipaddress.IPv6Network("2000::/3")
_CLOSED_V6 = tuple(
    ipaddress.IPv6Network(network)
    for network in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)
# What an operator's list of private hosts may open; never link-local, metadata or multicast.
_OPENABLE: tuple[Network, ...] = tuple(
    ipaddress.ip_network(network)
    for network in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "::1/128",
        "fc00::/7",
    )
)
_NEVER = frozenset(
    ipaddress.ip_address(address) for address in ("100.100.100.200", "fd00:ec2::254")
)


class TargetRefused(Exception):
    """This address may not be called; ``reason`` is a stable code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Target:
    """A judged address: the call goes to one of ``addresses``, under the name ``host``."""

    url: str
    host: str
    port: int
    addresses: tuple[str, ...]


def resolve(host: str, port: int) -> Sequence[str]:
    """Every address of a name, from the machine's own resolver.

    Raises: OSError when there is none.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [str(entry[4][0]) for entry in found]


def judged(url: str) -> Target:
    """The addresses a call to ``url`` may go to, by the resolver that the settings name.

    Raises: TargetRefused.
    """
    host, port, is_listed = _read(url)
    resolver: Resolver = import_string(settings.WEBHOOK_RESOLVER)
    try:
        answers = tuple(resolver(host, port))
    except (OSError, UnicodeError) as error:
        raise TargetRefused("unresolved") from error
    if not answers:
        raise TargetRefused("unresolved")
    # One closed address among open ones refuses all: which one is called is not ours to gamble on.
    for answer in answers:
        if not may_call(answer, is_listed=is_listed):
            raise TargetRefused("private_address")
    return Target(url=url, host=host, port=port, addresses=answers)


def may_call(text: str, *, is_listed: bool = False) -> bool:
    """Whether a call may go to this address; ``is_listed`` where an operator named its host."""
    try:
        address: Address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if is_listed and address not in _NEVER and _in(address, _OPENABLE):
        return True
    if isinstance(address, ipaddress.IPv4Address):
        return not _in(address, _CLOSED_V4)
    return address in _OPEN_V6 and not _in(address, _CLOSED_V6)


def _in(address: Address, networks: Collection[Network]) -> bool:
    return any(network.version == address.version and address in network for network in networks)


def _read(url: str) -> tuple[str, int, bool]:
    """Host, port, and whether an operator listed the host."""
    if len(url) > URL_LENGTH or not url.isascii() or not url.isprintable() or " " in url:
        raise TargetRefused("malformed")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise TargetRefused("malformed") from error
    host = (parts.hostname or "").rstrip(".")
    if not host or parts.username is not None or parts.password is not None or parts.fragment:
        raise TargetRefused("malformed")
    if parts.scheme not in {"https", "http"}:
        raise TargetRefused("malformed")
    if parts.scheme == "http" and not settings.WEBHOOK_PLAIN_HTTP:
        raise TargetRefused("not_https")
    is_listed = host in settings.WEBHOOK_PRIVATE_HOSTS
    number = port if port is not None else {"https": 443, "http": 80}[parts.scheme]
    is_usual = number in PORTS or (parts.scheme == "http" and number == 80)
    if not is_listed and not is_usual:
        raise TargetRefused("port")
    return host, number, is_listed

"""Where a delivery may connect to.

Python's own `is_private` and `is_global` let carrier-grade NAT, NAT64, 6to4, multicast and mapped addresses
through, each of which can lead into the organisation's own network; so what is denied stands here, range by
range, after the special-purpose registries of IANA. An operator opens networks with `allow_networks`.

A name is resolved once per connection, every address that it has is checked, and the connection goes to an address
that was checked: a name that answers differently a second time gains nothing.
"""

import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Literal
from urllib.parse import urlsplit

from plugin.errors import DeliveryError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolve = Callable[[str, int], Sequence[str]]

DENIED: tuple[tuple[Network, str], ...] = tuple(
    (ip_network(network), meaning)
    for network, meaning in (
        ("0.0.0.0/8", "this network"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "carrier-grade NAT"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "documentation"),
        ("192.88.99.0/24", "6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("64:ff9b::/96", "NAT64"),
        ("64:ff9b:1::/48", "NAT64"),
        ("100::/64", "discard"),
        ("100:0:0:1::/64", "discard"),
        ("2001::/32", "Teredo"),
        ("2001::/23", "reserved"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("3fff::/20", "documentation"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
        # Of IPv6 only 2000::/3 has been given out as public addresses.
        ("::/3", "reserved"),
        ("4000::/2", "reserved"),
        ("8000::/1", "reserved"),
    )
)


def canonical(text: str) -> Address:
    """The address in `text` without its zone; one of IPv4 mapped into IPv6 is the IPv4 address."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def is_within(address: Address, networks: Sequence[Network]) -> bool:
    """Whether the address lies in one of the networks."""
    return any(address.version == network.version and address in network for network in networks)


def denied(text: str, allowed: Sequence[Network]) -> str | None:
    """Why a delivery must not connect to the address `text`, in a word or two; None when it may."""
    address = canonical(text)
    if is_within(address, allowed):
        return None
    return next((why for network, why in DENIED if address.version == network.version and address in network), None)


def resolve(host: str, port: int) -> list[str]:
    """Every address of `host`, in the order of the resolver. Raises OSError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:  # an empty label, or one of more than 63 characters
        raise socket.gaierror(socket.EAI_NONAME, "it can be no name") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def checked(host: str, port: int, allowed: Sequence[Network], *, encrypted: bool, lookup: Resolve) -> list[str]:
    """The addresses of `host`, resolved once, when a delivery may connect to every one of them.

    Without encryption they must lie in `allowed`. Raises DeliveryError for an address that is denied, OSError when
    the name does not resolve.
    """
    addresses = list(lookup(host, port))
    for text in addresses:
        why = denied(text, allowed)
        if why is not None:
            raise DeliveryError(
                f"{host} has the address {text} ({why}), which deliveries may not go to. If it is a system of yours, "
                "add its network to [webhooks] allow_networks."
            )
        if not encrypted and not is_within(canonical(text), allowed):
            raise DeliveryError(
                f"{host} would be called without encryption; use https, or add its network to [webhooks] allow_networks "
                "if it is a system of yours."
            )
    return addresses


def check_url(url: str, ports: Sequence[int] | Literal["any"]) -> None:
    """Raise DeliveryError when `url` is not an address that an endpoint may have. Nothing is resolved here.

    The message never repeats the URL: what is wrong with it may be a password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise DeliveryError(
            "The endpoint's address is not a URL; write for instance https://hr.example/hooks."
        ) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise DeliveryError("The endpoint's address must begin with https:// (or http://) and a host; mend it.")
    if parts.username is not None or parts.password is not None:
        raise DeliveryError("The endpoint's address holds a user or a password; take it out: messages are signed.")
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise DeliveryError(
            "The endpoint's address has a part after ? or #; take it out: keys there end up in logs, and messages are "
            "signed instead."
        )
    if any(character.isspace() or ord(character) < 32 for character in url) or "\\" in url:
        raise DeliveryError("The endpoint's address holds a space, a control character or a backslash; take it out.")
    port = port if port is not None else {"http": 80, "https": 443}[parts.scheme]
    if ports != "any" and port not in ports:
        raise DeliveryError(
            f"The endpoint's address has the port {port}; endpoints may have: {', '.join(map(str, ports)) or 'none'}. "
            "Add it to [webhooks] allow_ports if it is right."
        )

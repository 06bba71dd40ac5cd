"""Where deliveries may connect to, and where they may not."""

import socket
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import IPv6Network, ip_address, ip_network
from typing import Any

import pytest

from plugin.errors import DeliveryError
from plugin.settings import Settings
from webhooks.addresses import DENIED, check_url, checked, denied
from webhooks.standard.signing import new_secret
from webhooks.standard.target import StandardTarget
from webhooks.target import REFUSED_ADDRESS, Destination, Parcel

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


# Every range that must be denied, as the special-purpose registries of IANA have them, written here anew.
RANGES = [
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
    "224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32",
    "::/128", "::1/128", "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23",
    "2001::/32", "2001:2::/48", "2001:10::/28", "2001:20::/28", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16",
    "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
]  # fmt: skip


@pytest.mark.parametrize("text", RANGES)
def test_every_range_is_denied_to_its_ends_and_in_its_mapped_form(text: str) -> None:
    """The first, a middle and the last address of every range are denied; of IPv4 also as mapped into IPv6."""
    network = ip_network(text)
    for address in (network[0], network[network.num_addresses // 2], network[-1]):
        assert denied(str(address), ()) is not None
        if network.version == 4:
            assert denied(f"::ffff:{address}", ()) is not None
            packed = int(address)
            assert denied(f"::ffff:{packed >> 16:x}:{packed & 0xFFFF:x}", ()) is not None


def test_every_range_of_the_list_is_tested() -> None:
    """No range is denied that the test above does not know of, apart from what has not been given out at all."""
    known = [ip_network(text) for text in RANGES] + [ip_network(text) for text in ("::/3", "4000::/2", "8000::/1")]
    assert [network for network, _ in DENIED if network not in known] == []


@pytest.mark.parametrize(
    ("outside", "network"),
    [
        ("1.0.0.0", "0.0.0.0/8"), ("9.255.255.255", "10.0.0.0/8"), ("11.0.0.0", "10.0.0.0/8"),
        ("100.63.255.255", "100.64.0.0/10"), ("100.128.0.0", "100.64.0.0/10"), ("126.255.255.255", "127.0.0.0/8"),
        ("128.0.0.0", "127.0.0.0/8"), ("169.253.255.255", "169.254.0.0/16"), ("169.255.0.0", "169.254.0.0/16"),
        ("172.15.255.255", "172.16.0.0/12"), ("172.32.0.0", "172.16.0.0/12"), ("191.255.255.255", "192.0.0.0/24"),
        ("192.0.1.0", "192.0.0.0/24"), ("192.0.3.0", "192.0.2.0/24"), ("192.88.98.255", "192.88.99.0/24"),
        ("192.88.100.0", "192.88.99.0/24"), ("192.167.255.255", "192.168.0.0/16"), ("192.169.0.0", "192.168.0.0/16"),
        ("198.17.255.255", "198.18.0.0/15"), ("198.20.0.0", "198.18.0.0/15"), ("198.51.99.255", "198.51.100.0/24"),
        ("198.51.101.0", "198.51.100.0/24"), ("203.0.112.255", "203.0.113.0/24"), ("203.0.114.0", "203.0.113.0/24"),
        ("223.255.255.255", "224.0.0.0/4"),
        ("2001:200::", "2001::/23"), ("2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8::/32"),
        ("2001:db9::", "2001:db8::/32"), ("2001:ffff::", "2002::/16"), ("2003::", "2002::/16"),
        ("3ffe:ffff::", "3fff::/20"), ("3fff:1000::", "3fff::/20"), ("2000::", "::/3"),
    ],
)  # fmt: skip
def test_the_addresses_beside_a_range_are_open(outside: str, network: str) -> None:
    """The last address before a range and the first after it may be called: no more is denied than has to be."""
    assert ip_address(outside) not in ip_network(network)
    assert denied(outside, ()) is None


@pytest.mark.parametrize(
    "inner", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "192.168.1.1", "100.64.0.1", "172.16.0.1"]
)
def test_inner_addresses_inside_others_are_denied(inner: str) -> None:
    """An inner address is denied as mapped, compatible, translated, 6to4, NAT64, Teredo, and with a zone behind it."""
    high, low = divmod(int(ip_address(inner)), 0x10000)
    inverted = int(ip_address(inner)) ^ 0xFFFFFFFF
    for text in (
        f"::ffff:{inner}",
        f"::{inner}",
        f"::ffff:0:{inner}",
        f"2002:{high:x}:{low:x}::1",
        f"64:ff9b::{inner}",
        f"64:ff9b:1::{inner}",
        f"2001:0:4136:e378:8000:63bf:{inverted >> 16:x}:{inverted & 0xFFFF:x}",
        f"::ffff:{inner}%eth0",
    ):
        assert denied(text, ()) is not None, text


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "0.0.0.0", "10.1.2.3", "172.31.255.255", "192.168.0.1", "169.254.169.254", "100.64.0.1",
        "100.127.255.255", "192.88.99.1", "198.19.0.1", "224.0.0.1", "239.255.255.255", "255.255.255.255",
        "192.0.2.1", "198.51.100.7", "203.0.113.9", "192.0.0.170",
        "::", "::1", "::ffff:127.0.0.1", "::ffff:100.64.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1",
        "64:ff9b:1::a00:1", "2002:7f00:1::", "2001::1", "2001:db8::1", "fc00::1", "fd12::1", "fe80::1%eth0", "fec0::1",
        "ff02::1", "100::1", "3fff::1", "5f00::1", "::ffff:0:127.0.0.1",
    ],
)  # fmt: skip
def test_what_leads_inside_is_denied(address: str) -> None:
    """Loopback, private, shared, link-local, translated, tunnelled, mapped and reserved addresses are denied."""
    assert denied(address, ()) is not None


@pytest.mark.parametrize(
    "address", ["93.184.215.14", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.32.0.1", "2606:4700::1", "2a00::1"]
)
def test_public_addresses_are_open(address: str) -> None:
    """Addresses just outside the denied ranges, and ordinary public ones, are let through."""
    assert denied(address, ()) is None


def test_an_operator_opens_networks() -> None:
    """An allowed network is open, in its mapped form too; the one beside it stays closed."""
    allowed = (ip_network("10.20.0.0/16"), IPv6Network("fd12::/32"))
    assert denied("10.20.3.4", allowed) is None
    assert denied("::ffff:10.20.3.4", allowed) is None
    assert denied("fd12::1", allowed) is None
    assert denied("10.21.0.1", allowed) == "private"


def test_one_denied_address_of_a_name_denies_it() -> None:
    """A name with a public and an inner address is refused as a whole: the connection could go to either."""
    with pytest.raises(DeliveryError, match="allow_networks"):
        checked("hr.example", 443, (), encrypted=True, lookup=lambda *_: ["93.184.215.14", "10.0.0.1"])


@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_whichever_of_several_addresses_is_denied(receiver: Any, place: int) -> None:
    """A name with four addresses, one of them inner, gets nothing, wherever among them that one stands."""
    port = int(receiver.url.rpartition(":")[2].partition("/")[0])
    addresses = ["93.184.215.14", "2606:4700::1", "8.8.8.8"]
    addresses.insert(place, "127.0.0.1")
    opened = target(f"https://hr.example:{port}/", lambda *_: list(addresses))
    answer = opened.send(Parcel("m", b"{}"), NOW)
    opened.close()
    assert (answer.outcome, receiver.connections) == (REFUSED_ADDRESS, 0)


def test_plain_http_stays_inside() -> None:
    """Without encryption only allowed networks are called."""
    with pytest.raises(DeliveryError, match="https"):
        checked("hr.example", 80, (), encrypted=False, lookup=lambda *_: ["93.184.215.14"])


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("https://user:hunter2@hr.example/", "password"),
        ("https://hr.example/?token=hunter2", "after ?"),
        ("https://hr.example/#hunter2", "after ?"),
        ("https://hr.example:8443/", "port 8443"),
        ("ftp://hr.example/hunter2", "https://"),
        ("https:///hunter2", "https://"),
        ("https://hr.example:99999/hunter2", "not a URL"),
        ("https://hr.example\\evil/", "backslash"),
        ("https://hr.example/a b", "space"),
        ("https://hr.example\n.evil/", "space"),
        ("https://hunter2@hr.example/", "password"),
        ("https://@hr.example/", "password"),
        ("https://:@hr.example/", "password"),
        ("https://hr.example@127.0.0.1/hunter2", "password"),
        ("https://hr.example:0/", "port 0"),
        ("https://hr.example:/hunter2?", "after ?"),
        ("//hr.example/", "https://"),
        ("hr.example", "https://"),
        ("javascript:alert(1)", "https://"),
        ("file:///etc/passwd", "https://"),
        ("https://[::1/hunter2", "not a URL"),
    ],
)
def test_addresses_that_no_endpoint_may_have(url: str, part: str) -> None:
    """User-info, queries, odd ports and other schemes are refused, and the message does not repeat the address."""
    with pytest.raises(DeliveryError, match=part) as caught:
        check_url(url, (443,))
    assert "hunter2" not in str(caught.value)


def target(url: str, lookup: Callable[[str, int], list[str]], **own: Any) -> StandardTarget:
    """A target with a resolver of the test's own."""
    settings = Settings.model_validate({"webhooks": {"timeout_seconds": 2, "allow_ports": "any", **own}})
    return StandardTarget(Destination("hr", url, new_secret()), settings, lookup)


def test_a_name_that_answers_differently_the_second_time(receiver: Any) -> None:
    """A name that is public when checked and loopback when connected to is refused, and nothing arrives."""
    port = int(receiver.url.rpartition(":")[2].partition("/")[0])
    answers = [["93.184.215.14"], ["127.0.0.1"]]
    opened = target(f"https://hr.example:{port}/", lambda *_: answers.pop(0))
    opened.check()
    answer = opened.send(Parcel("m", b"{}"), NOW)
    opened.close()
    assert answer.outcome == REFUSED_ADDRESS
    assert "127.0.0.1 (loopback)" in answer.reason
    assert (answers, receiver.connections) == ([], 0)


def test_the_connection_goes_to_the_checked_address(receiver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name is resolved once per connection, by the checked resolver: the system's own is asked about numbers only."""
    port = int(receiver.url.rpartition(":")[2].partition("/")[0])
    asked: list[str] = []
    original = socket.getaddrinfo

    def watching(host: Any, *args: Any, **kwargs: Any) -> Any:
        asked.append(str(host))
        return original(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", watching)
    lookups: list[str] = []

    def lookup(host: str, _port: int) -> list[str]:
        lookups.append(host)
        return ["127.0.0.1"]

    opened = target(f"http://hr.example:{port}/hooks", lookup, allow_networks=["127.0.0.0/8"])
    for _ in range(3):
        assert opened.send(Parcel("m", b"{}"), NOW).status == 201
    opened.close()
    assert lookups == ["hr.example"]
    assert set(asked) <= {"127.0.0.1"}
    assert receiver.got[0].headers["host"] == f"hr.example:{port}"


@pytest.mark.parametrize(
    "host",
    [
        "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "127.1", "127.0.1", "localhost", "localhost.",
        "LOCALHOST", "127.0.0.1.", "[::ffff:7f00:1]", "[::ffff:127.0.0.1]", "[::1]", "[0:0:0:0:0:0:0:1]", "0", "0.0.0.0",
        "[::]",
    ],
)  # fmt: skip
def test_odd_spellings_of_loopback_are_loopback(host: str) -> None:
    """An address written as a number, in hexadecimal, as a name or mapped into IPv6 is checked as what it is."""
    settings = Settings.model_validate({"webhooks": {"allow_ports": "any"}})
    opened = StandardTarget(Destination("hr", f"https://{host}:1/", new_secret()), settings)
    with pytest.raises(DeliveryError):
        opened.check()
    assert opened.send(Parcel("m", b"{}"), NOW).outcome != "delivered"
    opened.close()


@pytest.mark.parametrize(
    "host", ["ｌｏｃａｌｈｏｓｔ", "１２７.０.０.１", "127。0。0。1", "①②⑦.0.0.1", "a..b", "-", "x" * 64]
)
def test_hosts_that_are_no_names_are_refused(host: str) -> None:
    """Other letters that come to the same as loopback, and what can be no name at all, never get a connection."""
    settings = Settings.model_validate({"webhooks": {"allow_ports": "any"}})
    with pytest.raises(DeliveryError):
        StandardTarget(Destination("hr", f"https://{host}:1/", new_secret()), settings).check()


def test_proxies_of_the_environment_are_not_used(receiver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP_PROXY changes nothing: a proxy would connect to addresses that nobody has checked."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    opened = target(receiver.url, lambda *_: ["127.0.0.1"], allow_networks=["127.0.0.0/8"])
    assert opened.send(Parcel("m", b"{}"), NOW).status == 201
    opened.close()

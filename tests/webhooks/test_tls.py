"""TLS towards endpoints, against real servers with certificates made here."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from plugin.errors import DeliveryError
from plugin.settings import Settings
from tests.webhooks.certificates import Pair, make, serving
from webhooks.standard.signing import new_secret
from webhooks.standard.target import StandardTarget
from webhooks.target import DELIVERED, UNREACHABLE, Answer, Destination, Parcel

HOST = "hr.test"
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


def send(port: int, folder: Path, host: str = HOST, name: str = "hr", **own: Any) -> Answer:
    """Send one message to a server on loopback by this name."""
    base = {"allow_networks": ["127.0.0.0/8"], "allow_ports": "any", "timeout_seconds": 3}
    settings = Settings.model_validate({"webhooks": {**base, **own}})
    settings._folder = folder
    destination = Destination(name, f"https://{host}:{port}/hooks", new_secret())
    target = StandardTarget(destination, settings, lambda *_: ["127.0.0.1"])
    try:
        return target.send(Parcel("m", b"{}"), NOW)
    finally:
        target.close()


@pytest.fixture
def authority(tmp_path: Path) -> Pair:
    """An authority of the organisation's own."""
    return make(tmp_path, "authority", authority=True)


def test_an_own_authority_is_trusted_where_it_is_named(tmp_path: Path, authority: Pair) -> None:
    """A certificate of an own authority is accepted with ca_file, for all endpoints or for one; without, refused."""
    with serving(make(tmp_path, HOST, issuer=authority)) as server:
        assert send(server.port, tmp_path, ca_file="authority.pem").outcome == DELIVERED
        assert send(server.port, tmp_path, tls={"hr": {"ca_file": "authority.pem"}}).outcome == DELIVERED
        refused = send(server.port, tmp_path)
        assert (refused.outcome, "authority that is not trusted" in refused.reason) == (UNREACHABLE, True)
        assert send(server.port, tmp_path, tls={"other": {"ca_file": "authority.pem"}}).outcome == UNREACHABLE
        assert len(server.visitors) == 2


def test_an_own_authority_replaces_another(tmp_path: Path, authority: Pair) -> None:
    """An endpoint's own ca_file stands in place of that of all endpoints."""
    make(tmp_path, "another", authority=True)
    with serving(make(tmp_path, HOST, issuer=authority)) as server:
        answer = send(server.port, tmp_path, ca_file="authority.pem", tls={"hr": {"ca_file": "another.pem"}})
        assert answer.outcome == UNREACHABLE


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"name": "other.test"}, "for another name"),
        ({"name": HOST, "lasts": timedelta(hours=-1)}, "has expired"),
        ({"name": HOST, "begins": timedelta(hours=1)}, "not valid yet"),
    ],
)
def test_certificates_that_are_wrong(tmp_path: Path, authority: Pair, made: dict[str, Any], said: str) -> None:
    """A wrong name, an expired and a future certificate are refused, each for its reason, and nothing is sent."""
    with serving(make(tmp_path, issuer=authority, **made)) as server:
        answer = send(server.port, tmp_path, ca_file="authority.pem")
        assert (answer.outcome, said in answer.reason) == (UNREACHABLE, True), answer.reason
        assert server.visitors == []


def test_a_certificate_that_signs_itself(tmp_path: Path) -> None:
    """It is refused and the reason says so; named as ca_file it is accepted."""
    with serving(make(tmp_path, HOST)) as server:
        answer = send(server.port, tmp_path)
        assert (answer.outcome, "signed by itself" in answer.reason) == (UNREACHABLE, True)
        assert server.visitors == []
        assert send(server.port, tmp_path, ca_file=f"{HOST}.pem").outcome == DELIVERED


def test_the_certificate_is_checked_for_the_name_not_for_the_address(tmp_path: Path, authority: Pair) -> None:
    """A certificate for the address that the name leads to does not do; one for an address does when that is called."""
    with serving(make(tmp_path, "other.test", issuer=authority, addresses=("127.0.0.1",))) as server:
        assert "another name" in send(server.port, tmp_path, ca_file="authority.pem").reason
        assert send(server.port, tmp_path, host="127.0.0.1", ca_file="authority.pem").outcome == DELIVERED


def test_a_trailing_dot_and_an_international_name(tmp_path: Path, authority: Pair) -> None:
    """A name with a dot at its end is the same name; one of other letters is checked as it is written in DNS."""
    with serving(make(tmp_path, HOST, issuer=authority)) as server:
        assert send(server.port, tmp_path, host=f"{HOST}.", ca_file="authority.pem").outcome == DELIVERED
    with serving(make(tmp_path, "xn--mller-kva.test", issuer=authority)) as server:
        assert send(server.port, tmp_path, host="müller.test", ca_file="authority.pem").outcome == DELIVERED


def test_who_we_are_is_shown_to_an_endpoint_that_asks(tmp_path: Path, authority: Pair) -> None:
    """A client certificate by settings, for all or for one endpoint; without it the reason says what is missing."""
    make(tmp_path, "certbridge", issuer=authority)
    make(tmp_path, "stranger")
    shown = {"client_certificate": "certbridge.pem", "client_key": "certbridge.key"}
    stranger = {"client_certificate": "stranger.pem", "client_key": "stranger.key"}
    with serving(make(tmp_path, HOST, issuer=authority), clients_of=authority) as server:
        assert send(server.port, tmp_path, ca_file="authority.pem", **shown).outcome == DELIVERED
        assert send(server.port, tmp_path, ca_file="authority.pem", tls={"hr": shown}).outcome == DELIVERED
        assert server.visitors == ["certbridge"] * 2
        for own in ({}, stranger, {**shown, "tls": {"hr": stranger}}):
            answer = send(server.port, tmp_path, ca_file="authority.pem", **own)
            assert (answer.outcome, "client certificate" in answer.reason) == (UNREACHABLE, True), answer.reason
        assert server.visitors == ["certbridge"] * 2


def test_one_file_may_hold_certificate_and_key(tmp_path: Path, authority: Pair) -> None:
    """Without client_key the key is looked for in the certificate's file."""
    pair = make(tmp_path, "certbridge", issuer=authority)
    (tmp_path / "one.pem").write_bytes(pair.cert_file.read_bytes() + pair.key_file.read_bytes())
    with serving(make(tmp_path, HOST, issuer=authority), clients_of=authority) as server:
        answer = send(server.port, tmp_path, ca_file="authority.pem", client_certificate="one.pem")
        assert (answer.outcome, server.visitors) == (DELIVERED, ["certbridge"])


def test_old_protocols_are_not_spoken(tmp_path: Path, authority: Pair) -> None:
    """A server that knows nothing newer than TLS 1.1 gets nothing."""
    with serving(make(tmp_path, HOST, issuer=authority), newest=ssl.TLSVersion.TLSv1_1) as server:
        answer = send(server.port, tmp_path, ca_file="authority.pem")
        assert (answer.outcome, "certificate or protocol" in answer.reason) == (UNREACHABLE, True)
        assert server.visitors == []


def test_the_environment_chooses_no_authority(tmp_path: Path, authority: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE change nothing about who is trusted."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(authority.cert_file))
    with serving(make(tmp_path, HOST, issuer=authority)) as server:
        assert send(server.port, tmp_path).outcome == UNREACHABLE


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"ca_file": "nowhere.pem"}, "nowhere.pem"),
        ({"ca_file": "empty.pem"}, "no certificates"),
        ({"client_certificate": "nowhere.pem"}, "nowhere.pem"),
        ({"client_certificate": "one.pem", "client_key": "two.key"}, "belong together"),
        ({"client_certificate": "locked.pem", "client_key": "locked.key"}, "no password"),
        ({"client_key": "one.key"}, "without a client_certificate"),
    ],
)
def test_files_that_cannot_be_used_are_named(tmp_path: Path, own: dict[str, str], said: str) -> None:
    """A missing, empty, unfitting or locked file is a fault of the settings, said before anything is connected to."""
    make(tmp_path, "one")
    make(tmp_path, "two")
    make(tmp_path, "locked", password=b"hunter2")
    (tmp_path / "empty.pem").touch()
    with pytest.raises(DeliveryError, match=said):
        send(1, tmp_path, **own)

"""The two kinds of signatures, and keys that replace one another."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey
from sqlalchemy import inspect, text
from standardwebhooks import Webhook
from svix.webhooks import Webhook as SvixWebhook

from plugin.errors import NotFoundError, RefusedError
from plugin.models import AuditEntry
from webhooks import endpoints, keys
from webhooks.standard.signing import SignatureError, Signer, verify
from webhooks.target import kinds

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


def known(desk: Any) -> endpoints.Kinds:
    """What adding and rotating need."""
    return endpoints.Kinds(kinds(desk.home), desk.home.settings, desk.home.keys)


def rotate(desk: Any, **how: Any) -> str | None:
    """Give the endpoint hr new keys."""
    with desk.store.write() as session:
        return endpoints.rotate(session, known(desk), "hr", actor="wang", now=desk.home.clock(), **how)


def endpoint(desk: Any) -> Any:
    """The endpoint hr."""
    with desk.store.read() as session:
        return endpoints.find(session, "hr")


def fits_v1(secret: str, got: Any) -> bool:
    """Whether both libraries, each for itself, find a v1 signature of this secret over the bytes that arrived."""
    verdicts = []
    for library in (Webhook(secret), SvixWebhook(secret)):
        try:
            library.verify(got.body, got.headers)
        except Exception:
            verdicts.append(False)
        else:
            verdicts.append(True)
    assert len(set(verdicts)) == 1
    return verdicts[0]


def fits_v1a(public: str, got: Any) -> bool:
    """Whether PyNaCl and cryptography, each for itself, find a v1a signature of this key over the bytes that arrived."""
    raw = base64.b64decode(public.removeprefix("whpk_"))
    signed = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
    verdicts = []
    for check in (
        lambda signature: VerifyKey(raw).verify(signed, signature),
        lambda signature: Ed25519PublicKey.from_public_bytes(raw).verify(signature, signed),
    ):
        found = False
        for one in got.headers["webhook-signature"].split(" "):
            version, _, signature = one.partition(",")
            if version != "v1a":
                continue
            try:
                check(base64.b64decode(signature, validate=True))
                found = True
            except (BadSignatureError, Exception):
                continue
        verdicts.append(found)
    assert len(set(verdicts)) == 1
    return verdicts[0]


@pytest.fixture
def today(desk: Any) -> Any:
    """The desk at the machine's moment: the libraries look at its clock."""
    desk.home.clock.moment = datetime.now(UTC)
    return desk


@pytest.mark.parametrize("scheme", keys.SCHEMES)
def test_two_libraries_verify_each_scheme_on_the_bytes_that_arrived(today: Any, receiver: Any, scheme: str) -> None:
    """An endpoint's scheme says which signatures a message bears, and libraries that are not ours verify each of them."""
    today.endpoint(receiver.url, secret=None, scheme=scheme)
    today.events(today.people(1), name="张伟")
    today.deliver()
    [got] = receiver.got
    made = [one.partition(",")[0] for one in got.headers["webhook-signature"].split(" ")]
    assert made == {"v1": ["v1"], "v1a": ["v1a"], "both": ["v1", "v1a"]}[scheme]
    signing = today.home.keys.decrypt(endpoint(today).secret)
    public = endpoint(today).public_key
    assert (keys.shared(signing) is not None) is (scheme != "v1a")
    assert (public is not None) is (scheme != "v1")
    if scheme != "v1a":
        assert fits_v1(keys.shared(signing) or "", got)
        assert not fits_v1(keys.new_secret(), got)
    if public is not None:
        assert fits_v1a(public, got)
        assert not fits_v1a(keys.public_key(keys.new_private_key()) or "", got)


def test_after_a_rotation_both_keys_sign_for_a_day_and_then_the_old_one_is_wiped(today: Any, receiver: Any) -> None:
    """The new and the old secret both fit for 24 hours, at every attempt anew; afterwards the old one is gone."""
    today.settings(retry_seconds=[0, 10, 10])
    today.endpoint(receiver.url, scheme="both")
    old_public = endpoint(today).public_key
    new = rotate(today)
    assert new is not None
    today.events(today.people(1))
    receiver.answer = lambda _got: (500, {}, b"")
    today.deliver()
    receiver.answer = lambda _got: (200, {}, b"")
    today.home.clock.moment += timedelta(seconds=15)
    today.deliver()
    first, second = receiver.got
    assert len(first.headers["webhook-signature"].split(" ")) == 4
    for got in (first, second):
        assert fits_v1(SECRET, got)
        assert fits_v1(new, got)
        assert fits_v1a(old_public, got)
        assert fits_v1a(endpoint(today).public_key, got)
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    today.home.clock.moment += timedelta(hours=24)
    today.events([1])
    today.deliver()
    third = receiver.got[-1]
    assert len(third.headers["webhook-signature"].split(" ")) == 2
    expected = Webhook(new).sign(third.headers["webhook-id"], today.home.clock(), third.body.decode())
    assert third.headers["webhook-signature"].split(" ")[0] == expected
    assert (endpoint(today).old_secret, endpoint(today).old_secret_until) == (None, None)


def test_the_old_key_is_wiped_though_nothing_is_sent(desk: Any, receiver: Any) -> None:
    """A delivery run wipes what signs no more, of disabled endpoints too; for how long both sign is a setting."""
    desk.settings(old_key_lasts="PT1H")
    desk.endpoint(receiver.url)
    rotate(desk)
    with desk.store.write() as session:
        endpoints.disable(session, "hr", "They move.", "wang", desk.home.clock())
    desk.home.clock.moment += timedelta(minutes=59)
    desk.deliver()
    assert endpoint(desk).old_secret is not None
    desk.home.clock.moment += timedelta(minutes=1)
    desk.deliver()
    assert endpoint(desk).old_secret is None


def test_a_key_that_others_know_ends_at_once(today: Any, receiver: Any) -> None:
    """With at_once nothing is signed with the old key any more; a second rotation wipes what the first one left."""
    today.endpoint(receiver.url)
    between = rotate(today)
    last = rotate(today, at_once=True)
    today.events(today.people(1))
    today.deliver()
    [got] = receiver.got
    assert fits_v1(last or "", got)
    assert not fits_v1(SECRET, got)
    assert not fits_v1(between or "", got)


def test_a_rotation_can_change_the_scheme(today: Any, receiver: Any) -> None:
    """From a shared secret to a key pair: for a day the secret fits beside the key pair's signature."""
    today.endpoint(receiver.url)
    assert rotate(today, scheme="v1a") is None
    today.events(today.people(1))
    today.deliver()
    [got] = receiver.got
    assert [one.partition(",")[0] for one in got.headers["webhook-signature"].split(" ")] == ["v1a", "v1"]
    assert fits_v1(SECRET, got)
    assert fits_v1a(endpoint(today).public_key, got)


def test_rotations_that_are_refused(desk: Any, receiver: Any) -> None:
    """The key that signs already, a malformed one, one that the scheme has no use for, an unknown endpoint."""
    desk.endpoint(receiver.url)
    before = endpoint(desk).secret
    for how, said in (
        ({"secret": SECRET}, "already"),
        ({"secret": "whsec_hunter2"}, "base64"),
        ({"secret": "whsk_hunter2", "scheme": "v1a"}, "ed25519"),
        ({"secret": keys.new_private_key()}, "other keys"),
        ({"secret": f"{keys.new_secret()} {keys.new_secret()}"}, "one of each"),
        ({"scheme": "v2"}, "no scheme"),
    ):
        with pytest.raises(RefusedError, match=said) as caught:
            rotate(desk, **how)
        assert "hunter2" not in str(caught.value)
        assert endpoint(desk).secret == before
    with desk.store.write() as session, pytest.raises(NotFoundError):
        endpoints.rotate(session, known(desk), "nobody", actor="wang", now=desk.home.clock())


def test_keys_stand_nowhere_in_clear(desk: Any, receiver: Any, caplog: pytest.LogCaptureFixture) -> None:
    """After a rotation none of the secret keys, old or new, is in a table, in the audit trail or in the log."""
    caplog.set_level("DEBUG")
    desk.endpoint(receiver.url, scheme="both")
    secrets = desk.home.keys.decrypt(endpoint(desk).secret).split()
    receiver.answer = lambda got: (500, {}, " ".join(secrets).encode())
    rotate(desk)
    secrets += desk.home.keys.decrypt(endpoint(desk).secret).split()
    desk.events(desk.people(1))
    desk.deliver()
    with desk.store.read() as session:
        tables = inspect(session.connection()).get_table_names()
        everything = "\n".join(repr(session.execute(text(f'SELECT * FROM "{table}"')).all()) for table in tables)
        acts = [act for act in session.query(AuditEntry) if act.action == "endpoint.rotate"]
    assert len(set(secrets)) == 4
    for secret in secrets:
        assert secret.partition("_")[2] not in everything + caplog.text
    assert [(act.actor, act.subject) for act in acts] == [("wang", "endpoint:hr")]
    assert endpoint(desk).public_key in json.dumps(acts[0].after)


@pytest.mark.parametrize("length", [32, 64])
def test_a_private_key_is_taken_with_and_without_the_public_one_behind_it(length: int) -> None:
    """Both ways of writing an ed25519 private key give the same public key; another length or a wrong pair is refused."""
    seed = bytes(range(32))
    public = VerifyKey(base64.b64decode(keys.public_key(written(seed)).removeprefix("whpk_"))).encode()  # type: ignore[union-attr]
    assert keys.public_key(written((seed + public)[:length])) == keys.public_key(written(seed))
    for wrong in (seed[:31], seed + public[::-1], b""):
        with pytest.raises(RefusedError):
            keys.check_key(written(wrong))


def written(raw: bytes) -> str:
    """A private key of these bytes as it is written."""
    return "whsk_" + base64.b64encode(raw).decode()


def test_our_own_verification_knows_v1a() -> None:
    """`verify` takes a public key, refuses a changed body, and is not disturbed by malformed signatures beside it."""
    private = keys.new_private_key()
    public = keys.public_key(private) or ""
    headers = Signer(private).headers("m", b"{}", NOW)
    headers["webhook-signature"] = f"v1a,*** v1a, v1a,QUJD {headers['webhook-signature']}"
    assert verify([public], headers, b"{}", NOW) == "m"
    with pytest.raises(SignatureError):
        verify([public], headers, b"{ }", NOW)
    with pytest.raises(SignatureError):
        verify([SECRET], headers, b"{}", NOW)


def test_the_file_holds_what_the_receiver_needs_and_no_private_key(run: Any, receiver: Any, tmp_path: Path) -> None:
    """`endpoint add --scheme both` writes the secret and the public key; `rotate` makes others; `show` shows the public."""
    file, newer = tmp_path / "keys", tmp_path / "newer"
    added = run("endpoint", "add", "hr", receiver.url, "--scheme", "both", "--secret-file", str(file))
    assert added.exit_code == 0, added.output
    secret, public = file.read_text().split()
    assert (secret[:6], public[:5]) == ("whsec_", "whpk_")
    assert public in added.output
    assert secret not in added.output
    assert json.loads(run("endpoint", "show", "hr").output)["public_key"] == public
    rotated = run("endpoint", "rotate", "hr", "--secret-file", str(newer))
    assert (rotated.exit_code, "sign beside them until" in rotated.output) == (0, True)
    assert not set(newer.read_text().split()) & {secret, public}
    shown = run("endpoint", "show", "hr").output
    assert "whsec_" not in shown + run("endpoint", "list", "--format", "json").output
    assert json.loads(shown)["old_key_until"] is not None
    assert "already" in run("endpoint", "rotate", "hr", "--secret-file", str(newer)).output
    assert run("endpoint", "rotate", "hr").exit_code == 2


def test_a_key_pair_needs_no_secret_to_be_shown(run: Any, receiver: Any, tmp_path: Path) -> None:
    """With v1a nothing secret has to be handed over: the public key is printed; an own private key is taken from a file."""
    assert "whpk_" in run("endpoint", "add", "hr", receiver.url, "--scheme", "v1a").output
    private = keys.new_private_key()
    file = tmp_path / "own"
    file.write_text(private + "\n")
    added = run("endpoint", "add", "other", receiver.url, "--scheme", "v1a", "--secret-file", str(file))
    assert keys.public_key(private) in added.output
    assert private not in added.output
    assert "whsk_" not in run("endpoint", "rotate", "hr").output

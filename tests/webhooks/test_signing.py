"""Signatures, against the library that receivers use and against what they may be sent."""

import base64
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from plugin.errors import RefusedError
from webhooks.standard.signing import HeadersError, SignatureError, Signer, check_secret, new_secret, verify

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
BODY = '{"name":"张伟"}'.encode()


def test_the_reference_library_verifies_what_we_sign() -> None:
    """A receiver with the reference library accepts our headers over the exact bytes, and no others."""
    now = datetime.now(UTC)  # the library looks at the machine's clock
    headers = Signer(SECRET).headers("msg_1", BODY, now)
    assert Webhook(SECRET).verify(BODY, headers) == {"name": "张伟"}
    with pytest.raises(Exception, match="No matching signature"):
        Webhook(SECRET).verify(BODY + b" ", headers)


def test_a_known_signature() -> None:
    """The signature of a fixed id, moment and body is the one that the specification's formula gives."""
    headers = Signer(SECRET).headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', datetime.fromtimestamp(1614265330, UTC)
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_moment_elsewhere_is_the_same_moment() -> None:
    """The same moment in another time zone gives the same headers."""
    elsewhere = NOW.astimezone(timezone(timedelta(hours=8)))
    assert Signer(SECRET).headers("m", BODY, NOW) == Signer(SECRET).headers("m", BODY, elsewhere)


def test_verifying_takes_either_secret_of_a_rotation() -> None:
    """While one secret replaces another, a message signed with either is accepted, under several signatures too."""
    other = new_secret()
    first, second = Signer(SECRET).headers("m", BODY, NOW), Signer(other).headers("m", BODY, NOW)
    assert verify([SECRET, other], second, BODY, NOW) == "m"
    both = {**first, "webhook-signature": f"v1a,abc {second['webhook-signature']} {first['webhook-signature']}"}
    assert verify([SECRET], both, BODY, NOW) == "m"


def test_a_tampered_message_is_refused() -> None:
    """A changed byte, id or moment, another secret, or a re-serialised body no longer fits the signature."""
    headers = Signer(SECRET).headers("m", BODY, NOW)
    moved = {**headers, "webhook-timestamp": str(int(NOW.timestamp()) + 1)}
    for changed, body in (
        (headers, BODY.replace(b"name", b"Name")),
        (headers, BODY.replace(b":", b": ")),
        ({**headers, "webhook-id": "n"}, BODY),
        (moved, BODY),
    ):
        with pytest.raises(SignatureError):
            verify([SECRET], changed, body, NOW)
    with pytest.raises(SignatureError):
        verify([new_secret()], headers, BODY, NOW)


@pytest.mark.parametrize("change", [{"webhook-id": ""}, {"webhook-timestamp": "soon"}, {"webhook-timestamp": "9" * 40}])
def test_bad_headers_are_their_own_failure(change: dict[str, str]) -> None:
    """A missing id or an unreadable timestamp is a failure of the headers, not of the signature."""
    with pytest.raises(HeadersError):
        verify([SECRET], {**Signer(SECRET).headers("m", BODY, NOW), **change}, BODY, NOW)


@pytest.mark.parametrize("minutes", [-6, 6])
def test_an_old_or_future_timestamp_is_refused(minutes: int) -> None:
    """A message made more than five minutes before or after now is refused, so that it cannot be played back."""
    with pytest.raises(HeadersError):
        verify([SECRET], Signer(SECRET).headers("m", BODY, NOW + timedelta(minutes=minutes)), BODY, NOW)


@given(signature=st.text(), timestamp=st.text(), body=st.binary(), identifier=st.text())
def test_whatever_is_sent_fails_in_two_ways_only(signature: str, timestamp: str, body: bytes, identifier: str) -> None:
    """Verification raises nothing but its own two exceptions, for any headers and any bytes."""
    headers = {"webhook-id": identifier, "webhook-timestamp": timestamp, "webhook-signature": signature}
    with pytest.raises((HeadersError, SignatureError)):
        verify([SECRET], headers, body, NOW)
    fitting = {"webhook-id": "m", "webhook-timestamp": str(int(NOW.timestamp())), "webhook-signature": signature or "x"}
    with pytest.raises((HeadersError, SignatureError)):
        verify([SECRET], fitting, body, NOW)


@pytest.mark.parametrize("size", [0, 23, 65])
def test_a_secret_has_24_to_64_bytes(size: int) -> None:
    """Shorter and longer secrets are refused, without repeating them; a new one is fine."""
    check_secret(new_secret())
    secret = "whsec_" + base64.b64encode(b"\xab" * size).decode()
    with pytest.raises(RefusedError) as caught:
        check_secret(secret)
    assert "q6ur" not in str(caught.value)
    with pytest.raises(RefusedError):
        check_secret("not base64, no prefix")

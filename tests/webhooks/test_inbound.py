"""Events of HR as they arrive: verified, stored once, refused with the right status, counted."""

import base64
from datetime import timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook

from connectors import doors
from plugin.installation import Installation
from plugin.secrets import KeyRing
from tests.conftest import START
from tests.webhooks.inbound_world import OTHER, SECRET, Hr
from webhooks import inbound_senders as senders
from webhooks.inbound_api import LARGEST
from webhooks.inbound_models import InboundSender
from webhooks.inbound_types import TYPES, schemas

LEFT = {"employee_number": "E1", "effective_date": "2026-12-31"}


@pytest.fixture
def hr(installation: Installation) -> Hr:
    """An HR system that may send events."""
    return Hr(installation)


def counted(hr: Hr) -> dict[tuple[str, str], int]:
    """How often each thing happened, by name and outcome."""
    with hr.home.store.read() as session:
        return {(row.name, row.outcome): row.times for row in doors.counts(session, doors.INBOUND)}


def test_a_signed_event_is_stored_as_it_came_and_wakes(hr: Hr) -> None:
    """An event is answered 202 and stands whole in the store, unworked, before anybody works on it."""
    body = GOOD.replace(b", ", b",\n ").replace(b"01:00:00Z", b"09:00:00+08:00")
    answer = hr.send(body=body, message_id="evt_1")
    assert (answer.status_code, answer.get_json(), hr.woken) == (202, {"status": "accepted"}, ["inbound_events"])
    (event,) = hr.events()
    assert (event.message_id, event.sender, event.type, event.state) == ("evt_1", "hr", "employee.left", "waiting")
    assert (event.body.encode(), event.received_at, event.subject) == (body, START, "person:E1")
    assert str(event.occurred_at) == "2026-11-23 01:00:00+00:00"
    assert hr.person("E1").left_on is None  # type: ignore[union-attr]


def test_the_same_again_is_known(hr: Hr) -> None:
    """An event that comes again under its id is answered 200, stored once, wakes nobody again, and is counted so."""
    hr.send(data=LEFT, message_id="evt_1")
    assert hr.send(data=LEFT, message_id="evt_1").status_code == 200
    assert hr.send(data=LEFT, message_id="evt_1", off=timedelta(seconds=200)).status_code == 200
    assert (len(hr.events()), hr.woken) == (1, ["inbound_events"])
    assert counted(hr) == {("hr", "taken"): 1, ("hr", "known"): 2}


def test_another_event_under_a_known_id_is_a_conflict(hr: Hr) -> None:
    """Two different events under one id: the second is answered 409, and the first stands as it was."""
    hr.send(data=LEFT, message_id="evt_1")
    answer = hr.send(data={**LEFT, "employee_number": "E9"}, message_id="evt_1")
    assert (answer.status_code, len(hr.events()), hr.events()[0].employee_number) == (409, 1, "E1")


GOOD = b'{"type": "employee.left", "timestamp": "2026-11-23T01:00:00Z", "data": {"employee_number": "E1", "effective_date": "2026-12-31"}}'


@pytest.mark.parametrize(
    ("given", "status", "outcome"),
    [
        ({"secret": OTHER}, 401, "signature"),
        ({"webhook_signature": "v1"}, 401, "signature"),
        ({"webhook_signature": "v1,%%%"}, 401, "signature"),
        ({"webhook_signature": "v1,AAAA  v1,BBBB"}, 401, "signature"),
        ({"webhook_signature": "v2,AAAA"}, 401, "signature"),
        ({"webhook_signature": "Ã¤,Ã¶"}, 401, "signature"),
        ({"webhook_signature": ""}, 400, "headers"),
        ({"webhook_id": ""}, 400, "headers"),
        ({"webhook_timestamp": ""}, 400, "headers"),
        ({"webhook_timestamp": "-1"}, 400, "headers"),
        ({"webhook_timestamp": "1e9"}, 400, "headers"),
        ({"webhook_timestamp": "99999999999999999999"}, 400, "headers"),
        ({"message_id": "a b"}, 400, "headers"),
        ({"message_id": "x" * 201}, 400, "headers"),
        ({"off": timedelta(minutes=-5, seconds=-1)}, 400, "stale"),
        ({"off": timedelta(minutes=5, seconds=1)}, 400, "stale"),
        ({"webhook_timestamp": "99999999999"}, 400, "stale"),
        ({"content_type": "text/plain"}, 415, "media_type"),
        ({"content_type": ""}, 415, "media_type"),
        ({"body": b"\xff\xfe{}"}, 400, "malformed"),
        ({"body": b""}, 400, "malformed"),
        ({"body": b"no json"}, 400, "malformed"),
        ({"body": GOOD + b"x"}, 400, "malformed"),
        ({"body": GOOD.replace(b'"data"', b'"type": "employee.left", "data"')}, 400, "malformed"),
        ({"body": GOOD.replace(b'"E1"', b"NaN")}, 400, "malformed"),
        ({"body": GOOD.replace(b'"E1"', b"9" * 5000)}, 400, "malformed"),
        ({"body": b"[" * 60_000}, 400, "malformed"),
        ({"body": b" " * (LARGEST + 1)}, 413, "too_large"),
        ({"body": b"[]"}, 422, "invalid"),
        ({"body": b"null"}, 422, "invalid"),
        ({"body": b"{}"}, 422, "invalid"),
        ({"body": GOOD.replace(b"left", b"married")}, 422, "unknown_type"),
        ({"body": GOOD.replace(b'"E1"', b"7")}, 422, "invalid"),
        ({"body": GOOD.replace(b'"E1"', b'""')}, 422, "invalid"),
        ({"body": GOOD.replace(b'"E1"', b'"E\\u0000"')}, 422, "invalid"),
        ({"body": GOOD.replace(b'"E1"', b'"\\ud800"')}, 422, "invalid"),
        ({"body": GOOD.replace(b"2026-12-31", b"2026-02-30")}, 422, "invalid"),
        ({"body": GOOD.replace(b"2026-12-31", b"31.12.2026")}, 422, "invalid"),
        ({"body": GOOD.replace(b"01:00:00Z", b"01:00:00")}, 422, "invalid"),
        ({"body": GOOD.replace(b'"E1"', b'"E1", "reason": "x"')}, 422, "invalid"),
        ({"body": GOOD.replace(b'"data"', b'"schema": "2", "data"')}, 422, "invalid"),
        ({"type_": "employee.hired", "data": LEFT}, 422, "invalid"),
        ({"type_": "employee.moved", "data": LEFT}, 422, "invalid"),
        ({"type_": "employee.moved", "data": {**LEFT, "manager": "E1"}}, 422, "invalid"),
        ({"type_": "promotion.proposed", "data": {"promotion_id": "a b"}}, 422, "invalid"),
    ],
)
def test_what_is_wrong_is_refused_counted_and_not_stored(
    hr: Hr, given: dict[str, Any], status: int, outcome: str
) -> None:
    """Each kind of wrong event has its own status and count; nothing is stored, nobody woken, and no value repeated."""
    answer = hr.send(**{"data": LEFT, **given} if "body" not in given else given)
    assert (answer.status_code, hr.events(), hr.woken) == (status, [], []), answer.get_data(as_text=True)
    assert counted(hr) == {("hr", outcome): 1}
    assert answer.get_json()["detail"]
    assert "E1" not in answer.get_data(as_text=True)


@pytest.mark.parametrize("name", ["nobody", "HR", "hr%00", "x" * 300])
def test_strangers_are_not_found_and_counted_together(hr: Hr, name: str) -> None:
    """Whoever is not a sender gets 404, whatever they sign with, under one name that is nobody's."""
    assert hr.send(data=LEFT, name=name).status_code == 404
    assert set(counted(hr)) <= {("", "unknown")}


def test_only_post_is_offered(hr: Hr) -> None:
    """Other methods are answered 405."""
    assert hr.client.get("/api/v1/inbound/hr").status_code == 405
    assert hr.client.put("/api/v1/inbound/hr").status_code == 405


def test_what_is_wrong_is_named_by_field(hr: Hr) -> None:
    """A refused event's findings name each field at fault."""
    answer = hr.send("employee.hired", {"employee_number": "E7", "effective_date": "2026-13-01", "colour": "red"})
    assert {one["field"] for one in answer.get_json()["findings"]} == {
        "data.effective_date",
        "data.name",
        "data.colour",
    }


def test_a_message_signed_by_the_library_is_taken(hr: Hr) -> None:
    """What the specification's own library signs is verified here."""
    body = GOOD.decode()
    header = Webhook(SECRET).sign("msg_1", START, body)
    answer = hr.send(body=GOOD, message_id="msg_1", webhook_signature=f"v1a,x {header}")
    assert answer.status_code == 202


def test_both_secrets_are_good_for_a_day(hr: Hr) -> None:
    """After a rotation the former secret is good for 24 hours and not a second longer; the new one at once."""
    home = hr.home
    with home.store.write() as session:
        new = senders.rotate(session, home.keys, "hr", actor="test", now=START)
    assert {hr.send(data=LEFT, secret=secret).status_code for secret in (SECRET, new)} == {202}
    hr.move_clock(START + timedelta(hours=24))
    assert (hr.send(data=LEFT).status_code, hr.send(data=LEFT, secret=new).status_code) == (401, 202)


def test_secrets_stand_encrypted(hr: Hr) -> None:
    """Neither secret of a sender stands in the store in clear."""
    with hr.home.store.write() as session:
        new = senders.rotate(session, hr.home.keys, "hr", actor="test", now=START)
    with hr.home.store.read() as session:
        row = senders.find_sender(session, "hr")
    assert SECRET not in repr(vars(row)) and new not in repr(vars(row))
    assert [hr.home.keys.decrypt(row.secret), hr.home.keys.decrypt(row.old_secret or "")] == [new, SECRET]


def test_a_secret_that_does_not_open_is_our_fault(hr: Hr) -> None:
    """Without the key an event is answered 503, to be sent again, and not counted as the sender's mistake."""
    hr.home.keys = KeyRing([base64.urlsafe_b64encode(b"k" * 32).decode()])
    assert (hr.send(data=LEFT).status_code, counted(hr)) == (503, {})


def test_a_disabled_sender_is_not_found_and_enabled_again(hr: Hr) -> None:
    """Nothing is taken from a sender that was switched off, until it is switched on again."""
    for on, status in ((False, 404), (True, 202)):
        with hr.home.store.write() as session:
            senders.switch(session, "hr", "test", START, on=on)
        assert hr.send(data=LEFT).status_code == status


def test_a_sender_may_be_held_to_some_types(hr: Hr) -> None:
    """A sender that may only tell of promotions is refused everything else."""
    with hr.home.store.write() as session:
        senders.find_sender(session, "hr").types = ["promotion.closed", "promotion.proposed"]
    assert hr.send(data=LEFT).status_code == 422
    assert hr.send("promotion.closed", {"promotion_id": "PR-1"}).status_code == 202


def test_schemas_say_what_is_taken() -> None:
    """There is a schema for every type; it names the type and closes the data."""
    found = schemas()
    assert set(found) == set(TYPES)
    assert all(schema["properties"]["type"] == {"const": name} for name, schema in found.items())
    assert all(schema["properties"]["data"]["additionalProperties"] is False for schema in found.values())


def test_a_sender_is_shown_without_its_secret() -> None:
    """The repr of a sender names it and nothing else."""
    assert repr(InboundSender(name="hr", secret="x")) == "<InboundSender hr>"

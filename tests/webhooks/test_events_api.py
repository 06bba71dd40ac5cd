"""The API of events, for systems that pull."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from plugin.accounts import create_token
from plugin.models import Event, Person
from plugin.web import create_app


@pytest.fixture
def client(desk: Any) -> FlaskClient:
    """A caller with a token for events."""
    with desk.store.write() as session:
        token = create_token(session, "a system", ["events:read"], desk.home.clock())
    client = create_app(desk.home).test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return client


def read_on(client: FlaskClient, after: int = 0, **chosen: Any) -> tuple[list[dict[str, Any]], int]:
    """Every event after a place, part by part, and how far that reaches."""
    found: list[dict[str, Any]] = []
    while True:
        made = client.get("/api/v1/events", query_string={"after": after, **chosen}).json
        assert len(made["events"]) <= chosen.get("limit", 100)
        found += made["events"]
        assert made["next"] >= after
        after = made["next"]
        if not made["more"]:
            return found, after


def test_events_are_read_on_from_the_last_place(desk: Any, client: FlaskClient) -> None:
    """Parts of any size give each event once, each person's in their order; later ones are found from where that ended."""
    people = desk.people(5)
    for code in ("FIRE", "FORKLIFT"):
        desk.events(people, code, status="certified")
    found, place = read_on(client, limit=3)
    assert [each["position"] for each in found] == list(range(1, 11))
    assert len({each["id"] for each in found}) == 10
    for person in people:
        mine = [each["data"] for each in found if each["data"]["subject"].startswith(f"certification:{person}:")]
        assert [data["sequence"] for data in mine] == [1, 2]
    assert read_on(client, place) == ([], place)
    desk.event(people[2], "FIRE", "certification.expired", status="expired")
    [new], place = read_on(client, place)
    assert (new["type"], new["schema"], new["position"], place) == ("certification.expired", "1", 11, 11)
    assert (new["data"]["sequence"], new["data"]["status"]) == (3, "expired")


def test_some_events_only(desk: Any, client: FlaskClient) -> None:
    """A type is chosen, and the past left out; the place passes over what was not wanted."""
    first, second = desk.people(2)
    desk.event(first)
    desk.event(second, kind="certification.expired")
    desk.event(first, "FIRE")
    with desk.store.write() as session:
        session.execute(update(Event).where(Event.person_id == first, Event.sequence == 1).values(backfill=True))
    assert sorted(each["data"]["sequence"] for each in read_on(client, limit=1, backfill="none")[0]) == [1, 2]
    found, place = read_on(client, type="certification.expired")
    assert ([each["type"] for each in found], place) == (["certification.expired"], 3)


def test_what_is_in_an_event(desk: Any, client: FlaskClient) -> None:
    """An event is what a thin message says; what only full ones hold is not in it."""
    [person] = desk.people(1)
    desk.event(person, status="certified", criteria=["secret"])
    [[event], _] = read_on(client)
    assert "criteria" not in event["data"]
    assert event["data"]["backfill"] is False
    assert event["timestamp"] == "2026-11-23T02:00:00Z"


def test_of_somebody_erased_only_that_is_there(desk: Any, client: FlaskClient) -> None:
    """Former events of an erased person are gone, the notice stays until it is blanked, and places stay as they were."""
    first, second = desk.people(2)
    desk.event(first)
    desk.event(second)
    read_on(client)
    desk.event(first, kind="person.erased", employee_number="E0001")
    with desk.store.write() as session:
        session.execute(update(Person).where(Person.id == first).values(erased_at=desk.home.clock()))
    assert [each["type"] for each in read_on(client)[0]] == ["certification.awarded", "person.erased"]
    with desk.store.write() as session:
        session.execute(update(Event).where(Event.person_id == first).values(subject="", data={}))
    found, place = read_on(client)
    assert ([each["data"]["subject"] for each in found], place) == ([f"certification:{second}:FORKLIFT"], 3)


@pytest.mark.parametrize("wrong", ["after=-1", "after=x", "after=9223372036854775808", "type=nothing", "limit=0"])
def test_what_cannot_be_asked(client: FlaskClient, wrong: str) -> None:
    """A place that is none, an unknown type and a part without room are refused by name."""
    answer = client.get(f"/api/v1/events?{wrong}")
    assert (answer.status_code, answer.json["findings"][0]["field"]) == (422, wrong.partition("=")[0])


def test_a_place_beyond_the_end_stays_there(client: FlaskClient) -> None:
    """Whoever asks after a place that is not there yet is given it back, and nothing else."""
    made = client.get("/api/v1/events?after=9223372036854775807").json
    assert made == {"events": [], "next": 9223372036854775807, "more": False}

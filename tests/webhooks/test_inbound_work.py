"""What events of HR change, in which order, and what is held when it cannot be applied."""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from connectors.models import SourceUser
from connectors.records import UserRecord
from connectors.storing import Moment, store_records
from metrics.certification.models import Promotion
from plugin.errors import NotFoundError, RefusedError
from plugin.installation import Installation
from plugin.models import AuditEntry, Touched
from plugin.people import Employee, record_employees
from tests.conftest import START
from tests.webhooks.inbound_world import Hr
from webhooks import inbound_senders as senders
from webhooks import inbound_work
from webhooks.inbound_models import DISCARDED, DONE, HELD, RECEIVED

HIRED = {
    "employee_number": "E2", "effective_date": "2026-11-20", "name": "陈美", "email": "mei@acme.example",
    "department": "Production", "position": "Operator", "grade": "G1", "manager": "E9",
}  # fmt: skip


@pytest.fixture
def hr(installation: Installation) -> Hr:
    """An HR system that may send events."""
    return Hr(installation)


def test_somebody_is_hired(hr: Hr) -> None:
    """The person stands in the store as the roster would have made them, and their account is bound at once."""
    with hr.home.store.write() as session:
        moment = Moment(START, date(2026, 11, 23))
        store_records(session, "lms", [UserRecord("7", "mei", "E2", "mei@acme.example", "Mei")], None, moment)
    event = hr.tell("employee.hired", **HIRED)
    person = hr.person("E2")
    assert (event.state, event.reason) == (DONE, "created")
    assert person is not None
    assert (person.name, person.email, person.joined_on) == ("陈美", "mei@acme.example", date(2026, 11, 20))
    assert hr.places("E2") == [(date(2026, 11, 20), None, "Production", "Operator", "G1", "E9")]
    with hr.home.store.read() as session:
        assert session.scalars(select(SourceUser.unbound_reason)).one() is None
        assert session.scalars(select(Touched.person_id).where(Touched.person_id == person.id)).one() == person.id
    assert hr.woken == ["inbound_events", "people_touched"]


def test_somebody_is_moved_from_their_day_on(hr: Hr) -> None:
    """A move told some days late holds from its own day; what is not named stays, and null takes away."""
    event = hr.tell("employee.moved", employee_number="E1", effective_date="2026-11-16", grade="G5", manager=None)
    assert (event.state, event.reason) == (DONE, "updated")
    assert hr.places("E1") == [
        (date(2020, 1, 1), date(2026, 11, 16), "Production", "Operator", "G1", "E9"),
        (date(2026, 11, 16), None, "Production", "Operator", "G5", None),
    ]
    assert hr.person("E1").email == "ann@acme.example"  # type: ignore[union-attr]


def test_a_move_of_a_later_day_waits_for_it(hr: Hr) -> None:
    """A move that is told before its day is written down on that day of the organisation, not before, not twice."""
    event = hr.tell("employee.moved", employee_number="E1", effective_date="2026-12-01", position="Leader")
    assert (event.state, event.due_on, len(hr.places("E1"))) == (RECEIVED, date(2026, 12, 1), 1)
    hr.move_clock(START.replace(month=11, day=30, hour=15, minute=59))  # 23:59 in Shanghai
    assert inbound_work.work(hr.home).done == 0
    hr.move_clock(START.replace(month=11, day=30, hour=16))
    assert [inbound_work.work(hr.home).done for _ in range(2)] == [1, 0]
    assert [place[:2] for place in hr.places("E1")] == [
        (date(2020, 1, 1), date(2026, 12, 1)),
        (date(2026, 12, 1), None),
    ]


def test_somebody_leaves(hr: Hr) -> None:
    """The day on which somebody is not there any more stands in their record at once, also when it lies ahead."""
    assert hr.tell("employee.left", employee_number="E1", effective_date="2026-12-31").state == DONE
    assert hr.person("E1").left_on == date(2026, 12, 31)  # type: ignore[union-attr]
    later = "2026-11-23T01:30:00Z"
    assert hr.tell("employee.left", later, employee_number="E1", effective_date="2026-12-15").state == DONE
    assert hr.person("E1").left_on == date(2026, 12, 15)  # type: ignore[union-attr]


def test_somebody_comes_back(hr: Hr) -> None:
    """A leaver who is hired again is with the organisation again, and the time before stays on record."""
    hr.tell("employee.left", "2026-11-01T00:00:00Z", employee_number="E1", effective_date="2026-11-10")
    again = {**HIRED, "employee_number": "E1", "effective_date": "2026-11-23", "grade": "G5"}
    assert hr.tell("employee.hired", **again).state == DONE
    person = hr.person("E1")
    assert person is not None
    assert (person.joined_on, person.left_on) == (date(2026, 11, 23), None)
    assert [place[:2] for place in hr.places("E1")] == [
        (date(2020, 1, 1), date(2026, 11, 23)),
        (date(2026, 11, 23), None),
    ]


def test_promotions_are_proposed_and_closed(hr: Hr) -> None:
    """A proposal and its closing do what the API does, in the sender's name."""
    asked = {"promotion_id": "PR-7", "employee_number": "E1", "to_position": "Leader", "effective_date": "2027-01-01"}
    assert hr.tell("promotion.proposed", **asked).reason == "created"
    assert hr.tell("promotion.closed", promotion_id="PR-7").reason == "closed"
    with hr.home.store.read() as session:
        record = session.scalars(select(Promotion)).one()
        acts = session.execute(select(AuditEntry.actor, AuditEntry.action).order_by(AuditEntry.id)).all()
    assert (record.promotion_id, record.closed_at) == ("PR-7", START)
    assert {("inbound hr", "promotion.propose"), ("inbound hr", "promotion.close")} <= {tuple(act) for act in acts}


@pytest.mark.parametrize(
    ("type_", "data", "says"),
    [
        (
            "employee.moved",
            {"employee_number": "E404", "effective_date": "2026-11-20", "grade": "G1"},
            "no employee with",
        ),
        ("employee.left", {"employee_number": "E404", "effective_date": "2026-11-20"}, "no employee with"),
        (
            "employee.moved",
            {"employee_number": "E1", "effective_date": "2026-11-20", "position": "Pope"},
            "no position",
        ),
        (
            "employee.moved",
            {"employee_number": "E1", "effective_date": "2026-11-20", "manager": "E404"},
            "no employee E404",
        ),
        ("employee.moved", {"employee_number": "E1", "effective_date": "2019-12-31", "grade": "G5"}, "They join on"),
        ("employee.left", {"employee_number": "E1", "effective_date": "2019-12-31"}, "they join on"),
        ("employee.hired", {**HIRED, "employee_number": "E1"}, "with the organisation already"),
        ("employee.hired", {**HIRED, "department": "Moon"}, "no department"),
        (
            "promotion.proposed",
            {"promotion_id": "P", "employee_number": "E404", "effective_date": "2027-01-01"},
            "E404",
        ),
        ("promotion.closed", {"promotion_id": "P-404"}, "P-404"),
    ],
)
def test_what_cannot_be_applied_is_held_with_its_reason(hr: Hr, type_: str, data: dict[str, Any], says: str) -> None:
    """An event that fits nothing here changes nothing, is held whole, and says why."""
    event = hr.tell(type_, **data)
    assert event.state == HELD
    assert says in (event.reason or "")
    assert (hr.person("E2"), len(hr.places("E1"))) == (None, 1)
    assert [one.kind for one in inbound_work.troubles(hr.home)] == ["held"]


def test_leavers_are_not_moved(hr: Hr) -> None:
    """Somebody who has left by the day is not moved."""
    hr.tell("employee.left", employee_number="E1", effective_date="2026-11-20")
    event = hr.tell("employee.moved", employee_number="E1", effective_date="2026-11-22", grade="G5")
    assert (event.state, "They left on 2026-11-20" in (event.reason or "")) == (HELD, True)


def test_new_units_are_made_for_who_may(hr: Hr) -> None:
    """A sender that was added so makes the positions that it names."""
    with hr.home.store.write() as session:
        senders.find_sender(session, "hr").creates_units = True
    assert hr.tell("employee.hired", **{**HIRED, "position": "Diver"}).state == DONE
    assert hr.places("E2")[0][3] == "Diver"


def test_held_events_go_on_once_they_can(hr: Hr) -> None:
    """A move that came before its hiring is applied after it, in the order of their days, without anybody's doing."""
    assert hr.tell("employee.moved", employee_number="E2", effective_date="2026-11-22", grade="G5").state == HELD
    hr.tell("employee.hired", **HIRED)
    assert inbound_work.work(hr.home).done == 1
    assert {event.state for event in hr.events()} == {DONE}
    assert [place[4] for place in hr.places("E2")] == ["G1", "G5"]


def test_held_events_go_on_when_the_roster_knows_the_person(hr: Hr) -> None:
    """What is held about somebody unknown is applied after the roster has brought them."""
    hr.tell("employee.left", employee_number="E2", effective_date="2026-12-01")
    hr.move_clock(START + timedelta(hours=1))
    assert inbound_work.work(hr.home) == inbound_work.Tally()
    with hr.home.store.write() as session:
        record_employees(session, [Employee("E2", "Mei")], date(2026, 11, 23), hr.home.clock())
    assert inbound_work.work(hr.home).done == 1
    assert hr.person("E2").left_on == date(2026, 12, 1)  # type: ignore[union-attr]


def test_held_events_are_retried_and_discarded_by_hand(hr: Hr) -> None:
    """Retrying applies what can be applied now; discarding needs a reason, and takes the event out for good."""
    hr.tell("employee.moved", employee_number="E1", effective_date="2026-11-20", position="Pope")
    with hr.home.store.write() as session:
        record_employees(session, [Employee("E8", "Pius", position="Pope")], date(2026, 11, 23), START)
    with hr.home.store.write() as session:
        assert inbound_work.retry(session, None, "me", START) == [1]
    assert inbound_work.work(hr.home).done == 1
    hr.tell("employee.left", employee_number="E404", effective_date="2026-11-20")
    with hr.home.store.write() as session:
        with pytest.raises(NotFoundError):
            inbound_work.retry(session, [1], "me", START)
        with pytest.raises(RefusedError, match="Say why"):
            inbound_work.discard(session, 2, " ", "me", START)
        inbound_work.discard(session, 2, "never was one of ours", "me", START)
    assert hr.events()[1].state == DISCARDED
    assert list(inbound_work.troubles(hr.home)) == []


def test_events_lead_forward_only(hr: Hr) -> None:
    """What came late and was overtaken is held: an older proposal, an older leaving, an older move of the same day."""
    early, late = "2026-11-22T00:00:00Z", "2026-11-22T12:00:00Z"
    day, asked = (
        {"employee_number": "E1", "effective_date": "2026-11-20"},
        {"promotion_id": "P", "employee_number": "E1"},
    )
    assert hr.tell("employee.moved", late, **day, grade="G5").state == DONE
    assert hr.tell("employee.moved", early, **day, grade="G1").state == HELD
    assert hr.tell("promotion.proposed", late, **asked, effective_date="2027-02-01").state == DONE
    assert hr.tell("promotion.proposed", early, **asked, effective_date="2027-01-01").state == HELD
    assert hr.tell("employee.left", late, employee_number="E1", effective_date="2027-06-30").state == DONE
    assert hr.tell("employee.left", early, employee_number="E1", effective_date="2027-05-31").state == HELD
    assert hr.places("E1")[-1][4] == "G5"


def test_one_that_cannot_be_applied_stops_nobody(hr: Hr) -> None:
    """A held event in the middle lets everything behind it through, also of the same person."""
    hr.send("employee.moved", {"employee_number": "E1", "effective_date": "2026-11-20", "position": "Pope"})
    hr.send("employee.moved", {"employee_number": "E1", "effective_date": "2026-11-21", "grade": "G5"})
    hr.send("employee.hired", HIRED)
    tally = inbound_work.work(hr.home)
    assert (tally.done, tally.held, tally.failed) == (2, 1, 0)


def test_what_fails_here_is_tried_again_in_its_order(hr: Hr, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the store fails, the event and those behind it of the same person wait; others go on; later all is done in order."""
    real, broken = inbound_work.apply, {"E1"}

    def apply(home: Any, session: Any, event: Any, data: Any, now: Any) -> str:
        if data.employee_number in broken:
            raise OperationalError("x", None, Exception("gone"))
        return real(home, session, event, data, now)

    monkeypatch.setattr(inbound_work, "apply", apply)
    hr.send("employee.moved", {"employee_number": "E1", "effective_date": "2026-11-20", "grade": "G5"})
    hr.send("employee.moved", {"employee_number": "E1", "effective_date": "2026-11-21", "grade": "G1"})
    hr.send("employee.hired", HIRED)
    tally = inbound_work.work(hr.home)
    assert (tally.done, tally.held, tally.failed) == (1, 0, 1)
    assert [event.state for event in hr.events()] == [RECEIVED, RECEIVED, DONE]
    broken.clear()
    assert inbound_work.work(hr.home).done == 2
    assert [place[4] for place in hr.places("E1")] == ["G1", "G5", "G1"]


def test_what_always_fails_here_is_held_in_the_end(hr: Hr, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event that makes something break is held after some tries, so that those behind it come to their turn."""

    def apply(*_args: Any) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr(inbound_work, "apply", apply)
    hr.send("employee.hired", HIRED)
    for _ in range(inbound_work.TRIES):
        inbound_work.work(hr.home)
    (event,) = hr.events()
    assert (event.state, "ZeroDivisionError" in (event.reason or "")) == (HELD, True)
    assert inbound_work.work(hr.home) == inbound_work.Tally()


def test_working_again_does_nothing_twice(hr: Hr) -> None:
    """Whoever works on events that were worked on changes nothing."""
    hr.tell("employee.hired", **HIRED)
    before = hr.places("E2"), hr.events()[0].worked_at
    hr.move_clock(START + timedelta(minutes=1))
    assert inbound_work.work(hr.home) == inbound_work.Tally()
    assert (hr.places("E2"), hr.events()[0].worked_at) == before

"""What is made of statements: accounts, evidence, and at the end certifications."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from connectors.models import XapiStatement
from connectors.records import EmployeeRecord, UserRecord
from connectors.sources import connector_of
from connectors.storing import Moment, store_records
from connectors.sync import sync
from connectors.xapi import work as working
from connectors.xapi.work import work
from plugin.models import Person
from plugin.people import Employee, record_employees
from tests.conftest import START
from tests.connectors.xapi.conftest import ID, OTHER_ID, PASSED, Lms, said, voiding

NOW = Moment(START, date(2026, 11, 23))


@pytest.fixture
def staffed(lms: Lms) -> Lms:
    """The LMS beside an organisation with Ann, whose address is known, and Bo."""
    with lms.home.store.write() as session:
        employees = [Employee("E1", "Ann", "ann@acme.example"), Employee("E2", "Bo", "bo@acme.example")]
        record_employees(session, employees, date(2026, 1, 1), START)
    return lms


def pieces(lms: Lms) -> list[tuple[str, str, str | None]]:
    """Source, object and void reason of all evidence."""
    return [(piece.source, piece.object, piece.void_reason) for piece in lms.evidence()]


def test_a_statement_is_evidence_of_its_person(staffed: Lms) -> None:
    """The actor's address finds the person, and everything that rules ask for stands in the piece of evidence."""
    staffed.tell(said(result={"success": True, "score": {"raw": 15, "min": 10, "max": 20, "scaled": 0.9}}))
    (piece,) = staffed.evidence()
    authority = f"{staffed.home.settings.web.public_url.rstrip('/')}/lms"
    assert (piece.kind, piece.source, piece.object, piece.verb) == (
        "statement",
        "lrs",
        "https://lms.example/quiz/1",
        PASSED,
    )
    assert (piece.percent, piece.success, piece.authority) == (Decimal(50), True, authority)
    assert (piece.achieved_at, piece.user_key) == (datetime(2026, 11, 22, 2, tzinfo=UTC), "mailto:ann@acme.example")
    assert [row.outcome for row in staffed.rows()] == ["evidence"]
    assert staffed.woken == ["statements_received", "people_touched"]


def test_the_same_again_is_no_second_piece(staffed: Lms) -> None:
    """A statement that comes again, with its id or without one, proves nothing more."""
    staffed.tell(said(id=ID))
    staffed.tell(said(id=ID))
    staffed.tell(said())
    staffed.tell(said())
    assert len(staffed.evidence()) == 2


def test_unknown_actors_wait_unlinked(staffed: Lms) -> None:
    """Actors that nobody is known by are accounts without a person; once linked, what they did counts."""
    actor = {"account": {"homePage": "https://x.example", "name": "E1"}, "name": "Ann"}
    staffed.tell(
        said(actor=actor), said(actor={"mbox_sha1sum": "0" * 40}), said(actor={"openid": "https://id.example/x"})
    )
    assert staffed.evidence() == []
    assert [(user.user_key, user.unbound_reason) for user in staffed.users()] == [
        ("https://x.example|E1", "unmatched"), ("sha1:" + "0" * 40, "unmatched"), ("https://id.example/x", "unmatched"),
    ]  # fmt: skip
    with staffed.home.store.write() as session:
        record_employees(session, [Employee("E3", "Cai", "cai@acme.example")], date(2026, 1, 1), START)
    staffed.tell(said(actor={"mbox": "mailto:cai@acme.example"}))
    assert len(staffed.evidence()) == 1


def test_what_came_before_the_person_counts_once_they_are_known(lms: Lms) -> None:
    """Statements of somebody whom the roster brings only later are evidence as soon as it has."""
    lms.tell(said())
    assert lms.evidence() == []
    with lms.home.store.write() as session:
        store_records(session, "roster", [EmployeeRecord(Employee("E1", "Ann", "ann@acme.example"))], None, NOW)
    assert len(lms.evidence()) == 1


@pytest.mark.parametrize("name", ["E2", "77", "bo"])
def test_accounts_are_who_the_settings_say(staffed: Lms, name: str) -> None:
    """An account's name is an employee number, or an account of another source, where its home page is set to be."""
    with staffed.home.store.write() as session:
        store_records(session, "moodle", [UserRecord("77", "bo", None, "bo@acme.example", "Bo")], None, NOW)
    page = "https://hr.example" if name == "E2" else "https://moodle.example"
    staffed.tell(said(actor={"account": {"homePage": page, "name": name}}))
    (piece,) = staffed.evidence()
    with staffed.home.store.read() as session:
        assert session.get_one(Person, piece.person_id).employee_number == "E2"


def test_voided_statements_count_no_more(staffed: Lms) -> None:
    """A voided statement's evidence is voided, with the reason; another one of the same person stays."""
    staffed.tell(said(id=ID), said(id=OTHER_ID, object={"id": "https://lms.example/quiz/2"}))
    staffed.tell(voiding(ID.upper()))
    assert pieces(staffed) == [
        ("lrs", "https://lms.example/quiz/1", "voided"), ("lrs", "https://lms.example/quiz/2", None),
    ]  # fmt: skip
    assert staffed.evidence()[0].voided_at == START


def test_a_voiding_may_come_first(staffed: Lms) -> None:
    """A statement whose voiding came before it never counts; in one batch neither."""
    staffed.tell(voiding(ID))
    staffed.tell(said(id=ID))
    staffed.tell(said(id=OTHER_ID), voiding(OTHER_ID))
    assert [piece for piece in pieces(staffed) if piece[2] is None] == []


def test_a_voiding_cannot_be_voided_and_not_from_elsewhere(staffed: Lms) -> None:
    """What voids a voiding statement changes nothing, nor does a voiding that another source sends."""
    staffed.tell(voiding(ID, id=OTHER_ID))
    staffed.tell(voiding(OTHER_ID))
    staffed.tell(said(id=ID))
    assert staffed.evidence() == []
    kept = "5c5b9a1e-1111-4222-8333-444455556666"
    staffed.tell(said(id=kept))
    staffed.tell(voiding(kept), user="lms2")
    assert pieces(staffed) == [("lrs", "https://lms.example/quiz/1", None)]


@pytest.mark.parametrize(
    ("more", "success", "percent"),
    [
        ({}, None, None),
        ({"result": {"success": True}}, True, None),
        ({"result": {"success": False, "completion": True}}, False, None),
        ({"result": {"success": True, "completion": False}}, False, None),
        ({"result": {"completion": True}}, None, None),
        ({"result": {"score": {"raw": 7, "max": 10}}}, None, Decimal(70)),
        ({"result": {"score": {"raw": 1.5, "min": 1, "max": 2, "scaled": 0}}}, None, Decimal(50)),
        ({"result": {"score": {"scaled": 0.85}}}, None, Decimal(85)),
        ({"result": {"score": {"raw": 7}}}, None, None),
        ({"result": {"score": {"raw": 1e300, "max": 1e300}}}, None, Decimal(100)),
    ],
)
def test_what_a_result_says(staffed: Lms, more: dict[str, Any], success: bool | None, percent: Decimal | None) -> None:
    """Success and percentage as the rules count them: a failure stays one, raw between min and max goes before scaled."""
    staffed.tell(said(**more))
    (piece,) = staffed.evidence()
    assert (piece.success, piece.percent) == (success, percent)


def test_the_number_of_a_course_counts_as_its_name(staffed: Lms) -> None:
    """A statement that bears the LMS's own number of the activity is evidence under that too, and voided under both."""
    key = "https://w3id.org/learning-analytics/learning-management-system/external-id"
    about = {"id": "https://lms.example/course/7", "definition": {"extensions": {key: "CRS-7"}}}
    staffed.tell(said(id=ID, object=about))
    assert {piece.object for piece in staffed.evidence()} == {"https://lms.example/course/7", "CRS-7"}
    staffed.tell(voiding(ID))
    assert {piece.void_reason for piece in staffed.evidence()} == {"voided"}


@pytest.mark.parametrize(
    ("more", "outcome"),
    [
        ({"actor": {"objectType": "Group", "mbox": "mailto:ann@acme.example"}}, "group"),
        ({"actor": {"objectType": "Group", "member": [{"mbox": "mailto:ann@acme.example"}]}}, "group"),
        ({"object": {"objectType": "Agent", "mbox": "mailto:bo@acme.example"}}, "no_activity"),
        ({"object": {"objectType": "StatementRef", "id": ID}}, "no_activity"),
        ({"object": {"id": "https://lms.example/" + "x" * 300}}, "too_long"),
    ],
)
def test_what_proves_nothing_is_kept_with_a_word(staffed: Lms, more: dict[str, Any], outcome: str) -> None:
    """Statements of groups, about anything but activities, or with ids that no rule could hold are kept, and no evidence."""
    staffed.tell(said(**more))
    assert (staffed.evidence(), [row.outcome for row in staffed.rows()]) == ([], [outcome])


def test_one_that_breaks_something_holds_up_no_other(staffed: Lms, monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement with which something goes wrong here is passed over and marked; those around it are evidence."""
    real = working.fields.percent_of

    def percent_of(statement: Any) -> Any:
        if statement["id"] == OTHER_ID:
            raise ZeroDivisionError
        return real(statement)

    monkeypatch.setattr(working.fields, "percent_of", percent_of)
    staffed.tell(said(), said(id=OTHER_ID, result={"success": True}), said(result={"success": False}))
    assert [row.outcome for row in staffed.rows()] == ["evidence", "failed", "evidence"]
    assert len(staffed.evidence()) == 2


def test_working_again_does_nothing_twice(staffed: Lms) -> None:
    """Whoever works again finds nothing to do."""
    staffed.tell(said())
    before = [(piece.id, piece.voided_at) for piece in staffed.evidence()]
    assert work(staffed.home) == 0
    assert [(piece.id, piece.voided_at) for piece in staffed.evidence()] == before


def test_many_are_worked_on_in_parts(staffed: Lms, monkeypatch: pytest.MonkeyPatch) -> None:
    """More statements than are worked on at a time all become evidence."""
    monkeypatch.setattr(working, "AT_A_TIME", 7)
    staffed.tell(*(said(object={"id": f"https://lms.example/quiz/{n}"}) for n in range(20)))
    assert len(staffed.evidence()) == 20
    with staffed.home.store.read() as session:
        assert session.scalars(select(XapiStatement.id).where(XapiStatement.outcome.is_(None))).all() == []


def test_a_source_that_is_only_sent_to_is_settled_by_a_pull(staffed: Lms) -> None:
    """Pulling such a source ends well and reads nothing, so that what is derived need not wait for it."""
    connector = connector_of(staffed.home, "lrs")
    result = sync(staffed.home.store, connector, staffed.home.clock, staffed.home.settings.organisation.zone)
    assert (result.status, result.messages) == ("done", [])
    assert (connector.check(), connector.about()) == ([], "Statements are taken from lms")
    staffed.home.clock.moment += timedelta(days=1)  # type: ignore[attr-defined]

"""The pages of decisions, assessments and external certificates, as each role sees them."""

import io
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select, update
from werkzeug.test import TestResponse

from connectors.models import Evidence
from metrics.certification import assessments, certificates
from metrics.certification.acting import By
from metrics.certification.assessment_entries import Entry
from metrics.certification.assessment_models import Assessment, CertificateFile
from metrics.certification.engine import derive_due
from metrics.certification.models import Award, Decision, Holding
from metrics.certification.rules import import_rule
from metrics.tasks import terms_of
from plugin.accounts import create_account
from plugin.installation import Installation
from plugin.models import AuditEntry, Person
from plugin.people import Employee, record_employees
from plugin.web import create_app, session_of

RULE = 'code = "CRANE"\nname = { en = "Crane operator", zh_CN = "吊车操作证" }\n[earn]\n'
RULE += 'assessed = { assessment = "CRANE-PRACTICE" }\n[validity]\nlasts = "P1Y"\ngrace = "P30D"\n'
PDF = b"%PDF-1.7\n a certificate"
Visit = Callable[..., FlaskClient]


@pytest.fixture
def visit(installation: Installation) -> Visit:
    """A browser that is signed in with the given roles, as the given employee; forms need no tokens but where tried."""
    now = installation.clock()
    with installation.store.write() as session:
        employees = [
            Employee(number, name, joined_on=date(2024, 1, 1), manager=boss)
            for number, name, boss in (("E1", "Anna Costa", "E3"), ("E2", "王芳", "E3"), ("E3", "Mia Brandt", None))
        ]
        record_employees(session, employees, date(2026, 11, 23), now)
        import_rule(session, RULE, "test", now - timedelta(days=1000))
        installation_people = {person.employee_number: person.id for person in session.scalars(select(Person))}
    app = create_app(installation)
    app.config["WTF_CSRF_ENABLED"] = False

    def signed_in(login: str, *roles: str, employee: str | None = None, language: str = "en") -> FlaskClient:
        with installation.store.write() as session:
            account = create_account(session, login, None, roles, now)
            account.person_id = installation_people.get(employee or "")
            session.flush()
        client = app.test_client()
        with client.session_transaction() as cookie:
            cookie.update({**session_of(account, now), "language": language})
        return client

    return signed_in


def enter(client: FlaskClient, **more: Any) -> TestResponse:
    """Send the form that enters an assessment of E1."""
    form = {
        "person": "E1", "assessment": "CRANE-PRACTICE", "passed": "yes", "achieved": "2026-11-20", "note": "seen", **more
    }  # fmt: skip
    return client.post("/assessments/enter", data=form)


def hand_in(client: FlaskClient, content: bytes = PDF, **more: Any) -> TestResponse:
    """Send the form by which an employee hands in a certificate."""
    form = {
        "assessment": "CRANE-PRACTICE", "achieved": "2026-06-01", "issuer": "Crane school", "number": "77",
        "expires": "2027-06-01", "file": (io.BytesIO(content), "mine.pdf"), **more,
    }  # fmt: skip
    return client.post("/assessments/hand-in", data=form, content_type="multipart/form-data")


def derive(home: Installation) -> None:
    """Derive everybody who is touched."""
    derive_due(home.store, home.clock, terms_of(home))


def rows(home: Installation, model: Any) -> list[Any]:
    """All rows of a table."""
    with home.store.read() as session:
        return list(session.scalars(select(model).order_by(model.id)))


# Decisions ------------------------------------------------------------------------------------------------------------


def test_hr_exempts_from_the_page(installation: Installation, visit: Visit) -> None:
    """The form exempts from midnight to midnight of the organisation's days, and leads to the explanation that says so."""
    hana = visit("hana", "hr", "employee")
    form = {"kind": "exempt", "certification": "CRANE", "ends": "2027-03-31", "reason": "parental leave"}
    answer = hana.post("/people/E1/decide", data=form, follow_redirects=True)
    assert answer.status_code == 200
    for words in ("exempted", "parental leave", "hana", "hr", "2027-03-31 00:00"):
        assert words in answer.text, words
    [row] = rows(installation, Decision)
    assert (row.state, row.decided_by, row.decided_role) == ("done", "hana", "hr")
    derive(installation)
    with installation.store.read() as session:
        assert session.scalars(select(Holding.status)).one() == "exempt"
        act = session.scalars(select(AuditEntry).where(AuditEntry.action == "award.exempt")).one()
    assert (act.actor, act.reason, act.before) == ("hana", "parental leave", {"status": None})
    assert act.after["until"].startswith("2027-03-30T16:00")


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"kind": "exempt", "reason": "x"}, "needs the day on which it ends"),
        ({"kind": "exempt", "reason": "x", "ends": "2026-11-01"}, "give a later end"),
        ({"kind": "exempt", "reason": "x", "ends": "2027-01-01", "starts": "2027-01-01"}, "give a later end"),
        ({"kind": "exempt", "reason": "x", "ends": "soon"}, "soon is not a day"),
        ({"kind": "exempt", "reason": " ", "ends": "2027-01-01"}, "needs its reason"),
        ({"kind": "revoke", "reason": "x"}, "there is nothing to revoke"),
        ({"kind": "reinstate", "reason": "x"}, "Nothing that was revoked"),
        ({"kind": "pardon", "reason": "x"}, "exempt, revoke or reinstate"),
        ({"kind": "revoke", "reason": "x", "certification": "NOPE"}, "no certification"),
    ],
)
def test_forms_that_make_no_sense(installation: Installation, visit: Visit, form: dict[str, str], says: str) -> None:
    """Each is refused on the page with what is wrong, what was typed stays, and nothing is kept."""
    answer = visit("hana", "hr").post("/people/E1/decide", data={"certification": "CRANE", **form})
    assert answer.status_code == 422
    assert says in answer.text
    assert f'value="{form["reason"]}"' in answer.text
    assert rows(installation, Decision) == []


def test_proposing_accepting_and_declining(installation: Installation, visit: Visit) -> None:
    """A coordinator proposes once; HR sees it, accepts or declines with a reason; both names and reasons stay visible."""
    carl, hana = visit("carl", "coordinator"), visit("hana", "hr")
    form = {"kind": "exempt", "certification": "CRANE", "ends": "2027-03-31", "reason": "abroad"}
    assert carl.post("/people/E1/propose", data=form).status_code == 302
    again = carl.post("/people/E1/propose", data=form)
    assert (again.status_code, "proposed already (proposal 1)" in again.text) == (422, True)
    assert carl.post("/people/E2/propose", data=form).status_code == 302
    assert carl.post("/decisions/1/accept").status_code == 403
    assert "Look and decide" in hana.get("/decisions").text
    assert "Look and decide" not in carl.get("/decisions").text
    accepted = hana.post("/decisions/1/accept", follow_redirects=True)
    assert "It is decided" in accepted.text
    assert "needs its reason" in hana.post("/decisions/2/decline", data={"reason": ""}, follow_redirects=True).text
    assert hana.post("/decisions/2/decline", data={"reason": "not abroad"}).status_code == 302
    assert "settled already, by hana" in hana.post("/decisions/1/accept", follow_redirects=True).text
    first, second = rows(installation, Decision)
    assert (first.state, first.proposed_by, first.proposed_role, first.decided_role) == (
        "done", "carl", "coordinator", "hr",
    )  # fmt: skip
    assert first.starts_at == installation.clock()
    assert (second.state, second.answer) == ("declined", "not abroad")
    page = carl.get("/decisions/2").text
    assert "not abroad" in page
    assert "carl" in page


def test_withdrawing_an_exemption(installation: Installation, visit: Visit) -> None:
    """HR ends an exemption before its time, with a reason; twice is refused."""
    hana = visit("hana", "hr")
    form = {"kind": "exempt", "certification": "CRANE", "ends": "2027-03-31", "reason": "leave"}
    hana.post("/people/E1/decide", data=form)
    assert "End it" in hana.get("/decisions/1").text
    assert hana.post("/decisions/1/withdraw", data={"reason": "is back"}).status_code == 302
    [row] = rows(installation, Decision)
    assert (row.withdrawn_by, row.answer) == ("hana", "is back")
    assert "ended already" in hana.post("/decisions/1/withdraw", data={"reason": "x"}, follow_redirects=True).text


def test_revoking_in_grace_and_reinstating(installation: Installation, visit: Visit) -> None:
    """What is in its grace still counts as held, so it can be revoked, and the revocation taken back."""
    hana, vera = visit("hana", "hr"), visit("vera", "assessor")
    enter(vera, achieved="2025-11-10")
    derive(installation)
    with installation.store.read() as session:
        assert session.scalars(select(Holding.status)).one() == "grace"
    installation.clock.moment += timedelta(hours=1)
    form = {"kind": "revoke", "certification": "CRANE", "reason": "accident"}
    assert hana.post("/people/E1/decide", data=form).status_code == 302
    derive(installation)
    [award] = rows(installation, Award)
    assert award.revoked_at is not None
    assert award.valid_until < award.revoked_at
    installation.clock.moment += timedelta(hours=1)
    assert hana.post("/people/E1/decide", data={**form, "kind": "reinstate"}).status_code == 302
    derive(installation)
    with installation.store.read() as session:
        assert session.scalars(select(Holding.status)).one() == "grace"


def test_nobody_decides_about_themselves(installation: Installation, visit: Visit) -> None:
    """HR's own exemption is for somebody else to decide, proposed or not."""
    carl, hana = visit("carl", "coordinator"), visit("hana", "hr", "employee", employee="E1")
    form = {"kind": "exempt", "certification": "CRANE", "ends": "2027-03-31", "reason": "leave"}
    answer = hana.post("/people/E1/decide", data=form)
    assert (answer.status_code, "Nobody decides about themselves" in answer.text) == (422, True)
    carl.post("/people/E1/propose", data=form)
    assert "Nobody decides about themselves" in hana.post("/decisions/1/accept", follow_redirects=True).text
    assert [row.state for row in rows(installation, Decision)] == ["proposed"]
    assert "/people/E1/decide" not in hana.get("/people/E1").text


def test_unknown_and_erased_people_are_absent(installation: Installation, visit: Visit) -> None:
    """A number that nobody has, a decision that is not there, an act that is none: 404."""
    hana = visit("hana", "hr")
    form = {"kind": "exempt", "certification": "CRANE", "ends": "2027-03-31", "reason": "leave"}
    assert hana.get("/people/E9/decide").status_code == 404
    assert hana.post("/people/E9/decide", data=form).status_code == 404
    assert hana.get("/decisions/9").status_code == 404
    assert hana.post("/decisions/9/accept").status_code == 404
    hana.post("/people/E1/decide", data=form)
    assert hana.post("/decisions/1/undo").status_code == 404


# Assessments and certificates -----------------------------------------------------------------------------------------


def test_an_assessor_enters_corrects_and_voids(installation: Installation, visit: Visit) -> None:
    """Each form does its act in the assessor's name; the page tells what became of the entry."""
    vera = visit("vera", "assessor", employee="E2")
    answer = enter(vera, time="09:30")
    assert answer.location == "/assessments/1"
    page = vera.get("/assessments/1").text
    assert "王芳" in page
    assert "2026-11-20 09:30" in page
    form = vera.get("/assessments/1/correct").text
    assert 'value="2026-11-20"' in form
    assert 'value="09:30:00"' in form
    changed = {"assessment": "CRANE-PRACTICE", "passed": "no", "achieved": "2026-11-20", "note": "failed"}
    assert vera.post("/assessments/1/correct", data=changed).status_code == 422
    assert vera.post("/assessments/1/correct", data={**changed, "reason": "mixed up"}).location == "/assessments/2"
    assert "the entry 2" in vera.get("/assessments/1").text
    assert vera.post("/assessments/2/void", data={"reason": "another day"}).status_code == 302
    assert [row.state for row in rows(installation, Assessment)] == ["superseded", "voided"]
    assert [piece.void_reason for piece in rows(installation, Evidence)] == ["superseded", "voided"]


def test_correcting_the_note_leaves_the_moments_alone(installation: Installation, visit: Visit) -> None:
    """The form shows days and times; what was left as shown keeps its exact moment, to the microsecond."""
    vera = visit("vera", "assessor")
    exact = datetime(2026, 11, 20, 1, 30, 15, 123456, UTC)
    entry = Entry("CRANE-PRACTICE", exact, note="seen", issuer="School", expires_at=exact + timedelta(days=90))
    with installation.store.write() as session:
        assessments.enter(session, "E1", entry, By("vera", "assessor"), installation.clock())
    form = {"assessment": "CRANE-PRACTICE", "passed": "yes", "achieved": "2026-11-20", "time": "09:30:15.123",
            "expires": "2027-02-18", "issuer": "School", "note": "seen", "reason": "the note"}  # fmt: skip
    assert 'value="09:30:15.123"' in vera.get("/assessments/1/correct").text
    assert "nothing to correct" in vera.post("/assessments/1/correct", data=form).text
    assert vera.post("/assessments/1/correct", data={**form, "note": "seen twice"}).status_code == 302
    assert {(row.achieved_at, row.expires_at) for row in rows(installation, Assessment)} == {
        (exact, exact + timedelta(days=90))
    }


def test_an_employee_hands_in_and_sees_what_became_of_it(installation: Installation, visit: Visit) -> None:
    """Handed in, declined with a reason that the employee sees; handed in again, approved, and it counts."""
    anna = visit("anna", "employee", employee="E1")
    vera = visit("vera", "assessor")
    assert "Hand in a certificate" in anna.get("/people/E1").text
    assert hand_in(anna).location == "/assessments/1"
    assert vera.post("/assessments/1/decline", data={"reason": "page 2 is missing"}).status_code == 302
    page = anna.get("/assessments/1").text
    assert "page 2 is missing" in page
    assert "/assessments/1/void" not in page
    assert hand_in(anna).location == "/assessments/2"
    assert rows(installation, Evidence) == []
    assert vera.post("/assessments/2/approve").status_code == 302
    [piece] = rows(installation, Evidence)
    assert (piece.kind, piece.source) == ("assessed", "certificate")
    derive(installation)
    assert "external certificate" in anna.get("/people/E1").text
    assert 'href="/assessments/2"' in anna.get("/people/E1").text


def test_the_file_is_for_those_allowed_and_saved_not_shown(installation: Installation, visit: Visit) -> None:
    """Owner, assessor, coordinator and auditor get the bytes as an attachment; a colleague, the manager and HR do not."""
    anna = visit("anna", "employee", employee="E1")
    hand_in(anna)
    for client in (anna, visit("vera", "assessor"), visit("carl", "coordinator"), visit("otto", "auditor")):
        answer = client.get("/assessments/1/file")
        assert (answer.status_code, answer.data, answer.mimetype) == (200, PDF, "application/pdf")
        assert answer.headers["Content-Disposition"] == 'attachment; filename="certificate-1.pdf"'
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert visit("fang", "employee", employee="E2").get("/assessments/1/file").status_code == 404
    assert visit("mia", "manager", "employee", employee="E3").get("/assessments/1/file").status_code == 404
    assert visit("hana", "hr").get("/assessments/1/file").status_code == 403


def test_a_changed_file_is_not_handed_out(installation: Installation, visit: Visit) -> None:
    """A file whose checksum differs leads back to the entry, which says so."""
    anna = visit("anna", "employee", employee="E1")
    hand_in(anna)
    with installation.store.write() as session:
        session.execute(update(CertificateFile).values(content=b"%PDF-changed"))
    answer = anna.get("/assessments/1/file", follow_redirects=True)
    assert "checksum differs" in answer.text
    assert b"%PDF" not in answer.data


@pytest.mark.parametrize(
    ("content", "more", "says"),
    [
        (b"MZ not a certificate", {}, "neither PDF nor PNG nor JPEG"),
        (b"%PDF-" + bytes(5 * 1024), {}, "at most 5 MiB"),
        (PDF, {"achieved": "2026-11-24"}, "in the future"),
        (PDF, {"expires": "2026-11-23"}, "has expired already"),
        (PDF, {"issuer": ""}, "needs its issuer"),
        (PDF, {"assessment": "NOPE"}, "No rule asks for"),
        (PDF, {"achieved": ""}, "is not a day"),
    ],
)
def test_what_cannot_be_handed_in(
    installation: Installation,
    visit: Visit,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes,
    more: dict[str, str],
    says: str,
) -> None:
    """Each is refused on the page with what is wrong, and neither entry nor file is kept."""
    monkeypatch.setattr(certificates, "MEBIBYTE", 1024)  # small files are as good for trying the limit
    answer = hand_in(visit("anna", "employee", employee="E1"), content, **more)
    assert (answer.status_code, says in answer.text) == (422, True)
    with installation.store.read() as session:
        assert session.scalar(select(func.count()).select_from(Assessment)) == 0
        assert session.scalar(select(func.count()).select_from(CertificateFile)) == 0


def test_an_assessor_sees_what_waits_and_what_they_entered(installation: Installation, visit: Visit) -> None:
    """Not what others entered; a coordinator and an auditor see all, an employee the own entries."""
    vera, otis = visit("vera", "assessor"), visit("otis", "assessor")
    anna, fang = visit("anna", "employee", employee="E1"), visit("fang", "employee", employee="E2")
    enter(vera)
    enter(otis, person="E2")
    hand_in(anna)

    def listed(client: FlaskClient) -> set[str]:
        return set(re.findall(r"/assessments/(\d+)", client.get("/assessments").text))

    assert listed(vera) == {"1", "3"}
    assert listed(otis) == {"2", "3"}
    assert listed(anna) == {"1", "3"}
    assert listed(fang) == {"2"}
    assert listed(visit("carl", "coordinator")) == listed(visit("rosa", "auditor")) == {"1", "2", "3"}
    assert vera.get("/assessments/2").status_code == 404
    assert vera.post("/assessments/2/void", data={"reason": "x"}).status_code == 404
    assert [row.state for row in rows(installation, Assessment)] == ["recorded", "recorded", "handed_in"]


def test_nobody_assesses_themselves_on_the_page(installation: Installation, visit: Visit) -> None:
    """An assessor's own certificate waits for somebody else, and there is no form for it."""
    anna = visit("anna", "assessor", "employee", employee="E1")
    assert "Nobody assesses themselves" in enter(anna).text
    hand_in(anna)
    assert "another assessor has to deal with it" in anna.get("/assessments/1").text
    assert "Nobody assesses themselves" in anna.post("/assessments/1/approve", follow_redirects=True).text
    assert [row.state for row in rows(installation, Assessment)] == ["handed_in"]


def test_what_was_achieved_before_joining_counts_and_is_marked(installation: Installation, visit: Visit) -> None:
    """People bring certificates along: one from before their first day is accepted, with a note wherever it is shown."""
    vera = visit("vera", "assessor")
    carl = visit("carl", "coordinator")
    enter(vera, achieved="2023-12-31")
    enter(vera, achieved="2024-01-01")
    assert [piece.success for piece in rows(installation, Evidence)] == [True, True]
    assert vera.get("/assessments").text.count("before joining") == 1
    assert "before joining" in vera.get("/assessments/1").text
    assert "before joining" not in vera.get("/assessments/2").text
    assert carl.get("/people/E1").text.count("before joining") == 1


def test_pages_read_in_chinese(installation: Installation, visit: Visit) -> None:
    """Forms, refusals and states are in the reader's language."""
    vera, hana = visit("vera", "assessor", language="zh_Hans_CN"), visit("hana", "hr", language="zh_Hans_CN")
    assert "未来" in enter(vera, achieved="2027-01-01").text
    assert (
        "没有可撤销的"
        in hana.post("/people/E1/decide", data={"kind": "revoke", "certification": "CRANE", "reason": "x"}).text
    )

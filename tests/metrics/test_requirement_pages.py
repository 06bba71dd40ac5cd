"""The pages of requirements and of promotion and pay records: what each role sees, does, and is refused."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert, select

from connectors.models import Evidence
from metrics.certification.engine import derive_due
from metrics.certification.models import Promotion, Requirement
from metrics.certification.promotion import Proposal, propose
from metrics.certification.requirements import add_requirement
from metrics.certification.rules import import_rule
from metrics.tasks import terms_of
from plugin.accounts import create_account
from plugin.installation import Installation
from plugin.models import AuditEntry, Person
from plugin.people import Employee, record_employees, touch_all
from plugin.web import create_app, session_of

RULE = 'code = "FIRE"\nname = { en = "Fire officer", zh_CN = "消防员" }\n[earn]\nall_of = [{ completed = { course = "C" } }]\n'
RULE += '[validity]\nlasts = "P1Y"\n'
Visit = Callable[..., FlaskClient]


@pytest.fixture
def visit(installation: Installation) -> Visit:
    """A browser that is signed in with the given roles, as the given employee; forms need no tokens."""
    now = installation.clock()
    with installation.store.write() as session:
        employees = [
            Employee("E1", "Anna", department="Sales", position="Clerk", grade="G1", joined_on=date(2020, 1, 1)),
            Employee("E2", "Bo", department="Sales", position="Leader", grade="G2", manager="E1"),
            Employee("E3", "Cem", department="Works", position="Leader", grade="G2"),
        ]
        record_employees(session, employees, date(2026, 1, 1), now)
        import_rule(session, RULE, "test", now)
    app = create_app(installation)
    app.config["WTF_CSRF_ENABLED"] = False
    count = iter(range(100))

    def signed_in(*roles: str, employee: str | None = None, language: str = "en") -> FlaskClient:
        with installation.store.write() as session:
            account = create_account(session, f"reader{next(count)}", None, roles, now)
            account.person_id = session.scalar(select(Person.id).where(Person.employee_number == employee))
            session.flush()
        client = app.test_client()
        with client.session_transaction() as cookie:
            cookie.update({**session_of(account, installation.clock()), "language": language})
        return client

    return signed_in


def require(home: Installation, listed: Any = (), **terms: Any) -> int:
    """Require FIRE as a duty from 2026-01-01 on."""
    with home.store.write() as session:
        wanted = Requirement(**{"certification": "FIRE", "kind": "duty", "starts_on": date(2026, 1, 1), **terms})
        add_requirement(session, wanted, "test", home.clock(), listed)
        return wanted.id


def derive(home: Installation) -> None:
    """Derive whoever is touched."""
    derive_due(home.store, home.clock, terms_of(home))


FORM = {"certification": "FIRE", "kind": "duty", "population": "position", "value": "Clerk", "due_within": "P30D"}


@pytest.mark.parametrize(
    ("population", "value", "stored"),
    [
        ("position", "Clerk", {"position_code": "Clerk"}),
        ("grade", "G1", {"grade_code": "G1"}),
        ("department", "Sales", {"department_code": "Sales", "with_children": False}),
        ("department_tree", "Sales", {"department_code": "Sales", "with_children": True}),
        ("tag", "night", {"tag": "night"}),
        ("people", "E1; E2", {"position_code": None, "tag": None}),
    ],
)
def test_a_coordinator_requires_something_of_each_population(
    visit: Visit, installation: Installation, population: str, value: str, stored: dict[str, Any]
) -> None:
    """The form stores what it says, in the name of the coordinator, and the list shows it with its period in words."""
    browser = visit("coordinator")
    answer = browser.post("/requirements/new", data={**FORM, "population": population, "value": value})
    assert (answer.status_code, answer.location) == (302, "/requirements")
    with installation.store.read() as session:
        row = session.scalars(select(Requirement)).one()
        act = session.scalars(select(AuditEntry).where(AuditEntry.action == "requirement.add")).one()
    assert {name: getattr(row, name) for name in stored} == stored
    assert (row.due_within, row.starts_on, act.actor) == ("P30D", date(2026, 11, 23), "reader0")
    page = browser.get("/requirements").text
    assert "Fire officer" in page
    assert "within 30 days" in page
    assert ("Anna" in page) is (population == "people")
    assert ("Nobody is in this population today" in page) is (population == "tag")


@pytest.mark.parametrize(
    ("change", "english", "chinese"),
    [
        ({"value": ""}, "name one of these", "请选定其中一个"),
        ({"population": "people", "value": "E9"}, "no employee E9", "没有员工 E9"),
        ({"due_within": "-P1D"}, "without a minus sign", "不带负号"),
        ({"due_on": "2026-12-01"}, "not both", "只填一项"),
        ({"ends_on": "2026-01-01"}, "ends before it starts", "早于开始"),
        ({"starts_on": "tomorrow"}, "not a day", "不是日期"),
        ({"certification": "NONE"}, "no certification &#39;NONE&#39;", "没有认证"),
    ],
)
def test_what_cannot_be_required_is_said_in_the_reader_s_language(
    visit: Visit, installation: Installation, change: dict[str, str], english: str, chinese: str
) -> None:
    """A refused form comes back with the reason, what was typed, and nothing stored."""
    for language, reason in (("en", english), ("zh_Hans_CN", chinese)):
        answer = visit("coordinator", language=language).post("/requirements/new", data={**FORM, **change})
        assert answer.status_code == 422
        assert reason in answer.text
    with installation.store.read() as session:
        assert session.scalars(select(Requirement)).all() == []


def test_a_coordinator_ends_a_requirement_and_sees_it_among_the_ended(visit: Visit, installation: Installation) -> None:
    """Ended today, it is gone from the list, stands among the ended, and cannot be ended twice or where there is none."""
    number = require(installation, position_code="Clerk")
    browser = visit("coordinator")
    assert browser.post(f"/requirements/{number}/end", data={}).status_code == 302
    page = browser.get("/requirements").text
    assert "The requirement ends." in page
    assert "Clerk" not in page
    assert "Clerk" in browser.get("/requirements?ended=1").text
    browser.post(f"/requirements/{number}/end", data={})
    assert "already" in browser.get("/requirements").text
    assert browser.post("/requirements/999/end", data={}).status_code == 404


def test_hr_and_managers_see_all_requirements_and_change_none(visit: Visit, installation: Installation) -> None:
    """They see the list without the forms; the acts are refused."""
    number = require(installation, position_code="Clerk")
    for browser in (visit("hr"), visit("manager", employee="E1"), visit("auditor")):
        page = browser.get("/requirements").text
        assert "Clerk" in page
        assert "End it" not in page
        assert browser.get("/requirements/new").status_code == 403
        assert browser.post(f"/requirements/{number}/end", data={}).status_code == 403


def test_employees_see_what_applies_to_them_with_their_own_due_date(visit: Visit, installation: Installation) -> None:
    """Of all requirements an employee sees those that are or will be theirs; listed colleagues are not named."""
    require(installation, position_code="Clerk", due_within="P30D")
    require(installation, position_code="Leader", due_within="P60D")
    require(installation, listed=["E1", "E3"], starts_on=date(2027, 1, 1))
    page = visit("employee", employee="E1").get("/requirements").text
    assert "Clerk" in page
    assert "2026-01-31" in page  # 30 days after the requirement's start
    assert "Leader" not in page
    assert "Anna" in page
    assert "Cem" not in page
    assert "2 in all" in page


def _propose(home: Installation, **terms: Any) -> None:
    given = {"promotion_id": "PR-1", "employee_number": "E1", "kind": "promotion", "to_position": "Leader"}
    with home.store.write() as session:
        proposal = Proposal(**{**given, "effective_date": date(2027, 1, 1), **terms})
        propose(session, proposal, home.clock())
    derive(home)


RECORD = {
    "promotion_id": "PR-1",
    "employee_number": "E1",
    "kind": "pay",
    "to_grade": "G2",
    "effective_date": "2027-01-01",
}


def test_hr_proposes_a_record_and_closes_it_with_its_evidence(visit: Visit, installation: Installation) -> None:
    """The form stores the record, the page shows the answer, and closing keeps the award and evidence and shows them."""
    now = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
    require(installation, kind="promotion", grade_code="G2")
    with installation.store.write() as session:
        person_id = session.scalars(select(Person.id).where(Person.employee_number == "E1")).one()
        row = {"person_id": person_id, "origin": "a", "source": "lms", "user_key": "7", "kind": "completed"}
        session.execute(insert(Evidence).values({**row, "object": "C", "achieved_at": now, "recorded_at": now}))
        touch_all(session)
    browser = visit("hr")
    answer = browser.post("/promotions/new", data=RECORD)
    assert (answer.status_code, answer.location) == (302, "/promotions/PR-1")
    assert "not answered yet" in browser.get("/promotions/PR-1").text
    derive(installation)
    page = browser.get("/promotions/PR-1").text
    assert "eligible" in page
    assert "pay step" in page
    assert "Close the record" in page
    assert browser.post("/promotions/PR-1/close").status_code == 302
    page = browser.get("/promotions/PR-1").text
    assert "As it was decided" in page
    assert "Award 1, valid from 2026-11-20 10:00 until 2027-11-20 10:00" in page
    assert "course completed: C" in page
    assert "Close the record" not in page
    with installation.store.read() as session:
        acts = [
            (act.actor, act.action, act.subject) for act in session.scalars(select(AuditEntry).order_by(AuditEntry.id))
        ]
    assert acts[-2:] == [
        ("reader0", "promotion.propose", "promotion:PR-1"),
        ("reader0", "promotion.close", "promotion:PR-1"),
    ]
    assert "/promotions/PR-1" in browser.get("/promotions?closed=1").text


def test_closing_on_the_page_answers_first(visit: Visit, installation: Installation) -> None:
    """A record closed before anybody derived it is answered in the same moment, so that it is not kept unanswered."""
    require(installation, kind="promotion", grade_code="G2")
    browser = visit("hr")
    browser.post("/promotions/new", data=RECORD)
    browser.post("/promotions/PR-1/close")
    with installation.store.read() as session:
        kept = session.get_one(Promotion, "PR-1").decided
    assert kept is not None
    assert (kept["eligibility"], kept["requirements"][0]["status"]) == ("blocked", "not_started")


@pytest.mark.parametrize(
    ("change", "english", "chinese"),
    [
        ({"employee_number": "E9"}, "no employee &#39;E9&#39;", "没有员工"),
        ({"effective_date": "2019-12-31"}, "joined on 2020-01-01", "入职"),
        ({"effective_date": ""}, "effective_date is empty", "没有填写"),
        ({"promotion_id": "a b"}, "no id of a record", "编号"),
        ({"kind": "gift"}, "not &#39;gift&#39;", "gift"),
    ],
)
def test_a_proposal_that_cannot_be_is_refused_in_the_reader_s_language(
    visit: Visit, installation: Installation, change: dict[str, str], english: str, chinese: str
) -> None:
    """The form comes back with the reason and what was typed; nothing is stored."""
    for language, reason in (("en", english), ("zh_Hans_CN", chinese)):
        answer = visit("hr", language=language).post("/promotions/new", data={**RECORD, **change})
        assert answer.status_code == 422
        assert reason in answer.text
        assert 'value="G2"' in answer.text
    with installation.store.read() as session:
        assert session.scalars(select(Promotion)).all() == []


def test_notes_are_in_the_reader_s_language(visit: Visit, installation: Installation) -> None:
    """That nothing is required and that a position is unknown stands on the page in Chinese, name included."""
    _propose(installation, to_position="Head of X. Y")
    page = visit("hr", language="zh_Hans_CN").get("/promotions/PR-1").text
    assert "Head of X. Y" in page
    assert "No certification" not in page
    assert "check its name" not in page


def test_records_are_seen_by_whom_they_concern(visit: Visit, installation: Installation) -> None:
    """The employee and those above see a record, colleagues do not learn of it; only HR may propose and close."""
    _propose(installation, promotion_id="PR-2", employee_number="E2")
    for browser, status in (
        (visit("employee", employee="E2"), 200), (visit("manager", employee="E1"), 200), (visit("coordinator"), 200),
        (visit("employee", employee="E1"), 404), (visit("manager", employee="E3"), 404), (visit("operator"), 403),
    ):  # fmt: skip
        assert browser.get("/promotions/PR-2").status_code == status
        assert browser.get("/promotions/new").status_code == 403
        assert browser.post("/promotions/PR-2/close").status_code == 403
    assert visit("hr").post("/promotions/NONE/close").status_code == 404
    with installation.store.read() as session:
        assert session.get_one(Promotion, "PR-2").closed_at is None


def test_an_open_record_s_earliest_day_moves_with_the_calendar(visit: Visit, installation: Installation) -> None:
    """What could be met 'from now on' is read as of today, not as of the day on which it was derived."""
    require(installation, kind="promotion", position_code="Leader")
    _propose(installation)
    assert "could be met from 2026-11-23" in visit("hr").get("/promotions/PR-1").text
    installation.clock.moment += timedelta(days=2)  # type: ignore[attr-defined]
    assert "could be met from 2026-11-25" in visit("hr").get("/promotions/PR-1").text


def test_what_is_missing_is_said_in_the_reader_s_language(visit: Visit, installation: Installation) -> None:
    """Of the engine's sentences about leaves, alternatives and counts no English word is left on the Chinese page."""
    missing = [
        "score quiz-1 of at least 80 from moodle", "completed A from lms or badge B", "2 of: badge A; badge B; badge C",
        "every criterion is met, but by evidence that lies further apart than P1M",
    ]  # fmt: skip
    line = {"certification": "FIRE", "status": "in_progress", "held_until": None, "missing": missing, "earliest": None}
    _propose(installation)
    with installation.store.write() as session:
        session.get_one(Promotion, "PR-1").requirements = [line]
    for path in ("/promotions/PR-1", "/promotions"):
        page = visit("hr", language="zh_Hans_CN").get(path).text
        said = re.findall(r"缺少：([^<]+)<", page)
        assert len(said) == 4
        assert not re.search(r"\b(score|least|from|or|of|badge|completed|evidence|apart)\b", " ".join(said)), said

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from connectors.models import Completion, Course, Enrolment, Evidence, Identity, SourceUser
from metrics import charts, explained
from metrics.certification.models import CertificationRule, Holding, Promotion
from metrics.words import in_language
from plugin.accounts import create_account
from plugin.installation import Installation
from plugin.models import Person
from plugin.people import Employee, record_employees
from plugin.web import create_app, session_of
from tests.metrics.figures import planned
from tests.metrics.figures.world import World

RULE = """
code = "{code}"
name = {{ en = "{en}", zh_CN = "{zh}" }}
[earn]
all_of = [{{ completed = {{ course = "CRS-12" }} }}]
[validity]
lasts = "P1Y"
"""
Visit = Callable[..., FlaskClient]


@pytest.fixture
def visit(installation: Installation) -> Visit:
    """A browser that is signed in with the given roles, as the given employee, and reads the given language."""
    _fill(installation)
    app = create_app(installation)

    def signed_in(*roles: str, language: str = "en", employee: str | None = None) -> FlaskClient:
        with installation.store.write() as session:
            account = create_account(session, "reader", "correct horse battery", roles, installation.clock())
            account.person_id = session.scalar(select(Person.id).where(Person.employee_number == employee))
            session.flush()
        client = app.test_client()
        with client.session_transaction() as cookie:
            cookie.update({**session_of(account, installation.clock()), "language": language})
        return client

    return signed_in


def _fill(installation: Installation) -> None:
    """Sixty employees of three departments, one of whom has left; rules, holdings, evidence and promotion records."""
    now, today = installation.clock(), date(2026, 11, 23)
    employees = [
        Employee(
            f"E{1000 + number}",
            "王芳" if number == 1 else f"Person <{number}>",
            f"e{number}@example.com",
            ("Production", "Logistics", "质量部")[number % 3],
            "Operator",
            "G2",
            joined_on=date(2020, 1, 1),
            left_on=date(2026, 5, 31) if number == 60 else None,
        )
        for number in range(1, 61)
    ]
    with installation.store.write() as session:
        record_employees(session, employees, date(2025, 1, 1), now)
        moved = Employee(**{**vars(employees[0]), "position": "Team leader"})
        record_employees(session, [moved], today, now)
        for code, english, chinese in (
            ("FORKLIFT", "Forklift operator", "叉车操作证"),
            ("FIRE", "Fire officer", "消防员"),
        ):
            text = RULE.format(code=code, en=english, zh=chinese)
            session.add(CertificationRule(code=code, version=1, text=text, created_at=now, created_by="reader"))
        session.add(Course(source="lms", course_key="12", object="CRS-12", name="Forklift theory"))
        people = session.scalars(select(Person).order_by(Person.employee_number)).all()
        statuses = ("certified", "renewal_due", "grace", "expired", "in_progress", "not_started")
        for number, person in enumerate(people):
            _learn(session, person, number, now)
            status = statuses[number % 6]
            held = number % 6 < 4
            since = now - timedelta(days=100)
            session.add(
                Holding(
                    person_id=person.id,
                    certification="FORKLIFT",
                    status=status,
                    since=since,
                    valid_from=since if held else None,
                    valid_until=now + timedelta(days=265) if held else None,
                    required=False,
                )
            )
        for number, eligibility in enumerate(("eligible", "conditional", "blocked", None, "eligible")):
            session.add(_promotion(people[number], number, eligibility, now))


def _learn(session: Any, person: Person, number: int, now: Any) -> None:
    key, then = f"u{number}", now - timedelta(days=30)
    session.add(SourceUser(source="lms", user_key=key, name=person.name))
    session.add(Identity(source="lms", user_key=key, person_id=person.id, rule="employee_number", bound_at=then))
    session.add(
        Enrolment(source="lms", course_key="12", user_key=key, active=True, last_access_at=then, first_seen_at=then)
    )
    if number % 2 == 0:
        session.add(Completion(source="lms", course_key="12", user_key=key, completed_at=then, first_seen_at=then))
        session.add(
            Evidence(
                person_id=person.id,
                origin=f"completion:{key}",
                source="lms",
                user_key=key,
                kind="completed",
                object="CRS-12",
                achieved_at=then,
                recorded_at=then,
                percent=Decimal("87.5"),
            )
        )


def _promotion(person: Person, number: int, eligibility: str | None, now: Any) -> Promotion:
    line = {
        "certification": "FORKLIFT",
        "status": "certified",
        "held_until": "2027-08-15T10:00:00+08:00",
        "missing": "a <score> of 80" if eligibility == "blocked" else None,
        "earliest": "2026-12-24T00:00:00+08:00" if eligibility == "blocked" else None,
    }
    return Promotion(
        promotion_id=f"HR-{number}",
        person_id=person.id,
        kind="promotion",
        from_position="Operator",
        to_position="Team leader",
        effective_on=date(2027, 1, 1 + number),
        proposed_at=now,
        closed_at=now if number == 4 else None,
        eligibility=eligibility,
        requirements=[line] if eligibility else [],
    )


def test_people_are_listed_with_what_they_hold(visit: Visit) -> None:
    """Fifty people stand on a page, leavers left out, names escaped, each certification with its status."""
    page = visit("coordinator").get("/people").text
    assert "1 to 50 of 59" in page
    assert "Person &lt;2&gt;" in page
    assert "Forklift operator · certified" in page
    assert "Forklift operator · renewal due" in page
    assert "· not started" not in page, "neither begun nor required"


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("search=e1007", 1),
        ("search=王", 1),
        ("search=%25", 0),
        ("certification=FORKLIFT&status=grace", 10),
        ("status=certified", 10),
        ("certification=FIRE", 0),
        ("leavers=1&search=E1060", 1),
        ("search=E1060", 0),
    ],
)
def test_people_are_found_by_number_name_certification_and_status(visit: Visit, query: str, shown: int) -> None:
    """Each filter narrows the list, and all of them together."""
    page = visit("hr").get(f"/people?{query}").text
    assert page.count('<th scope="row"') == shown
    assert ("Nobody fits these filters." in page) == (shown == 0)


def test_person_page_shows_facts_holdings_evidence_and_places(visit: Visit) -> None:
    """Moments stand on the organisation's wall clock, courses by their names, and the post held before is there."""
    page = visit("auditor").get("/people/E1001").text
    assert "Team leader" in page
    assert "2027-08-15 10:00" in page, "valid until, in the organisation's time zone"
    assert "Forklift theory" in page
    assert "87.5%" in page
    assert page.count("Operator") == 1
    assert page.index("2026-11-23</td>") < page.index("2020-01-01</td>")


def test_unknown_person_is_said_to_be_unknown(visit: Visit) -> None:
    """A number that nobody has is answered with that number."""
    answer = visit("hr").get("/people/E9")
    assert answer.status_code == 404
    assert "There is no employee with the number E9." in answer.text


def test_employee_sees_the_own_page_only(visit: Visit) -> None:
    """An employee's navigation leads to the own page; there is no other, whether there is such an employee or not."""
    client = visit("employee", employee="E1003")
    assert "My certifications" in client.get("/").text
    assert client.get("/me").location == "/people/E1003"
    assert client.get("/people/E1003").status_code == 200
    assert {client.get(path).status_code for path in ("/people", "/figures")} == {403}
    assert {client.get(path).status_code for path in ("/people/E1004", "/people/E9999")} == {404}


def test_account_that_is_nobodys_has_no_own_page(visit: Visit) -> None:
    """Who is not linked to an employee is told so, and the navigation has no such entry."""
    client = visit("coordinator")
    assert client.get("/me").status_code == 404
    assert "My certifications" not in client.get("/").text


def test_explanation_says_what_met_the_rule_and_how_the_dates_came(visit: Visit) -> None:
    """The criterion that was met stands with its evidence, each date with its arithmetic, and what happens next."""
    page = visit("coordinator").get("/people/E1001/certifications/FORKLIFT").text
    assert "course completed: Forklift theory (CRS-12)" in page
    assert "✓" in page
    assert "2026-10-24 10:00 and 1 year, for which it lasts" in page
    assert "version 1" in page
    assert "Nothing has changed yet." in page


def test_explanation_of_an_earlier_day_knows_only_what_was_known(visit: Visit) -> None:
    """Asked as of a day before the evidence, the criterion is not met and there is no award."""
    page = visit("auditor").get("/people/E1001/certifications/FORKLIFT?as_of=2026-09-01").text
    assert "2026-09-01 00:00" in page
    assert "✗" in page
    assert "✓" not in page
    assert "Why it stands so" not in page


def test_explanation_of_no_day_or_no_certification_is_refused(visit: Visit) -> None:
    """What is not a day is answered with how to write one; an unknown certification with the known ones."""
    client = visit("hr")
    answer = client.get("/people/E1001/certifications/FORKLIFT?as_of=summer")
    assert answer.status_code == 422
    assert "summer is not a day" in answer.text
    assert client.get("/people/E1001/certifications/LUCK").status_code == 404


def test_employee_reads_the_own_explanation_only(visit: Visit) -> None:
    """An employee learns why the own certification stands as it does, and nothing of anybody else's."""
    client = visit("employee", employee="E1001")
    assert client.get("/people/E1001/certifications/FORKLIFT").status_code == 200
    assert client.get("/people/E1002/certifications/FORKLIFT").status_code == 404


@pytest.mark.parametrize(
    ("validity", "voided"),
    [
        ('lasts = "P1Y"\nwindow = "P60D"\ngrace = "P1M"', False),
        ('lasts = "P1Y"\nwindow = "P60D"\ngrace = "P1M"', True),
        ('from = "previous_expiry"\nlasts = "P1Y"\nwindow = "P60D"', False),
        ('from = "fixed"\nanchor = "12-31"\nwindow = "P1Y"', False),
        ('from = "fixed"\nanchor = "12-31"\nat_least = "P6M"\nwindow = "P60D"', False),
        ('from = "fixed"\nanchor = "12-31"\nat_least = "P6M"\nwindow = "P60D"', True),
        ('lasts = "forever"', False),
    ],
    ids=["achieved", "voided", "previous_expiry", "fixed", "fixed_at_least", "fixed_voided", "forever"],
)
def test_every_sentence_of_an_explanation_is_translated(
    installation: Installation, visit: Visit, validity: str, voided: bool
) -> None:
    """Whatever a rule says of validity, its arithmetic is told in the reader's language."""
    text = 'code = "TRY"\nname = { zh_CN = "试行" }\n[earn]\nall_of = [{ completed = { course = "C" } }]\n'
    with installation.store.write() as session:
        rule = f"{text}[validity]\n{validity}\n"
        now = installation.clock()
        session.add(CertificationRule(code="TRY", version=1, text=rule, created_at=now, created_by="reader"))
        person = session.scalars(select(Person).where(Person.employee_number == "E1002")).one()
        for year, month in ((2024, 12), (2025, 11)):
            moment = datetime(year, month, 10, tzinfo=UTC)
            session.add(
                Evidence(
                    person_id=person.id,
                    origin=f"completion:{year}",
                    source="lms",
                    user_key="u1",
                    kind="completed",
                    object="C",
                    achieved_at=moment,
                    recorded_at=moment,
                    voided_at=now if voided else None,
                )
            )
    page = visit("hr", language="zh_Hans_CN").get("/people/E1002/certifications/TRY").text
    cells = re.findall(r'data-label="计算方式">([^<]*)<', page)
    assert cells
    assert not [cell for cell in cells if re.search(r"[A-Za-z]{2}", cell)]


@pytest.mark.parametrize(
    ("text", "words"), [("P1Y6M", "1 year 6 months"), ("P0D", "0 days"), ("P2WT1H", "2 weeks 1 hour")]
)
def test_duration_is_told_in_words(visit: Visit, text: str, words: str) -> None:
    """An ISO 8601 duration becomes what a person would say."""
    with visit("hr").application.test_request_context():
        assert explained.duration(text) == words


def test_promotions_show_the_answer_and_its_reasons(visit: Visit) -> None:
    """Open records stand with eligibility, post, date, and what each required certification still lacks."""
    client = visit("hr")
    page = client.get("/promotions").text
    assert "1 to 4 of 4" in page
    assert "until 2027-08-15 10:00" in page
    assert "missing: a &lt;score&gt; of 80" in page
    assert "could be met from 2026-12-24" in page
    assert "not answered yet" in page
    assert "1 to 1 of 1" in client.get("/promotions?eligibility=blocked").text
    assert "1 to 2 of 2" in client.get("/promotions?eligibility=eligible&closed=1").text


def test_figures_come_with_everything_needed_to_judge_them(visit: Visit) -> None:
    """Value, both numbers, population, as-of time and what is provisional stand there; charts have their numbers beside them."""
    page = visit("coordinator").get("/figures?period=2026").text
    assert "50.8%" in page, "30 of 59 completed the course"
    assert "employees on 2026-11-23" in page
    assert "2026-11-23 10:00" in page
    assert "provisional" in page
    assert page.count("<svg") == 2
    assert page.count('role="img" aria-label="') == 2
    assert 'href="/figures/completion_rate/gap?period=2026"' in page


@pytest.mark.parametrize(("role", "employee", "shown"), [("hr", None, True), ("manager", "E1001", False)])
def test_figures_of_the_whole_organisation_are_no_managers(
    visit: Visit, installation: Installation, role: str, employee: str | None, shown: bool
) -> None:
    """What is about money and programmes is shown to who sees the whole organisation; programmes go by their codes."""
    with installation.store.write() as session:
        planned.programme(World(session), "P-1")
    client = visit(role, employee=employee)
    page = client.get("/figures?period=2026").text
    assert ("Cost control rate" in page) is shown
    assert "Certification compliance" in page
    programmes = client.get("/figures/programme_completion/gap?period=2026")
    assert programmes.status_code == (200 if shown else 403)
    assert ("P-1" in programmes.text) is shown
    assert client.get("/figures/cost_control/numerator").status_code == (422 if shown else 403)


def test_figures_narrow_to_a_department_and_a_period(visit: Visit) -> None:
    """The questions stand in the URL; one that cannot be answered says why."""
    client = visit("administrator")
    assert "department Logistics" in client.get("/figures?period=2026Q4&department=Logistics&course=CRS-12").text
    assert client.get("/figures?period=summer").status_code == 422
    assert client.get("/figures?period=2026&department=Nowhere").status_code == 404
    assert "–" in client.get("/figures?period=2030").text


def test_people_behind_a_figure_are_named_to_who_may_see_them(visit: Visit) -> None:
    """Each side of a figure lists its people, for roles that may see names."""
    client = visit("hr")
    assert "1 to 30 of 30" in client.get("/figures/completion_rate/numerator?period=2026").text
    assert "1 to 29 of 29" in client.get("/figures/completion_rate/gap?period=2026").text
    assert client.get("/figures/completion_rate/elsewhere").status_code == 422
    assert client.get("/figures/luck/gap").status_code == 404


def test_administrator_sees_figures_without_names(visit: Visit) -> None:
    """The administrator sees the numbers, without a way to the names behind them."""
    client = visit("administrator")
    assert "/figures/coverage/" not in client.get("/figures").text
    assert client.get("/figures/coverage/gap").status_code == 403


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/people", "叉车操作证 · 有效"),
        ("/people/E1001", "任职经历"),
        ("/people/E1001/certifications/FORKLIFT", "自 2026-10-24 10:00 起 1 年 有效"),
        ("/promotions", "晋升资格"),
        ("/figures", "培训覆盖率"),
        ("/figures/coverage/gap", "计入分母但未计入分子"),
    ],
)
def test_pages_are_in_the_readers_language(visit: Visit, path: str, words: str) -> None:
    """Every page of metrics has its Chinese translation, names of certifications included."""
    assert words in visit("coordinator", language="zh_Hans_CN").get(path).text


def test_chart_is_plain_svg_with_escaped_labels() -> None:
    """A chart carries no script, no style and no colour of the page, and its labels are text."""
    svg = charts.bars([("<b>财务部</b>", Decimal("0.5"), "50%"), ("Nobody", None, "–")])
    assert svg.startswith("<svg ")
    assert "&lt;b&gt;财务部&lt;/b&gt;" in svg
    assert not re.search(r"<b>|<script|<style|\sstyle=", svg)


def test_long_label_is_cut_to_its_room() -> None:
    """A label that would not fit ends in an ellipsis; Chinese characters need more room than Latin letters."""
    assert charts.fitted("Production") == "Production"
    assert charts.fitted("设备与安全管理部门" * 3).endswith("…")
    assert charts.reckoned_width("财务") > charts.reckoned_width("ab")


@pytest.mark.parametrize(
    ("names", "language", "name"),
    [
        ({"en": "Fire", "zh_CN": "消防"}, "zh_Hans_CN", "消防"),
        ({"en": "Fire", "zh_CN": "消防"}, "en", "Fire"),
        ({"zh_CN": "消防"}, "en", "消防"),
        ("Fire", "zh_Hans_CN", "Fire"),
        (None, "en", "CODE"),
    ],
)
def test_certification_is_called_by_the_readers_name(names: Any, language: str, name: str) -> None:
    """A rule's name in the reader's language, else in any, else the code."""
    assert in_language(names, language, "CODE") == name

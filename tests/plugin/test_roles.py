"""Who may see and do what: every route for every role, every call of the API for every scope, and about whom."""

import re
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from connectors.models import Course, Evidence
from metrics.certification.models import CertificationRule, Holding, Promotion
from plugin.accounts import create_account, create_token
from plugin.installation import Installation
from plugin.models import Account, Assignment, Event, Person, Schedule
from plugin.people import Employee, record_employees
from plugin.roles import RIGHTS, ROLES, Reach, below, reaches, within
from plugin.settings import SourceSettings
from plugin.store import Store
from plugin.web import create_app, known_scopes, session_of
from webhooks.models import Endpoint, Message

TODAY = date(2026, 11, 23)
NOBODY = "nobody"
CSRF = re.compile(r'name="csrf_token" value="[^"]+"')
EVERYBODY = frozenset(ROLES)

# The organisation: the account's own employee is E10, whose reports are E20 and E21; E30 reports to E20.
#   E1 ── E10 ── E20 ── E30          E40 stands beside E10; E50 reported to E10 and has left.
#           └─── E21   E1 ── E40
REPORTS_TO = {"E1": None, "E10": "E1", "E20": "E10", "E21": "E10", "E30": "E20", "E40": "E1", "E50": "E10"}
SUBTREE = {"E20", "E21", "E30"}


def only(*roles: str) -> frozenset[str]:
    """These roles and no others."""
    assert EVERYBODY.issuperset(roles)
    return frozenset(roles)


def but(*roles: str) -> frozenset[str]:
    """Every role but these."""
    assert EVERYBODY.issuperset(roles)
    return EVERYBODY - frozenset(roles)


# Every page: its path here, what it answers those who may open it, and who they are. Everybody else gets 403, and
# nobody is sent to sign in; OPEN stands for pages that need no account.
OPEN = EVERYBODY | {NOBODY}
SYNC = only("administrator", "operator", "coordinator", "auditor")
DELIVERIES = only("administrator", "operator", "hr", "auditor")
FIGURES = only("administrator", "coordinator", "hr", "manager", "auditor")
MAIL = only("administrator", "operator")
AUDIT = only("administrator", "hr", "auditor")
RULES = only("coordinator", "hr", "manager", "auditor", "employee")
ENTRIES = only("coordinator", "assessor", "employee", "auditor")
ASSESSORS = only("coordinator", "assessor")
PAGES: dict[tuple[str, str], tuple[str, int, frozenset[str]]] = {
    ("GET", "plugin.sign_in"): ("/sign-in", 200, OPEN),
    ("POST", "plugin.sign_in"): ("/sign-in", 422, OPEN),
    ("POST", "plugin.sign_out"): ("/sign-out", 302, EVERYBODY),
    ("POST", "plugin.language"): ("/language", 302, OPEN),
    ("GET", "plugin.home"): ("/", 200, EVERYBODY),
    ("GET", "plugin.health"): ("/health", 200, OPEN),
    ("GET", "static"): ("/static/certbridge.css", 200, OPEN),
    ("GET", "account.own"): ("/account", 200, EVERYBODY),
    ("GET", "account.password"): ("/account/password", 200, EVERYBODY),
    ("POST", "account.password"): ("/account/password", 422, EVERYBODY),
    ("POST", "account.sign_out_everywhere"): ("/account/sign-out-everywhere", 302, EVERYBODY),
    ("GET", "account.forgot"): ("/forgot-password", 200, OPEN),
    ("POST", "account.forgot"): ("/forgot-password", 200, OPEN),
    ("GET", "account.reset_link"): ("/reset-password/none", 302, OPEN),
    ("GET", "account.reset"): ("/reset-password", 422, OPEN),
    ("POST", "account.reset"): ("/reset-password", 422, OPEN),
    ("GET", "openid.begin"): ("/sign-in/openid", 404, OPEN),
    ("GET", "openid.callback"): ("/sign-in/openid/callback", 404, OPEN),
    ("GET", "api.page"): ("/api", 200, OPEN),
    ("GET", "users.users"): ("/users", 200, only("administrator", "auditor")),
    ("GET", "users.new_user"): ("/users/new", 200, only("administrator")),
    ("POST", "users.new_user"): ("/users/new", 422, only("administrator")),
    ("GET", "users.user"): ("/users/1", 200, only("administrator", "auditor")),
    ("POST", "users.change_user"): ("/users/1/enable", 302, only("administrator")),
    ("POST", "users.reset_user"): ("/users/1/reset", 200, only("administrator")),
    ("GET", "users.tokens"): ("/tokens", 200, only("administrator", "auditor")),
    ("POST", "users.new_token"): ("/tokens", 422, only("administrator")),
    ("POST", "users.revoke_token"): ("/tokens/1/revoke", 302, only("administrator")),
    ("GET", "privacy.own"): ("/my-data", 200, only("administrator", "employee")),
    ("POST", "privacy.export_person"): ("/privacy/export", 200, only("administrator", "employee")),
    ("GET", "privacy.overview"): ("/privacy", 200, only("administrator", "auditor")),
    ("GET", "privacy.proposing"): ("/privacy/proposals", 200, only("hr")),
    ("POST", "privacy.proposing"): ("/privacy/proposals", 422, only("hr")),
    ("GET", "privacy.look"): ("/privacy/people", 302, only("administrator")),
    ("GET", "privacy.erasing"): ("/privacy/people/E40", 200, only("administrator")),
    ("POST", "privacy.erasing"): ("/privacy/people/E40", 422, only("administrator")),
    ("POST", "privacy.decline"): ("/privacy/proposals/999/decline", 404, only("administrator")),
    ("GET", "mail.mails"): ("/mail", 200, MAIL),
    ("GET", "mail.mail"): ("/mail/999", 404, MAIL),
    ("GET", "mail.as_html"): ("/mail/999/html", 404, MAIL),
    ("POST", "mail.retry"): ("/mail/999/retry", 404, MAIL),
    ("GET", "audit.trail"): ("/audit", 200, AUDIT),
    ("POST", "audit.verify"): ("/audit/verify", 302, AUDIT),
    ("GET", "audit.export"): ("/audit/export.csv", 200, AUDIT),
    ("GET", "operation.operation"): ("/operation", 200, SYNC),
    ("GET", "connectors.sync"): ("/sync", 200, SYNC),
    ("POST", "connectors.sync_now"): ("/sync/lms/now", 302, only("administrator")),
    ("GET", "identities.account_list"): ("/sync/accounts", 200, only("administrator", "coordinator", "hr", "auditor")),
    ("GET", "identities.account"): ("/sync/accounts/999", 404, only("administrator", "coordinator", "hr", "auditor")),
    ("GET", "identities.confirm"): ("/sync/accounts/999/undo", 404, only("administrator", "coordinator", "hr")),
    ("POST", "identities.decided"): ("/sync/accounts/999/undo", 404, only("administrator", "coordinator", "hr")),
    ("GET", "connectors.quarantine"): ("/quarantine", 200, SYNC),
    ("GET", "runs.history"): ("/sync/lms/history", 200, SYNC),
    ("POST", "runs.retry"): ("/quarantine/999/retry", 404, only("administrator")),
    ("POST", "runs.discard"): ("/quarantine/999/discard", 302, only("administrator")),
    ("GET", "metrics.own"): ("/me", 302, but("operator", "manager")),
    ("GET", "metrics.people"): ("/people", 200, but("operator", "employee")),
    ("GET", "metrics.person"): ("/people/E40", 200, but("operator", "manager", "employee")),
    ("GET", "metrics.explanation"): (
        "/people/E40/certifications/FORKLIFT",
        200,
        only("administrator", "coordinator", "hr", "auditor"),
    ),
    ("GET", "assessments.listing"): ("/assessments", 200, ENTRIES),
    ("GET", "assessments.one"): ("/assessments/999", 404, ENTRIES),
    ("GET", "assessments.file"): ("/assessments/999/file", 404, ENTRIES),
    ("GET", "assessments.enter"): ("/assessments/enter", 200, ASSESSORS),
    ("POST", "assessments.enter"): ("/assessments/enter", 422, ASSESSORS),
    ("GET", "assessments.correct"): ("/assessments/999/correct", 404, ASSESSORS),
    ("POST", "assessments.correct"): ("/assessments/999/correct", 404, ASSESSORS),
    ("POST", "assessments.settle"): ("/assessments/999/approve", 404, ASSESSORS),
    ("GET", "assessments.hand_in"): ("/assessments/hand-in", 200, only("employee")),
    ("POST", "assessments.hand_in"): ("/assessments/hand-in", 422, only("employee")),
    ("GET", "roster.files_page"): ("/roster", 200, only("administrator", "hr")),
    ("POST", "roster.hand_in"): ("/roster", 422, only("administrator", "hr")),
    ("GET", "roster.look"): ("/roster/files/999", 302, only("administrator", "hr")),
    ("GET", "roster.report"): ("/roster/files/999/report.csv", 404, only("administrator", "hr")),
    ("POST", "roster.decide"): ("/roster/files/999", 302, only("administrator", "hr")),
    ("POST", "roster.confirm"): ("/roster/held/999", 404, only("administrator", "hr")),
    ("GET", "roster.template"): ("/roster/templates/employees.csv", 200, only("administrator", "hr")),
    ("GET", "imports.assessments"): ("/assessments/import", 200, ASSESSORS),
    ("POST", "imports.assessments"): ("/assessments/import", 422, ASSESSORS),
    ("GET", "imports.requirements"): ("/requirements/import", 200, only("coordinator")),
    ("POST", "imports.requirements"): ("/requirements/import", 422, only("coordinator")),
    ("GET", "imports.tags"): ("/requirements/import-tags", 200, only("coordinator")),
    ("POST", "imports.tags"): ("/requirements/import-tags", 422, only("coordinator")),
    ("GET", "imports.past_awards"): ("/rules/import-history", 200, only("coordinator")),
    ("POST", "imports.past_awards"): ("/rules/import-history", 422, only("coordinator")),
    ("GET", "imports.promotions"): ("/promotions/import", 200, only("hr")),
    ("POST", "imports.promotions"): ("/promotions/import", 422, only("hr")),
    ("GET", "reminders.reminders"): ("/reminders", 200, only("coordinator", "hr", "auditor")),
    ("GET", "decisions.listing"): ("/decisions", 200, only("coordinator", "hr", "auditor")),
    ("GET", "decisions.one"): ("/decisions/999", 404, only("coordinator", "hr", "auditor")),
    ("POST", "decisions.settle"): ("/decisions/999/accept", 404, only("hr")),
    ("GET", "decisions.decide"): ("/people/E40/decide", 200, only("hr")),
    ("POST", "decisions.decide"): ("/people/E40/decide", 422, only("hr")),
    ("GET", "decisions.propose"): ("/people/E40/propose", 200, only("coordinator")),
    ("POST", "decisions.propose"): ("/people/E40/propose", 422, only("coordinator")),
    ("GET", "rules.listing"): ("/rules", 200, RULES),
    ("GET", "rules.rule"): ("/rules/of/FORKLIFT", 200, RULES),
    ("GET", "rules.apply"): ("/rules/apply/FORKLIFT", 422, only("coordinator")),
    ("POST", "rules.apply"): ("/rules/apply/FORKLIFT", 422, only("coordinator")),
    ("GET", "rule_composing.begin"): ("/rules/compose", 200, only("coordinator")),
    ("POST", "rule_composing.act"): ("/rules/compose", 422, only("coordinator")),
    ("GET", "metrics.figures"): ("/figures", 200, FIGURES),
    ("GET", "metrics.figure_people"): ("/figures/coverage/denominator", 200, FIGURES - {"administrator"}),
    ("GET", "metrics.promotions"): ("/promotions", 200, only("coordinator", "hr", "manager", "employee", "auditor")),
    ("GET", "promotions.new"): ("/promotions/new", 200, only("hr")),
    ("POST", "promotions.new"): ("/promotions/new", 422, only("hr")),
    ("GET", "promotions.record"): ("/promotions/HR-E40", 200, only("coordinator", "hr", "auditor")),
    ("POST", "promotions.close"): ("/promotions/NONE/close", 404, only("hr")),
    ("GET", "requirements.listing"): (
        "/requirements",
        200,
        only("coordinator", "hr", "manager", "employee", "auditor"),
    ),
    ("GET", "requirements.new"): ("/requirements/new", 200, only("coordinator")),
    ("POST", "requirements.new"): ("/requirements/new", 422, only("coordinator")),
    ("POST", "requirements.end"): ("/requirements/999/end", 404, only("coordinator")),
    ("GET", "endpoints.listing"): ("/endpoints", 200, DELIVERIES),
    ("POST", "endpoints.add"): ("/endpoints", 422, only("administrator")),
    ("GET", "endpoints.one"): ("/endpoints/hr", 200, DELIVERIES),
    ("POST", "endpoints.act"): ("/endpoints/hr/disable", 422, only("administrator")),
    ("GET", "webhooks.deliveries"): ("/deliveries", 200, DELIVERIES),
    ("POST", "webhooks.replay"): ("/deliveries/replay", 302, only("administrator", "operator")),
    ("GET", "webhooks.delivery"): ("/deliveries/1", 200, DELIVERIES),
    ("POST", "webhooks.retry"): ("/deliveries/1/retry", 302, only("administrator", "operator")),
}
# Somebody who has the right about others only is told that there is no such person.
ABSENT = {
    ("GET", "promotions.record"): {"manager", "employee"},
    ("GET", "metrics.person"): {"manager", "employee"},
    ("GET", "metrics.explanation"): {"manager", "employee"},
}
# Every call of the API: its path here, what it answers with the right scope, and that scope.
CALLS: dict[tuple[str, str], tuple[str, int, str]] = {
    ("GET", "certifications_api.every"): ("/api/v1/people/NONE/certifications", 404, "certifications:read"),
    ("GET", "certifications_api.one"): ("/api/v1/people/NONE/certifications/FIRE", 404, "certifications:read"),
    ("GET", "certifications_api.required"): ("/api/v1/people/NONE/requirements", 404, "certifications:read"),
    ("GET", "certifications_api.held"): ("/api/v1/certifications", 200, "certifications:read"),
    ("GET", "events_api.events"): ("/api/v1/events", 200, "events:read"),
    ("POST", "promotions_api.propose"): ("/api/v1/promotions", 400, "promotions:write"),
    ("POST", "promotions_api.close"): ("/api/v1/promotions/NONE/close", 404, "promotions:write"),
    ("GET", "promotions_api.one"): ("/api/v1/promotions/NONE", 404, "promotions:read"),
    ("GET", "promotions_api.several"): ("/api/v1/promotions", 200, "promotions:read"),
    ("GET", "promotions_api.of_person"): ("/api/v1/people/NONE/promotions", 404, "promotions:read"),
}
SCOPES = ("certifications:read", "events:read", "promotions:read", "promotions:write", "something:else")
IMPLIED = {"promotions:read": "promotions:write"}  # whoever may propose may also ask how it stands
# Calls that hold nothing of anybody's.
FREE = {
    ("GET", "xapi.about"): "/xapi/about",
    ("GET", "api.openapi"): "/api/v1/openapi.json",
    ("GET", "schemas_api.several"): "/api/v1/schemas",
    ("GET", "schemas_api.newest"): "/api/v1/schemas/person.erased.json",
    ("GET", "schemas_api.one"): "/api/v1/schemas/1/person.erased.json",
}
# Calls that prove by their own signature who sent them: neither a session nor a token opens them.
SIGNED = {
    ("POST", "notices.events"): "/api/v1/sources/lms/events",
    ("POST", "inbound_api.receive"): "/api/v1/inbound/hr",
    ("POST", "xapi.post"): "/xapi/statements",
    ("PUT", "xapi.put"): "/xapi/statements",
    ("GET", "xapi.get"): "/xapi/statements",
    **{(method, "xapi.nothing"): "/xapi/x" for method in ("DELETE", "GET", "PATCH", "POST", "PUT")},
    **{(method, "xapi.root"): "/xapi/" for method in ("DELETE", "GET", "PATCH", "POST", "PUT")},
}


@pytest.fixture
def app(installation: Installation) -> Flask:
    """The application of an organisation of seven; its forms need no tokens, as it is the rights that are tried."""
    sources = {"lms": SourceSettings(connector="connectors.moodle")}
    installation.settings = installation.settings.model_copy(update={"sources": sources})
    _fill(installation)
    made = create_app(installation)
    made.config["WTF_CSRF_ENABLED"] = False
    return made


def _fill(installation: Installation) -> None:
    now = installation.clock()
    with installation.store.write() as session:
        employees = [
            Employee(number, f"Person {number}", f"{number.lower()}@acme.example", "Production", "Operator", "G2", boss)
            for number, boss in REPORTS_TO.items()
        ]
        record_employees(session, employees, date(2025, 1, 1), now)
        people = {person.employee_number: person for person in session.scalars(select(Person))}
        people["E50"].left_on = date(2026, 6, 1)
        text = 'code = "FORKLIFT"\nname = { en = "Forklift" }\n[earn]\nall_of = [{ completed = { course = "C" } }]\n'
        text += '[validity]\nlasts = "P1Y"\n'
        session.add(CertificationRule(code="FORKLIFT", version=1, text=text, created_at=now, created_by="a test"))
        session.add(Course(source="lms", course_key="1", object="C", name="A course"))
        for number, person in people.items():
            session.add(
                Holding(
                    person_id=person.id, certification="FORKLIFT", status="certified", since=now, valid_from=now,
                    valid_until=now, required=False,
                )
            )  # fmt: skip
            session.add(
                Promotion(
                    promotion_id=f"HR-{number}", person_id=person.id, kind="promotion", to_position="Leader",
                    effective_on=date(2027, 1, 1), proposed_at=now, eligibility="eligible", requirements=[],
                )
            )  # fmt: skip
            session.add(
                Evidence(
                    person_id=person.id, origin=f"completion:{number}", source="lms", user_key=number, kind="completed",
                    object="C", course="C", achieved_at=now, recorded_at=now,
                )
            )  # fmt: skip
        session.add(Schedule(name="connectors.sync:lms", task="t", argument="lms", every_seconds=60, due_at=now))
        session.add(
            Endpoint(
                name="hr", kind="webhooks.standard", url="https://hr.example/", created_at=now,
            )
        )  # fmt: skip
        session.add(
            Event(
                id="0" * 26, person_id=people["E40"].id, sequence=1, type="certification.awarded", subject="a:1:B",
                occurred_at=now, data={}, fanned_out=True,
            )
        )  # fmt: skip
        session.flush()
        session.add(
            Message(
                event_id="0" * 26, endpoint_id=1, person_id=people["E40"].id, subject="a:1:B", sequence=1,
                state="dead", due_at=now, finished_at=now,
            )
        )  # fmt: skip
        create_account(session, "first", None, ["administrator"], now)
        create_token(session, "first", ["promotions:write"], now)


@pytest.fixture
def visit(app: Flask, installation: Installation) -> Callable[..., FlaskClient]:
    """A browser that is signed in with the given roles, as the employee E10 or another one or nobody."""

    def signed_in(*roles: str, employee: str | None = "E10") -> FlaskClient:
        client = app.test_client()
        with installation.store.write() as session:
            count = len(session.scalars(select(Account.id)).all())
            account = create_account(session, f"reader{count}", None, roles, installation.clock())
            account.person_id = session.scalar(select(Person.id).where(Person.employee_number == employee))
            session.flush()
        with client.session_transaction() as cookie:
            cookie.update(session_of(account, installation.clock()))
        return client

    return signed_in


def routes(app: Flask, *, api: bool) -> Iterator[tuple[str, str]]:
    """Every method and endpoint of the pages, or of the API."""
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            if rule.rule.startswith(("/api/", "/xapi/")) == api:
                yield method, rule.endpoint


def test_table_of_pages_is_complete(app: Flask) -> None:
    """A new page without an entry in PAGES fails here; so does an entry without its page."""
    assert set(routes(app, api=False)) == PAGES.keys()
    adapter = app.url_map.bind("localhost")
    for (method, endpoint), (path, _status, _roles) in PAGES.items():
        assert adapter.match(path, method)[0] == endpoint, "the table's path is another page's"


@pytest.mark.parametrize("role", [*ROLES, NOBODY])
def test_every_page_for_every_role(app: Flask, visit: Callable[..., FlaskClient], role: str) -> None:
    """Each page answers each role as PAGES says, and whoever is not signed in is sent to do so."""
    differences = []
    for key, (path, status, allowed) in PAGES.items():
        client = app.test_client() if role == NOBODY else visit(role)
        answer = client.open(path, method=key[0], buffered=True)
        if role in allowed:
            expected = status
        elif role == NOBODY:
            expected = 302
            assert answer.location.startswith("/sign-in"), key
        else:
            expected = 404 if role in ABSENT.get(key, ()) else 403
        if answer.status_code != expected:
            differences.append((*key, answer.status_code, expected))
    assert differences == []


@pytest.mark.parametrize("role", ROLES)
def test_navigation_leads_nowhere_that_is_refused(visit: Callable[..., FlaskClient], role: str) -> None:
    """Every entry of the navigation, and every link on the pages that it leads to, can be opened."""
    client = visit(role)
    menu = re.findall(r'<li><a href="(/[^"]*)"', client.get("/").text)
    assert menu
    seen = set()
    for path in menu:
        page = client.get(path, follow_redirects=True)
        assert page.status_code == 200, path
        for link in set(re.findall(r'href="(/[^"#]*)"', page.text)) - seen:
            seen.add(link)
            assert client.get(link.replace("&amp;", "&"), buffered=True).status_code in (200, 302), (path, link)


def test_form_of_every_page_needs_its_token(installation: Installation, app: Flask) -> None:
    """Without the token of the session, no page that changes something does so, whoever sends it."""
    app.config["WTF_CSRF_ENABLED"] = True
    with installation.store.write() as session:
        account = create_account(session, "all", None, ROLES, installation.clock())
        session.flush()
    client = app.test_client()
    with client.session_transaction() as cookie:
        cookie.update(session_of(account, installation.clock()))
    for (method, endpoint), (path, *_rest) in PAGES.items():
        if method == "POST":
            assert client.post(path).status_code == 400, endpoint


def test_another_site_is_refused_by_what_the_browser_says(visit: Callable[..., FlaskClient]) -> None:
    """A form that the browser marks as another site's is refused."""
    client = visit("administrator")
    assert client.post("/account/password", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.post("/account/password", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 422


def test_table_of_calls_is_complete(app: Flask) -> None:
    """A new call of the API without an entry in CALLS fails here; so does a scope that no call needs."""
    assert set(routes(app, api=True)) == CALLS.keys() | SIGNED.keys() | FREE.keys()
    with app.app_context():
        assert known_scopes() == sorted({scope for _path, _status, scope in CALLS.values()})


def test_every_call_for_every_scope(app: Flask, installation: Installation) -> None:
    """Each call opens for its own scope only, one that reads for the scope that writes too, and not for a wrong word."""
    with installation.store.write() as session:
        tokens = {scope: create_token(session, scope, [scope], installation.clock()) for scope in SCOPES}
    client = app.test_client()
    for key, (path, status, needed) in CALLS.items():
        for scope, token in tokens.items():
            answer = client.open(path, method=key[0], headers={"Authorization": f"Bearer {token}"})
            opens = scope in (needed, IMPLIED.get(needed))
            assert answer.status_code == (status if opens else 403), (key, scope)
        for header in ({}, {"Authorization": "Bearer x"}, {"Authorization": f"Basic {tokens[needed]}"}):
            answer = client.open(path, method=key[0], headers=header)
            assert answer.status_code == 401, key
            assert answer.json["status"] == 401


def test_calls_without_a_token_hold_nothing_of_anybodys(app: Flask) -> None:
    """The documents are there for everybody, and no name or number of the organisation stands in them."""
    for path in FREE.values():
        answer = app.test_client().get(path)
        assert answer.status_code == 200, path
        assert not re.search(r"\bE\d+\b|Person ", answer.text), path


def test_session_opens_no_call_of_the_api(visit: Callable[..., FlaskClient]) -> None:
    """Somebody who is signed in with every role still needs a token for the API."""
    client = visit(*ROLES)
    assert {client.open(path, method=key[0]).status_code for key, (path, *_rest) in CALLS.items()} == {401}


def test_signed_call_opens_for_its_signature_only(
    visit: Callable[..., FlaskClient], installation: Installation
) -> None:
    """A session with every role and a token for everything change nothing about a message that is not signed."""
    with installation.store.write() as session:
        token = create_token(session, "all", list(SCOPES), installation.clock())
    client = visit(*ROLES)
    for (method, _), path in SIGNED.items():
        for headers in ({}, {"Authorization": f"Bearer {token}"}):
            answer = client.open(path, method=method, headers=headers, json={"type": "moodle.changes"})
            assert answer.status_code in (400, 401, 404), path


def listed(client: FlaskClient, path: str = "/people") -> set[str]:
    """The employee numbers that a page names."""
    return set(re.findall(r"\bE\d+\b", client.get(path).text))


def test_manager_sees_those_below_and_nobody_else(visit: Callable[..., FlaskClient]) -> None:
    """List, promotions, figures and the people behind them hold the own subtree, without the manager and leavers."""
    client = visit("manager")
    for path in ("/people", "/people?leavers=1", "/promotions", "/figures/coverage/denominator?period=2026"):
        assert listed(client, path) == SUBTREE, path
    page = client.get("/figures?period=2026").text
    assert "Only people below you" in page
    assert "among 3 listed people" in page


@pytest.mark.parametrize("number", list(REPORTS_TO))
def test_manager_opens_the_pages_of_those_below(visit: Callable[..., FlaskClient], number: str) -> None:
    """Person and explanation open for the own subtree; for anybody else the answer is that of an unknown number."""
    client = visit("manager")
    for path in ("/people/{}", "/people/{}/certifications/FORKLIFT"):
        answer = client.get(path.format(number))
        if number in SUBTREE:
            assert answer.status_code == 200
        else:
            assert answer.status_code == 404
            unknown = client.get(path.format("E99")).text
            assert CSRF.sub("", answer.text.replace(number, "E99")) == CSRF.sub("", unknown)


def test_employee_sees_the_own_record_and_nobody_elses(visit: Callable[..., FlaskClient]) -> None:
    """An employee finds the own page, certifications and promotions; there is no list, and nobody else is there."""
    client = visit("employee")
    assert client.get("/people/E10").status_code == 200
    assert client.get("/people/E10/certifications/FORKLIFT").status_code == 200
    assert "e10@acme.example" in client.get("/people/E10").text
    assert listed(client, "/promotions") == {"E10"}
    assert client.get("/people").status_code == 403
    assert {client.get(f"/people/{number}").status_code for number in ("E1", "E20", "E99")} == {404}


def test_roles_add_up(visit: Callable[..., FlaskClient]) -> None:
    """A manager who is an employee too sees those below and the own page; HR beside it sees everybody."""
    assert listed(visit("manager", "employee")) == SUBTREE
    assert listed(visit("manager", "employee"), "/promotions") == SUBTREE | {"E10"}
    assert visit("manager", "employee").get("/people/E10").status_code == 200
    assert listed(visit("manager", "hr")) == REPORTS_TO.keys() - {"E50"}


@pytest.mark.parametrize("role", ["manager", "employee"])
def test_account_that_is_nobodys_has_no_people(visit: Callable[..., FlaskClient], role: str) -> None:
    """Roles that reach the own subtree or the own record reach nobody when the account is no employee's."""
    client = visit(role, employee=None)
    paths = ("/people", "/people/E10", "/promotions", "/figures", "/people/E10/certifications/FORKLIFT")
    assert {client.get(path).status_code for path in paths} == {403}
    home = client.get("/").text
    if role == "manager":  # managers see what all rules ask, and of whom
        assert re.findall(r'<h2><a href="([^"]+)"', home) == ["/rules", "/requirements"]
    else:
        assert "There is nothing here for your roles." in home


def test_assessor_sees_people_narrowly(visit: Callable[..., FlaskClient]) -> None:
    """Who they are and what they hold; no address, no evidence, no explanation, no link to one."""
    client = visit("assessor")
    assert listed(client) == REPORTS_TO.keys() - {"E50"}
    assert "/certifications/" not in client.get("/people").text
    page = client.get("/people/E40").text
    assert "Forklift" in page
    for absent in ("acme.example", "Evidence", "In the organisation", "/certifications/", "Joined"):
        assert absent not in page, absent


def test_start_page_counts_only_for_whoever_sees_everybody(visit: Callable[..., FlaskClient]) -> None:
    """Counts are about everybody, so a manager and an employee get links in their place."""
    for role in ("manager", "employee"):
        page = visit(role).get("/").text
        assert 'class="figure"' not in page
        assert 'href="/promotions"' in page
    assert "Promotion records" in visit("hr").get("/").text
    assert "People" not in visit("operator").get("/").text


def test_operator_finds_no_link_to_accounts_of_people(visit: Callable[..., FlaskClient]) -> None:
    """Linking accounts with employees is none of the operator's tasks."""
    assert "/sync/accounts" not in visit("operator").get("/sync").text


# ── The tree of managers ──


@pytest.fixture
def organised(app: Flask, store: Store) -> Callable[[str, date], set[str]]:
    """Who is below an employee on a day."""

    def find(number: str, day: date = TODAY) -> set[str]:
        with store.read() as session:
            person_id = session.scalar(select(Person.id).where(Person.employee_number == number))
            query = select(Person.employee_number).where(Person.id.in_(below(person_id, day)))
            return set(session.scalars(query))

    return find


def test_subtree_is_that_of_the_day(organised: Callable[..., set[str]], store: Store) -> None:
    """Who moved to another manager is below the new one from that day on; those below move along."""
    assert organised("E1") == REPORTS_TO.keys() - {"E1", "E50"}
    assert organised("E50") == set()
    with store.write() as session:
        moved = session.scalars(
            select(Assignment).join(Person, Person.id == Assignment.person_id).where(Person.employee_number == "E20")
        ).one()
        moved.valid_until = TODAY
        session.flush()
        session.add(Assignment(person_id=moved.person_id, valid_from=TODAY, manager_number="E40"))
    assert organised("E10") == {"E21"}
    assert organised("E40") == {"E20", "E30"}
    assert organised("E10", date(2026, 11, 22)) == SUBTREE


def test_ring_of_managers_does_no_harm(organised: Callable[..., set[str]], store: Store) -> None:
    """Two who are each other's managers have each other below them, and nobody is below themself."""
    with store.write() as session:
        for assignment, number in session.execute(
            select(Assignment, Person.employee_number).join(Person, Person.id == Assignment.person_id)
        ):
            if number == "E1":
                assignment.manager_number = "E30"
    assert organised("E30") == {"E1", "E10", "E20", "E21", "E40"}
    assert organised("E1") == REPORTS_TO.keys() - {"E1", "E50"}


def test_those_of_a_manager_who_has_left_stay_below(organised: Callable[..., set[str]], store: Store) -> None:
    """The tree is not cut where somebody has left; the leaver alone is out of it."""
    with store.write() as session:
        session.scalars(select(Person).where(Person.employee_number == "E20")).one().left_on = TODAY
    assert organised("E10") == {"E21", "E30"}


def test_subtree_is_one_statement(app: Flask, store: Store, counted: Any, installation: Installation) -> None:
    """However deep the tree is, the list of a manager's people asks the database once for them."""
    with counted(installation) as statements, store.read() as session:
        condition = within({Reach.SUBTREE, Reach.OWN}, 1, TODAY)
        session.scalars(select(Person.employee_number).where(condition)).all()
    assert len([text for text in statements if "person" in text]) == 1


# ── The matrix ──


def test_rights_name_known_roles() -> None:
    """A right is given to roles that exist, and every role has one."""
    assert {role for right in RIGHTS.values() for role in right} == EVERYBODY


@pytest.mark.parametrize("role", ROLES)
def test_rights_that_lead_to_others_reach_no_further(role: str) -> None:
    """Whoever is listed, promoted or behind a figure can be opened by the one who sees them there."""
    wider = {
        "people.list": "people.see",
        "people.record": "people.see",
        "promotions.see": "people.record",
        "figures.names": "people.record",
    }
    for right, needed in wider.items():
        found = reaches([role], right, 1)
        assert found <= reaches([role], needed, 1), (right, needed)


def test_auditor_acts_nowhere() -> None:
    """The auditor sees and does nothing else."""
    assert {right.rpartition(".")[2] for right, roles in RIGHTS.items() if "auditor" in roles} <= {
        "see", "list", "record", "names",
    }  # fmt: skip


def test_docs_show_the_rights_as_they_are() -> None:
    """docs/roles.md has one row for each right, and what it says of each role is what holds."""
    text = (Path(__file__).parents[2] / "docs" / "roles.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z_.]+)` \| (.*) \|$", text, re.MULTILINE)
    shown = {right: [cell.strip() for cell in cells.split("|")[1:]] for right, cells in rows}
    words = {None: "–", Reach.EVERYBODY: "yes", **{reach: reach.value for reach in Reach if reach != Reach.EVERYBODY}}
    assert shown == {right: [words[roles.get(role)] for role in ROLES] for right, roles in RIGHTS.items()}

"""The audit trail's page: who sees what of it, filters, seals, the last verification, and the export."""

import csv
import io
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert, select, text, update
from werkzeug.test import TestResponse

from plugin.accounts import create_account
from plugin.alerts import look
from plugin.audit import SealingKeys, forget_person, record_act, seal_waiting, sealed_tables
from plugin.audit.areas import AREAS, area_of
from plugin.audit.verified import KEPT, SHOWN
from plugin.audit.words import ACTIONS
from plugin.installation import Installation
from plugin.models import Alert, AuditEntry, AuditVerification, Schedule
from plugin.paging import SIZE
from plugin.roles import RIGHTS, Reach
from plugin.tasks import TASKS
from plugin.web import create_app, session_of

START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
ACTS = {
    "account.roles": "account:ann",
    "endpoint.add": "endpoint:hr",
    "identity.link": "account:lms:17",
    "promotion.propose": "promotion:HR-1",
    "award.revoke": "award:5",
    "certification.import": "FORKLIFT",
    "acme.decide": "acme:1",
}


@pytest.fixture
def visit(installation: Installation) -> Callable[..., FlaskClient]:
    """A browser of somebody with these roles."""
    app = create_app(installation)

    def signed_in(*roles: str, language: str = "en") -> FlaskClient:
        client = app.test_client()
        with installation.store.write() as session:
            account = create_account(session, f"reader-{'-'.join(roles)}-{language}", None, roles, installation.clock())
            session.flush()
        with client.session_transaction() as cookie:
            cookie.update({**session_of(account, installation.clock()), "language": language})
        return client

    return signed_in


@pytest.fixture
def auditor(visit: Callable[..., FlaskClient]) -> FlaskClient:
    """Somebody who sees every act."""
    return visit("auditor")


def act(home: Installation, action: str, subject: str = "account:ann", actor: str = "boss", **columns: object) -> None:
    """Record an act now."""
    with home.store.write() as session:
        record_act(session, actor, action, subject, home.clock(), **columns)  # type: ignore[arg-type]


def seal(home: Installation) -> None:
    """Seal what waits."""
    keys = SealingKeys.from_file(home.key_file)
    seal_waiting(home.store, home.clock, keys, sealed_tables(home.installed), everything=True)


def pass_by(home: Installation, **time: float) -> None:
    """Move the clock."""
    home.clock.moment += timedelta(**time)  # type: ignore[attr-defined]


def rows(answer: TestResponse) -> list[str]:
    """The rows of the page's table."""
    assert answer.status_code == 200
    return [row.partition("</tr>")[0] for row in answer.text.partition("<tbody>")[2].split("<tr>")[1:]]


def actions(answer: TestResponse) -> list[str]:
    """The codes of the acts on the page, from the top."""
    return re.findall(r'<code class="small">([^<]+)</code>', answer.text)


# ── Who sees what ──


def test_each_role_sees_its_area(installation: Installation, visit: Callable[..., FlaskClient]) -> None:
    """An auditor sees all, an administrator and HR what they may do themselves, somebody who is both, both; on the
    page and in both exports alike."""
    for action, subject in ACTS.items():
        act(installation, action, subject)
    expected = {
        ("auditor",): set(ACTS),
        ("administrator",): {"account.roles", "endpoint.add", "identity.link"},
        ("hr",): {"identity.link", "promotion.propose", "award.revoke"},
        ("administrator", "hr"): set(ACTS) - {"certification.import", "acme.decide"},
        ("hr", "auditor"): set(ACTS),
    }
    for roles, seen in expected.items():
        client = visit(*roles)
        assert set(actions(client.get("/audit"))) == seen, roles
        assert {one["action"] for one in client.get("/audit/export.json").json} == seen, roles
        assert {one["action"] for one in csv.DictReader(io.StringIO(client.get("/audit/export.csv").text))} == seen
        assert ("You see the acts of your own area." in client.get("/audit").text) == ("auditor" not in roles)


def test_areas_are_those_of_the_roles_that_have_one() -> None:
    """Whoever has the right with the reach 'own area' has an area, and nobody else; other roles add nothing."""
    assert {role for role, reach in RIGHTS["audit.see"].items() if reach == Reach.AREA} == set(AREAS)
    assert area_of(["coordinator", "employee"]) == frozenset()
    assert all(beginning.endswith(".") for area in AREAS.values() for beginning in area)


def test_area_cannot_be_left_by_a_filter(installation: Installation, visit: Callable[..., FlaskClient]) -> None:
    """Asking for another area's acts finds none, whatever is put into the filter."""
    for action, subject in ACTS.items():
        act(installation, action, subject)
    client = visit("hr")
    for asked in ("account.", "acme", "%", "_ccount.", "a%"):
        assert not {"account.roles", "acme.decide"} & set(actions(client.get("/audit", query_string={"action": asked})))


# ── Order, pages, filters ──


def test_newest_stands_first_and_pages_go_both_ways(installation: Installation, auditor: FlaskClient) -> None:
    """Going back through the pages shows every act once, also those of one moment; going forth, the same ones."""
    number = 2 * SIZE + 7
    with installation.store.write() as session:
        moments = [START + timedelta(minutes=each // 10) for each in range(number)]
        entries = [
            {"at": at, "actor": "boss", "action": f"a.{each:03}", "subject": "s"} for each, at in enumerate(moments)
        ]
        session.execute(insert(AuditEntry), entries)
    every = [f"a.{each:03}" for each in reversed(range(number))]
    pages, path = [], "/audit?actor=boss"
    while path:
        page = auditor.get(path)
        pages.append(actions(page))
        older = re.search(r'rel="next" href="([^"]+)"', page.text)
        path = older[1].replace("&amp;", "&") if older else ""
        assert not path or "actor=boss" in path
    assert [len(page) for page in pages] == [SIZE, SIZE, 7]
    assert [action for page in pages for action in page] == every
    back = re.search(r'rel="prev" href="([^"]+)"', page.text)
    assert back
    middle = auditor.get(back[1].replace("&amp;", "&"))
    assert actions(middle) == pages[1]
    back = re.search(r'rel="prev" href="([^"]+)"', middle.text)
    assert back
    newest = auditor.get(back[1].replace("&amp;", "&"))
    assert actions(newest) == pages[0]
    assert 'rel="prev"' not in newest.text


def test_page_costs_the_same_however_long_the_trail_is(
    installation: Installation, auditor: FlaskClient, counted: Callable[..., object]
) -> None:
    """Nothing is counted, and no row before the page is read: the statements name a limit and no offset."""
    for number in range(3):
        act(installation, f"a.{number}")
    with counted(installation) as statements:  # type: ignore[attr-defined]
        auditor.get("/audit?before=3")
    own = [one for one in statements if "FROM audit_entry" in one]
    assert own
    assert not any("count(" in one.lower() or "OFFSET" in one.replace("LIMIT ? OFFSET ?", "") for one in own)


@pytest.mark.parametrize("place", ["before=0", "before=99999", "after=99999", f"before={10**30}", "before=-1"])
def test_row_that_is_not_there_leads_nowhere(installation: Installation, auditor: FlaskClient, place: str) -> None:
    """A page that follows a row which retention has deleted, or which never was, is empty."""
    act(installation, "account.roles")
    assert rows(auditor.get(f"/audit?{place}")) == []


def test_place_that_is_no_number_is_passed_over(installation: Installation, auditor: FlaskClient) -> None:
    """Rubbish in the address shows the newest acts."""
    act(installation, "account.roles")
    assert actions(auditor.get("/audit?before=x")) == ["account.roles"]


def test_filters_stand_in_the_address(installation: Installation, auditor: FlaskClient) -> None:
    """Actor, act and subject by their beginnings, without wildcards; the form shows them again, the exports take them."""
    act(installation, "account.roles", "account:ann", "boss")
    act(installation, "account.roles", "account:bob", "boss")
    act(installation, "token.create", "token:hr", "b_ss")
    for asked, found in (
        ("actor=boss", 2),
        ("actor=b_", 1),
        ("action=token", 1),
        ("action=%25", 0),
        ("subject=account:a", 1),
        ("actor=boss&subject=account:b&action=account.", 1),
        ("subject=%00", 3),
        ("subject=nobody", 0),
    ):
        page = auditor.get(f"/audit?{asked}")
        assert len(rows(page)) == found, asked
        assert len(auditor.get(f"/audit/export.json?{asked}").json) == found, asked
    page = auditor.get('/audit?actor="><b>boss')
    assert "No act fits this filter." in page.text
    assert "<b>boss" not in page.text
    assert 'href="/audit/export.csv?subject=account:a"' in auditor.get("/audit?subject=account:a").text


def test_days_are_the_organisations_and_the_last_one_counts_whole(
    installation: Installation, auditor: FlaskClient
) -> None:
    """The days from and until are those of Asia/Shanghai, both included."""
    for moment, action in (
        (datetime(2026, 11, 22, 15, 59, tzinfo=UTC), "a.before"),
        (datetime(2026, 11, 22, 16, 0, tzinfo=UTC), "a.first"),
        (datetime(2026, 11, 23, 15, 59, tzinfo=UTC), "a.last"),
        (datetime(2026, 11, 23, 16, 0, tzinfo=UTC), "a.after"),
    ):
        installation.clock.moment = moment  # type: ignore[attr-defined]
        act(installation, action)
    installation.clock.moment = START  # type: ignore[attr-defined]  # or the reader's session would be over
    asked = "/audit?action=a.&from=2026-11-23&until=2026-11-23"
    assert actions(auditor.get(asked)) == ["a.last", "a.first"]
    assert actions(auditor.get("/audit?action=a.&until=2026-11-22")) == ["a.before"]
    assert actions(auditor.get("/audit?action=a.&from=2026-11-23T23:59")) == ["a.after", "a.last"]


@pytest.mark.parametrize("day", ["yesterday", "2026-13-01", "9999-12-31", "0001-01-01", "2026-11-23' OR 1=1"])
def test_day_that_is_none_is_refused(auditor: FlaskClient, day: str) -> None:
    """What is no day is said to be none, on the page and in an export; nothing is shown instead."""
    for path in ("/audit", "/audit/export.csv"):
        answer = auditor.get(path, query_string={"until": day})
        if answer.status_code == 200:
            assert day in ("0001-01-01",)
            continue
        assert answer.status_code == 422
        assert "is no day; write it like 2026-09-01." in answer.text


def test_pages_speak_chinese(installation: Installation, visit: Callable[..., FlaskClient]) -> None:
    """Headings, names of acts and the state of the seals are in the reader's language."""
    act(installation, "account.roles")
    page = visit("auditor", language="zh_Hans_CN").get("/audit").text
    for said in ("审计记录", "已更改角色", "等待", "尚未验证过。"):
        assert said in page


def test_every_act_of_the_program_has_words() -> None:
    """What our own code records is named on the page, not only by its code."""
    root = Path(__file__).parents[2]
    recorded = set()
    for package in ("plugin", "connectors", "metrics", "webhooks"):
        for path in (root / package).rglob("*.py"):
            for call in re.findall(r"record_act\((?:[^()]|\([^()]*\))*\)", path.read_text(encoding="utf-8")):
                recorded |= set(re.findall(r'"([a-z_]+\.[a-z_]+)"', call))
    assert len(recorded) > 15
    assert recorded - ACTIONS.keys() == set()


# ── What an act shows ──


def test_act_shows_what_changed_and_why(installation: Installation, auditor: FlaskClient) -> None:
    """Reason, before and after stand in the row, escaped, with the organisation's time."""
    act(
        installation, "account.roles", reason="<b>new post</b>", before={"roles": ["hr"]},
        after={"roles": ["hr", "auditor"], "by": "李"},
    )  # fmt: skip
    (row,) = rows(auditor.get("/audit"))
    for said in ("roles changed", "boss", "&lt;b&gt;new post&lt;/b&gt;", "2026-11-23 10:00", "李", "auditor"):
        assert said in row


def test_seal_of_each_act_is_shown(installation: Installation, auditor: FlaskClient) -> None:
    """An act waits until the sealer has run, then stands under the number of its seal."""
    act(installation, "a.one")
    seal(installation)
    pass_by(installation, minutes=1)
    act(installation, "a.two")
    seal(installation)
    act(installation, "a.three")
    states = re.findall(r'<span class="badge badge-(?:ok|warn)">([^<]+)</span>', "".join(rows(auditor.get("/audit"))))
    assert states == ["waiting", "sealed in 2", "sealed in 1"]


def test_act_about_a_forgotten_person_is_blank(installation: Installation, auditor: FlaskClient) -> None:
    """What erasing has blanked is shown as erased: neither subject nor reason nor what changed is left, also in exports."""
    act(installation, "account.roles", "account:ann", reason="Ann asked for it", after={"x": "Ann"}, person_id=7)
    seal(installation)
    with installation.store.write() as session:
        forget_person(session, 7, installation.clock(), sealed_tables(installation.installed))
    page = auditor.get("/audit?action=account.")
    (row,) = rows(page)
    assert "sealed in 1, erased" in row
    for path in ("/audit", "/audit/export.csv", "/audit/export.json"):
        assert not re.search(r"\b[Aa]nn\b", auditor.get(path).text)


# ── Verification ──


def verify_now(home: Installation, client: FlaskClient) -> TestResponse:
    """Press the button, and let a worker do what is due."""
    token = TOKEN.search(client.get("/audit").text)
    assert token
    answer = client.post("/audit/verify", data={"csrf_token": token[1]}, follow_redirects=True)
    assert "Being verified" in answer.text
    TASKS["plugin.verify"](home, None)
    with home.store.write() as session:
        session.execute(
            update(Schedule).where(Schedule.name == "plugin.verify").values(due_at=home.clock() + timedelta(days=1))
        )
    return client.get("/audit")


@pytest.fixture
def quiet(installation: Installation) -> Installation:
    """The installation with nothing due."""
    with installation.store.write() as session:
        session.execute(update(Schedule).values(due_at=installation.clock() + timedelta(hours=12)))
    return installation


def test_verification_is_done_by_a_worker_and_shown_with_its_date(quiet: Installation, auditor: FlaskClient) -> None:
    """The button makes it due and is an act itself; the page shows when it was done, how much was looked at, and that
    nothing is wrong."""
    act(quiet, "a.one")
    seal(quiet)
    assert "Nothing has been verified yet." in auditor.get("/audit").text
    page = verify_now(quiet, auditor).text
    assert "nothing is wrong" in page
    assert "Verify now" in page
    facts = re.findall(r'<dd class="number">([^<]+)</dd>', page)
    assert facts == ["2026-11-23 10:00", "1", "1", "1"]
    assert "verification asked for" in page


def test_changed_row_is_found_named_and_alerted(quiet: Installation, auditor: FlaskClient) -> None:
    """What somebody changes behind the program's back stands on the page, opens an alert, and the alert ends when the
    trail is as it was sealed again."""
    act(quiet, "a.one", reason="as it was")
    seal(quiet)
    with quiet.store.write() as session:
        session.execute(text("UPDATE audit_entry SET reason = 'forged'"))
    page = verify_now(quiet, auditor).text
    assert "1 finding" in page
    assert "audit_entry 1: changed." in page
    look(quiet)
    pass_by(quiet, hours=1)
    verify_now(quiet, auditor)
    look(quiet)
    with quiet.store.read() as session:
        (alert,) = session.scalars(select(Alert)).all()
    assert (alert.kind, alert.needs, alert.count, alert.since) == ("audit", "audit.see", 1, START)
    assert alert.reason.startswith("audit_entry 1: changed.")
    assert "The audit trail is not as it was sealed" in auditor.get("/").text
    with quiet.store.write() as session:
        session.execute(text("UPDATE audit_entry SET reason = 'as it was' WHERE id = 1"))
    assert "nothing is wrong" in verify_now(quiet, auditor).text
    look(quiet)
    with quiet.store.read() as session:
        assert session.get_one(Alert, alert.id).closed_at is not None


def test_many_findings_are_kept_up_to_a_bound(quiet: Installation, auditor: FlaskClient) -> None:
    """Of a trail that was changed all over, the first hundred findings are kept and all are counted."""
    for number in range(SHOWN + 20):
        act(quiet, f"a.{number}")
    seal(quiet)
    with quiet.store.write() as session:
        session.execute(text("UPDATE audit_entry SET reason = 'forged'"))
    page = verify_now(quiet, auditor).text
    assert f"{SHOWN + 20} findings" in page
    assert page.count(": changed.") == SHOWN
    assert "The others are named by the command" in page


def test_old_verifications_go(quiet: Installation, auditor: FlaskClient) -> None:
    """Results are kept for about a year."""
    verify_now(quiet, auditor)
    pass_by(quiet, seconds=KEPT.total_seconds() + 1)
    TASKS["plugin.verify"](quiet, None)
    with quiet.store.read() as session:
        assert len(session.scalars(select(AuditVerification)).all()) == 1


def test_verification_is_scheduled(installation: Installation) -> None:
    """A worker verifies once a day by itself."""
    with installation.store.read() as session:
        schedule = session.get_one(Schedule, "plugin.verify")
    assert (schedule.task, schedule.every_seconds) == ("plugin.verify", 86_400)


# ── Exports ──


def test_export_holds_every_act_that_the_filter_lets_through(installation: Installation, auditor: FlaskClient) -> None:
    """CSV and JSON hold all pages, newest first, as files, with the organisation's time and with what changed."""
    for number in range(SIZE + 3):
        act(installation, f"a.{number:03}", after={"number": number, "name": "李"})
        pass_by(installation, seconds=1)
    answer = auditor.get("/audit/export.json?action=a.")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="audit-2026-11-23.json"'
    found = answer.json
    assert [one["action"] for one in found] == [f"a.{number:03}" for number in reversed(range(SIZE + 3))]
    assert found[-1]["at"] == "2026-11-23T10:00:00+08:00"
    assert found[-1]["after"] == {"number": 0, "name": "李"}
    answer = auditor.get("/audit/export.csv?action=a.")
    assert answer.mimetype == "text/csv"
    table = list(csv.DictReader(io.StringIO(answer.text)))
    assert [one["action"] for one in table] == [one["action"] for one in found]
    assert json.loads(table[-1]["after"]) == {"number": 0, "name": "李"}


def test_cell_of_an_export_is_no_formula(installation: Installation, auditor: FlaskClient) -> None:
    """What begins like a formula is marked as text, so that a spreadsheet does not compute it."""
    act(installation, "a.one", subject='=HYPERLINK("https://evil.example")', reason="@SUM(1)\n+1")
    (row,) = csv.DictReader(io.StringIO(auditor.get("/audit/export.csv").text, newline=""))
    assert (row["subject"], row["reason"]) == ('\'=HYPERLINK("https://evil.example")', "'@SUM(1)\n+1")


def test_empty_export_is_well_formed(auditor: FlaskClient) -> None:
    """An export of nothing has its header, or is an empty list."""
    assert auditor.get("/audit/export.json").json == []
    header = "id,at,actor,action,subject,reason,before,after"
    assert auditor.get("/audit/export.csv").text.strip() == header
    assert auditor.get("/audit/export.xlsx").status_code == 404

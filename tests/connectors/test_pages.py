import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from connectors.models import Quarantined, SourceUser, StreamRun, StreamState, SyncRun
from plugin.accounts import create_account
from plugin.installation import Installation
from plugin.models import AuditEntry, Schedule
from plugin.settings import SourceSettings
from plugin.web import create_app, session_of

TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
REASON = "The grade 'eleven' of attempt 7 is no number; mend it in the LMS & sync again."
Visit = Callable[..., FlaskClient]


@pytest.fixture
def visit(installation: Installation) -> Visit:
    """A browser that is signed in with the given roles and reads the given language."""
    sources = {
        "roster": SourceSettings(connector="connectors.roster"),
        "lms": SourceSettings(connector="connectors.moodle"),
    }
    installation.settings = installation.settings.model_copy(update={"sources": sources})
    _fill(installation)
    app = create_app(installation)

    def signed_in(*roles: str, language: str = "en") -> FlaskClient:
        with installation.store.write() as session:
            account = create_account(session, "reader", "correct horse battery", roles, installation.clock())
            session.flush()
        client = app.test_client()
        with client.session_transaction() as cookie:
            cookie.update({**session_of(account, installation.clock()), "language": language})
        return client

    return signed_in


def _fill(installation: Installation) -> None:
    """Two pulls of the LMS, the newer one partial, the roster never pulled; four accounts of nobody; 60 refused records."""
    now = installation.clock()
    with installation.store.write() as session:
        old = SyncRun(
            source="lms", status="failed", started_at=now - timedelta(days=1), heartbeat_at=now, message="Old news."
        )
        session.add(old)
        session.flush()
        run = SyncRun(
            source="lms",
            status="partial",
            started_at=now,
            heartbeat_at=now,
            finished_at=now,
            message="results: 1 in quarantine",
        )
        session.add(run)
        session.flush()
        for stream, status in (("users", "done"), ("results", "partial")):
            session.add(StreamRun(run_id=run.id, stream=stream, status=status, read=12345, created=7, quarantined=3))
            session.add(StreamState(source="lms", stream=stream, cursor=[1], changed_at=now - timedelta(hours=5)))
        for number, reason in enumerate(("unmatched", "claimed_twice", "email_shared", "already_bound")):
            session.add(SourceUser(source="lms", user_key=str(number), name=f"Guest {number}", unbound_reason=reason))
        session.add(SourceUser(source="lms", user_key="bound", name="Somebody bound"))
        for number in range(60):
            session.add(
                Quarantined(
                    source="lms",
                    stream="results" if number else "completions",
                    record_key=f"attempt:{number:02}",
                    record={"id": number, "name": "王芳 <b>"},
                    reason=REASON,
                    first_at=now - timedelta(days=2),
                    last_at=now + timedelta(seconds=number),
                )
            )
        session.add(
            Schedule(
                name="connectors.sync:lms",
                task="connectors.sync",
                argument="lms",
                every_seconds=3600,
                due_at=now + timedelta(hours=1),
            )
        )


def test_sync_page_shows_the_latest_pull_stream_by_stream(visit: Visit) -> None:
    """Each source shows its newest pull only, with its counts, its message, and since when a stream has not moved."""
    page = visit("coordinator").get("/sync").text
    assert "never synced" in page
    assert "results: 1 in quarantine" in page
    assert "Old news." not in page
    assert "12,345" in page
    assert "5 hours ago" in page
    assert "more than one account claims the same employee" in page
    assert page.index(">roster<") < page.index(">lms<"), "the authority for people stands first"


@pytest.mark.parametrize(
    ("path", "words"), [("/sync", "员工主数据来源"), ("/sync/accounts", "未对应员工的账号"), ("/quarantine", "隔离区")]
)
def test_pages_are_in_the_readers_language(visit: Visit, path: str, words: str) -> None:
    """Every page of the connectors has its Chinese translation."""
    assert words in visit("auditor", language="zh_Hans_CN").get(path).text


def test_accounts_of_nobody_are_listed_with_the_reason(visit: Visit) -> None:
    """The list filters by reason and leaves out the accounts that are bound."""
    client = visit("coordinator")
    page = client.get("/sync/accounts").text
    assert page.count('<td data-label="Reason">') == 4
    assert "Somebody bound" not in page
    page = client.get("/sync/accounts?source=lms&reason=email_shared").text
    assert page.count('<td data-label="Reason">') == 1
    assert "Guest 2" in page


def test_quarantine_shows_records_whole_in_pages(visit: Visit) -> None:
    """Fifty records stand on a page, the newest first, escaped; filters stay when the page is turned."""
    client = visit("administrator")
    page = client.get("/quarantine").text
    assert page.count("<details>") == 50
    assert "1 to 50 of 60" in page
    assert "attempt:59" in page
    assert "王芳 &lt;b&gt;" in page
    assert "LMS &amp; sync" in page
    page = client.get("/quarantine?source=lms&stream=results").text
    assert "source=lms&amp;stream=results&amp;page=2" in page
    assert client.get("/quarantine?stream=results&page=2").text.count("<details>") == 9
    assert client.get("/quarantine?stream=completions").text.count("<details>") == 1


def test_page_beyond_the_last_is_the_last(visit: Visit) -> None:
    """A page's number that does not exist, or is none, shows the nearest page."""
    client = visit("administrator")
    assert "51 to 60 of 60" in client.get("/quarantine?page=99").text
    assert "1 to 50 of 60" in client.get("/quarantine?page=x").text


def test_administrator_makes_a_source_due_now(visit: Visit, installation: Installation) -> None:
    """The button makes the schedule due and stands in the audit trail with the time before and after."""
    client = visit("administrator")
    found = TOKEN.search(client.get("/sync").text)
    assert found
    answer = client.post("/sync/lms/now", data={"csrf_token": found[1]}, follow_redirects=True)
    assert "begins within seconds" in answer.text
    with installation.store.read() as session:
        assert session.get_one(Schedule, "connectors.sync:lms").due_at == installation.clock()
        act = session.scalars(select(AuditEntry)).one()
    assert (act.actor, act.action, act.subject) == ("reader", "sync.now", "source:lms")
    assert act.before == {"due_at": "2026-11-23T03:00:00+00:00"}


def test_source_without_a_schedule_is_said_to_have_none(visit: Visit) -> None:
    """Asking for a pull of a source that has no schedule is answered with what to do."""
    client = visit("administrator")
    found = TOKEN.search(client.get("/sync").text)
    assert found
    answer = client.post("/sync/roster/now", data={"csrf_token": found[1]})
    assert answer.status_code == 404
    assert "There is no schedule for the source roster" in answer.text


def test_only_the_administrator_may_start_a_pull(visit: Visit, installation: Installation) -> None:
    """Who may only see finds no button, and a request made without it is refused."""
    client = visit("coordinator")
    assert "Sync now" not in client.get("/sync").text
    found = TOKEN.search(client.get("/sync").text)
    assert found
    assert client.post("/sync/lms/now", data={"csrf_token": found[1]}).status_code == 403
    with installation.store.read() as session:
        assert session.get_one(Schedule, "connectors.sync:lms").due_at > installation.clock()


def test_request_without_a_token_starts_nothing(visit: Visit, installation: Installation) -> None:
    """A form of another site cannot start a pull."""
    assert visit("administrator").post("/sync/lms/now").status_code == 400
    with installation.store.read() as session:
        assert session.scalars(select(AuditEntry)).first() is None


@pytest.mark.parametrize(("path", "status"), [("/sync", 403), ("/sync/accounts", 200), ("/quarantine", 403)])
def test_pages_are_for_those_who_run_the_sync(visit: Visit, path: str, status: int) -> None:
    """HR has no right to the state of the sync, but looks after the accounts that belong to no employee."""
    assert visit("hr").get(path).status_code == status


def test_the_sync_page_says_which_way(visit: Visit, installation: Installation) -> None:
    """Each stream shows its way in words, what that way does not show and why no better one was taken; or that it is hidden."""
    choice = {"way": "functions", "fresh": "each_pull", "hidden": ["pass_marks", "odd"], "lacking": {"plugin": "older"}}
    with installation.store.write() as session:
        run = session.scalars(select(SyncRun).order_by(SyncRun.id.desc())).first()
        assert run
        row = session.get_one(StreamRun, (run.id, "results"))
        row.way, row.choice, row.calls, row.bytes, row.seconds = "functions", choice, 12, 34_000, 5.6
        session.add(StreamRun(run_id=run.id, stream="attempts", status="hidden", way="", choice={**choice, "way": ""}))
    page = visit("coordinator").get("/sync").text
    assert "plain functions" in page
    assert "<li>pass marks</li><li>odd</li>" in page
    assert "Not by the better way companion plugin: its version is too old" in page
    assert "not visible this way" in page
    assert "12 calls" in page


def test_the_pulls_of_a_source(visit: Visit) -> None:
    """The history lists every pull, with what each did with its streams; a source that there is not has none."""
    client = visit("coordinator")
    page = client.get("/sync/lms/history").text
    assert "Old news." in page
    assert "12,345 read, 7 new" in page
    assert "has not been pulled yet" in client.get("/sync/roster/history").text
    assert client.get("/sync/nothing/history").status_code == 404


def test_discarding_on_the_page(visit: Visit, installation: Installation) -> None:
    """Who may discards a record with a reason, which the audit trail keeps; who may not finds no button."""
    assert "Discard" not in visit("coordinator").get("/quarantine").text
    with installation.store.read() as session:
        row = session.scalars(select(Quarantined).order_by(Quarantined.id)).first()
        assert row
    with installation.store.write() as session:
        account = create_account(session, "admin", "correct horse battery", ("administrator",), installation.clock())
        session.flush()
    client = create_app(installation).test_client()
    with client.session_transaction() as cookie:
        cookie.update({**session_of(account, installation.clock()), "language": "en"})
    found = TOKEN.search(client.get("/quarantine").text)
    assert found
    form = {"csrf_token": found[1], "reason": "a test user", "source": "lms"}
    answer = client.post(f"/quarantine/{row.id}/discard", data=form, follow_redirects=True)
    assert "The record was discarded." in answer.text
    with installation.store.read() as session:
        assert session.get_one(Quarantined, row.id).resolution == "discarded"
        act = session.scalars(select(AuditEntry)).one()
    assert (act.actor, act.action) == ("admin", "quarantine.discard")
    assert act.after == {"resolution": "discarded", "reason": "a test user"}

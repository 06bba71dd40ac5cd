"""The page on which files of people are handed in, looked at, used or dropped, on SQLite and on PostgreSQL."""

import html
import io
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from connectors.alerts import troubles
from connectors.file_models import RosterFile
from connectors.roster import controllers, files
from connectors.roster.connector import RosterConnector, RosterSettings
from connectors.sync import sync
from plugin.accounts import create_account
from plugin.installation import Installation
from plugin.models import AuditEntry, Person
from plugin.settings import Settings, SourceSettings
from plugin.web import create_app, session_of
from tests.connectors.book import ZONE, Book

TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
FILE = "工号,姓名,部门\n001,王一,生产\n002,=1+1,销售\n003,张三,销售\n"


@pytest.fixture
def home(installation: Installation) -> Installation:
    """An installation whose authority for people is a roster without a file of its own."""
    sources = {"roster": SourceSettings(connector="connectors.roster")}
    return replace(installation, settings=installation.settings.model_copy(update={"sources": sources}))


@pytest.fixture
def visit(home: Installation) -> Callable[[str], FlaskClient]:
    """Sign somebody with a role in."""
    app = create_app(home)

    def signed_in(role: str) -> FlaskClient:
        with home.store.write() as session:
            account = create_account(session, role, "a long enough password", [role], home.clock())
        client = app.test_client()
        with client.session_transaction() as session_:
            session_.update(session_of(account, home.clock()))
        return client

    return signed_in


def text_of(client: FlaskClient, path: str) -> str:
    """What a page says."""
    return html.unescape(client.get(path).text)


def hand_in(client: FlaskClient, content: str | bytes, name: str = "hr.csv", **more: str) -> str:
    """Hand a file in; where its preview is."""
    token = TOKEN.search(client.get("/roster").text)
    assert token
    data = content.encode() if isinstance(content, str) else content
    form = {"csrf_token": token[1], "kind": "employees", "file": (io.BytesIO(data), name), **more}
    answer = client.post("/roster", data=form, content_type="multipart/form-data")
    return answer.headers["Location"] if answer.status_code == 302 else html.unescape(answer.text)


def content_of(home: Installation, id_: int) -> bytes | None:
    """What is kept of a file."""
    with home.store.read() as session:
        return session.get_one(RosterFile, id_).content


def decide(client: FlaskClient, path: str, **form: str) -> str:
    """Use or drop the file; what the page says then."""
    token = TOKEN.search(client.get(path).text)
    assert token
    answer = client.post(path, data={"csrf_token": token[1], **form}, follow_redirects=True)
    return html.unescape(answer.text)


def test_a_file_is_looked_at_and_used(home: Installation, visit: Callable[[str], FlaskClient]) -> None:
    """Nothing is stored until the file is used; then it is, its content goes, and the audit trail says who used it."""
    client, book = visit("hr"), Book(home.store)
    path = hand_in(client, FILE.encode("gbk"))
    said = text_of(client, path)
    assert "What hr.csv would do" in said
    assert "GB 18030 (GBK), most likely" in said
    assert "'=1+1' is a formula, not a value" in said
    assert book.all(Person) == []
    report = client.get(f"{path}/report.csv")
    assert report.text.splitlines()[1].startswith("hr.csv,3,,姓名,name,refused,")
    assert "Done: 2 added, 0 changed, 0 ended." in decide(client, path, act="use")
    assert sorted(person.employee_number for person in book.all(Person)) == ["001", "003"]
    row = book.one(RosterFile, state="applied")
    assert (content_of(home, row.id), row.received_by, row.settled_by) == (None, "hr", "hr")
    act = book.one(AuditEntry, action="roster.import")
    assert (act.actor, act.after["added"], act.after["refused"]) == ("hr", 2, 1)
    assert client.get(path).status_code == 302
    assert len(book.all(Person)) == 2


def test_a_file_that_ends_many_needs_a_tick(home: Installation, visit: Callable[[str], FlaskClient]) -> None:
    """With 'all employees' ticked, who is missing would leave; too many need a tick of their own."""
    client, book = visit("administrator"), Book(home.store)
    decide(client, hand_in(client, FILE), act="use")
    path = hand_in(client, "工号,姓名\n001,王一\n", whole="1")
    assert "It would end 1 of 2 people." in text_of(client, path)
    assert "This file would end many people" in decide(client, path, act="use")
    assert book.one(Person, employee_number="003").left_on is None
    assert "1 ended" in decide(client, path, act="use", ends="1")
    assert book.one(Person, employee_number="003").left_on is not None


def test_what_cannot_be_taken(visit: Callable[[str], FlaskClient], monkeypatch: pytest.MonkeyPatch) -> None:
    """No file, one without the columns and one that is too large are told; nothing is kept of a file after a day."""
    client = visit("hr")
    assert "Choose a file" in hand_in(client, "")
    assert "has no column for 'employee_number'" in hand_in(client, "a,b\n1,2\n")
    monkeypatch.setattr(controllers, "MOST_MIB", 0)
    assert "The file has more than 0 MiB" in hand_in(client, FILE)


def test_files_wait_for_a_day(home: Installation, visit: Callable[[str], FlaskClient]) -> None:
    """A file that nobody decided about is dropped with what it says."""
    path = hand_in(visit("hr"), FILE)
    with home.store.write() as session:
        files.sweep(session, home.clock() + timedelta(hours=25))
    row = Book(home.store).all(RosterFile)[0]
    assert (row.state, content_of(home, row.id)) == ("dropped", None)
    assert path.endswith(str(row.id))


def test_a_held_file_is_told_and_let_through(home: Installation, visit: Callable[[str], FlaskClient]) -> None:
    """What a pull holds opens an alert and stands on the page, from where it is let through with a reason."""
    path = home.settings.folder / "roster.csv"
    client = visit("hr")

    def pull() -> str:
        connector = RosterConnector("roster", RosterSettings(path=path), Settings())
        return sync(home.store, connector, home.clock, ZONE).status

    try:
        path.write_text("employee_number,name\nE1,Anna\nE2,Bo\n")
        assert pull() == "done"
        path.write_text("employee_number,name\nE1,Anna\n")
        assert pull() == "failed"
        (trouble,) = [each for each in troubles(home) if each.kind == "roster"]
        assert (trouble.name, trouble.path) == ("roster, employees", "/roster")
        page = client.get("/roster").text
        assert "would end 1 of 2 people" in page
        token = TOKEN.search(page)
        assert token
        row = Book(home.store).one(RosterFile, state="held")
        form = {"csrf_token": token[1], "reason": "Bo has left"}
        assert client.post(f"/roster/held/{row.id}", data=form).status_code == 302
        assert pull() == "done"
        assert [each for each in troubles(home) if each.kind == "roster"] == []
    finally:
        path.unlink()


def test_templates_are_offered(visit: Callable[[str], FlaskClient]) -> None:
    """Each kind's template is downloaded from the page."""
    client = visit("hr")
    assert client.get("/roster/templates/leavers.csv").data.startswith(b"\xef\xbb\xbfemployee_number,left")
    assert client.get("/roster/templates/employees.xlsx").data.startswith(b"PK")
    assert client.get("/roster/templates/secrets.csv").status_code == 404

"""The pages on which files are handed in: tried first, each refused row named, stored only when it is confirmed."""

import base64
import html
import io
import re
import zipfile
import zlib
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
import xlsxwriter
from flask.testing import FlaskClient
from sqlalchemy import func, select

from connectors.models import Evidence
from metrics.certification.models import Promotion, Requirement
from metrics.certification.rules import import_rule
from plugin.accounts import create_account
from plugin.installation import Installation
from plugin.models import AuditEntry, Person, PersonTag, Touched
from plugin.people import Employee, record_employees
from plugin.web import create_app, session_of

RULE = 'code = "FIRE"\n[earn]\nall_of = [{ assessed = { assessment = "LIFT" } }]\n[validity]\nlasts = "P1Y"\n'
Visit = Callable[..., FlaskClient]


@pytest.fixture
def visit(installation: Installation) -> Visit:
    """A browser that is signed in with the given roles and reads the given language; forms need no tokens."""
    now = installation.clock()
    with installation.store.write() as session:
        employees = [Employee(number, number, position="Clerk", joined_on=date(2020, 1, 1)) for number in ("E1", "E2")]
        record_employees(session, employees, date(2026, 1, 1), now)
        import_rule(session, RULE, "test", now)
    app = create_app(installation)
    app.config["WTF_CSRF_ENABLED"] = False
    count = iter(range(100))

    def signed_in(*roles: str, language: str = "en", employee: str | None = None) -> FlaskClient:
        with installation.store.write() as session:
            account = create_account(session, f"reader{next(count)}", None, roles, now)
            account.person_id = session.scalar(select(Person.id).where(Person.employee_number == employee))
            session.flush()
        client = app.test_client()
        with client.session_transaction() as cookie:
            cookie.update({**session_of(account, installation.clock()), "language": language})
        return client

    return signed_in


def send(browser: FlaskClient, path: str, content: bytes, name: str = "file.csv") -> Any:
    """Hand a file in to be tried."""
    return browser.post(path, data={"file": (io.BytesIO(content), name)}, content_type="multipart/form-data")


def confirm(browser: FlaskClient, path: str, page: Any) -> Any:
    """Press the button of a page that says what a file would do."""
    form = page.text.partition('name="confirmed"')[2]
    given = dict(re.findall(r'name="(name|content)" value="([^"]*)"', form))
    return browser.post(path, data={"confirmed": "1", **{key: html.unescape(text) for key, text in given.items()}})


def count(home: Installation, *models: Any) -> list[int]:
    """How many rows each table has."""
    with home.store.read() as session:
        return [session.scalar(select(func.count()).select_from(model)) or 0 for model in models]


def text(page: Any) -> str:
    """A page's words, without its tags."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", page.text)))


CASES = {
    "requirements": (
        "coordinator", "/requirements/import", Requirement, "requirement.add",
        "certification,position,tag,due_within\nFIRE,Clerk,,P30D\nFIRE,,night,\nNOPE,Clerk,,\nFIRE,Clerk,,soon\n",
        [(4, "certification", "no certification 'NOPE'"), (5, "due_within", "without a minus sign")],
    ),
    "promotions": (
        "hr", "/promotions/import", Promotion, "promotion.propose",
        "promotion_id,employee_number,effective_date,to_position\nP1,E1,2027-01-01,Head\nP2,E2,2027-01-01,\n"
        "P3,E9,2027-01-01,\nP4,E1,1/2/2027,\n",
        [(4, "employee_number", "no employee 'E9'"), (5, "effective_date", "not a day")],
    ),
    "assessments": (
        "assessor", "/assessments/import", Evidence, "assessment.import",
        "employee_number,assessment,achieved_at,note\nE1,LIFT,2026-11-01,seen\nE2,LIFT,2026-11-01,seen\n"
        "E1,NOPE,2026-11-01,seen\nE1,LIFT,2027-11-01,seen\n",
        [(4, "assessment", "No rule asks for"), (5, "achieved_at", "in the future")],
    ),
    "past awards": (
        "coordinator", "/rules/import-history", Evidence, "certification.import_history",
        "employee_number,certification,valid_from,valid_until\nE1,FIRE,2025-01-01,2026-01-01\nE2,FIRE,2025-01-01,\n"
        "E1,FIRE,2025-06-01,2026-06-01\nE2,NOPE,2025-01-01,\n",
        [(4, "valid_from", "from 2025-01-01 until 2026-01-01"), (5, "certification", "no certification 'NOPE'")],
    ),
    "tags": (
        "coordinator", "/requirements/import-tags", PersonTag, "person.tag",
        "employee_number,tag,from,until\nE1,night,2026-11-01,\nE2,night,,2027-01-01\nE9,night,,\n"
        "E1,night,2026-12-01,2026-11-01\n",
        [(4, "employee_number", "no employee 'E9'"), (5, "until", "give a later end")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", CASES)
def test_a_file_is_tried_then_stored_and_the_same_again_changes_nothing(
    visit: Visit, installation: Installation, what: str
) -> None:
    """The trial says what each row would do and stores nothing; the confirmation stores just that, and a second one nothing."""
    role, path, model, act, content, refused = CASES[what]
    browser = visit(role)
    before = count(installation, model, AuditEntry)
    page = send(browser, path, content.encode())
    assert page.status_code == 200
    assert count(installation, model, AuditEntry) == before
    assert "new 2" in text(page)
    assert "refused 2" in text(page)
    for line, column, reason in refused:
        row = next(each for each in page.text.split("<tr>") if f'data-label="Line">{line}</th>' in each)
        assert f"<code>{column}</code>" in row
        assert reason in html.unescape(row)
    done = confirm(browser, path, page)
    assert done.status_code == 200
    assert "It is stored" in text(done)
    assert count(installation, model) == [before[0] + 2]
    with installation.store.read() as session:
        acts = session.scalars(select(AuditEntry).where(AuditEntry.action == act)).all()
    assert {each.actor for each in acts} == {"reader0"}
    with installation.store.write() as session:
        session.query(Touched).delete()
    again = send(browser, path, content.encode())
    assert "known already 2" in text(again)
    assert "There is nothing to store" in text(again)
    assert 'name="confirmed"' not in again.text
    confirm(browser, path, page)  # the first page's button, once more
    assert count(installation, model, Touched) == [before[0] + 2, 0]


def test_refusals_are_said_in_the_reader_s_language(visit: Visit) -> None:
    """A row's reason, and that of a file that cannot be used at all, is Chinese on Chinese pages."""
    browser = visit("coordinator", language="zh_Hans_CN")
    page = send(browser, "/requirements/import", b"certification,position\nNOPE,Clerk\n,Clerk\nFIRE,Clerk,too,many\n")
    assert "没有认证" in page.text
    assert "没有填写" in page.text
    assert "单元格" in page.text
    assert "no certification" not in page.text
    whole = send(browser, "/requirements/import", b"position\nClerk\n")
    assert (whole.status_code, "没有列" in whole.text) == (422, True)


def test_a_workbook_is_taken(visit: Visit, installation: Installation) -> None:
    """An XLSX file goes through trial and confirmation like CSV."""
    book = io.BytesIO()
    with xlsxwriter.Workbook(book) as workbook:
        sheet = workbook.add_worksheet()
        sheet.write_row(0, 0, ["employee_number", "tag"])
        sheet.write_row(1, 0, ["E1", "night"])
    browser = visit("coordinator")
    page = send(browser, "/requirements/import-tags", book.getvalue(), "标签.xlsx")
    assert "标签.xlsx" in page.text
    confirm(browser, "/requirements/import-tags", page)
    assert count(installation, PersonTag) == [1]


def bomb() -> bytes:
    """A workbook that unpacks to more than is taken."""
    book = io.BytesIO()
    with zipfile.ZipFile(book, "w", zipfile.ZIP_DEFLATED) as folder:
        folder.writestr("xl/worksheets/sheet1.xml", b" " * 51 * 1024 * 1024)
    return book.getvalue()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: b"", "Choose a file"),
        (lambda: b"x" * (2 * 1024 * 1024 + 1), "more than 2 MiB"),
        (bomb, "more than 2 MiB"),
        (lambda: b"employee_number,tag\n" + b"E1,a\n" * 5001, "has 5001 rows"),
        (lambda: b"name\nE1\n", "no column 'employee_number'"),
        (lambda: b"employee_number,tag,tag\nE1,a,b\n", "stands there twice"),
        (lambda: b"\xff\xfe\x00", "no column 'employee_number'"),
        (lambda: b"employee_number,tag\nE1,\x81\xff\x00\n", "Save it as"),
        (lambda: b"PK\x03\x04rubbish", "not a workbook"),
    ],
)
def test_a_file_that_cannot_be_taken_is_refused_whole(visit: Visit, make: Callable[[], bytes], says: str) -> None:
    """Empty, too large, too long, or no table: the page says so, and keeps nothing to confirm."""
    page = send(visit("coordinator"), "/requirements/import-tags", make())
    assert page.status_code == 422
    assert says in html.unescape(page.text)
    assert 'name="confirmed"' not in page.text


@pytest.mark.parametrize(
    "content",
    [
        "",
        "%%%",
        base64.b64encode(b"no zlib").decode(),
        base64.b64encode(zlib.compress(b"employee_number,tag\nE1,a\n")[:-6]).decode(),
        base64.b64encode(zlib.compress(b"x" * 3 * 1024 * 1024)).decode(),
    ],
)
def test_a_confirmation_that_is_not_what_was_tried_stores_nothing(
    visit: Visit, installation: Installation, content: str
) -> None:
    """A confirmation whose file was cut, made up or blown up is refused."""
    data = {"confirmed": "1", "name": "../../x.csv", "content": content}
    answer = visit("coordinator").post("/requirements/import-tags", data=data)
    assert answer.status_code == 422
    assert count(installation, PersonTag) == [0]


def test_a_file_as_large_as_is_taken_comes_back(visit: Visit, installation: Installation) -> None:
    """A file near the bound that hardly packs can be confirmed, and a name that looks like a path stays a name."""
    noise = "".join(f"E1,tag{number},2026-11-23,{'%030x' % (number * 7919**8)}\n" for number in range(4000))
    content = f"employee_number,tag,from,remark\n{noise}".encode()
    hardly_packs = base64.b64encode(zlib.compress(content))
    for number in range(3):
        content += b"E2,last%d,2026-11-23,%s\n" % (number, hardly_packs[number * 30_000 : (number + 1) * 30_000])
    browser = visit("coordinator")
    page = send(browser, "/requirements/import-tags", content, "../../etc/tags.csv")
    assert "tags.csv" in page.text
    assert "etc/" not in page.text
    assert confirm(browser, "/requirements/import-tags", page).status_code == 200
    assert count(installation, PersonTag) == [4003]


def test_nobody_enters_an_assessment_of_themselves_by_a_file(visit: Visit, installation: Installation) -> None:
    """A row about the assessor is refused, as it is on the form."""
    page = send(
        visit("assessor", employee="E1"),
        "/assessments/import",
        b"employee_number,assessment,achieved_at,note\nE1,LIFT,2026-11-01,seen\n",
    )
    assert "Nobody assesses themselves" in page.text
    assert count(installation, Evidence) == [0]


def test_a_record_that_a_file_would_change_is_told_as_such(visit: Visit, installation: Installation) -> None:
    """The same id with another post changes the open record: the trial says so, the confirmation does it."""
    browser = visit("hr")
    first = b"promotion_id,employee_number,effective_date,to_position\nP1,E1,2027-01-01,Head\n"
    confirm(browser, "/promotions/import", send(browser, "/promotions/import", first))
    page = send(browser, "/promotions/import", first.replace(b"Head", b"Chief"))
    assert "changes a record 1" in text(page)
    confirm(browser, "/promotions/import", page)
    with installation.store.read() as session:
        assert session.scalars(select(Promotion.to_position)).one() == "Chief"

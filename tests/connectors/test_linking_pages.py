"""Linking accounts by hand as people meet it: what would change, the pages, the commands."""

import html
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from sqlalchemy import func, select

from connectors import identity_commands
from connectors.account_lists import accounts, part
from connectors.linking import LINK, MOVE, REJECT, UNDO, UNLINK, Decision, LinkingRefused, decide
from connectors.models import Identity, LinkingAct, SourceUser
from connectors.previewing import preview
from connectors.records import CompletionRecord, CourseRecord, UserRecord
from metrics.certification.engine import derive_due
from metrics.certification.models import Award, Holding
from metrics.certification.rules import import_rule
from metrics.tasks import terms_of
from plugin import cli as kernel
from plugin.accounts import create_account
from plugin.cli import Context
from plugin.installation import Installation
from plugin.models import AuditEntry, Event, Touched
from plugin.web import create_app, session_of
from tests.connectors.book import ZONE, Book, employee

RULE = """
code = "FIRE"
name = { en = "Fire safety", zh_Hans_CN = "消防安全" }
[earn]
all_of = [ { completed = { source = "moodle", course = "CRS-1" } } ]
[validity]
lasts = "P1Y"
window = "P60D"
"""
DONE = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
SEEN = re.compile(r'name="seen" value="([^"]+)"')


@pytest.fixture
def book(installation: Installation) -> Book:
    """A certification that one course earns, two employees, and an account of nobody that has completed the course."""
    made = Book(installation.store, installation.clock())
    with made.store.write() as session:
        import_rule(session, RULE, "test", made.now)
    made.put(employee("E1", "one@x"), employee("E2", "two@x"), source="roster")
    made.put(UserRecord("1", username="anna", name="Name E1"), CourseRecord("5", "Fire course", idnumber="CRS-1"))
    made.put(CompletionRecord("5", "1", DONE))
    return made


def act(book: Book, what: str, number: str | None = None, **more: Any) -> None:
    """Decide something about the account, and derive what follows."""
    with book.store.write() as session:
        decide(session, Decision(what, "moodle", "1", "Met.", number, **more), "anna", book.now, ZONE)


def everything(book: Book) -> list[int]:
    """How many rows there are of all that an act may write."""
    with book.store.read() as session:
        return [
            session.scalar(select(func.count()).select_from(model)) or 0
            for model in (Identity, LinkingAct, AuditEntry, Award, Holding, Event, Touched)
        ]


def derive(home: Installation, book: Book) -> None:
    """Derive whoever is touched; then an hour passes."""
    derive_due(home.store, home.clock, terms_of(home))
    book.later()
    home.clock = lambda: book.now


def told(home: Installation, what: str, number: str | None = None, **more: Any) -> tuple[list[str], ...]:
    """What a preview tells: evidence that appears, that is voided, statuses that change."""
    found = preview(home, Decision(what, "moodle", "1", "", number, **more))
    return (
        [f"{piece.number} {piece.object}" for piece in found.appears],
        [f"{piece.number} {piece.object}" for piece in found.voided],
        [
            f"{move.number} {move.name}: {move.before and move.before.status} > {move.after and move.after.status}"
            for move in found.moves
        ],
    )


def test_preview_tells_what_then_happens(installation: Installation, book: Book) -> None:
    """Evidence and statuses that a preview tells are those that come of it; nothing of the preview itself stays."""
    derive(installation, book)
    before = everything(book)
    assert told(installation, LINK, "E1") == (["E1 CRS-1"], [], ["E1 Fire safety: None > certified"])
    assert everything(book) == before
    act(book, LINK, "E1")
    derive(installation, book)
    assert book.one(Holding).status == "certified"
    assert told(installation, MOVE, "E2") == (
        ["E2 CRS-1"],
        ["E1 CRS-1"],
        ["E1 Fire safety: certified > revoked", "E2 Fire safety: None > certified"],
    )
    assert told(installation, UNLINK) == ([], ["E1 CRS-1"], ["E1 Fire safety: certified > revoked"])
    assert told(installation, UNLINK, since=book.now) == ([], [], []), "what was theirs stays theirs"
    assert told(installation, UNDO) == told(installation, UNLINK)
    act(book, MOVE, "E2")
    derive(installation, book)
    assert {row.status for row in book.all(Holding)} == {"revoked", "certified"}


def test_preview_leaves_out_what_happens_anyway(installation: Installation, book: Book) -> None:
    """What has not been derived yet is no change of the act's."""
    act(book, LINK, "E1")
    assert told(installation, REJECT, "E2") == ([], [], [])


def test_preview_tells_whom_the_rules_bind(installation: Installation, book: Book) -> None:
    """Accounts that the rules can bind because of the act are told, with what that brings their persons."""
    book.put(UserRecord("1", idnumber="E1"), UserRecord("2", username="ann2", idnumber="E1"))
    book.put(CompletionRecord("5", "2", DONE))
    found = preview(installation, Decision(REJECT, "moodle", "1", "", "E1"))
    assert found.bound == [("ann2", "E1")]
    assert [(piece.number, piece.object) for piece in found.appears] == [("E1", "CRS-1")]
    assert [move.number for move in found.moves] == ["E1"]
    assert found.titles == {"CRS-1": "Fire course"}


def test_preview_of_what_cannot_be_done_is_refused(installation: Installation, book: Book) -> None:
    """The refusal comes before anything is confirmed, and the store can be written afterwards."""
    with pytest.raises(LinkingRefused, match="linked with nobody"):
        preview(installation, Decision(UNLINK, "moodle", "1", ""))
    act(book, LINK, "E1")


# ── The list ──


def test_a_long_list_is_read_in_parts(installation: Installation, book: Book) -> None:
    """Every account is shown once, in the order of names, forwards and back, each part by as many statements."""
    book.put(*(UserRecord(str(number), name=f"Guest {number % 7}") for number in range(2, 432)))

    def walk(forward: bool) -> list[int]:
        found: list[int] = []
        edge: int | None = None
        while True:
            with book.store.read() as session, book.statements() as seen:
                place = {"after": edge} if forward else {"before": edge}
                here = part(session, accounts(), **place if edge or forward else {"before": 2**62})
            assert len(seen) <= 2
            found = found + [row.user.id for row in here.rows] if forward else [
                row.user.id for row in here.rows
            ] + found  # fmt: skip
            edge = here.next if forward else here.previous
            if edge is None:
                return found

    forwards = walk(True)
    names = {user.id: user.name or "" for user in book.all(SourceUser)}
    assert len(forwards) == len(set(forwards)) == 431
    assert [names[id_] for id_ in forwards] == sorted(names.values())
    with book.store.read() as session:
        last = part(session, accounts(), after=forwards[399])
        assert [row.user.id for row in last.rows] == forwards[400:]
        assert (last.next, last.previous) == (None, forwards[400])
        back = part(session, accounts(), before=last.previous)
        assert [row.user.id for row in back.rows] == forwards[350:400]
        first = part(session, accounts(), before=forwards[50])
        assert ([row.user.id for row in first.rows], first.previous) == (forwards[:50], None)


@pytest.mark.parametrize(
    ("asked", "keys"),
    [
        ({}, {"1", "3"}),
        ({"which": "linked"}, {"2"}),
        ({"which": "all"}, {"1", "2", "3"}),
        ({"search": "ANNA"}, {"1"}),
        ({"search": "100%"}, {"3"}),
        ({"which": "linked", "search": "E2"}, {"2"}),
        ({"reason": "email_shared"}, set()),
        ({"source": "other"}, set()),
    ],
)
def test_lists_are_searched(installation: Installation, book: Book, asked: dict[str, str], keys: set[str]) -> None:
    """By account or person, by source and reason; signs of the database's patterns mean themselves."""
    book.put(UserRecord("2", username="bea", idnumber="E2"), UserRecord("3", name="100% Guest"))
    with book.store.read() as session:
        assert {row.user.user_key for row in part(session, accounts(**asked)).rows} == keys


# ── The pages ──

Visit = Callable[..., FlaskClient]


@pytest.fixture
def visit(installation: Installation, book: Book) -> Visit:
    """A browser that is signed in with the given role; `woken` notes the topics that were called."""
    app = create_app(installation)
    woken: list[str] = []
    installation.wake = woken.append

    def signed_in(role: str, language: str = "en") -> FlaskClient:
        with installation.store.write() as session:
            account = create_account(session, f"the-{role}", "correct horse battery", [role], installation.clock())
            session.flush()
        client = app.test_client()
        with client.session_transaction() as cookie:
            cookie.update({**session_of(account, installation.clock()), "language": language})
        return client

    return signed_in


def the_account(book: Book) -> str:
    """The path of the account's page."""
    return f"/sync/accounts/{book.one(SourceUser, user_key='1').id}"


def fields(page: str) -> dict[str, str]:
    """The hidden fields of the form that confirms."""
    token, seen = TOKEN.search(page.partition('id="confirm"')[2]), SEEN.search(page)
    assert token
    assert seen
    return {"csrf_token": token[1], "seen": seen[1]}


def test_an_officer_links_an_account(visit: Visit, book: Book, installation: Installation) -> None:
    """From the list to the suggestion with its reason, to what would change, to the link with its reason; then undone."""
    client, path = visit("hr"), the_account(book)
    assert f'href="{path}"' in client.get("/sync/accounts").text
    page = client.get(path).text
    assert "same name" in page
    assert f"{path}/link?number=E1" in html.unescape(page)
    page = client.get(f"{path}/link?number=E1").text
    assert "Link Name E1 with Name E1 (E1)" in page
    assert "certified" in page
    assert "Fire course" in page
    assert "2027-11-20" in page
    answer = client.post(f"{path}/link", data={**fields(page), "number": "E1", "reason": "Met."}, follow_redirects=True)
    assert "Done. What follows from it is derived within seconds." in answer.text
    assert installation.wake.__self__ == ["people_touched"]  # type: ignore[attr-defined]  # it is a list's append
    entry = book.one(AuditEntry, subject="identity:moodle:1")
    assert (entry.actor, entry.action, entry.reason) == ("the-hr", "identity.link", "Met.")
    page = client.get(f"{path}/undo").text
    client.post(f"{path}/undo", data={**fields(page), "reason": "Slip."})
    assert book.all(Identity, unbound_at=None) == []
    assert "Slip." not in client.get(path).text, "the reason of an undoing stands in the audit trail"


def test_the_day_is_chosen_before_confirming(visit: Visit, book: Book) -> None:
    """The chosen day changes what is shown and goes along with the form; without it everything counts."""
    client, path = visit("coordinator"), the_account(book)
    page = client.get(f"{path}/link?number=E1&how=since&since=2026-11-21").text
    assert "No status changes." in page
    assert '<input type="hidden" name="since" value="2026-11-21">' in page
    page = client.get(f"{path}/link?number=E1&how=ever&since=2026-11-21").text
    assert '<input type="hidden" name="since"' not in page
    data = {**fields(page), "number": "E1", "since": "2026-11-21", "reason": "New."}
    client.post(f"{path}/link", data=data)
    assert book.one(Identity).valid_from == datetime(2026, 11, 20, 16, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("link?number=E9", "There is no employee with the number E9"),
        ("link?number=E1&how=since&since=soon", "soon is not a day"),
        ("unlink?how=since&since=", "Say since which day."),
        ("undo", "Nobody has decided anything"),
    ],
)
def test_refusals_are_told_on_the_page(visit: Visit, book: Book, query: str, says: str) -> None:
    """What cannot be done is told beside the account."""
    answer = visit("hr").get(f"{the_account(book)}/{query}", follow_redirects=True)
    assert (answer.status_code, says in answer.text) == (200, True)


def test_a_second_officer_is_told(visit: Visit, book: Book) -> None:
    """Who confirms what somebody else has changed meanwhile changes nothing, and is asked to look again."""
    one, other, path = visit("hr"), visit("coordinator"), the_account(book)
    first, second = one.get(f"{path}/link?number=E1").text, other.get(f"{path}/link?number=E2").text
    one.post(f"{path}/link", data={**fields(first), "number": "E1", "reason": "Met."})
    answer = other.post(
        f"{path}/link", data={**fields(second), "number": "E2", "reason": "Met too."}, follow_redirects=True
    )
    assert "Somebody has changed the account anna (moodle) meanwhile" in answer.text
    assert len(book.all(Identity)) == 1


def test_who_may_only_see_finds_no_act(visit: Visit, book: Book) -> None:
    """An auditor sees accounts and suggestions, and neither link nor form to decide; a request for one is refused."""
    client, path = visit("auditor"), the_account(book)
    page = client.get(path).text
    assert "same name" in page
    assert f"{path}/" not in page
    assert client.get(f"{path}/link?number=E1").status_code == 403
    token = TOKEN.search(page)
    assert token
    assert client.post(f"{path}/link", data={"csrf_token": token[1], "number": "E1"}).status_code == 403
    assert visit("operator").get(path).status_code == 403


def test_pages_are_translated(visit: Visit, book: Book) -> None:
    """List, account and confirmation are in Chinese, refusals and statuses too."""
    client, path = visit("hr", "zh_Hans_CN"), the_account(book)
    assert "未对应员工的账号" in client.get("/sync/accounts").text
    assert "姓名相同" in client.get(path).text
    page = client.get(f"{path}/link?number=E1").text
    assert "将计入的证据" in page
    assert "消防安全" in page
    assert "有效" in page
    assert "请先解除对应" not in page
    assert "没有可撤销的人工决定" in client.get(f"{path}/undo", follow_redirects=True).text


def test_somebody_else_is_searched(visit: Visit, book: Book) -> None:
    """Employees whom nothing resembles are found by name, number or address."""
    client, path = visit("hr"), the_account(book)
    assert f"{path}/link?number=E2" in html.unescape(client.get(f"{path}?search=TWO@").text)
    assert "No employee has this" in client.get(f"{path}?search=nobody").text
    assert client.get("/sync/accounts/99999").status_code == 404
    assert client.get(f"{path}/erase").status_code == 404


def test_four_hundred_accounts_take_no_more_statements(visit: Visit, book: Book) -> None:
    """The list of four hundred accounts costs as many statements as that of one."""
    client = visit("hr")
    with book.statements() as few:
        client.get("/sync/accounts?which=all")
    book.put(*(UserRecord(str(number), name=f"Guest {number}", idnumber=f"X{number}") for number in range(2, 432)))
    with book.statements() as many:
        page = client.get("/sync/accounts?which=all").text
    assert "431 accounts" in page
    assert len(many) == len(few)


# ── The commands ──


class Shell:
    """`certbridge identity` on the test's installation."""

    def __init__(self, home: Installation) -> None:
        self.home = home
        self.woken: list[str] = []
        home.wake = self.woken.append
        identity_commands.register(kernel.cli)

    def run(self, *arguments: str, status: int = 0) -> str:
        """What the command says."""
        context = Context(self.home.settings.folder / "config.toml")
        context.__dict__["installation"] = self.home
        context.console.file = None  # type: ignore[assignment]  # rich: standard output as it is when something is said
        result = CliRunner().invoke(identity_commands.identity, list(arguments), obj=context)
        assert (result.exit_code == 0) == (status == 0), result.output or result.exception
        return result.output if status == 0 else str(result.exception or result.output)


@pytest.fixture
def shell(installation: Installation, book: Book) -> Shell:
    """A shell."""
    return Shell(installation)


def test_the_whole_way_by_commands(shell: Shell, book: Book) -> None:
    """List, show, link, move, unlink and undo do what the pages do, with the reason in the audit trail, and wake the engine."""
    assert [row["account"] for row in json.loads(shell.run("list", "--format", "json"))] == ["1"]
    said = json.loads(shell.run("show", "moodle", "1", "--format", "json"))
    assert said["suggestions"] == [
        {"employee_number": "E1", "name": "Name E1", "department": None, "reasons": ["same_name"], "accounts": []},
        {"employee_number": "E2", "name": "Name E2", "department": None, "reasons": ["similar_name"], "accounts": []},
    ]
    said = shell.run("link", "moodle", "1", "E1", "--reason", "Met.", "--dry-run")
    assert "1 pieces of evidence would count" in said
    assert "E1, Fire safety: nothing -> certified until 2027-11-2" in said
    assert book.all(Identity) == []
    assert (
        shell.run("link", "moodle", "1", "E1", "--reason", "Met.") == "anna (moodle) is linked with the employee E1.\n"
    )
    assert shell.run("move", "moodle", "1", "E2", "--reason", "Twin.", "--since", "2026-11-22").startswith(
        "anna (moodle)"
    )
    assert "linked with nobody" in shell.run("unlink", "moodle", "1", "--reason", "Gone.", "--since", "2026-11-23")
    assert "linked with the employee E2" in shell.run("undo", "moodle", "1", "--reason", "Slip.")
    assert "linked with the employee E2" in shell.run("reject", "moodle", "1", "E1", "--reason", "Sure.")
    assert shell.woken == ["people_touched"] * 5
    text = shell.run("show", "moodle", "1")
    assert "reason Twin." in text
    assert {entry.reason for entry in book.all(AuditEntry, subject="identity:moodle:1")} == {
        "Met.",
        "Twin.",
        "Gone.",
        "Slip.",
        "Sure.",
    }
    assert "E2" in shell.run("list", "--which", "linked")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("unlink", "moodle", "1", "--reason", "x"), "either --never"),
        (("unlink", "moodle", "1", "--reason", "x", "--never", "--since", "2026-11-01"), "either --never"),
        (("link", "moodle", "1", "E1", "--reason", "x", "--since", "soon"), "--since: 'soon' is not a moment"),
        (("show", "moodle", "9"), "has no account 9"),
        (("link", "moodle", "1", "E1", "--reason", " "), "Say why"),
    ],
)
def test_commands_refuse(shell: Shell, arguments: tuple[str, ...], says: str) -> None:
    """What is wrong is said with the mend, and nothing is done."""
    assert says in shell.run(*arguments, status=1)

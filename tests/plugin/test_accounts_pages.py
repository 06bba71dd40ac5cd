"""Local accounts: the pages of users, of the own account, of a lost password and of tokens; sessions; commands."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from html import unescape
from typing import Any

import click
import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from argon2 import PasswordHasher
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import column, insert, select, table
from werkzeug.test import TestResponse

from plugin import account_commands
from plugin.account_controllers import ASKED_AN_HOUR
from plugin.accounts import (
    FAILURES_BEFORE_LOCK,
    RESETS_AN_HOUR,
    begin_reset,
    create_account,
    create_token,
    first_password,
    sign_in,
)
from plugin.cli import Context
from plugin.cli import account as account_group
from plugin.cli import token as token_group
from plugin.installation import PACKAGES, Installation
from plugin.manifests import discover
from plugin.migrate import differences, load_models, upgrade, version_table
from plugin.models import Account, ApiToken, AuditEntry, Mail, PasswordReset, Throttle
from plugin.people import Employee, record_employees
from plugin.settings import MailSettings
from plugin.store import Json, Store, UtcDateTime
from plugin.web import create_app

PASSWORD = "correct horse battery"
START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
NEW = "staple of another colour"
TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


@pytest.fixture
def home(installation: Installation) -> Installation:
    """An installation with two employees, an administrator, and Ann, who is one of the employees."""
    now = installation.clock()
    with installation.store.write() as session:
        people = [Employee("E1", "Ann", "ann@acme.example"), Employee("E2", "Ben", "ben@acme.example")]
        record_employees(session, people, date(2026, 1, 1), now)
        create_account(session, "root", PASSWORD, ["administrator"], now)
        create_account(session, "ann", PASSWORD, ["employee"], now).person_id = 1
    return installation


@pytest.fixture
def app(home: Installation) -> Flask:
    """Its application."""
    return create_app(home)


class Browser:
    """A browser that fills in forms."""

    def __init__(self, app: Flask) -> None:
        self.client: FlaskClient = app.test_client()

    def get(self, path: str) -> TestResponse:
        return self.client.get(path)

    def send(self, path: str, place: str | None = None, **fields: Any) -> TestResponse:
        """Send the form that stands on the page `place` (by default the one that is sent to)."""
        found = TOKEN.search(self.client.get(place or path, follow_redirects=True).text)
        assert found
        return self.client.post(path, data={**fields, "csrf_token": found[1]})

    def sign_in(self, login: str, password: str = PASSWORD) -> "Browser":
        self.send("/sign-in", login=login, password=password)
        return self

    @property
    def is_in(self) -> bool:
        return self.get("/account").status_code == 200


@pytest.fixture
def browser(app: Flask) -> Callable[[], Browser]:
    """Makes browsers, each with cookies of its own."""
    return lambda: Browser(app)


@pytest.fixture
def root(browser: Callable[[], Browser]) -> Browser:
    """The administrator's browser."""
    return browser().sign_in("root")


def account_of(home: Installation, login: str) -> Account:
    """The account of this login."""
    with home.store.read() as session:
        return session.scalars(select(Account).where(Account.login == login)).one()


def acts(home: Installation, action: str) -> list[AuditEntry]:
    """The audit trail's entries of this action."""
    with home.store.read() as session:
        return list(session.scalars(select(AuditEntry).where(AuditEntry.action == action)))


def mailed(home: Installation) -> list[Mail]:
    """The mails that are queued."""
    with home.store.read() as session:
        return list(session.scalars(select(Mail)))


def with_mail(home: Installation) -> Installation:
    """The installation with a mail server in its settings."""
    home.settings = home.settings.model_copy(update={"mail": MailSettings(host="mail.acme.example")})
    return home


def secret_of(page: TestResponse) -> str:
    """What a page shows once."""
    found = re.search(r'<pre class="secret">([^<]+)</pre>', page.text)
    assert found, page.text
    return unescape(found[1])


def path_of(link: str) -> str:
    """The path of a link to the pages."""
    return link.removeprefix("http://127.0.0.1:8800")


# ── Users ──


def test_creation_of_an_employees_account_is_about_that_person(home: Installation, root: Browser) -> None:
    """The act names the person from the first, by page and by command, so that erasing them blanks it; a wrong number
    leaves nothing."""
    root.send("/users/new", login="ben", role="employee", number="E2", email="")
    (created,) = [act for act in acts(home, "account.create") if act.subject == "account:ben"]
    assert created.person_id == 2
    context = Context(home.settings.folder / "config.toml")
    context.__dict__["installation"] = home
    runner = CliRunner()
    with home.store.write() as session:
        record_employees(session, [Employee("E3", "Cho", "cho@acme.example")], date(2026, 1, 1), home.clock())
    for number, login in (("E9", "nobody"), ("E3", "cho")):
        arguments = ["create", login, "--role", "employee", "--employee", number]
        done = runner.invoke(account_group, arguments, obj=context)
        assert (done.exit_code == 0) == (number == "E3")
    assert [(act.subject, act.person_id) for act in acts(home, "account.create")][1:] == [("account:cho", 3)]
    assert [act.person_id for act in acts(home, "account.link")][-1] == 3
    with home.store.read() as session:
        assert "nobody" not in session.scalars(select(Account.login)).all()


def test_new_user_gets_a_first_password_that_must_be_changed(
    home: Installation, root: Browser, browser: Callable[[], Browser]
) -> None:
    """It is shown once; with it nothing opens but the page that changes it, and afterwards everything does."""
    made = root.send("/users/new", login="ben", number="E2", role=["manager", "employee"])
    password = secret_of(made)
    assert made.headers["Cache-Control"] == "no-store"
    assert password not in root.get("/users").text
    ben = browser().sign_in("ben", password)
    for path in ("/", "/me", "/account", "/people"):
        assert ben.get(path).location == "/account/password", path
    page = ben.get("/account/password").text
    assert "made by somebody else" in page
    assert 'class="menu"' not in page
    assert ben.send("/account/password", old=password, new=NEW, repeated=NEW).location == "/account"
    assert ben.is_in
    assert ben.get("/me").location == "/people/E2"
    [act] = acts(home, "account.create")
    assert (act.actor, act.subject, act.after) == ("root", "account:ben", {"roles": ["manager", "employee"]})
    assert [entry.after for entry in acts(home, "account.link")] == [{"employee_number": "E2"}]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"login": "ann", "role": "hr"}, "There is an account ann already"),
        ({"login": "new", "role": []}, "needs at least one role"),
        ({"login": "new", "role": "king"}, "needs at least one role"),
        ({"login": "", "role": "hr"}, "A login has 1 to 200 characters"),
        ({"login": "n\u202ew", "role": "hr"}, "A login has 1 to 200 characters"),
        ({"login": "new", "role": "hr", "number": "E9"}, "no employee with the number E9"),
        ({"login": "new", "role": "hr", "number": "E1"}, "The employee E1 has the account ann already"),
    ],
)
def test_user_that_cannot_be_is_refused_in_words(
    home: Installation, root: Browser, fields: dict[str, Any], sentence: str
) -> None:
    """What is wrong is said, what was entered stays, and nothing is created."""
    answer = root.send("/users/new", **fields)
    assert answer.status_code == 422
    assert sentence in unescape(answer.text)
    with home.store.read() as session:
        assert len(session.scalars(select(Account)).all()) == 2
    assert acts(home, "account.create") == []


def test_users_are_listed_and_found(home: Installation, root: Browser) -> None:
    """The list names employees, roles and states; it is searched by login, name and number."""
    page = root.get("/users").text
    assert "ann" in page
    assert "Ann" in page
    assert page.count('<th scope="row"') == 2
    assert root.get("/users?search=E1").text.count('<th scope="row"') == 1
    assert "Nobody fits this filter." in root.get("/users?search=%25").text


def test_changed_roles_hold_at_once_and_are_in_the_audit_trail(
    home: Installation, root: Browser, browser: Callable[[], Browser]
) -> None:
    """A session that stands sees what the new roles open; the entry has before, after and the reason."""
    ann = browser().sign_in("ann")
    assert ann.get("/deliveries").status_code == 403
    root.send("/users/2/roles", "/users/2", role=["operator"], reason="She runs it now.")
    assert ann.get("/deliveries").status_code == 200
    [act] = acts(home, "account.roles")
    assert (act.actor, act.subject, act.reason) == ("root", "account:ann", "She runs it now.")
    assert (act.before, act.after) == ({"roles": ["employee"]}, {"roles": ["operator"]})


def test_link_and_address_are_changed_with_an_entry_each(home: Installation, root: Browser) -> None:
    """Unlinking takes the own record away; the audit trail says which employee it was."""
    root.send("/users/2/link", "/users/2", number="", email="ann@elsewhere.example")
    account = account_of(home, "ann")
    assert (account.person_id, account.email) == (None, "ann@elsewhere.example")
    [act] = acts(home, "account.link")
    assert (act.before, act.after) == ({"employee_number": "E1"}, {"employee_number": None})
    assert len(acts(home, "account.email")) == 1


def test_disabled_account_is_out_everywhere_and_stays_out(
    home: Installation, root: Browser, browser: Callable[[], Browser]
) -> None:
    """Its sessions end at once, and do not come back when it is enabled again."""
    ann = browser().sign_in("ann")
    root.send("/users/2/disable", "/users/2", reason="She has left.")
    assert not ann.is_in
    assert not browser().sign_in("ann").is_in
    root.send("/users/2/enable", "/users/2")
    assert not ann.is_in
    assert browser().sign_in("ann").is_in
    assert [act.reason for act in acts(home, "account.disable")] == ["She has left."]
    assert len(acts(home, "account.enable")) == 1


@pytest.mark.parametrize(("act", "fields"), [("roles", {"role": ["hr"]}), ("disable", {})])
def test_last_administrator_cannot_be_taken_away(
    home: Installation, root: Browser, act: str, fields: dict[str, Any]
) -> None:
    """Neither by other roles nor by disabling; with a second administrator it can."""
    answer = root.send(f"/users/1/{act}", "/users/1", **fields)
    assert "root is the last administrator" in root.get(answer.location).text
    assert account_of(home, "root").roles == ["administrator"]
    with home.store.write() as session:
        create_account(session, "other", PASSWORD, ["administrator"], home.clock())
    root.send(f"/users/1/{act}", "/users/1", **fields)
    changed = account_of(home, "root")
    assert changed.disabled_at is not None or changed.roles == ["hr"]


def test_locked_account_is_unlocked(home: Installation, root: Browser, browser: Callable[[], Browser]) -> None:
    """The administrator ends the lock before its time."""
    for _ in range(FAILURES_BEFORE_LOCK):
        browser().sign_in("ann", "wrong")
    assert "locked" in root.get("/users").text
    assert not browser().sign_in("ann").is_in
    root.send("/users/2/unlock", "/users/2")
    assert browser().sign_in("ann").is_in
    assert len(acts(home, "account.unlock")) == 1


def test_unknown_user_is_not_found(root: Browser) -> None:
    """A number that no account has is answered with 404."""
    assert root.get("/users/99").status_code == 404
    assert root.send("/users/99/disable", "/users/1").status_code == 404
    assert root.send("/users/1/nonsense", "/users/1").status_code == 404


# ── Lost passwords ──


def test_administrator_makes_a_link_that_works_once(
    home: Installation, root: Browser, browser: Callable[[], Browser]
) -> None:
    """Without mail it is shown once; it sets a password, ends sessions and the lock, and is spent."""
    old = browser().sign_in("ann")
    for _ in range(FAILURES_BEFORE_LOCK):
        browser().sign_in("ann", "wrong")
    link = path_of(secret_of(root.send("/users/2/reset", "/users/2")))
    with home.store.read() as session:
        assert link.rpartition("/")[2] not in {row.digest for row in session.scalars(select(PasswordReset))}
    ann = browser()
    assert ann.get(link).location == "/reset-password", "the token stands in no address that stays"
    assert "for the account ann" in ann.get("/reset-password").text
    assert ann.send("/reset-password", new=NEW, repeated=NEW).location == "/sign-in"
    assert not old.is_in
    assert browser().sign_in("ann", NEW).is_in
    again = browser()
    assert "has been used, or has expired" in again.client.get(link, follow_redirects=True).text
    assert [act.actor for act in acts(home, "account.reset")] == ["ann"]
    assert [act.actor for act in acts(home, "account.reset_link")] == ["root"]


def test_link_expires_after_an_hour(home: Installation, browser: Callable[[], Browser]) -> None:
    """An hour later it opens nothing, not even a form that was opened before."""
    with home.store.write() as session:
        account = session.get_one(Account, 2)
        token = begin_reset(session, account, "root", home.clock())
    ann = browser()
    assert ann.client.get(f"/reset-password/{token}", follow_redirects=True).status_code == 200
    found = TOKEN.search(ann.get("/reset-password").text)
    assert found
    home.clock.moment += timedelta(hours=1)  # type: ignore[attr-defined]  # the tests' clock can be set
    answer = ann.client.post("/reset-password", data={"new": NEW, "repeated": NEW, "csrf_token": found[1]})
    assert answer.status_code == 422
    assert not browser().sign_in("ann", NEW).is_in


def test_newer_link_and_disabling_spend_the_older_one(home: Installation, browser: Callable[[], Browser]) -> None:
    """Of several links the last one works, and none for an account that is disabled."""
    with home.store.write() as session:
        account = session.get_one(Account, 2)
        first, second = (begin_reset(session, account, "root", home.clock()) for _ in range(2))
    assert browser().client.get(f"/reset-password/{first}", follow_redirects=True).status_code == 422
    assert browser().client.get(f"/reset-password/{second}", follow_redirects=True).status_code == 200
    with home.store.write() as session:
        session.get_one(Account, 2).disabled_at = home.clock()
    assert browser().client.get(f"/reset-password/{second}", follow_redirects=True).status_code == 422


@pytest.mark.parametrize(
    ("new", "repeated", "sentence"),
    [
        ("short", "short", "has 5 characters"),
        (NEW, NEW + "!", "not the same"),
        ("x" * 1001, "x" * 1001, "more than 1000"),
    ],
)
def test_password_that_will_not_do_leaves_the_link_good(
    home: Installation, browser: Callable[[], Browser], new: str, repeated: str, sentence: str
) -> None:
    """The page says what is wrong, and the link still works."""
    with home.store.write() as session:
        token = begin_reset(session, session.get_one(Account, 2), "root", home.clock())
    ann = browser()
    ann.get(f"/reset-password/{token}")
    refused = ann.send("/reset-password", new=new, repeated=repeated)
    assert refused.status_code == 422
    assert sentence in refused.text
    assert ann.send("/reset-password", new=NEW, repeated=NEW).status_code == 302


def test_forgotten_password_answers_the_same_for_everybody(home: Installation, browser: Callable[[], Browser]) -> None:
    """Known, unknown, disabled and without an address: one answer; a mail goes to the known one alone."""
    with_mail(home)
    with home.store.write() as session:
        create_account(session, "gone", PASSWORD, ["hr"], home.clock()).disabled_at = home.clock()
        create_account(session, "elsewhere", None, ["hr"], home.clock()).email = "else@acme.example"
    logins = ("ann", "unknown", "gone", "root", "elsewhere", "")
    answers = [browser().send("/forgot-password", login=login) for login in logins]
    assert {answer.status_code for answer in answers} == {200}
    assert len({TOKEN.sub("", answer.text) for answer in answers}) == 1
    [mail] = mailed(home)
    assert (mail.recipient, mail.template) == ("ann@acme.example", "password_reset")
    assert "reset-password" not in str(mail.parameters)
    assert mail.sealed is not None
    link = home.keys.decrypt(mail.sealed)
    found = re.search(r"/reset-password/[\w-]+", link)
    assert found
    assert browser().client.get(found[0], follow_redirects=True).status_code == 200


def test_forgotten_password_is_found_by_address(home: Installation, browser: Callable[[], Browser]) -> None:
    """An address that one account has stands for its login."""
    with_mail(home)
    browser().send("/forgot-password", login="Ann@ACME.example")
    assert [mail.recipient for mail in mailed(home)] == ["ann@acme.example"]


def test_asking_again_and_again_is_limited(home: Installation, browser: Callable[[], Browser]) -> None:
    """An account gets three links an hour, a network address asks ten times; an hour later it goes on."""
    with_mail(home)
    asking = browser()
    for number in range(ASKED_AN_HOUR):
        home.clock.moment += timedelta(seconds=1)  # type: ignore[attr-defined]  # the tests' clock can be set
        assert asking.send("/forgot-password", login="ann").status_code == 200, number
    assert len(mailed(home)) == RESETS_AN_HOUR
    refused = asking.send("/forgot-password", login="ann")
    assert refused.status_code == 429
    assert "wait an hour" in refused.text
    home.clock.moment += timedelta(hours=1)  # type: ignore[attr-defined]  # the tests' clock can be set
    assert asking.send("/forgot-password", login="ann").status_code == 200
    with home.store.read() as session:
        assert len(session.scalars(select(Throttle)).all()) == 1


def test_installation_without_mail_says_whom_to_ask(home: Installation, browser: Callable[[], Browser]) -> None:
    """There is no form, and sending one changes nothing."""
    page = browser().get("/forgot-password").text
    assert "Ask your administrator" in page
    assert 'name="login"' not in page
    browser().send("/forgot-password", login="ann")
    assert mailed(home) == []


def test_link_of_the_administrator_is_mailed_where_there_is_mail(home: Installation, root: Browser) -> None:
    """Nobody but the user sees it then; an account without an address still gets one shown."""
    with_mail(home)
    answer = root.send("/users/2/reset", "/users/2")
    assert "on its way to ann@acme.example" in root.get(answer.location).text
    assert len(mailed(home)) == 1
    assert "/reset-password/" in secret_of(root.send("/users/1/reset", "/users/1"))


# ── The own account ──


def test_own_password_is_changed_and_other_sessions_end(home: Installation, browser: Callable[[], Browser]) -> None:
    """The session that changes it goes on; the others are out; the audit trail has the act, not the password."""
    here, there = browser().sign_in("ann"), browser().sign_in("ann")
    assert here.send("/account/password", old=PASSWORD, new=NEW, repeated=NEW).location == "/account"
    assert here.is_in
    assert not there.is_in
    assert not browser().sign_in("ann", PASSWORD).is_in
    [act] = acts(home, "account.password")
    assert (act.actor, act.before, act.after, act.reason) == ("ann", None, None, None)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("wrong", NEW, "The present password is not right"),
        (PASSWORD, "short", "has 5 characters"),
        (PASSWORD, PASSWORD, "choose another"),
    ],
)
def test_own_password_is_not_changed_to_what_will_not_do(
    browser: Callable[[], Browser], old: str, new: str, sentence: str
) -> None:
    """The page says why, and the old password stays."""
    ann = browser().sign_in("ann")
    answer = ann.send("/account/password", old=old, new=new, repeated=new)
    assert answer.status_code == 422
    assert sentence in answer.text
    assert browser().sign_in("ann").is_in


def test_guessing_the_present_password_locks_the_account(home: Installation, browser: Callable[[], Browser]) -> None:
    """A session that somebody left open is no way to try passwords."""
    ann = browser().sign_in("ann")
    for _ in range(FAILURES_BEFORE_LOCK):
        ann.send("/account/password", old="wrong", new=NEW, repeated=NEW)
    assert ann.send("/account/password", old=PASSWORD, new=NEW, repeated=NEW).status_code == 422
    assert account_of(home, "ann").locked_until is not None


def test_signing_out_everywhere(home: Installation, browser: Callable[[], Browser]) -> None:
    """Every session of the account ends, nobody else's does."""
    here, there, other = browser().sign_in("ann"), browser().sign_in("ann"), browser().sign_in("root")
    assert here.send("/account/sign-out-everywhere", "/account").location == "/sign-in"
    assert [one.is_in for one in (here, there, other)] == [False, False, True]
    assert len(acts(home, "account.end_sessions")) == 1


def test_own_page_shows_the_account_and_changes_the_language(
    home: Installation, browser: Callable[[], Browser]
) -> None:
    """Roles and employee stand there; the language that is chosen is kept."""
    ann = browser().sign_in("ann")
    page = ann.get("/account").text
    assert "E1" in page
    assert ann.send("/language", "/account", language="zh_Hans_CN", next="/account").location == "/account"
    assert "我的账号" in ann.get("/account").text
    assert account_of(home, "ann").language == "zh_Hans_CN"


# ── Sessions ──


def test_session_begins_anew_at_sign_in(browser: Callable[[], Browser]) -> None:
    """Nothing of the cookie from before signing in stays in it but the language."""
    ann = browser()
    with ann.client.session_transaction() as cookie:
        cookie.update({"planted": "1", "reset": "2", "language": "en"})
    ann.sign_in("ann")
    with ann.client.session_transaction() as cookie:
        assert {"planted", "reset"}.isdisjoint(cookie)
        assert {"account", "number", "began", "seen", "language"} <= cookie.keys()


def test_cookie_is_closed_to_scripts_and_other_sites(home: Installation, app: Flask) -> None:
    """HttpOnly and SameSite always; Secure where the pages are reached by https."""
    assert "Secure" not in Browser(app).send("/sign-in", login="ann", password=PASSWORD).headers["Set-Cookie"]
    web = home.settings.web.model_copy(update={"public_url": "https://certbridge.acme.example"})
    home.settings = home.settings.model_copy(update={"web": web})
    secure = create_app(home)
    secure.config["WTF_CSRF_ENABLED"] = False
    client = secure.test_client()
    answer = client.post("/sign-in", data={"login": "ann", "password": PASSWORD}, base_url="https://localhost")
    for flag in ("Secure", "HttpOnly", "SameSite=Lax"):
        assert flag in answer.headers["Set-Cookie"]


def test_session_that_nobody_uses_ends(home: Installation, browser: Callable[[], Browser]) -> None:
    """Within twelve hours of the last use it goes on, afterwards it does not."""
    ann = browser().sign_in("ann")
    for hours in (11, 11):
        home.clock.moment += timedelta(hours=hours)  # type: ignore[attr-defined]  # the tests' clock can be set
        assert ann.is_in
    other = browser().sign_in("ann")
    home.clock.moment += timedelta(hours=12)  # type: ignore[attr-defined]  # the tests' clock can be set
    assert not other.is_in


def test_session_ends_after_a_day_however_much_it_is_used(home: Installation, browser: Callable[[], Browser]) -> None:
    """A day after signing in, signing in is asked for again."""
    ann = browser().sign_in("ann")
    for _ in range(3):
        assert ann.is_in
        home.clock.moment += timedelta(hours=8)  # type: ignore[attr-defined]  # the tests' clock can be set
    assert not ann.is_in


def test_session_of_an_earlier_version_is_none(app: Flask) -> None:
    """A cookie that says only whose it is opens nothing."""
    client = app.test_client()
    with client.session_transaction() as cookie:
        cookie["account"] = 1
    assert client.get("/account").status_code == 302


# ── Tokens ──


def test_token_is_made_listed_used_and_revoked(home: Installation, root: Browser, app: Flask) -> None:
    """It is shown once, opens its scope, its use is noted, and once revoked it opens nothing."""
    made = secret_of(root.send("/tokens", name="HR", scope=["promotions:write"], days="30"))
    page = root.get("/tokens").text
    assert made not in page
    assert "2026-12-23" in page
    call = {"Authorization": f"Bearer {made}"}
    assert app.test_client().get("/api/v1/promotions/P1", headers=call).status_code == 404
    with home.store.read() as session:
        token = session.scalars(select(ApiToken)).one()
    assert (token.last_used_at, token.created_by) == (home.clock(), "root")
    root.send(f"/tokens/{token.id}/revoke", "/tokens")
    assert app.test_client().get("/api/v1/promotions/P1", headers=call).status_code == 401
    assert "revoked" in root.get("/tokens").text
    assert [len(acts(home, action)) for action in ("token.create", "token.revoke")] == [1, 1]


@pytest.mark.parametrize(
    "fields", [{"name": "", "scope": "promotions:write"}, {"name": "x"}, {"name": "x", "scope": "everything"}]
)
def test_token_without_name_or_known_scope_is_refused(
    home: Installation, root: Browser, fields: dict[str, str]
) -> None:
    """Nothing is made, and the page says what a token needs."""
    answer = root.send("/tokens", **fields)
    assert answer.status_code == 422
    assert "at least one scope" in answer.text
    assert acts(home, "token.create") == []


def test_use_of_a_token_is_noted_once_a_minute(home: Installation, app: Flask) -> None:
    """Within a minute of the last one, a use is not written down again."""
    with home.store.write() as session:
        made = create_token(session, "HR", ["promotions:write"], home.clock())
    began = home.clock()
    for seconds, noted in ((0, 0), (59, 0), (1, 60)):
        home.clock.moment += timedelta(seconds=seconds)  # type: ignore[attr-defined]  # the tests' clock can be set
        app.test_client().get("/api/v1/promotions/P1", headers={"Authorization": f"Bearer {made}"})
        with home.store.read() as session:
            assert session.scalars(select(ApiToken)).one().last_used_at == began + timedelta(seconds=noted)


# ── Commands ──


@pytest.fixture
def command(home: Installation, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs `certbridge account …` and `certbridge token …` on the installation."""
    context = Context(home.settings.folder / "config.toml")
    context.__dict__["installation"] = home
    root = click.Group()
    root.add_command(account_group)
    root.add_command(token_group)
    account_commands.register(root)

    def run(*words: str) -> Any:
        return CliRunner().invoke(root, list(words), obj=context, catch_exceptions=True)

    return run


def test_accounts_are_changed_at_the_command_line(home: Installation, command: Callable[..., Any]) -> None:
    """Roles, link, disabling and enabling do what the pages do, with the command as the actor."""
    assert command("account", "roles", "ann", "hr", "employee", "--reason", "Moved.").exit_code == 0
    assert account_of(home, "ann").roles == ["hr", "employee"]
    assert command("account", "link", "ann", "E2").exit_code == 0
    assert command("account", "disable", "ann").exit_code == 0
    assert account_of(home, "ann").disabled_at is not None
    assert command("account", "enable", "ann").exit_code == 0
    assert command("account", "link", "ann", "--none").exit_code == 0
    assert account_of(home, "ann").person_id is None
    assert acts(home, "account.roles")[0].actor.startswith("command:")
    listed = command("account", "list").output
    assert "ann" in listed
    assert "root" in listed
    assert '"login": "ann"' in command("account", "list", "--format", "json").output


def test_link_is_made_at_the_command_line(
    home: Installation, command: Callable[..., Any], browser: Callable[[], Browser]
) -> None:
    """It sets a password, as the one on the page does; so a locked-out administrator comes in again."""
    link = command("account", "reset", "root").output.split()[-1]
    root = browser()
    root.get(path_of(link))
    root.send("/reset-password", new=NEW, repeated=NEW)
    assert browser().sign_in("root", NEW).is_in


def test_tokens_are_listed_and_revoked_at_the_command_line(home: Installation, command: Callable[..., Any]) -> None:
    """The list shows scopes and state, never the token."""
    with home.store.write() as session:
        made = create_token(session, "HR", ["promotions:write"], home.clock())
    assert "promotions:write" in command("token", "list").output
    assert made not in command("token", "list", "--format", "json").output
    assert command("token", "revoke", "HR").exit_code == 0
    assert "revoked" in command("token", "list").output


@pytest.mark.parametrize(
    "words", [("account", "roles", "nobody", "hr"), ("account", "disable", "root"), ("token", "revoke", "nothing")]
)
def test_what_cannot_be_done_at_the_command_line_is_said(command: Callable[..., Any], words: tuple[str, ...]) -> None:
    """An unknown account or token, and taking the last administrator away, are refused."""
    assert command(*words).exit_code == 1


def test_first_passwords_differ_and_are_long_enough() -> None:
    """A generated password passes the rule for passwords."""
    assert len({first_password() for _ in range(20)}) == 20
    assert len(first_password()) >= 12


# ── The store of the version before ──


def test_account_of_the_version_before_signs_in_after_the_upgrade(store_url: str) -> None:
    """An account and a token that were made before the tables had these columns are there as they were."""
    addons = discover([], PACKAGES)
    load_models(addons)
    kernel, store = addons["plugin"], Store(store_url)
    scripts = ScriptDirectory(str(kernel.path), version_locations=[str(kernel.path / "migrations")])
    before = table(
        "account", column("login"), column("password_hash"), column("roles", Json), column("created_at", UtcDateTime())
    )
    with store.write() as session:
        context = MigrationContext.configure(session.connection(), opts={"version_table": version_table(kernel)})
        with Operations.context(context):
            scripts.get_revision("0001").module.upgrade()
            context.stamp(scripts, "0001")
        digest = PasswordHasher().hash(PASSWORD)
        row = {"login": "old", "password_hash": digest, "roles": ["hr"], "created_at": START}
        session.execute(insert(before), [row])
    with store.write() as session:
        assert "0004" in upgrade(session.connection(), kernel)
        assert differences(session.connection(), kernel, addons) == []
    with store.write() as session:
        found = sign_in(session, "old", PASSWORD, START)
        assert found is not None
        assert (found.session_number, found.must_change_password, found.last_signed_in_at) == (0, False, START)
    store.close()

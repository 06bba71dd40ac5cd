"""Accounts and tokens: nothing that opens anything stands in the store, and guessing is slow."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from plugin import accounts
from plugin.accounts import FAILURES_BEFORE_LOCK, LOCKED_FOR, create_account, create_token, sign_in, token_opens
from plugin.audit import record_act
from plugin.errors import RefusedError
from plugin.installation import Installation
from plugin.models import Account, ApiToken, AuditEntry
from plugin.people import Employee, record_employees
from plugin.summaries import Summary, summarise

PASSWORD = "correct horse battery"


@pytest.fixture
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2 with the least cost, for tests that try many passwords."""
    monkeypatch.setattr(accounts, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


def make(home: Installation) -> None:
    """An account."""
    with home.store.write() as session:
        create_account(session, "boss", PASSWORD, ["administrator", "auditor"], home.clock())


def tried(home: Installation, password: str, after: timedelta = timedelta(0), login: str = "boss") -> bool:
    """Whether signing in so much later succeeds."""
    with home.store.write() as session:
        return sign_in(session, login, password, home.clock() + after) is not None


def test_password_is_kept_as_argon2_only(kernel: Installation) -> None:
    """The store holds an Argon2id hash and the roles; the password opens the account, another one does not."""
    make(kernel)
    with kernel.store.read() as session:
        account = session.scalars(select(Account)).one()
    assert account.password_hash.startswith("$argon2id$")
    assert PASSWORD not in account.password_hash
    assert account.roles == ["administrator", "auditor"]
    assert tried(kernel, PASSWORD)
    assert not tried(kernel, PASSWORD.upper())
    assert not tried(kernel, PASSWORD, login="nobody")


@pytest.mark.usefixtures("quick_hashes")
def test_account_is_locked_after_five_failures_and_unlocked_later(kernel: Installation) -> None:
    """After five failures in a row the right password is refused for fifteen minutes, and then opens again."""
    make(kernel)
    for _ in range(FAILURES_BEFORE_LOCK):
        assert not tried(kernel, "wrong")
    assert not tried(kernel, PASSWORD)
    assert not tried(kernel, PASSWORD, LOCKED_FOR - timedelta(seconds=1))
    assert tried(kernel, PASSWORD, LOCKED_FOR)


@pytest.mark.usefixtures("quick_hashes")
def test_success_starts_the_count_of_failures_again(kernel: Installation) -> None:
    """Four failures, a success and four more failures lock nothing."""
    make(kernel)
    for _ in range(2):
        for _ in range(FAILURES_BEFORE_LOCK - 1):
            assert not tried(kernel, "wrong")
        assert tried(kernel, PASSWORD)


@pytest.mark.usefixtures("quick_hashes")
def test_disabled_account_does_not_open(kernel: Installation) -> None:
    """An account that has been disabled refuses its password."""
    make(kernel)
    with kernel.store.write() as session:
        session.scalars(select(Account)).one().disabled_at = kernel.clock()
    assert not tried(kernel, PASSWORD)


@pytest.mark.usefixtures("quick_hashes")
@pytest.mark.parametrize(
    ("login", "password", "role", "says"),
    [
        ("boss", PASSWORD, "auditor", "There is an account .*boss.* already"),
        ("other", "too short", "auditor", "The password has 9 characters; use at least 12"),
        ("other", PASSWORD, "king", "There is no role .king.; the roles are administrator, "),
    ],
)
def test_account_that_cannot_be_is_refused(
    kernel: Installation, login: str, password: str, role: str, says: str
) -> None:
    """A taken login, a short password and an unknown role are refused, without the password."""
    make(kernel)
    with pytest.raises(RefusedError, match=says) as refused, kernel.store.write() as session:
        create_account(session, login, password, [role], kernel.clock())
    assert password not in str(refused.value)


def test_token_is_kept_as_a_digest_only(kernel: Installation) -> None:
    """The store holds the SHA-256 of a token and nothing else of it; the name can be given once."""
    with kernel.store.write() as session:
        token = create_token(session, "hr", ["promotions:write"], kernel.clock())
    assert token.startswith("cb_")
    with kernel.store.read() as session:
        found = session.scalars(select(ApiToken)).one()
        stored = " ".join(str(getattr(found, column.name)) for column in ApiToken.__table__.columns)
    assert found.digest == hashlib.sha256(token.encode()).hexdigest()
    assert token.removeprefix("cb_") not in stored
    with pytest.raises(RefusedError, match=r"There is a token .*hr.* already"), kernel.store.write() as session:
        create_token(session, "hr", ["promotions:write"], kernel.clock())


def test_token_opens_its_scopes_until_it_expires_or_is_revoked(kernel: Installation) -> None:
    """A token opens exactly its scopes, until the moment that it expires or is revoked; a changed one opens nothing."""
    moment = kernel.clock()
    with kernel.store.write() as session:
        short = create_token(session, "short", ["a:read", "a:write"], moment, timedelta(days=1))
        lasting = create_token(session, "lasting", ["a:read"], moment)

    def opens(token: str, scope: str, after: timedelta = timedelta(0)) -> bool:
        with kernel.store.read() as session:
            return token_opens(session, token, scope, moment + after) is not None

    assert opens(short, "a:read")
    assert opens(short, "a:write")
    assert not opens(short, "a:")
    assert not opens(lasting, "a:write")
    assert not opens(lasting + "x", "a:read")
    assert not opens("", "a:read")
    assert opens(short, "a:read", timedelta(days=1, seconds=-1))
    assert not opens(short, "a:read", timedelta(days=1))
    assert opens(lasting, "a:read", timedelta(days=9999))
    with kernel.store.write() as session:
        session.scalars(select(ApiToken).where(ApiToken.name == "lasting")).one().revoked_at = moment
    assert not opens(lasting, "a:read")


def test_act_stands_in_the_trail_with_its_own_transaction(kernel: Installation) -> None:
    """An act is written down whole together with what was done, and taken back together with it."""
    with kernel.store.write() as session:
        record_act(
            session, "boss", "endpoint.disable", "endpoint:hr", kernel.clock(), reason="moved", after={"on": False}
        )
    with pytest.raises(RuntimeError), kernel.store.write() as session:
        record_act(session, "boss", "endpoint.enable", "endpoint:hr", kernel.clock())
        raise RuntimeError
    with kernel.store.read() as session:
        entry = session.scalars(select(AuditEntry)).one()
    assert (entry.at, entry.actor, entry.action, entry.subject, entry.reason, entry.before, entry.after) == (
        kernel.clock(), "boss", "endpoint.disable", "endpoint:hr", "moved", None, {"on": False},
    )  # fmt: skip


def test_people_are_counted_on_the_organisations_day(kernel: Installation) -> None:
    """Somebody who leaves on the 24th has left when it is the 24th in Shanghai, whatever day it is in UTC."""
    assert summarise(kernel) == [Summary("People", 0)]
    left = datetime(2026, 11, 24, tzinfo=UTC).date()
    with kernel.store.write() as session:
        people = [Employee("E1", "One", left_on=left), Employee("E2", "Two")]
        record_employees(session, people, kernel.clock().date(), kernel.clock())
    for hour, counts in ((15, {"employed": 2, "left": 0}), (16, {"employed": 1, "left": 1})):
        kernel.clock.moment = datetime(2026, 11, 23, hour, tzinfo=UTC)  # type: ignore[attr-defined]
        assert summarise(kernel) == [Summary("People", 2, counts)]

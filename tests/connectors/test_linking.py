"""Linking accounts with persons by hand."""

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from connectors import linking
from connectors.identities import ALREADY_BOUND, BY_HAND, BY_NUMBER, CLAIMED_TWICE, REJECTED, UNMATCHED
from connectors.linking import LINK, MOVE, REJECT, UNDO, UNLINK, Decision, LinkingRefused, decide
from connectors.models import Evidence, Identity, LinkingAct, SourceUser
from connectors.records import CompletionRecord, CourseRecord, UserRecord
from connectors.streams import Scope
from plugin.models import AuditEntry, Person
from tests.connectors.book import ZONE, Book, day, employee


def act(book: Book, what: str, user_key: str, number: str | None = None, **more: Any) -> linking.Outcome:
    """Decide something about an account of the site."""
    decision = Decision(what, "moodle", user_key, more.pop("reason", "Seen in person."), number, **more)
    with book.store.write() as session:
        return decide(session, decision, "anna", book.now, ZONE)


def bindings(book: Book) -> dict[str, tuple[str, str]]:
    """By account: the person's number and the rule."""
    numbers = {person.id: person.employee_number for person in book.all(Person)}
    return {one.user_key: (numbers[one.person_id], one.rule) for one in book.all(Identity, unbound_at=None)}


def reasons(book: Book) -> dict[str, str | None]:
    """By account: why it is nobody's."""
    return {user.user_key: user.unbound_reason for user in book.all(SourceUser)}


def proofs(book: Book) -> list[tuple[str, str]]:
    """The evidence that stands: the person's number, and the day of October."""
    numbers = {person.id: person.employee_number for person in book.all(Person)}
    return sorted((numbers[one.person_id], f"{one.achieved_at:%d}") for one in book.evidence())


@pytest.fixture
def known(either: Book) -> Book:
    """Two employees; an account that nobody can tell whose it is, with completions on the 1st and on the 9th."""
    either.put(employee("E1", "one@x"), employee("E2", "two@x"), source="roster")
    either.put(UserRecord("1", username="anna"), CourseRecord("5", "Fire", idnumber="FIRE"))
    either.put(CompletionRecord("5", "1", day(1)), CompletionRecord("5", "1", day(9)))
    either.touched()
    either.later()
    return either


def test_linked_account_counts_at_once(known: Book) -> None:
    """Linking binds the account, makes its evidence and touches the person, in one transaction and with an audit entry."""
    assert reasons(known) == {"1": UNMATCHED}
    outcome = act(known, LINK, "1", " E1 ", reason=" Badge shown. ")
    assert bindings(known) == {"1": ("E1", BY_HAND)}
    assert reasons(known) == {"1": None}
    assert proofs(known) == [("E1", "01"), ("E1", "09")]
    assert known.touched() == {"E1"}
    person = known.one(Person, employee_number="E1")
    assert outcome.person_ids == {person.id}
    entry = known.one(AuditEntry, subject="identity:moodle:1")
    assert (entry.actor, entry.action, entry.subject) == ("anna", "identity.link", "identity:moodle:1")
    assert (entry.person_id, entry.reason, entry.at) == (person.id, "Badge shown.", known.now)
    assert entry.after == {"employee_number": "E1", "act": "link"}


def test_link_from_a_day_on(known: Book) -> None:
    """Only what was achieved from the day on counts, also of what is pulled later."""
    act(known, LINK, "1", "E1", since=day(9))
    assert proofs(known) == [("E1", "09")]
    known.put(CompletionRecord("5", "1", day(8)), CompletionRecord("5", "1", day(10)))
    assert proofs(known) == [("E1", "09"), ("E1", "10")]


def test_unlinking_what_was_never_theirs_voids(known: Book) -> None:
    """A binding that was wrong from the start is undone: everything that the account proved about the person is void."""
    act(known, LINK, "1", "E1")
    known.later()
    known.touched()
    act(known, UNLINK, "1")
    assert bindings(known) == {}
    assert proofs(known) == []
    assert {(row.void_reason, row.voided_at) for row in known.all(Evidence)} == {("unbound", known.now)}
    assert known.touched() == {"E1"}
    gone = known.one(Identity)
    assert (gone.unbound_at, gone.valid_until) == (known.now, None)


def test_closing_keeps_what_was_theirs(known: Book) -> None:
    """A binding closed on a day keeps what was achieved before it, also of what is pulled later, and voids the rest."""
    act(known, LINK, "1", "E1")
    known.later()
    act(known, UNLINK, "1", since=day(5))
    assert proofs(known) == [("E1", "01")]
    known.put(CompletionRecord("5", "1", day(4)), CompletionRecord("5", "1", day(6)))
    assert proofs(known) == [("E1", "01"), ("E1", "04")]


def test_an_account_handed_over(known: Book) -> None:
    """Moved as of a day, the account counts for the one until then and for the other from then on, nothing for both."""
    act(known, LINK, "1", "E1")
    known.later()
    known.touched()
    act(known, MOVE, "1", "E2", since=day(5))
    assert proofs(known) == [("E1", "01"), ("E2", "09")]
    assert known.touched() == {"E1", "E2"}
    known.put(CourseRecord("5", "Fire safety", idnumber="FIRE-2"))
    assert proofs(known) == [("E1", "01"), ("E2", "09")], "superseded by what the course is called now, for both"
    assert {row.object for row in known.evidence()} == {"FIRE-2"}


def test_moving_what_was_wrong_from_the_start(known: Book) -> None:
    """Moved without a day, everything counts for the other person, and each audit entry is about one person alone."""
    act(known, LINK, "1", "E1", since=day(5))
    known.later()
    act(known, MOVE, "1", "E2")
    assert proofs(known) == [("E2", "09")], "from the day on that stood before"
    entries = known.all(AuditEntry, action="identity.move")
    persons = {person.id: person.employee_number for person in known.all(Person)}
    assert [(persons[each.person_id], each.before, each.after) for each in entries] == [
        ("E1", {"employee_number": "E1", "act": "move"}, None),
        ("E2", None, {"employee_number": "E2", "act": "move"}),
    ]


def test_after_a_closed_binding_nothing_counts_twice(known: Book) -> None:
    """Whoever gets an account that was somebody's until a day gets what it did from that day on, by hand or by rule."""
    act(known, LINK, "1", "E1")
    act(known, UNLINK, "1", since=day(5))
    with pytest.raises(LinkingRefused, match="somebody else's until 2026-10-05 18:00"):
        act(known, LINK, "1", "E2", since=day(4))
    known.put(UserRecord("1", username="anna", idnumber="E2"))
    assert bindings(known) == {"1": ("E2", BY_NUMBER)}
    assert proofs(known) == [("E1", "01"), ("E2", "09")]


def test_two_accounts_of_one_person(either: Book) -> None:
    """Two accounts that both wait for one person are both theirs by hand: what both did counts."""
    either.put(employee("E1"), source="roster")
    either.put(UserRecord("1", idnumber="E1"), UserRecord("2", idnumber="E1"), CourseRecord("5", "Fire"))
    either.put(CompletionRecord("5", "1", day(1)), CompletionRecord("5", "2", day(2)))
    assert reasons(either) == {"1": CLAIMED_TWICE, "2": CLAIMED_TWICE}
    act(either, LINK, "1", "E1")
    assert reasons(either) == {"1": None, "2": ALREADY_BOUND}
    act(either, LINK, "2", "E1")
    assert bindings(either) == {"1": ("E1", BY_HAND), "2": ("E1", BY_HAND)}
    assert proofs(either) == [("E1", "01"), ("E1", "02")]


def test_hand_made_bindings_hold(known: Book) -> None:
    """Whatever number and e-mail the account gets, the rules replace no binding that was made by hand."""
    act(known, LINK, "1", "E1")
    known.put(UserRecord("1", username="anna", idnumber="E2", email="two@x"))
    known.put(employee("E1", "other@x"), employee("E2", "three@x"), source="roster")
    assert bindings(known) == {"1": ("E1", BY_HAND)}


def test_not_this_person_is_remembered(either: Book) -> None:
    """Whom an account was said not to be the rules never bind it to, at any later pull, until it is linked by hand."""
    either.put(employee("E1"), source="roster")
    either.put(UserRecord("1", idnumber="E1"))
    assert bindings(either) == {"1": ("E1", BY_NUMBER)}
    act(either, UNLINK, "1")
    assert reasons(either) == {"1": REJECTED}
    either.put(employee("E1", "new@x"), employee("E2"), source="roster")
    either.put(UserRecord("1", idnumber="E1", email="new@x"))
    assert bindings(either) == {}
    act(either, LINK, "1", "E1")
    act(either, UNLINK, "1")
    either.put(UserRecord("1", idnumber="E2"))
    assert bindings(either) == {"1": ("E2", BY_NUMBER)}


def test_rejecting_one_sets_the_other_free(either: Book) -> None:
    """Of two accounts that claim a person the other one is bound by the rules as soon as one is said not to be theirs."""
    either.put(employee("E1"), source="roster")
    either.put(UserRecord("1", idnumber="E1"), UserRecord("2", idnumber="E1"), CourseRecord("5", "Fire"))
    either.put(CompletionRecord("5", "2", day(2)))
    either.touched()
    outcome = act(either, REJECT, "1", "E1")
    assert outcome.bound == ["2"]
    assert bindings(either) == {"2": ("E1", BY_NUMBER)}
    assert proofs(either) == [("E1", "02")]
    assert either.touched() == {"E1"}
    assert reasons(either) == {"1": REJECTED, "2": None}


@pytest.mark.parametrize("since", [None, day(5)])
def test_undoing_step_by_step(known: Book, since: datetime | None) -> None:
    """Each undo takes back the newest act that stands: binding, evidence and rejections are as they were before it."""
    steps: list[tuple[str, str | None, datetime | None]] = [
        (LINK, "E1", None), (MOVE, "E2", since), (UNLINK, None, day(8)), (REJECT, "E1", None), (LINK, "E1", None),
    ]  # fmt: skip
    before = []
    for what, number, moment in steps:
        before.append((bindings(known), proofs(known), reasons(known)))
        act(known, what, "1", number, since=moment)
        known.later()
    for expected in reversed(before):
        known.touched()
        act(known, UNDO, "1")
        known.later()
        assert (bindings(known), proofs(known), reasons(known)) == expected
    with pytest.raises(LinkingRefused, match="could be undone"):
        act(known, UNDO, "1")
    assert len(known.all(AuditEntry, action="identity.undo")) == 6, "one for each person of each act"
    assert all(each.undone_by == "anna" for each in known.all(LinkingAct))


def test_undoing_an_unlinking_gives_the_rule_back(either: Book) -> None:
    """What the rules had bound, and somebody unlinked by mistake, is bound as before, with the same rule."""
    either.put(employee("E1"), source="roster")
    either.put(UserRecord("1", idnumber="E1"))
    act(either, UNLINK, "1")
    act(either, UNDO, "1")
    assert bindings(either) == {"1": ("E1", BY_NUMBER)}


def test_nothing_is_undone_that_others_have_changed_since(either: Book) -> None:
    """When the rules have bound the account to somebody else since, undoing is refused and says what to do."""
    either.put(employee("E1"), employee("E2"), source="roster")
    either.put(UserRecord("1", idnumber="E1"))
    act(either, UNLINK, "1")
    either.put(UserRecord("1", idnumber="E2"))
    with pytest.raises(LinkingRefused, match="bound otherwise since; unlink it instead"):
        act(either, UNDO, "1")
    assert bindings(either) == {"1": ("E2", BY_NUMBER)}


def test_an_account_that_is_gone_can_be_linked(known: Book) -> None:
    """What somebody did with an account that was deleted since counts for them when it is linked."""
    for _ in range(2):
        known.put(scope=Scope((UserRecord,)))
    assert known.one(SourceUser).closed_at is not None
    act(known, LINK, "1", "E1")
    assert proofs(known) == [("E1", "01"), ("E1", "09")]


REFUSALS = [
    ("no account", (LINK, "9", "E1"), {}, "has no account 9"),
    ("no person", (LINK, "1", "E9"), {}, "no employee with the number E9"),
    ("no reason", (LINK, "1", "E1"), {"reason": "  "}, "Say why"),
    (
        "future",
        (LINK, "1", "E1"),
        {"since": datetime.fromisoformat("2027-01-01T00:00+08:00")},
        "2027-01-01 is not over",
    ),
    ("nobody to unlink", (UNLINK, "1", None), {}, "linked with nobody"),
    ("nobody to move", (MOVE, "1", "E1"), {}, "linked with nobody"),
    ("another look", (LINK, "1", "E1"), {"seen": "7.7"}, "changed the account anna \\(moodle\\) meanwhile"),
]


@pytest.mark.parametrize(("what", "more", "says"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_refusals_change_nothing(known: Book, what: Any, more: dict[str, Any], says: str) -> None:
    """What cannot be done is refused with the record and the mend, and nothing has changed."""
    with pytest.raises(LinkingRefused, match=says):
        act(known, *what, **more)
    assert (bindings(known), known.all(LinkingAct), known.all(AuditEntry, subject="identity:moodle:1")) == ({}, [], [])


def test_refusals_of_a_linked_account(known: Book) -> None:
    """A linked account is not linked again, nor moved to the same person, nor closed before it began."""
    act(known, LINK, "1", "E1", since=day(5))
    for what, more, says in [
        ((LINK, "1", "E2"), {}, "linked with the employee E1; unlink it first"),
        ((MOVE, "1", "E1"), {}, "is the employee E1 already"),
        ((REJECT, "1", "E1"), {}, "unlink it first"),
        ((UNLINK, "1"), {"since": day(5)}, "counts from 2026-10-05 18:00 on"),
    ]:
        with pytest.raises(LinkingRefused, match=says):
            act(known, *what, **more)
    assert bindings(known) == {"1": ("E1", BY_HAND)}


def at_once(*works: Callable[[], None]) -> list[Exception]:
    """Do all of it at the same moment; what was raised."""
    ready, raised = threading.Barrier(len(works)), []

    def run(work: Callable[[], None]) -> None:
        ready.wait(10)
        try:
            work()
        except LinkingRefused as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return raised


def test_two_officers_at_once(known: Book) -> None:
    """Of two officers who link one account at the same moment one does it, and the other is told who it is now."""
    refused = at_once(*(lambda number=number: act(known, LINK, "1", number) for number in ("E1", "E2") * 3))
    assert len(refused) == 5
    assert {str(error).partition("employee ")[2][:2] for error in refused} == {bindings(known)["1"][0]}
    assert len(known.all(Identity)) == len(known.all(AuditEntry, subject="identity:moodle:1")) == 1
    assert len(known.evidence()) == 2


def test_officers_and_pulls_at_once(known: Book) -> None:
    """Linking and unlinking while rosters and accounts are stored ends well for all, whoever waits for whom."""
    numbers = range(1, 30)
    users = [UserRecord(str(number), username=f"u{number}", idnumber=f"E{number}") for number in numbers if number > 1]
    known.put(*users, *(CompletionRecord("5", str(number), day(2)) for number in numbers))

    def roster() -> None:
        for turn in range(6):
            known.put(*(employee(f"E{number}", f"{turn}@{number}") for number in numbers), source="roster")

    def site() -> None:
        for turn in range(6):
            known.put(*(CompletionRecord("5", str(number), day(turn + 3)) for number in numbers))

    def officer() -> None:
        for _ in range(4):
            act(known, LINK, "1", "E1")
            act(known, MOVE, "1", "E2")
            act(known, UNLINK, "1")

    assert at_once(roster, site, officer) == []
    rows = known.evidence()
    assert len(rows) == len({row.origin for row in rows})
    assert {row.user_key for row in rows} == {str(number) for number in numbers if number > 1}
    assert len(bindings(known)) == 28


def test_all_or_nothing(known: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails or is killed half-way leaves nothing: binding, evidence and audit entry come together or not at all."""
    act(known, LINK, "1", "E1")
    before = (
        bindings(known),
        proofs(known),
        len(known.all(AuditEntry, subject="identity:moodle:1")),
        len(known.all(LinkingAct)),
    )

    def fail(*_: Any) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr("connectors.evidence.record_of_users", fail)
    known.touched()
    with pytest.raises(RuntimeError):
        act(known, MOVE, "1", "E2")
    assert (
        bindings(known),
        proofs(known),
        len(known.all(AuditEntry, subject="identity:moodle:1")),
        len(known.all(LinkingAct)),
    ) == before
    assert known.touched() == set()


def test_evidence_never_counts_for_two(known: Book) -> None:
    """No sequence of acts leaves one completion standing for two persons."""

    def count(session: Session) -> int:
        rows = select(Evidence.origin).where(Evidence.voided_at.is_(None)).group_by(Evidence.origin)
        return len(session.execute(rows.having(func.count() > 1)).all())

    for what, number, since in [
        (LINK, "E1", day(2)), (MOVE, "E2", day(5)), (UNLINK, None, day(8)), (LINK, "E1", None), (MOVE, "E2", None),
        (UNDO, None, None), (UNDO, None, None), (UNDO, None, None),
    ]:  # fmt: skip
        act(known, what, "1", number, since=since)
        known.later()
        with known.store.read() as session:
            assert count(session) == 0


def test_a_binding_from_before_still_counts(known: Book) -> None:
    """Bindings of an earlier version, without the new columns, stand and ended as they did."""
    act(known, LINK, "1", "E1")
    with known.store.write() as session:
        session.execute(update(Identity).values(rule="email", valid_from=None))
    known.put(CompletionRecord("5", "1", day(10)))
    assert proofs(known) == [("E1", "01"), ("E1", "09"), ("E1", "10")]

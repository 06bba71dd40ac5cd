"""Who is who."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from connectors.identities import ALREADY_BOUND, BY_EMAIL, BY_NUMBER, CLAIMED_TWICE, EMAIL_SHARED, UNMATCHED
from connectors.models import Enrolment, Evidence, Identity, SourceUser
from connectors.records import CompletionRecord, CourseRecord, EnrolmentRecord, UserRecord
from connectors.streams import Scope
from plugin.models import Person
from tests.connectors.book import Book, day, employee


def bindings(book: Book) -> dict[str, tuple[str, str]]:
    """By account: the person's number and the rule."""
    numbers = {person.id: person.employee_number for person in book.all(Person)}
    return {one.user_key: (numbers[one.person_id], one.rule) for one in book.all(Identity, unbound_at=None)}


def reasons(book: Book) -> dict[str, str | None]:
    """By account: why it is nobody's."""
    return {user.user_key: user.unbound_reason for user in book.all(SourceUser)}


def test_by_number_before_by_email(either: Book) -> None:
    """The employee number decides, whatever the e-mail says; without one, the e-mail does."""
    either.put(employee("E1", "one@x"), employee("E2", "two@x"), employee("E3", "three@x"), source="roster")
    either.put(
        UserRecord("1", idnumber="E1", email="two@x"),
        UserRecord("3", email="three@x"),
        UserRecord("4", idnumber="E4", email="nobody@x"),
        UserRecord("5"),
    )
    assert bindings(either) == {"1": ("E1", BY_NUMBER), "3": ("E3", BY_EMAIL)}
    assert reasons(either) == {"1": None, "3": None, "4": UNMATCHED, "5": UNMATCHED}


def test_an_unknown_number_falls_back_on_the_email(book: Book) -> None:
    """A number that no employee has does not keep the e-mail from deciding."""
    book.put(employee("E1", "one@x"), source="roster")
    book.put(UserRecord("1", idnumber="OLD-7", email="one@x"))
    assert bindings(book) == {"1": ("E1", BY_EMAIL)}


def test_emails_are_compared_without_case(either: Book) -> None:
    """Capitals in an address mean nothing, on either side, for finding and for being shared."""
    either.put(employee("E1", "Anna.Li@Acme.Example"), employee("E2", "B@x"), employee("E3", "b@X"), source="roster")
    either.put(UserRecord("1", email="ANNA.LI@acme.example"), UserRecord("2", email="b@x"))
    assert bindings(either) == {"1": ("E1", BY_EMAIL)}
    assert reasons(either) == {"1": None, "2": EMAIL_SHARED}


def test_an_email_shared_by_accounts_binds_nobody(book: Book) -> None:
    """Two accounts with one address both wait, in whatever case it is written, also when one is known by its number."""
    book.put(employee("E1", "desk@x"), employee("E2", "two@x"), source="roster")
    book.put(UserRecord("1", email="desk@x"), UserRecord("2", email="Desk@x"))
    assert bindings(book) == {}
    assert reasons(book) == {"1": EMAIL_SHARED, "2": EMAIL_SHARED}
    book.put(UserRecord("3", idnumber="E2", email="two@x"), UserRecord("4", email="two@x"))
    assert bindings(book) == {"3": ("E2", BY_NUMBER)}
    assert reasons(book)["4"] == EMAIL_SHARED


def test_an_email_shared_by_employees_binds_nobody(book: Book) -> None:
    """An address that two employees have is nobody's, until one of them has another."""
    book.put(employee("E1", "desk@x"), employee("E2", "desk@x"), source="roster")
    book.put(UserRecord("1", email="desk@x"))
    assert reasons(book) == {"1": EMAIL_SHARED}
    book.put(employee("E2", "two@x"), source="roster")
    assert bindings(book) == {"1": ("E1", BY_EMAIL)}


@pytest.mark.parametrize("second", [UserRecord("2", idnumber="E1"), UserRecord("2", email="one@x")])
def test_two_accounts_of_one_person_both_wait(book: Book, second: UserRecord) -> None:
    """When two accounts claim a person at once, by number or by e-mail, neither gets them."""
    book.put(employee("E1", "one@x"), source="roster")
    book.put(UserRecord("1", idnumber="E1"), second)
    assert bindings(book) == {}
    assert reasons(book) == {"1": CLAIMED_TWICE, "2": CLAIMED_TWICE}


def test_a_standing_binding_holds(book: Book) -> None:
    """A second account of a bound person waits, however good its claim; the standing one stays."""
    book.put(employee("E1", "one@x"), source="roster")
    book.put(UserRecord("1", email="one@x"))
    book.put(UserRecord("2", idnumber="E1"))
    assert bindings(book) == {"1": ("E1", BY_EMAIL)}
    assert reasons(book) == {"1": None, "2": ALREADY_BOUND}
    book.put(UserRecord("1", idnumber="E9", email="other@x"))
    assert bindings(book) == {"1": ("E1", BY_EMAIL)}


def test_the_same_person_in_two_sources(book: Book) -> None:
    """Each source has its own accounts: a person is bound once in each, and shared addresses do not cross over."""
    book.put(employee("E1", "one@x"), source="roster")
    book.put(UserRecord("1", email="one@x"))
    book.put(UserRecord("9", email="one@x"), source="other")
    assert sorted(one.source for one in book.all(Identity)) == ["moodle", "other"]


def test_a_rival_that_leaves_sets_the_other_free(book: Book) -> None:
    """When the account that shared an address is gone for two passes, the remaining one is bound."""
    book.put(employee("E1", "desk@x"), source="roster")
    book.put(UserRecord("1", email="desk@x"), UserRecord("2", email="desk@x"))
    for _ in range(2):
        assert bindings(book) == {}
        book.put(UserRecord("1", email="desk@x"), scope=Scope((UserRecord,)))
    assert bindings(book) == {"1": ("E1", BY_EMAIL)}


def test_a_late_roster_binds_and_makes_evidence_at_once(either: Book) -> None:
    """What was pulled before anybody was known counts as soon as the roster comes, in the same transaction."""
    either.put(UserRecord("1", idnumber="E1"), UserRecord("2", email="two@x"), UserRecord("3"))
    either.put(CourseRecord("5", "Fire", idnumber="FIRE"))
    either.put(*(CompletionRecord("5", user, day(1)) for user in "123"), EnrolmentRecord("5", "3", True))
    assert either.all(Evidence) == []
    assert reasons(either) == {"1": UNMATCHED, "2": UNMATCHED, "3": UNMATCHED}
    either.put(employee("E1"), employee("E2", "two@x"), source="roster")
    assert [(one.user_key, one.kind, one.object) for one in either.evidence()] == [
        ("1", "completed", "FIRE"), ("2", "completed", "FIRE"),
    ]  # fmt: skip
    assert reasons(either) == {"1": None, "2": None, "3": UNMATCHED}
    assert either.touched() == {"E1", "E2"}


def test_a_better_word_binds_later(book: Book) -> None:
    """An account that gets its number later is bound then, and its reason goes."""
    book.put(employee("E1"), source="roster")
    book.put(UserRecord("1", email="a@x"))
    assert reasons(book) == {"1": UNMATCHED}
    book.put(UserRecord("1", idnumber="E1", email="a@x"))
    assert (bindings(book), reasons(book)) == ({"1": ("E1", BY_NUMBER)}, {"1": None})


USERS = st.lists(
    st.builds(
        lambda number, email: (number, email),
        st.sampled_from([None, "E1", "E2", "E3", "E9"]),
        st.sampled_from([None, "a@x", "A@x", "b@x", "c@x", "z@x"]),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(users=USERS, data=st.data())
def test_the_order_of_a_batch_does_not_matter(book: Book, users: list[Any], data: st.DataObject) -> None:
    """However the accounts of one batch are ordered, the same are bound to the same, and the same wait for the same reason."""
    records = [UserRecord(str(at), idnumber=number, email=email) for at, (number, email) in enumerate(users, start=1)]
    outcomes = []
    for order in (records, data.draw(st.permutations(records))):
        with book.store.write() as session:
            for model in (Enrolment, Identity, SourceUser):
                session.execute(delete(model))
        book.put(employee("E1", "a@x"), employee("E2", "b@x"), employee("E3", "B@x"), source="roster")
        book.put(*order)
        outcomes.append((bindings(book), reasons(book)))
    assert outcomes[0] == outcomes[1]
    bound, waiting = outcomes[0]
    assert set(bound) == {key for key, reason in waiting.items() if reason is None}
    assert len({number for number, _ in bound.values()}) == len(bound)

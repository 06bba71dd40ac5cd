"""Whose an account might be."""

from typing import Any

import pytest
from sqlalchemy import select

from connectors.linking import LINK, REJECT, Decision, decide
from connectors.models import SourceUser
from connectors.records import EmployeeRecord, UserRecord
from connectors.suggestions import (
    SAME_EMAIL,
    SAME_NAME,
    SAME_NAME_AND_DEPARTMENT,
    SAME_NUMBER,
    SIMILAR_NAME,
    Suggestion,
    plain_name,
    plain_number,
    suggest,
)
from plugin.people import Employee
from tests.connectors.book import ZONE, Book


def person(number: str, name: str, email: str | None = None, department: str | None = None) -> EmployeeRecord:
    """An employee."""
    return EmployeeRecord(Employee(number, name, email, department))


def suggested(book: Book, user: UserRecord) -> list[tuple[str, tuple[str, ...]]]:
    """Who is suggested for an account, and why."""
    book.put(user)
    return [(each.number, each.reasons) for each in of(book, user.user_key)]


def of(book: Book, user_key: str) -> list[Suggestion]:
    """Who is suggested for an account that is stored."""
    with book.store.read() as session:
        user = session.scalars(select(SourceUser).where(SourceUser.user_key == user_key)).one()
        return suggest(session, user)


def test_better_reasons_stand_first(either: Book) -> None:
    """A number outweighs an e-mail, that a name with its department, that a name, that a similar one; the rest is not told."""
    either.put(
        person("A-1", "Zhao Li", "z@x"),
        person("A-2", "Qian Wu", "ANNA.MEIER@x"),
        person("A-3", "Meier, Anna", "m@x", "Stores"),
        person("A-4", "Anna Meier", "n@x", "Sales"),
        person("A-5", "Anna Meyer"),
        person("A-6", "Bert Braun"),
        source="roster",
    )
    either.put(UserRecord("7", email="anna.meier@x"))  # shared, so that the rules bind nobody by it
    user = UserRecord("8", username="a-001", email="anna.meier@x", name="Anna Meier", department=" stores")
    assert suggested(either, user) == [
        ("A-1", (SAME_NUMBER,)),
        ("A-2", (SAME_EMAIL,)),
        ("A-3", (SAME_NAME_AND_DEPARTMENT,)),
        ("A-4", (SAME_NAME,)),
        ("A-5", (SIMILAR_NAME,)),
    ]


@pytest.mark.parametrize("given", ["E-0042", " e-42 ", "Ｅ－４２", "e-042"])
def test_numbers_are_alike_whatever_fills_them_up(book: Book, given: str) -> None:
    """Spaces, case, full-width signs and leading zeros do not tell numbers apart, on either side; other digits do."""
    book.put(person("E-42", "Ann"), person("E-420", "Bea"), person("F-42", "Cia"), source="roster")
    user = UserRecord("1", idnumber=given)
    with book.store.write() as session:
        session.add(SourceUser(source="moodle", user_key="1", idnumber=user.idnumber))
    assert [(each.number, each.reasons) for each in of(book, "1")] == [("E-42", (SAME_NUMBER,))]
    assert plain_number("007") == "7"
    assert plain_number("A10") != plain_number("A1")
    assert plain_number("0") == plain_number("000") == "0"


def test_reasons_add_up(book: Book) -> None:
    """Who resembles the account in more than one way stands before who does in one of them, with all the reasons."""
    book.put(person("E1", "Ann Li", "desk@x"), person("E2", "Bo Wu", "desk@x"), source="roster")
    assert suggested(book, UserRecord("1", email="desk@x", name="Li Ann")) == [
        ("E1", (SAME_EMAIL, SAME_NAME)),
        ("E2", (SAME_EMAIL,)),
    ]


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        ("José Núñez", "jose nunez", SAME_NAME),
        ("王 芳", "王芳", SAME_NAME),
        ("Anna-Lena Groß", "Gross Anna Lena", SAME_NAME),
        ("Katharina Schmidt", "Katarina Schmidt", SIMILAR_NAME),
        ("王芳", "王力", None),
        ("Li Na", "Li Bo", None),
        ("", "", None),
        ("Anna Meier", "Peter Braun", None),
    ],
)
def test_names(book: Book, one: str, other: str, reason: str | None) -> None:
    """Accents, case, spaces and the order of the parts do not tell names apart; a slip of the pen is similar; others are not."""
    book.put(person("E1", other or "–"), source="roster")
    expected = [("E1", (reason,))] if reason else []
    assert suggested(book, UserRecord("1", name=one)) == expected
    assert plain_name("Li, Anna") == plain_name("anna LI")


def test_who_was_rejected_is_not_suggested_again(either: Book) -> None:
    """Somebody whose the account was said not to be is left out, and so is whose it is; accounts they have are told."""
    either.put(person("E1", "Ann Li"), person("E2", "Ann Li"), source="roster")
    either.put(UserRecord("9", username="ann.old", idnumber="E2"), UserRecord("1", name="Ann Li"))
    assert [(each.number, each.accounts) for each in of(either, "1")] == [("E1", ()), ("E2", ("ann.old",))]
    with either.store.write() as session:
        decide(session, Decision(REJECT, "moodle", "1", "Met.", "E2"), "anna", either.now, ZONE)
    assert [each.number for each in of(either, "1")] == ["E1"]
    with either.store.write() as session:
        decide(session, Decision(LINK, "moodle", "1", "Met.", "E1"), "anna", either.now, ZONE)
    assert of(either, "1") == [], "whose it is needs no suggestion"


def test_at_most_ten(book: Book) -> None:
    """Of many who are called alike ten are told, always the same ones, in a number of statements that does not grow."""
    book.put(*(person(f"E{number:03}", "Wang Wei") for number in range(400)), source="roster")
    assert len(suggested(book, UserRecord("1", name="Wang Wei"))) == 10
    with book.statements() as seen:
        assert [each.number for each in of(book, "1")] == [f"E{number:03}" for number in range(10)]
    assert len(seen) <= 5


def test_nothing_is_bound_by_a_suggestion(book: Book) -> None:
    """However good a suggestion is, the account waits for somebody."""
    book.put(person("E-7", "Ann Li"), source="roster")
    user: dict[str, Any] = {"idnumber": "e-007", "name": "Ann Li"}
    assert suggested(book, UserRecord("1", **user)) == [("E-7", (SAME_NUMBER, SAME_NAME))]
    assert book.one(SourceUser).unbound_reason == "unmatched"

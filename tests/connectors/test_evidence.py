"""What pulled rows mean for persons."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import update

from connectors import evidence
from connectors.models import Evidence, Identity
from connectors.records import ActivityRecord, CompletionRecord, CourseRecord, ResultRecord, UserRecord
from tests.connectors.book import Book, day, employee

D = Decimal
QUIZ = ActivityRecord("7", "5", "quiz-1", "quiz", "Final test", D(0), D(50), D(40))
TOTAL = ActivityRecord("8", "5", "whatever", "course", None, D(0), D(100), None)


def result(score: int | str, submitted: datetime, activity: str = "7", user: str = "1", **more: Any) -> ResultRecord:
    """A grade for the submission of that moment."""
    given = {"minimum": D(0), "maximum": D(50), "achieved_at": submitted, "graded_at": submitted, **more}
    return ResultRecord(activity, user, str(int(submitted.timestamp())), D(score), **given)


def known(book: Book) -> None:
    """Employee E1 with account 1, E2 with 2; course 5 with a quiz and a total."""
    book.bound_users(1, 2)
    book.put(CourseRecord("5", "Fire", idnumber="FIRE", category="Safety"), QUIZ, TOTAL)


def facts(book: Book) -> list[tuple[Any, ...]]:
    """The standing evidence in short."""
    return sorted((one.kind, one.object, one.percent, one.success) for one in book.evidence())


def test_a_completion_is_completed(either: Book) -> None:
    """A completion is evidence of kind completed for its course, at its moment, with the course and category."""
    known(either)
    either.put(CompletionRecord("5", "1", day(3)))
    piece = either.one(Evidence)
    assert (piece.kind, piece.object, piece.course, piece.category) == ("completed", "FIRE", "FIRE", "Safety")
    assert (piece.achieved_at, piece.recorded_at, piece.source, piece.user_key) == (day(3), either.now, "moodle", "1")
    assert (piece.percent, piece.success, piece.voided_at) == (None, None, None)


@pytest.mark.parametrize(("score", "percent", "passed"), [(45, 90, True), (40, 80, True), (39, 78, False)])
def test_a_result_is_a_score_and_whether_it_passed(either: Book, score: int, percent: int, passed: bool) -> None:
    """A result is its percentage, and passed with success as the pass mark is reached or not."""
    known(either)
    either.put(result(score, day(3)))
    assert facts(either) == [("passed", "quiz-1", D(percent), passed), ("score", "quiz-1", D(percent), None)]
    assert {one.achieved_at for one in either.evidence()} == {day(3)}
    assert either.touched() == {"E1"}


@pytest.mark.parametrize("mark", [None, D(0)])
def test_without_a_pass_mark_nothing_is_passed(book: Book, mark: Decimal | None) -> None:
    """No pass mark, or one of 0, makes a score and no word on passing."""
    known(book)
    book.put(replace(QUIZ, activity_key="9", object="essay", pass_mark=mark), result(10, day(3), "9"))
    assert facts(book) == [("score", "essay", D(20), None)]


def test_a_course_total_is_about_the_course(book: Book) -> None:
    """The grade of a course total stands under the course's own name, by its own maximum."""
    known(book)
    book.put(result(30, day(3), "8", maximum=D(60)))
    assert facts(book) == [("score", "FIRE", D(50), None)]


def test_the_same_submission_with_another_mark_supersedes(either: Book) -> None:
    """A regraded submission voids what it said before, at the moment that the new mark was recorded."""
    known(either)
    either.put(result(30, day(3)))
    first = either.now
    either.touched()
    either.later()
    either.put(result(45, day(3), graded_at=day(9)))
    old = [one for one in either.all(Evidence) if one.voided_at]
    assert {(one.kind, one.percent, one.recorded_at) for one in old} == {
        ("score", D(60), first),
        ("passed", D(60), first),
    }
    assert {(one.voided_at, one.void_reason) for one in old} == {(either.now, "superseded")}
    assert facts(either) == [("passed", "quiz-1", D(90), True), ("score", "quiz-1", D(90), None)]
    assert {one.recorded_at for one in either.evidence()} == {either.now}
    assert either.touched() == {"E1"}


def test_a_later_submission_is_new_evidence(book: Book) -> None:
    """A second attempt stands beside the first one, whatever its mark."""
    known(book)
    book.put(result(45, day(3)))
    book.later()
    book.put(result(20, day(8)))
    assert [(one.kind, one.percent, one.achieved_at) for one in book.evidence(kind="score")] == [
        ("score", D(90), day(3)), ("score", D(40), day(8)),
    ]  # fmt: skip
    assert [one.success for one in book.evidence(kind="passed")] == [True, False]
    assert book.all(Evidence, void_reason="superseded") == []


def test_nothing_new_makes_no_new_evidence(book: Book) -> None:
    """Storing the same again leaves the evidence as it is and touches nobody."""
    known(book)
    page = (CompletionRecord("5", "1", day(3)), result(45, day(3)), result(50, day(3), user="2"), QUIZ)
    book.put(*page)
    before = [vars(one) for one in book.all(Evidence)]
    assert book.touched() == {"E1", "E2"}
    book.later()
    book.put(*page)
    assert [one["recorded_at"] for one in before] == [one.recorded_at for one in book.all(Evidence)]
    assert book.touched() == set()


def test_a_pass_mark_that_appears_changes_and_goes(either: Book) -> None:
    """The word on passing follows the pass mark: made, superseded, voided; the score stands through all of it."""
    known(either)
    either.put(replace(QUIZ, pass_mark=D(0)), result(30, day(3)))
    score = either.one(Evidence)
    seen = []
    for mark in (D(25), D(35), D(0)):
        either.later()
        either.touched()
        either.put(replace(QUIZ, pass_mark=mark))
        seen.append([one.success for one in either.evidence(kind="passed")])
        assert either.touched() == {"E1"}
    assert seen == [[True], [False], []]
    assert [(one.success, one.void_reason, one.voided_at) for one in either.all(Evidence, kind="passed")] == [
        (True, "superseded", either.now - timedelta(hours=1)), (False, "superseded", either.now),
    ]  # fmt: skip
    assert [one.id for one in either.evidence()] == [score.id]


def test_a_pass_mark_that_is_not_told_stays(book: Book) -> None:
    """When the source cannot say the pass mark for once, nobody's passing is taken back."""
    known(book)
    book.put(result(45, day(3)))
    book.later()
    book.put(replace(QUIZ, pass_mark=None))
    assert facts(book) == [("passed", "quiz-1", D(90), True), ("score", "quiz-1", D(90), None)]
    assert book.all(Evidence, void_reason="superseded") == []


def test_an_activity_that_is_known_late_brings_its_results(book: Book) -> None:
    """Results whose activity could not be used at first count as soon as it can."""
    known(book)
    book.put(result(45, day(3), "9"))
    assert book.evidence() == []
    book.put(replace(QUIZ, activity_key="9", object="late"))
    assert facts(book) == [("passed", "late", D(90), True), ("score", "late", D(90), None)]


def test_a_course_that_is_known_late_brings_its_completions(book: Book) -> None:
    """Completions whose course could not be used at first count as soon as it can."""
    book.bound_users(1)
    book.put(CompletionRecord("6", "1", day(3)))
    assert book.evidence() == []
    book.put(CourseRecord("6", "Late", idnumber="LATE"))
    assert facts(book) == [("completed", "LATE", None, None)]


def test_unbinding_voids(either: Book) -> None:
    """What an account proved about a person is void from the moment it is not theirs; others' is untouched."""
    known(either)
    either.put(*(CompletionRecord("5", user, day(3)) for user in "12"), result(45, day(3)))
    one = either.one(Identity, user_key="1")
    either.touched()
    either.later()
    with either.store.write() as session:
        session.execute(update(Identity).where(Identity.id == one.id).values(unbound_at=either.now))
        evidence.void_unbound(session, "moodle", "1", either.now)
    assert {row.user_key for row in either.evidence()} == {"2"}
    voided = either.all(Evidence, user_key="1")
    assert len(voided) == 3
    assert {(row.voided_at, row.void_reason) for row in voided} == {(either.now, "unbound")}
    assert either.touched() == {"E1"}
    # Bound anew, the same rows count again, as evidence of its own.
    either.put(UserRecord("1", idnumber="E1", name="Renamed"))
    assert len(either.evidence(user_key="1")) == 3


def test_nobody_is_touched_but_those_concerned(book: Book) -> None:
    """Of many persons only the one whose row changed is derived again."""
    book.bound_users(*range(1, 6))
    book.put(CourseRecord("5", "Fire", idnumber="FIRE"), QUIZ)
    book.put(*(result(45, day(3), user=str(user)) for user in range(1, 6)))
    book.touched()
    book.put(*(result(44 if user == 3 else 45, day(3), user=str(user)) for user in range(1, 6)))
    assert book.touched() == {"E3"}


def test_rows_of_unbound_accounts_are_nobodys_evidence(book: Book) -> None:
    """A completion of an account that is nobody's is stored, and proves nothing about anybody."""
    known(book)
    book.put(UserRecord("3"), CompletionRecord("5", "3", day(3)))
    assert book.all(Evidence) == []
    assert book.touched() == set()


@pytest.mark.parametrize(
    ("score", "minimum", "maximum", "share"),
    [
        ("1", "0", "3", "33.3333"), ("2", "0", "3", "66.6667"), ("0", "0", "10", "0"), ("12", "0", "10", "120"),
        ("5", "-5", "15", "50"), ("3", "1", "5", "50"), ("0.5", "0", "1", "50"),
        ("5", "10", "10", None), ("5", "10", "1", None),
        ("999999999", "0", "0.00001", "99999.9999"), ("-999999999", "0", "0.00001", "-99999.9999"),
    ],
)  # fmt: skip
def test_percent(score: str, minimum: str, maximum: str, share: str | None) -> None:
    """The way from minimum to maximum to four places; none where there is no way; never beyond what the store holds."""
    assert evidence.percent(D(score), D(minimum), D(maximum)) == (None if share is None else D(share))


def test_an_absurd_percentage_can_be_stored(either: Book) -> None:
    """A grade far beyond its maximum does not keep its page from being stored."""
    known(either)
    either.put(result(999_999_999, day(3), maximum=D("0.00001")), employee("E3"))
    assert either.evidence(kind="score")[0].percent == D("99999.9999")

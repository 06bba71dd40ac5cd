"""What becomes of pulled rows: created, changed, closed, opened again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from connectors.models import Activity, Completion, Course, Enrolment, Evidence, Result, SourceUser
from connectors.records import (
    ActivityRecord,
    CompletionRecord,
    CourseRecord,
    EnrolmentRecord,
    Record,
    ResultRecord,
    UserRecord,
)
from connectors.storing import Counts
from connectors.streams import In, Scope
from tests.connectors.book import Book, day

D = Decimal
USERS = Scope((UserRecord,))
COURSES = Scope((CourseRecord,))
COMPLETIONS = Scope((CompletionRecord,), In.courses(["5"]))
QUIZ = ActivityRecord("7", "5", "quiz-1", "quiz", "Final test", D(0), D(50), D(40))


def grade(score: int, at: datetime, submission: str = "s1", activity: str = "7", user: str = "1") -> ResultRecord:
    """A grade of fifty points at most."""
    return ResultRecord(activity, user, submission, D(score), D(0), D(50), at, at)


def test_counts_say_what_is_new_changed_and_closed(either: Book) -> None:
    """Each record is counted once as new, changed or closed, and not at all when it stayed as it was."""
    assert either.put(UserRecord("1"), UserRecord("2"), UserRecord("3")) == Counts(3, 0, 0)
    assert either.put(UserRecord("1"), UserRecord("2", name="Li"), scope=USERS) == Counts(0, 1, 0)
    assert either.put(UserRecord("1"), UserRecord("2", name="Li"), scope=USERS) == Counts(0, 0, 1)
    assert either.put(UserRecord("1"), UserRecord("2", name="Li"), scope=USERS) == Counts(0, 0, 0)
    assert either.put(UserRecord("1"), UserRecord("3"), scope=USERS) == Counts(0, 1, 0)


def test_a_row_is_closed_when_two_passes_running_missed_it(book: Book) -> None:
    """Once missed is no more than a suspicion, and being seen in between clears it."""
    both, one = (UserRecord("1"), UserRecord("2")), (UserRecord("1"),)
    for records in (both, one, both, one):
        book.put(*records, scope=USERS)
        assert book.one(SourceUser, user_key="2").closed_at is None
    book.later()
    book.put(*one, scope=USERS)
    assert book.one(SourceUser, user_key="2").closed_at == book.now
    assert book.one(SourceUser, user_key="1").closed_at is None


def test_the_same_pass_does_not_close(book: Book) -> None:
    """A page that is read twice in one pass, as after a kill, closes nothing."""
    book.put(UserRecord("1"), UserRecord("2"), scope=USERS)
    for _ in range(2):
        book.passes = 7
        book.put(UserRecord("1"), scope=USERS)
    assert book.one(SourceUser, user_key="2").closed_at is None


def test_a_row_that_reappears_is_opened_again(book: Book) -> None:
    """A closed row that is seen again stands again, unchanged, and is counted as changed."""
    book.bound_users(1)
    done = book.completed(1, day(3))
    book.put(scope=COMPLETIONS)
    book.put(scope=COMPLETIONS)
    assert book.one(Completion).closed_at
    assert book.put(done, scope=COMPLETIONS) == Counts(0, 1, 0)
    row = book.one(Completion)
    assert (row.closed_at, row.missing_pass) == (None, None)
    assert len(book.all(Evidence)) == 1


def test_without_a_scope_nothing_is_missing(book: Book) -> None:
    """A page that does not say what it shows whole closes nothing, however often it is stored."""
    book.put(UserRecord("1"), UserRecord("2"))
    for _ in range(3):
        assert book.put(UserRecord("1")) == Counts()
    assert [user.closed_at for user in book.all(SourceUser)] == [None, None]


def test_a_scope_reaches_no_further_than_its_course_type_and_source(book: Book) -> None:
    """What is missing on a page about course 5 is missing there: not in course 6, of another type or of another source."""
    rows: tuple[Record, ...] = (CompletionRecord("5", "1", day(1)), CompletionRecord("6", "1", day(1)))
    book.put(*rows, EnrolmentRecord("5", "1", True))
    book.put(*rows, source="other")
    for _ in range(2):
        book.put(scope=COMPLETIONS)
    closed = [(row.source, row.course_key) for row in book.all(Completion) if row.closed_at]
    assert closed == [("moodle", "5")]
    assert book.one(Enrolment).closed_at is None


def test_results_are_missed_by_the_course_of_their_activity(book: Book) -> None:
    """A results page shows its course's grades whole: those of other courses' activities stand."""
    book.put(QUIZ, replace(QUIZ, activity_key="9", course_key="6"), grade(1, day(1)), grade(1, day(1), activity="9"))
    for _ in range(2):
        book.put(QUIZ, scope=Scope((ResultRecord,), In.courses(["5"])))
    assert [(row.activity_key, bool(row.closed_at)) for row in book.all(Result)] == [("7", True), ("9", False)]


def test_reset_and_done_again_is_new_evidence(either: Book) -> None:
    """A course reset and completed once more is another completion; the first is closed and goes on counting."""
    either.bound_users(1)
    either.completed(1, day(3))
    for _ in range(2):
        either.put(scope=COMPLETIONS)
    either.put(CompletionRecord("5", "1", day(20)), scope=COMPLETIONS)
    assert [(row.completed_at, bool(row.closed_at)) for row in either.all(Completion)] == [
        (day(3), True),
        (day(20), False),
    ]
    assert [one.achieved_at for one in either.evidence()] == [day(3), day(20)]


def test_a_grade_earned_again_after_a_reset_is_another_one(either: Book) -> None:
    """A grade without a submission that had vanished and is earned anew leaves what the first one proved."""
    either.bound_users(1)
    either.put(CourseRecord("5", "Fire", idnumber="FIRE"), QUIZ, grade(45, day(3), ""))
    scope = Scope((ResultRecord,), In.courses(["5"]))
    for _ in range(2):
        either.later()
        either.put(QUIZ, scope=scope)
    assert either.put(QUIZ, grade(41, day(20), ""), scope=scope) == Counts(1, 0, 0)
    assert [(one.percent, one.achieved_at) for one in either.evidence(kind="score")] == [
        (D(90), day(3)), (D(82), day(20)),
    ]  # fmt: skip
    # The same grade seen again after all is no other one.
    for _ in range(2):
        either.put(QUIZ, scope=scope)
    assert either.put(QUIZ, grade(41, day(20), ""), scope=scope) == Counts(0, 1, 0)
    assert len(either.evidence(kind="score")) == 2


def test_a_user_deleted_upstream_leaves_their_evidence(either: Book) -> None:
    """An account that is gone is closed with its rows; what it proved stands, and so does its binding."""
    either.bound_users(1, 2)
    either.completed(1, day(3))
    either.put(EnrolmentRecord("5", "1", True))
    for _ in range(2):
        either.put(UserRecord("2", idnumber="E2"), scope=USERS)
        either.put(scope=COMPLETIONS)
        either.put(scope=Scope((EnrolmentRecord,), In.courses(["5"])))
    assert either.one(SourceUser, user_key="1").closed_at
    assert either.one(Completion).closed_at
    assert either.one(Enrolment).closed_at
    assert [(one.user_key, one.voided_at) for one in either.all(Evidence)] == [("1", None)]


def test_a_course_deleted_upstream_closes_what_belongs_to_it(either: Book) -> None:
    """With a course go its enrolments, completions, activities and results; other courses' stay; evidence stays."""
    either.bound_users(1, 2)
    for course in "56":
        either.completed(1, day(3), course)
        either.put(
            EnrolmentRecord(course, "2", True), replace(QUIZ, activity_key=f"a{course}", course_key=course),
            grade(45, day(4), activity=f"a{course}"),
        )  # fmt: skip
    standing = len(either.evidence())
    either.touched()
    either.put(CourseRecord("6", "Course 6", idnumber="CRS-6"), scope=COURSES)
    assert either.put(CourseRecord("6", "Course 6", idnumber="CRS-6"), scope=COURSES) == Counts(0, 0, 1)
    for model, ours, theirs in (
        (Course, {"course_key": "5"}, {"course_key": "6"}),
        (Enrolment, {"course_key": "5"}, {"course_key": "6"}),
        (Completion, {"course_key": "5"}, {"course_key": "6"}),
        (Activity, {"activity_key": "a5"}, {"activity_key": "a6"}),
        (Result, {"activity_key": "a5"}, {"activity_key": "a6"}),
    ):
        assert either.one(model, **ours).closed_at == either.now, model
        assert either.one(model, **theirs).closed_at is None, model
    assert len(either.evidence()) == standing == 6
    assert either.touched() == {"E2"}  # who was enrolled is in progress no more


@pytest.mark.parametrize(("before", "after"), [(None, "FIRE"), ("FIRE", "FIRE-2"), ("FIRE", "")])
def test_an_idnumber_that_becomes_known_or_changes_supersedes(either: Book, before: str | None, after: str) -> None:
    """Evidence is called by what its course is called now; what it was called before is superseded, not lost."""
    either.bound_users(1)
    either.put(CourseRecord("5", "Fire", idnumber=before), CompletionRecord("5", "1", day(3)))
    either.put(replace(QUIZ, kind="course"), grade(45, day(4)))
    either.later()
    either.touched()
    either.put(CourseRecord("5", "Fire", idnumber=after))
    assert {one.object for one in either.evidence()} == {after or "id:5"}
    assert {(one.object, one.void_reason) for one in either.all(Evidence) if one.voided_at} == {
        (before or "id:5", "superseded")
    }
    assert len(either.evidence()) == 3
    assert either.touched() == {"E1"}


def test_what_the_source_does_not_say_stays_known(book: Book) -> None:
    """None keeps what was known of a course or an activity; an empty idnumber says that there is none."""
    starts = datetime(2026, 1, 1, tzinfo=UTC)
    book.put(CourseRecord("5", "Fire", "FIRE", "F", "Safety", True, False, starts, starts), QUIZ)
    assert book.put(CourseRecord("5", "Fire"), replace(QUIZ, pass_mark=None)) == Counts()
    row = book.one(Course)
    assert (row.object, row.category, row.completion_enabled, row.visible) == ("FIRE", "Safety", True, False)
    assert book.one(Activity).pass_mark == 40
    assert book.put(CourseRecord("5", "Fire", idnumber=""), replace(QUIZ, pass_mark=D(0))) == Counts(0, 2, 0)
    assert (book.one(Course).object, book.one(Activity).pass_mark) == ("id:5", 0)


def test_what_a_user_is_no_more_goes(book: Book) -> None:
    """An account's emptied fields are emptied here: of accounts the source says everything."""
    book.put(UserRecord("1", "anna", "E1", "a@x", "Anna", "HR", True))
    book.put(UserRecord("1"))
    row = book.one(SourceUser)
    assert (row.username, row.idnumber, row.email, row.name, row.department, row.suspended) == (None,) * 5 + (False,)


def test_enrolments_touch_whom_they_concern(book: Book) -> None:
    """A new, changed or closed enrolment has its person derived again; one that stays, nobody."""
    book.bound_users(1, 2, 3)
    rows = [EnrolmentRecord("5", user, True) for user in "123"]
    scope = Scope((EnrolmentRecord,), In.courses(["5"]))
    book.put(*rows, scope=scope)
    assert book.touched() == {"E1", "E2", "E3"}
    book.put(replace(rows[0], active=False), *rows[1:], scope=scope)
    assert book.touched() == {"E1"}
    for wanted in (set(), {"E3"}):
        book.put(replace(rows[0], active=False), rows[1], scope=scope)
        assert book.touched() == wanted


def page(size: int, mark: int = 45) -> list[Any]:
    """A page about `size` users of a course, each with a completion and a grade."""
    records: list[Any] = [CourseRecord("5", "Fire", idnumber="FIRE"), QUIZ]
    for user in range(1, size + 1):
        records += [
            UserRecord(str(user), idnumber=f"E{user}", department="HR" if user % 3 else None),
            EnrolmentRecord("5", str(user), user % 2 == 0),
            CompletionRecord("5", str(user), day(1) + timedelta(minutes=user)),
            grade(mark, day(2) + timedelta(minutes=user), user=str(user)),
        ]
    return records


SCOPE = Scope((EnrolmentRecord, CompletionRecord, ResultRecord), In.courses(["5"]))


def statements(book: Book, size: int) -> list[int]:
    """How many statements it takes to store a page as new, again, changed throughout, and with every second row gone."""
    book.bound_users(*range(1, size + 1))
    taken = []
    odd = [record for record in page(size, 40) if int(getattr(record, "user_key", 1)) % 2]
    for records in (page(size), page(size), page(size, 40), odd, page(size, 40), odd, odd, odd):
        with book.statements() as seen:
            book.put(*records, scope=SCOPE)
        taken.append(len(seen))
    return taken


def test_statements_do_not_grow_with_the_page(either: Book, book: Book) -> None:
    """A page of 200 users takes as many statements as one of 40, new, unchanged, changed or half gone."""
    assert all(of_many <= of_few for of_many, of_few in zip(statements(either, 200), statements(book, 20), strict=True))

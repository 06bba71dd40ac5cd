"""What attempts, badges and competency ratings prove, whatever the order in which they are read."""

import itertools
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.models import ActivityCompletion, Badge, Evidence, LearningAttempt
from connectors.records import (
    ActivityCompletionRecord,
    ActivityRecord,
    AttemptRecord,
    BadgeRecord,
    CompetencyRatingRecord,
    CompetencyRecord,
    CompletionRecord,
    CourseRecord,
    Record,
    ResultRecord,
    UserRecord,
)
from connectors.streams import In, Scope
from plugin.store import Store
from tests.connectors.book import Book, day, employee

D = Decimal
COURSE = CourseRecord("5", "Fire", idnumber="FIRE", category="Safety")
QUIZ = ActivityRecord("7", "5", "quiz-1", "quiz", "Final test", D(0), D(50), D(40), module_key="70")
GRADE = ResultRecord("7", "1", "", D(45), D(0), D(50), day(9), day(9))
FIRST = AttemptRecord("a1", "70", "5", "1", 1, "finished", day(2), day(3), D(20), D(50))
SECOND = AttemptRecord("a2", "70", "5", "1", 2, "finished", day(8), day(9), D(45), D(50))
OPEN = AttemptRecord("a3", "70", "5", "1", 3, "inprogress", day(10), None, None, D(50))
BADGE = BadgeRecord("3", "1", day(4), "BDG", "Fire badge", course_key="5", row_id=1)
COMPETENCY = CompetencyRecord("9", "FW/EXT", "Extinguishing")
RATING = CompetencyRatingRecord("9", "1", "", D(3), True, day(5), row_id=1)


def facts(book: Book) -> list[tuple[Any, ...]]:
    """The standing evidence in short."""
    return sorted(
        (one.kind, one.object, one.course, one.achieved_at, str(one.percent), one.success, str(one.level))
        for one in book.evidence()
    )


def known(book: Book) -> None:
    """Employee E1 with account 1; a course with a quiz."""
    book.bound_users(1)
    book.put(COURSE, QUIZ)


def test_attempts_speak_instead_of_their_grade(either: Book) -> None:
    """Each finished attempt is a score and a pass of its own; the grade that was made of them proves nothing any more."""
    known(either)
    either.put(GRADE)
    assert [one.percent for one in either.evidence(kind="score")] == [D(90)]
    either.later()
    either.put(FIRST, SECOND, OPEN)
    assert [(one.kind, one.object, one.percent, one.success, one.achieved_at) for one in either.evidence()] == [
        ("score", "quiz-1", D(40), None, day(3)), ("passed", "quiz-1", D(40), False, day(3)),
        ("score", "quiz-1", D(90), None, day(9)), ("passed", "quiz-1", D(90), True, day(9)),
    ]  # fmt: skip
    assert {one.void_reason for one in either.all(Evidence) if one.voided_at} == {"superseded"}
    either.put(replace(GRADE, score=D(50)))
    assert {one.origin.partition(":")[0] for one in either.evidence()} == {"attempt"}
    assert either.touched() == {"E1"}


def test_without_attempts_the_grade_speaks(book: Book) -> None:
    """Attempts of somebody else, at something else, or that are not graded, leave a grade as it is."""
    known(book)
    book.put(GRADE, OPEN, replace(FIRST, user_key="2"), replace(SECOND, module_key="71"))
    assert {one.origin.partition(":")[0] for one in book.evidence()} == {"result"}
    book.put(replace(FIRST, attempt_key="a4", score=None))
    assert {one.origin.partition(":")[0] for one in book.evidence()} == {"result"}


def test_an_attempt_that_is_graded_anew_supersedes(book: Book) -> None:
    """Another mark for an attempt replaces what it proved; an attempt that is deleted goes on counting."""
    known(book)
    book.put(FIRST)
    book.put(replace(FIRST, score=D(50)))
    assert [one.percent for one in book.evidence(kind="score")] == [D(100)]
    book.put(scope=Scope((AttemptRecord,), In.courses(["5"]), certain=True))
    assert book.one(LearningAttempt).closed_at == book.now
    assert len(book.evidence()) == 2


def test_a_badge_and_its_revocation(either: Book) -> None:
    """An issued badge is evidence; one that has gone at the source was revoked, and one that is back counts again."""
    known(either)
    either.put(BADGE)
    piece = either.one(Evidence)
    assert (piece.kind, piece.object, piece.course, piece.achieved_at) == ("badge", "BDG", "FIRE", day(4))
    either.touched()
    either.later()
    gone = Scope((BadgeRecord,), In(("user_key",), frozenset({("1",)})), certain=True)
    either.put(scope=gone)
    piece = either.one(Evidence)
    assert (piece.voided_at, piece.void_reason, either.touched()) == (either.now, "revoked", {"E1"})
    either.put(BADGE)
    assert len(either.evidence()) == 1


def test_competency_ratings(either: Book) -> None:
    """A proficient rating is evidence with its level; a later one stands beside it; in a course, or not proficient: none."""
    known(either)
    either.put(COMPETENCY, RATING, replace(RATING, course_key="5", row_id=2))
    assert [(one.kind, one.object, one.level) for one in either.evidence()] == [("competency", "FW/EXT", D(3))]
    either.put(replace(RATING, level=D(4), rated_at=day(8)))
    assert [(one.level, one.achieved_at) for one in either.evidence()] == [(D(3), day(5)), (D(4), day(8))]
    either.put(replace(RATING, level=D(2), rated_at=day(8)))
    assert [one.level for one in either.evidence()] == [D(3), D(2)]
    either.put(replace(RATING, proficient=False, level=D(1), rated_at=day(9)))
    assert [one.level for one in either.evidence()] == [D(3), D(2)]
    either.put(replace(COMPETENCY, object="FW/NEW"), replace(RATING, rated_at=day(10)))
    assert either.evidence()[-1].object == "FW/NEW"


def test_a_course_that_is_gone_takes_its_contents_along(book: Book) -> None:
    """With a course its activity completions and attempts are closed; a badge that was issued in it stands."""
    known(book)
    book.put(FIRST, BADGE, ActivityCompletionRecord("70", "1", "5", "complete", day(3)))
    proved = facts(book)
    book.put(scope=Scope((CourseRecord,), certain=True))
    assert book.one(ActivityCompletion).closed_at == book.one(LearningAttempt).closed_at == book.now
    assert book.one(Badge).closed_at is None
    assert facts(book) == proved


RECORDS: tuple[Record, ...] = (
    COURSE, QUIZ, GRADE, FIRST, SECOND, OPEN, BADGE, COMPETENCY, RATING, CompletionRecord("5", "1", day(3)),
    UserRecord("1", idnumber="E1"), employee("E1"),
    ActivityRecord("6", "5", "another", "quiz", "Closed", D(0), D(50), D(10), module_key="71"),
    ResultRecord("6", "1", "", D(5), D(0), D(50), day(6), day(6)),
)  # fmt: skip


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(RECORDS), cuts=st.sets(st.integers(1, len(RECORDS) - 1), max_size=6))
def test_the_order_of_pages_does_not_matter(empty_database: Path, order: list[Record], cuts: set[int]) -> None:
    """Whatever comes first, account, course, grade or attempt, and on whichever page: the same evidence stands in the end."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "book.db"
        path.write_bytes(empty_database.read_bytes())
        book = Book(Store(f"sqlite:///{path}"))
        edges = [0, *sorted(cuts), len(order)]
        for begin, end in itertools.pairwise(edges):
            book.put(*order[begin:end])
        found = facts(book)
        book.store.close()
    assert [fact[:3] for fact in found] == [
        ("badge", "BDG", "FIRE"), ("competency", "FW/EXT", None), ("completed", "FIRE", "FIRE"),
        ("passed", "another", "FIRE"), ("passed", "quiz-1", "FIRE"), ("passed", "quiz-1", "FIRE"),
        ("score", "another", "FIRE"), ("score", "quiz-1", "FIRE"), ("score", "quiz-1", "FIRE"),
    ]  # fmt: skip
    assert [fact[3:6] for fact in found if fact[0] == "passed"] == [
        (day(6), "10.0000", False), (day(3), "40.0000", False), (day(9), "90.0000", True),
    ]  # fmt: skip

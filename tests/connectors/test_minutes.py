"""Moments read to the minute here and to the second there: one completion, one badge, one piece of evidence."""

from datetime import UTC, datetime, timedelta

import pytest

from connectors.minutes import align
from connectors.models import Badge, Completion
from connectors.records import BadgeRecord, CompletionRecord, Record
from connectors.streams import In, Scope
from tests.connectors.book import Book

FINE = datetime(2026, 10, 3, 9, 41, 37, tzinfo=UTC)
COARSE = FINE.replace(second=0)
WITHIN = Scope((CompletionRecord,), In.courses(["5"]))


def completion(at: datetime) -> Record:
    """A completion of account 1."""
    return CompletionRecord("5", "1", at)


def badge(at: datetime) -> Record:
    """A badge of account 1."""
    return BadgeRecord("9", "1", at, "First aider", "First aider")


@pytest.mark.parametrize("scope", [WITHIN, None])
@pytest.mark.parametrize(("first", "second"), [(FINE, COARSE), (COARSE, FINE)])
def test_one_completion_by_two_ways(either: Book, first: datetime, second: datetime, scope: Scope | None) -> None:
    """Whichever comes first, the completion is one, known to the second, and proves one thing at that moment."""
    either.bound_users(1)
    either.completed(1, first)
    for _ in range(3):
        either.put(completion(second), scope=scope)
    row = either.one(Completion)
    assert (row.completed_at, row.closed_at, row.missing_pass) == (FINE, None, None)
    (piece,) = either.evidence()
    assert piece.achieved_at == FINE


def test_one_badge_by_two_ways(either: Book) -> None:
    """The same holds of badges."""
    either.put(badge(FINE))
    either.put(badge(COARSE), scope=Scope((BadgeRecord,)))
    either.put(badge(FINE), scope=Scope((BadgeRecord,)))
    row = either.one(Badge)
    assert (row.issued_at, row.closed_at, row.missing_pass) == (FINE, None, None)


def test_another_minute_is_another_completion(either: Book) -> None:
    """A renewal is a completion of its own, be it a minute later."""
    either.bound_users(1)
    either.completed(1, FINE)
    either.put(completion(COARSE + timedelta(minutes=1)), scope=WITHIN)
    assert len(either.all(Completion)) == 2


def test_a_known_second_does_not_give_way_to_another(either: Book) -> None:
    """Two moments known to the second are two, even within a minute."""
    either.bound_users(1)
    either.completed(1, FINE)
    either.put(completion(FINE + timedelta(seconds=5)))
    assert len(either.all(Completion)) == 2


def test_other_people_and_courses_are_left_alone() -> None:
    """Only what else the key holds being equal makes two moments one."""
    wanted = {("5", "1", COARSE): (), ("6", "1", COARSE): ()}
    assert align(2, wanted, [("5", "2", FINE), ("6", "1", FINE)]) == []
    assert set(wanted) == {("5", "1", COARSE), ("6", "1", FINE)}

"""The table of statuses, in its order, and the next moment at which a status changes."""

import pytest

from metrics.certification.chain import derive
from metrics.certification.status import Status, standing
from tests.metrics.certification.kit import asked, book, day, done, piece, row, rule

BOTH = 'within = "P1D"\nall_of = [{ completed = { course = "C", newer_than = "P1D" } }, { badge = { badge = "B" } }]'


@pytest.mark.parametrize(
    ("earn", "line", "status"),
    [
        (BOTH, done("2024-01-01"), "in_progress"),
        (BOTH, done("2024-01-01", success="false"), "not_started"),
        (BOTH, done("2024-01-01", voided_at="2024-02-01"), "not_started"),
        (BOTH, row("enrolled", "2024-01-01"), "in_progress"),
        (BOTH, row("enrolled", "2024-01-01", voided_at="2024-02-01"), "not_started"),
        (BOTH, row("enrolled", "2024-01-01", "B"), "not_started"),
        (BOTH, row("enrolled", "2025-01-01"), "not_started"),
        ('completed = { course = "C", source = "n" }', row("enrolled", "2024-01-01"), "not_started"),
        ('hours = { courses = ["C"], at_least = 5 }', row("enrolled", "2024-01-01"), "in_progress"),
        ('hours = { courses = ["C"], at_least = 5 }', row("hours", "2024-01-01", hours="4"), "not_started"),
        ('passed = { activity = "C" }', row("enrolled", "2024-01-01"), "not_started"),
        (
            'all_of = [{ certification = { code = "Z" } }, { completed = { course = "C" } }]',
            row("certification", "2024-01-01", "Z"),
            "in_progress",
        ),
        (
            'all_of = [{ certification = { code = "Z" } }, { completed = { course = "C" } }]',
            row("certification", "2024-01-01", "Z", voided_at="2024-02-01"),
            "not_started",
        ),
    ],
)
def test_never_held(earn: str, line: str, status: str) -> None:
    """In progress is who meets a leaf of [earn] on its own, or is enrolled in a course that it names."""
    answer = asked(rule(earn), [line], "2024-03-01")
    assert (answer["status"], answer["achieved_at"], answer["next_change_at"]) == (status, None, None)


def test_renewing_leaves_do_not_begin() -> None:
    """A leaf of [renew] alone is no progress towards the first award."""
    text = rule(renew='completed = { course = "R" }')
    assert asked(text, [row("completed", "2024-01-01", "R")], "2024-03-01")["status"] == "not_started"


def test_two_awards_hold() -> None:
    """Where two awards hold, W and U are the latest's."""
    answer = asked(rule(), [done("2024-03-01"), done("2025-01-10")], "2025-02-01")
    assert (answer["status"], answer["next_change_at"]) == ("certified", "2025-11-11")


@pytest.mark.parametrize(
    ("terms", "as_of", "status", "next_change"),
    [
        ("", "2024-06-01", "certified", "2025-03-01"),
        ("", "2025-03-01", "expired", None),
        ('grace = "P10D"', "2024-06-01", "certified", "2025-03-01"),
        ('grace = "P10D"', "2025-03-01", "grace", "2025-03-11"),
        ('window = "P1Y"', "2024-03-01", "renewal_due", "2025-03-01"),
    ],
)
def test_without_window_or_grace(terms: str, as_of: str, status: str, next_change: str | None) -> None:
    """Without a window renewal is never due, without a grace the end is the expiry."""
    answer = asked(rule(terms=terms), [done("2024-03-01")], as_of)
    assert (answer["status"], answer["next_change_at"]) == (status, next_change)


def test_expired_still_says_when_it_was_achieved() -> None:
    """achieved_at is that of the latest award that stands, expired or not."""
    assert asked(rule(), [done("2024-03-01")], "2026-01-01")["achieved_at"] == "2024-03-01"


def test_exempt_comes_first() -> None:
    """An exemption hides every other status until it ends, which is the next change."""
    rules, pieces = book(rule()), [piece(1, 0)]
    awards = derive(rules, pieces, day(10))
    now = standing(rules, awards, pieces, day(10), exempt_until=day(50), exempt_from=day(5))
    assert (now.status, now.since, now.next_change_at) == (Status.EXEMPT, day(5), day(50))
    assert standing(rules, awards, pieces, day(50), exempt_until=day(50)).status is Status.CERTIFIED


def test_overdue() -> None:
    """Who never held what is required is overdue from the due date on, in progress or not; who held it is not."""
    rules, pieces = book(rule(BOTH)), [piece(1, 0)]
    before = standing(rules, [], pieces, day(10), required_due_at=day(20))
    assert (before.status, before.since, before.next_change_at) == (Status.IN_PROGRESS, day(0), day(20))
    after = standing(rules, [], pieces, day(20), required_due_at=day(20))
    assert (after.status, after.since, after.next_change_at) == (Status.OVERDUE, day(20), None)
    held = book(rule())
    awards = derive(held, pieces, day(600))
    assert standing(held, awards, pieces, day(600), required_due_at=day(20)).status is Status.EXPIRED


def test_since() -> None:
    """A status is since the moment from which it held without a break."""
    rules, pieces = book(rule(validity='from = "previous_expiry"\nlasts = "P1Y"')), [piece(1, 0), piece(2, 310)]
    awards = derive(rules, pieces, day(400))
    assert standing(rules, awards, pieces, day(400)).since == day(310)
    assert standing(rules, awards[:1], pieces[:1], day(308)).since == day(366 - 60)
    assert standing(rules, [], [], day(308)).since is None


def test_revoked_since() -> None:
    """Revoked is since the revocation."""
    rules, pieces = book(rule()), [piece(1, 0, voided=9)]
    now = standing(rules, derive(rules, pieces, day(20)), pieces, day(20))
    assert (now.status, now.since, now.next_change_at) == (Status.REVOKED, day(9), None)

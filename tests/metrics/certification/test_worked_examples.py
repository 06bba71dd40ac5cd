"""The worked examples of the specification, to the minute; the organisation's time zone is Asia/Shanghai."""

import pytest

from tests.metrics.certification.kit import asked, done, periods, row, rule

FIRST = "2024-02-29T10:00+08:00"


@pytest.mark.parametrize(
    ("as_of", "status", "next_change"),
    [
        ("2024-12-30T09:59", "certified", "2024-12-30T10:00"),
        ("2024-12-30T10:00", "renewal_due", "2025-02-28T10:00"),
        ("2025-02-28T09:59", "renewal_due", "2025-02-28T10:00"),
        ("2025-02-28T10:00", "grace", "2025-03-30T10:00"),
        ("2025-03-30T09:59", "grace", "2025-03-30T10:00"),
        ("2025-03-30T10:00", "expired", None),
    ],
)
def test_a_year_from_a_leap_day(as_of: str, status: str, next_change: str | None) -> None:
    """Example 1: a year from 29 February ends on 28 February, with the window before and the grace after it."""
    answer = asked(rule(), [done(FIRST)], as_of)
    assert (answer["status"], answer["next_change_at"]) == (status, next_change)
    assert answer["achieved_at"] == "2024-02-29T10:00"
    assert periods(answer) == ["2024-02-29T10:00 > 2025-02-28T10:00 achieved"]


def test_renewed_from_the_previous_end() -> None:
    """Example 2, previous_expiry: the new period starts when it was achieved and is counted from the old end."""
    text = rule(validity='from = "previous_expiry"\nlasts = "P1Y"')
    answer = asked(text, [done(FIRST), done("2025-02-01T09:00")], "2025-02-02")
    assert periods(answer)[1] == "2025-02-01T09:00 > 2026-02-28T10:00 previous_expiry"


def test_renewed_from_the_achievement() -> None:
    """Example 2, achieved: the new period is counted from its own achievement."""
    answer = asked(rule(), [done(FIRST), done("2025-02-01T09:00")], "2025-02-02")
    assert periods(answer)[1] == "2025-02-01T09:00 > 2026-02-01T09:00 achieved"


def test_too_early_to_renew() -> None:
    """Example 3: a course taken again before the window opens buys nothing."""
    answer = asked(rule(), [done(FIRST), done("2024-06-01")], "2024-06-02")
    assert periods(answer) == ["2024-02-29T10:00 > 2025-02-28T10:00 achieved"]


def test_fixed_with_at_least() -> None:
    """Example 4: an anchor nearer than at_least is passed over for the next one."""
    text = rule(validity='from = "fixed"\nanchor = "12-31"\nat_least = "P6M"')
    assert periods(asked(text, [done("2026-08-15")], "2026-08-16")) == ["2026-08-15 > 2028-01-01 fixed"]


def test_within() -> None:
    """Example 5: evidence too far apart achieves nothing until a second completion lies near enough."""
    text = rule(
        'within = "P1M"\nall_of = [{ completed = { course = "C" } }, { score = { activity = "Q", at_least = 80 } }]'
    )
    rows = [done("2026-01-10"), row("score", "2026-03-05", "Q", percent="85"), done("2026-03-20")]
    before = asked(text, rows, "2026-03-19")
    assert (before["status"], before["awards"]) == ("in_progress", [])
    assert asked(text, rows, "2026-03-20")["achieved_at"] == "2026-03-20"


@pytest.mark.parametrize(
    ("as_of", "status", "award"),
    [
        ("2026-03-20", "certified", "2026-03-05 > 2027-03-05 achieved"),
        ("2026-04-02", "revoked", "2026-03-05 > 2026-04-01 achieved revoked 2026-04-01"),
    ],
)
def test_voided(as_of: str, status: str, award: str) -> None:
    """Example 6: before the voiding the answer is what was known then; after it the award is revoked."""
    text = rule('score = { activity = "Q", at_least = 80 }')
    answer = asked(text, [row("score", "2026-03-05", "Q", percent="85", voided_at="2026-04-01")], as_of)
    assert (answer["status"], periods(answer)) == (status, [award])

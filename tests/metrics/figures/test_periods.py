"""Periods and their edges on the organisation's calendar."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.figures.periods import Period
from plugin.errors import RefusedError
from tests.metrics.figures.world import SHANGHAI, at


@pytest.mark.parametrize(
    ("text", "first", "end"),
    [
        ("2026", "2026-01-01", "2027-01-01"),
        ("2026H1", "2026-01-01", "2026-07-01"),
        ("2026h2", "2026-07-01", "2027-01-01"),
        ("2026Q1", "2026-01-01", "2026-04-01"),
        (" 2026Q4 ", "2026-10-01", "2027-01-01"),
        ("2026-02", "2026-02-01", "2026-03-01"),
        ("2026-12", "2026-12-01", "2027-01-01"),
        ("2026-04-01..2026-07-01", "2026-04-01", "2026-07-01"),
        ("2024-02-29..2024-03-01", "2024-02-29", "2024-03-01"),
    ],
)
def test_a_period_is_read(text: str, first: str, end: str) -> None:
    """Every way to write a period gives its first day and the first day after it, at midnight of the organisation."""
    period = Period.parse(text, SHANGHAI)
    assert (period.first_day.isoformat(), period.end_day.isoformat()) == (first, end)
    assert (period.start, period.end) == (at(first), at(end))


@pytest.mark.parametrize(
    "text",
    ["", "26", "2026Q5", "2026Q0", "2026H3", "2026-13", "2026-00", "2026-7", "20260701", "２０２６", "0000", "9999",
     "2026-02-30..2026-03-01", "2026-07-01..2026-04-01", "2026-07-01..2026-07-01", "2026-07-01..", "last year"],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    """What is not a period, or has no day, is refused with a sentence that shows what was written."""
    with pytest.raises(RefusedError, match="period"):
        Period.parse(text, SHANGHAI)


def test_the_zone_decides_where_a_month_ends() -> None:
    """The same month ends eight hours earlier in Shanghai than in UTC, and a day of clock change is 23 hours long."""
    assert Period.parse("2026-06", SHANGHAI).end == datetime(2026, 6, 30, 16, tzinfo=UTC)
    assert Period.parse("2026-06", ZoneInfo("UTC")).end == datetime(2026, 7, 1, tzinfo=UTC)
    short = Period.parse("2026-03-29..2026-03-30", ZoneInfo("Europe/Berlin"))
    assert short.end - short.start == timedelta(hours=23)


def test_population_date() -> None:
    """The population is counted on the period's last day, or on the as-of time's day in the organisation's zone."""
    period = Period.parse("2026Q2", SHANGHAI)
    assert period.day_at(at("2026-11-01")) == date(2026, 6, 30)
    assert period.day_at(period.end) == date(2026, 6, 30)
    assert period.day_at(datetime(2026, 5, 9, 17, tzinfo=UTC)) == date(2026, 5, 10)


@given(
    st.dates(date(1900, 1, 1), date(2200, 1, 1)),
    st.integers(1, 1000),
    st.sampled_from(["UTC", "Asia/Shanghai", "America/New_York"]),
)
def test_months_tile_a_period(first: date, days: int, zone: str) -> None:
    """The months of any period follow one another without a gap, from its first instant to its last."""
    period = Period.parse(f"{first}..{first + timedelta(days=days)}", ZoneInfo(zone))
    months = list(period.months())
    assert (months[0].start, months[-1].end) == (period.start, period.end)
    assert all(one.end == other.start for one, other in pairwise(months))
    assert len({one.name for one in months}) == len(months)

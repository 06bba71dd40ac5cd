"""Periods: a year, half, quarter or month of the organisation's calendar, or the days from one date until another.

All are half open: the last instant of 2026Q2 is the one before midnight of 1 July on the organisation's wall clock.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from plugin.errors import RefusedError
from plugin.moments import start_of_day

_NAMED = re.compile(r"([0-9]{4})(?:H([12])|Q([1-4])|-(0[1-9]|1[0-2]))?")
_DATES = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})\.\.([0-9]{4}-[0-9]{2}-[0-9]{2})")
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True)
class Period:
    """The days from `first_day` until `end_day`, which is not in it, and the instants at which these begin in `zone`."""

    name: str
    first_day: date
    end_day: date
    zone: ZoneInfo

    @property
    def start(self) -> datetime:
        """The first instant of the period."""
        return start_of_day(self.first_day, self.zone)

    @property
    def end(self) -> datetime:
        """The first instant after the period."""
        return start_of_day(self.end_day, self.zone)

    @classmethod
    def parse(cls, text: str, zone: ZoneInfo) -> "Period":
        """Read `2026`, `2026H1`, `2026Q3`, `2026-07` or `2026-04-01..2026-07-01`. Raises RefusedError."""
        name = text.strip().upper()
        try:
            if named := _NAMED.fullmatch(name):
                first, end = _months(*named.groups())
            elif dates := _DATES.fullmatch(name):
                first, end = date.fromisoformat(dates[1]), date.fromisoformat(dates[2])
            else:
                raise RefusedError(
                    f"{text!r} is not a period; write 2026, 2026H1, 2026Q3, 2026-07 or 2026-04-01..2026-07-01."
                )
            if end <= first:
                raise RefusedError(f"The period {text!r} has no day in it; the second date is the first day after it.")
            period = cls(name, first, end, zone)
            _ = period.start, period.end  # the calendar's edges show here, not in the middle of a query
        except (ValueError, OverflowError) as error:
            raise RefusedError(f"{text!r} is not a period that the calendar has: {error}.") from None
        return period

    def day_at(self, as_of: datetime) -> date:
        """The population date: the day of the period's last instant, or of `as_of` if that is earlier."""
        return min(self.end - _INSTANT, as_of.astimezone(UTC)).astimezone(self.zone).date()

    def quarters(self) -> Iterator["Period"]:
        """The calendar quarters that lie whole in the period."""
        year, quarter = self.first_day.year, (self.first_day.month + 2) // 3
        while date(year, quarter * 3 - 2, 1) < self.end_day:
            found = Period.parse(f"{year}Q{quarter}", self.zone)
            if found.first_day >= self.first_day and found.end_day <= self.end_day:
                yield found
            year, quarter = year + quarter // 4, quarter % 4 + 1

    def months(self) -> Iterator["Period"]:
        """The calendar months of the period, the first and the last cut where the period begins and ends."""
        first = self.first_day
        while first < self.end_day:
            year, month = divmod(first.year * 12 + first.month, 12)
            end = min(date(year, month + 1, 1), self.end_day)
            yield Period(f"{first:%Y-%m}", first, end, self.zone)
            first = end


def _months(year: str, half: str | None, quarter: str | None, month: str | None) -> tuple[date, date]:
    """The first day of the named period, and the first day after it."""
    if half:
        first, length = (int(half) - 1) * 6, 6
    elif quarter:
        first, length = (int(quarter) - 1) * 3, 3
    elif month:
        first, length = int(month) - 1, 1
    else:
        first, length = 0, 12
    later, month_after = divmod(first + length, 12)
    return date(int(year), first + 1, 1), date(int(year) + later, month_after + 1, 1)

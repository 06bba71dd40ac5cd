"""ISO 8601 durations and calendar arithmetic on the organisation's wall clock.

A moment is an aware datetime; what these functions answer is in UTC. Two rules hold wherever a wall-clock time becomes a
moment: one that does not exist (clocks go forward) is moved on by the length of the gap, one that occurs twice (clocks
go back) is the first. That is what `fold=0` means in PEP 495, so the code below never sets another fold.

Source: ISO 8601-1:2019, 5.5.2 (durations; weeks may stand beside other parts, as ISO 8601-2 allows) and 5.4 (moments).
"""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_YEAR = 31_556_952  # the Gregorian calendar's mean year: 365.2425 days
_MONTH = _YEAR // 12  # exact: 2,629,746 seconds

_DURATION = re.compile(
    r"P(?=[0-9T])(?:([0-9]+)Y)?(?:([0-9]+)M)?(?:([0-9]+)W)?(?:([0-9]+)D)?"
    r"(?:T(?=[0-9])(?:([0-9]+)H)?(?:([0-9]+)M)?(?:([0-9]+)S)?)?"
)
_LONGEST_NUMBER = 9  # digits; a longer number in a duration is a slip of the keyboard

_MOMENT = re.compile(
    r"[0-9]{4}-?[0-9]{2}-?[0-9]{2}"
    r"(?:[T ](?:[01][0-9]|2[0-3])(?::?[0-9]{2}(?::?[0-9]{2}(?:[.,][0-9]+)?)?)?"
    r"(?:Z|[+-][0-9]{2}(?::?[0-9]{2}(?::?[0-9]{2})?)?)?)?"
)


@dataclass(frozen=True)
class Duration:
    """An ISO 8601 duration; the empty one (P0D) by default. None of its parts is negative."""

    years: int = 0
    months: int = 0
    weeks: int = 0
    days: int = 0
    hours: int = 0
    minutes: int = 0
    seconds: int = 0

    @classmethod
    def parse(cls, text: str) -> "Duration":
        """Read `P1Y2M10DT2H30M5S`, `P3W`, `P60D`, `P0D`.

        Raises ValueError, with a sentence for a person, for anything negative, fractional, empty or unreadable.
        """
        match = _DURATION.fullmatch(text)
        if match is None:
            raise ValueError(_why_unreadable(text))
        parts = match.groups(default="0")
        if max(map(len, parts)) > _LONGEST_NUMBER:
            raise ValueError(
                f"the duration {_shown(text)} has a number of more than {_LONGEST_NUMBER} digits; write a shorter one"
            )
        return cls(*map(int, parts))

    def __str__(self) -> str:
        """The shortest ISO 8601 text with the same parts; `parse` reads it back."""
        day_parts = ((self.years, "Y"), (self.months, "M"), (self.weeks, "W"), (self.days, "D"))
        time_parts = ((self.hours, "H"), (self.minutes, "M"), (self.seconds, "S"))
        day_text = "".join(f"{number}{unit}" for number, unit in day_parts if number)
        time_text = "".join(f"{number}{unit}" for number, unit in time_parts if number)
        if time_text:
            return f"P{day_text}T{time_text}"
        return f"P{day_text or '0D'}"

    @property
    def mean_seconds(self) -> int:
        """The mean length, for comparing durations: a year is 365.2425 days, a month a twelfth of it."""
        return (
            self.years * _YEAR
            + self.months * _MONTH
            + (self.weeks * 7 + self.days) * _DAY
            + self.hours * _HOUR
            + self.minutes * _MINUTE
            + self.seconds
        )

    @cached_property
    def steps(self) -> tuple[int, timedelta, timedelta]:
        """What calendar sums add one after the other: months and days, on the wall clock, and the rest."""
        days, seconds = self.weeks * 7 + self.days, self.hours * _HOUR + self.minutes * _MINUTE + self.seconds
        return self.years * 12 + self.months, timedelta(days), timedelta(seconds=seconds)

    @property
    def is_zero(self) -> bool:
        """Whether every part is zero."""
        return self.mean_seconds == 0


def add(moment: datetime, duration: Duration, zone: ZoneInfo) -> datetime:
    """`moment` + `duration`, in UTC.

    Years and months are added first on `zone`'s wall clock, clamped to the month's last day, then weeks and days, also
    on the wall clock; hours, minutes and seconds on the instant. A duration without days or longer parts never touches
    the wall clock. Raises OverflowError when the answer lies outside the years 1 to 9999, ValueError for a moment
    without an offset.
    """
    return _moved(moment, duration, 1, zone)


def subtract(moment: datetime, duration: Duration, zone: ZoneInfo) -> datetime:
    """`moment` - `duration`, in UTC: the parts in the same order and by the same rules as in `add`."""
    return _moved(moment, duration, -1, zone)


def parse_moment(text: str, zone: ZoneInfo) -> datetime:
    """Read an ISO 8601 moment, into UTC.

    `2024-02-29T10:00+08:00` and `…Z` are instants; `2024-02-29T10:00` (or with a space) is `zone`'s wall clock;
    `2024-02-29` is its midnight. Digits beyond microseconds are dropped. Raises ValueError for anything else.
    """
    upper = text.strip().upper()
    if _MOMENT.fullmatch(upper) is None:
        raise ValueError(
            f"{_shown(text)} is not a moment; write it like 2024-02-29T10:00:00+08:00, 2024-02-29T10:00 or 2024-02-29"
        )
    try:
        read = datetime.fromisoformat(upper)
        return _from_wall(read, zone) if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{_shown(text)} is not a moment that the calendar has ({error})") from None


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """Midnight at which `day` begins in `zone`, in UTC. Raises OverflowError outside the years 1 to 9999."""
    try:
        return _from_wall(datetime(day.year, day.month, day.day), zone)  # noqa: DTZ001 - a wall clock's time
    except OverflowError:
        raise _outside(f"the start of {day}") from None


def end_of_anchor_day(year: int, month: int, day: int, zone: ZoneInfo) -> datetime:
    """Midnight at which the calendar day ends in `zone`, in UTC; 02-29 in a common year is 28 February.

    Raises ValueError for any other day that the year does not have, OverflowError outside the years 1 to 9999.
    """
    if not 1 <= year <= 9999:
        raise _outside(f"the end of {year:04}-{month:02}-{day:02}")
    if month == 2 and day == 29:
        day = monthrange(year, 2)[1]
    try:
        return start_of_day(date(year, month, day) + timedelta(days=1), zone)
    except OverflowError:
        raise _outside(f"the end of {year:04}-{month:02}-{day:02}") from None


def in_zone_iso(moment: datetime, zone: ZoneInfo) -> str:
    """`moment` in ISO 8601 with `zone`'s offset; to the second, or to the microsecond where it has any."""
    return _wall(moment, zone).isoformat()


def _moved(moment: datetime, duration: Duration, sign: int, zone: ZoneInfo) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"the moment {moment.isoformat()} has no offset")
    try:
        months, days, rest = duration.steps
        wall = moment
        if months or days:
            wall = moment.astimezone(zone)  # what is added to a moment of a zone is added on its wall clock
            if months:
                wall = _months_on(wall, sign * months)
            if days:
                wall = wall + days if sign > 0 else wall - days
            if wall.fold:
                wall = wall.replace(fold=0)
        moved = wall.astimezone(UTC)
        return moved + sign * rest if rest else moved
    except OverflowError:
        raise _outside(f"{moment.isoformat()} {'+' if sign > 0 else '-'} {duration}") from None


def _months_on(wall: datetime, months: int) -> datetime:
    """`wall` so many months later (or earlier), clamped to the month's last day."""
    years, month = divmod(wall.month - 1 + months, 12)
    year, month = wall.year + years, month + 1
    if not 1 <= year <= 9999:
        raise OverflowError
    day = wall.day if wall.day <= 28 else min(wall.day, monthrange(year, month)[1])
    return wall.replace(year, month, day)


def _from_wall(wall: datetime, zone: ZoneInfo) -> datetime:
    """The moment of a naive wall-clock time of `zone`, by the two rules at the head of this module."""
    return wall.replace(tzinfo=zone).astimezone(UTC)


def _wall(moment: datetime, zone: ZoneInfo) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"the moment {moment.isoformat()} has no offset")
    try:
        return moment.astimezone(zone)
    except OverflowError:
        raise _outside(f"{moment.isoformat()} in {zone.key}") from None


def _outside(what: str) -> OverflowError:
    return OverflowError(f"{what} lies outside the years 1 to 9999")


def _shown(text: str) -> str:
    """`text` in quotes, cut to a length that fits into a sentence."""
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


def _why_unreadable(text: str) -> str:
    """One sentence saying what is wrong with a duration that could not be read."""
    if re.search(r"-P?[0-9]+[YMWDHST]|-P", text):
        return f"the duration {_shown(text)} is negative; write it without the minus sign"
    if re.search(r"[0-9][.,][0-9]", text):
        return f"the duration {_shown(text)} has a fraction; write whole numbers, such as P1M15D or PT90M"
    if text in {"P", "PT"}:
        return f"the duration {_shown(text)} is empty; write P0D for none"
    return f"{_shown(text)} is not an ISO 8601 duration; write one such as P2Y, P18M, P60D or PT12H"

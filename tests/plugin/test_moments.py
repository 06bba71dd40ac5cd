"""Durations and calendar arithmetic on the organisation's wall clock."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.moments import Duration, add, end_of_anchor_day, in_zone_iso, parse_moment, start_of_day, subtract

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
SAO_PAULO = ZoneInfo("America/Sao_Paulo")
ZONES = [SHANGHAI, BERLIN, NEW_YORK, LORD_HOWE, SAO_PAULO, ZoneInfo("UTC")]

durations = st.builds(Duration, *[st.integers(0, 60)] * 7)
moments = st.integers(-(10**9), 6 * 10**9).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))  # 1938 to 2160
zones = st.sampled_from(ZONES)


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("P1Y2M10DT2H30M5S", Duration(1, 2, 0, 10, 2, 30, 5)),
        ("P3W", Duration(weeks=3)),
        ("P60D", Duration(days=60)),
        ("P0D", Duration()),
        ("PT0S", Duration()),
        ("P1M", Duration(months=1)),
        ("PT1M", Duration(minutes=1)),
        ("P1Y2W", Duration(years=1, weeks=2)),
        ("P007D", Duration(days=7)),
    ],
)
def test_duration_is_read(text: str, duration: Duration) -> None:
    """Every part of an ISO 8601 duration is read into its own field."""
    assert Duration.parse(text) == duration


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("-P1Y", "negative"),
        ("P-1Y", "negative"),
        ("P1Y-2M", "negative"),
        ("PT-5M", "negative"),
        ("P", "empty"),
        ("PT", "empty"),
        ("P1.5Y", "fraction"),
        ("PT0,5H", "fraction"),
        ("", "not an ISO 8601 duration"),
        ("P1YT", "not an ISO 8601 duration"),
        ("1Y", "not an ISO 8601 duration"),
        ("P1D1Y", "not an ISO 8601 duration"),
        ("P1H", "not an ISO 8601 duration"),
        ("p1y", "not an ISO 8601 duration"),
        ("P1Y\n", "not an ISO 8601 duration"),
        (" P1Y", "not an ISO 8601 duration"),
        ("P٣D", "not an ISO 8601 duration"),
        ("P2024-01-01", "not an ISO 8601 duration"),
        ("two years", "not an ISO 8601 duration"),
        ("P1234567890D", "more than 9 digits"),
        ("P" + "9" * 5000 + "D", "more than 9 digits"),
    ],
)
def test_duration_is_refused(text: str, says: str) -> None:
    """What is negative, fractional, empty or unreadable is refused, and the message says which."""
    with pytest.raises(ValueError, match=says) as refusal:
        Duration.parse(text)
    assert len(str(refusal.value)) < 200


@given(durations)
def test_duration_is_written_and_read_back(duration: Duration) -> None:
    """A duration's text reads back to the same parts, whatever they are."""
    assert Duration.parse(str(duration)) == duration


def test_durations_text_is_the_shortest() -> None:
    """Parts that are zero are not written, and nothing at all is P0D."""
    assert [str(Duration()), str(Duration(months=2)), str(Duration(minutes=2)), str(Duration(1, 0, 3, 0, 0, 0, 9))] == [
        "P0D",
        "P2M",
        "PT2M",
        "P1Y3WT9S",
    ]


def test_mean_lengths() -> None:
    """A year is 365.2425 days, a month a twelfth of it, so that P12M equals P1Y and lies between P365D and P366D."""
    year = Duration.parse("P1Y").mean_seconds
    assert year == 365.2425 * 86_400
    assert Duration.parse("P12M").mean_seconds == year
    assert Duration.parse("P365D").mean_seconds < year < Duration.parse("P366D").mean_seconds
    assert Duration.parse("P2WT36H1M1S").mean_seconds == (14 * 24 + 36) * 3600 + 61


def test_zero() -> None:
    """Only a duration without any length is zero."""
    assert Duration.parse("PT0M").is_zero
    assert not Duration.parse("PT1S").is_zero


@pytest.mark.parametrize(
    ("zone", "start", "duration", "end"),
    [
        # the month's last day
        (SHANGHAI, "2024-02-29T10:00", "P1Y", "2025-02-28T10:00:00+08:00"),
        (SHANGHAI, "2024-02-29T10:00", "P4Y", "2028-02-29T10:00:00+08:00"),
        (SHANGHAI, "2025-01-31", "P1M", "2025-02-28T00:00:00+08:00"),
        (SHANGHAI, "2024-01-31", "P1M", "2024-02-29T00:00:00+08:00"),
        (SHANGHAI, "2024-12-31T10:00", "P2M", "2025-02-28T10:00:00+08:00"),
        (SHANGHAI, "2024-11-30", "P13M", "2025-12-30T00:00:00+08:00"),
        # months first, then days
        (SHANGHAI, "2025-01-31", "P1M1D", "2025-03-01T00:00:00+08:00"),
        (SHANGHAI, "2024-02-29", "P1Y1W", "2025-03-07T00:00:00+08:00"),
        # the calendar day is the organisation's, not UTC's
        (SHANGHAI, "2025-01-31T00:30", "P1M", "2025-02-28T00:30:00+08:00"),
        (NEW_YORK, "2025-01-31T23:30", "P1M", "2025-02-28T23:30:00-05:00"),
        # a wall-clock time that does not exist moves on by the gap
        (BERLIN, "2024-03-30T02:30", "P1D", "2024-03-31T03:30:00+02:00"),
        (BERLIN, "2024-02-29T02:00", "P1M2D", "2024-03-31T03:00:00+02:00"),
        (NEW_YORK, "2024-03-09T02:15", "P1D", "2024-03-10T03:15:00-04:00"),
        (LORD_HOWE, "2024-10-05T02:10", "P1D", "2024-10-06T02:40:00+11:00"),
        (SAO_PAULO, "2018-11-03", "P1D", "2018-11-04T01:00:00-02:00"),
        # one that occurs twice is the first
        (BERLIN, "2024-10-26T02:30", "P1D", "2024-10-27T02:30:00+02:00"),
        (NEW_YORK, "2024-11-02T01:30", "P1D", "2024-11-03T01:30:00-04:00"),
        (LORD_HOWE, "2024-04-06T01:45", "P1D", "2024-04-07T01:45:00+11:00"),
        # a day is a day of the wall clock, 24 hours are 24 hours
        (BERLIN, "2024-03-30T12:00", "P1D", "2024-03-31T12:00:00+02:00"),
        (BERLIN, "2024-03-30T12:00", "PT24H", "2024-03-31T13:00:00+02:00"),
        (BERLIN, "2024-10-26T12:00", "PT24H", "2024-10-27T11:00:00+01:00"),
        # hours after the days, on the instant
        (BERLIN, "2024-03-30T02:30", "P1DT1H", "2024-03-31T04:30:00+02:00"),
        (BERLIN, "2024-10-26T02:30", "P1DT1H", "2024-10-27T02:30:00+01:00"),
        # what has no part longer than an hour never looks at the wall clock: the second 02:30 stays the second
        (BERLIN, "2024-10-27T02:30+01:00", "P0D", "2024-10-27T02:30:00+01:00"),
        (BERLIN, "2024-10-27T02:30+01:00", "PT15M", "2024-10-27T02:45:00+01:00"),
        (BERLIN, "2024-10-27T02:30+01:00", "P1D", "2024-10-28T02:30:00+01:00"),
    ],
)
def test_add(zone: ZoneInfo, start: str, duration: str, end: str) -> None:
    """Years, months, weeks and days go by the zone's wall clock, shorter parts by the instant."""
    assert in_zone_iso(add(parse_moment(start, zone), Duration.parse(duration), zone), zone) == end


@pytest.mark.parametrize(
    ("zone", "end", "duration", "start"),
    [
        (SHANGHAI, "2025-02-28T10:00", "P60D", "2024-12-30T10:00:00+08:00"),
        (SHANGHAI, "2024-03-31", "P1M", "2024-02-29T00:00:00+08:00"),
        (SHANGHAI, "2024-02-29", "P1Y", "2023-02-28T00:00:00+08:00"),
        (SHANGHAI, "2025-01-31", "P2M", "2024-11-30T00:00:00+08:00"),
        (SHANGHAI, "2025-03-31", "P1M1D", "2025-02-27T00:00:00+08:00"),
        (BERLIN, "2024-04-01T02:30", "P1D", "2024-03-31T03:30:00+02:00"),
        (BERLIN, "2024-10-28T02:30", "P1D", "2024-10-27T02:30:00+02:00"),
        (BERLIN, "2024-03-31T12:00", "PT24H", "2024-03-30T11:00:00+01:00"),
        (LORD_HOWE, "2024-10-07T02:10", "P1D", "2024-10-06T02:40:00+11:00"),
    ],
)
def test_subtract(zone: ZoneInfo, end: str, duration: str, start: str) -> None:
    """Going back follows the same order and the same rules as going on."""
    assert in_zone_iso(subtract(parse_moment(end, zone), Duration.parse(duration), zone), zone) == start


def test_a_chain_goes_on_from_the_clamped_day() -> None:
    """A period chained on an end that was clamped to 28 February does not spring back to the 31st."""
    moment = parse_moment("2025-01-31", SHANGHAI)
    ends = []
    for _ in range(3):
        moment = add(moment, Duration(months=1), SHANGHAI)
        ends.append(in_zone_iso(moment, SHANGHAI)[:10])
    assert ends == ["2025-02-28", "2025-03-28", "2025-04-28"]


@given(moments, durations, zones)
def test_sums_are_utc_and_never_go_back(moment: datetime, duration: Duration, zone: ZoneInfo) -> None:
    """Whatever is added, the answer is UTC and at most an hour (the second time round) before the start."""
    end = add(moment, duration, zone)
    assert end.tzinfo is UTC
    assert end >= moment - timedelta(hours=1)
    assert subtract(moment, duration, zone) <= moment + timedelta(hours=1)


@given(moments, st.integers(0, 10**7), zones)
def test_seconds_are_exact(moment: datetime, seconds: int, zone: ZoneInfo) -> None:
    """Seconds pass on the instant, whatever the zone's clocks do, and subtracting undoes adding."""
    end = add(moment, Duration(seconds=seconds), zone)
    assert end - moment == timedelta(seconds=seconds)
    assert subtract(end, Duration(seconds=seconds), zone) == moment


@given(moments, st.integers(0, 2000), zones)
def test_days_keep_the_wall_clock(moment: datetime, days: int, zone: ZoneInfo) -> None:
    """Days on, the wall clock shows the same time on the day that many days later, or it moved on over a gap."""
    wall = moment.astimezone(zone).replace(tzinfo=None)
    ended = add(moment, Duration(days=days), zone).astimezone(zone).replace(tzinfo=None)
    if days:
        assert ended - wall - timedelta(days=days) in {timedelta(0), timedelta(minutes=30), timedelta(hours=1)}
    else:
        assert ended == wall


def test_the_answer_is_utc_whatever_the_moments_offset() -> None:
    """A moment in another offset is the same instant, and even adding nothing answers in UTC."""
    moment = datetime(2024, 2, 29, 10, tzinfo=SHANGHAI)
    assert add(moment, Duration(), SHANGHAI).tzinfo is UTC
    assert add(moment, Duration(years=1), SHANGHAI) == datetime(2025, 2, 28, 2, tzinfo=UTC)


@pytest.mark.parametrize("duration", ["P8000Y", "P999999999D", "P999999999W", "P999999999Y", "PT999999999H"])
def test_out_of_range(duration: str) -> None:
    """An answer outside the years 1 to 9999 raises OverflowError and says what lies there."""
    moment = parse_moment("2024-02-29T10:00", SHANGHAI)
    for function in (add, subtract):
        with pytest.raises(OverflowError, match=r"2024-02-29T02:00.* lies outside the years 1 to 9999"):
            function(moment, Duration.parse(duration), SHANGHAI)


def test_range_ends_by_the_hour() -> None:
    """The wall clock of a zone can leave the calendar where the instant does not; that too says so."""
    for moment, zone in ((datetime.max.replace(tzinfo=UTC), SHANGHAI), (datetime.min.replace(tzinfo=UTC), NEW_YORK)):
        with pytest.raises(OverflowError, match="outside the years"):
            add(moment, Duration(days=1), zone)
        with pytest.raises(OverflowError, match="outside the years"):
            in_zone_iso(moment, zone)
    with pytest.raises(OverflowError, match="outside the years"):
        start_of_day(date.min, SHANGHAI)
    with pytest.raises(OverflowError, match="outside the years"):
        end_of_anchor_day(9999, 12, 31, NEW_YORK)
    with pytest.raises(OverflowError, match="outside the years"):
        end_of_anchor_day(10000, 2, 29, NEW_YORK)


def test_a_moment_without_an_offset_is_refused() -> None:
    """A naive datetime is a slip in the program, never taken for the machine's own zone."""
    naive = datetime(2024, 2, 29, tzinfo=UTC).replace(tzinfo=None)
    with pytest.raises(ValueError, match="no offset"):
        add(naive, Duration(days=1), SHANGHAI)
    with pytest.raises(ValueError, match="no offset"):
        in_zone_iso(naive, SHANGHAI)


@pytest.mark.parametrize(
    ("text", "zone", "moment"),
    [
        ("2024-02-29T10:00:00+08:00", BERLIN, datetime(2024, 2, 29, 2, tzinfo=UTC)),
        ("2024-02-29T10:00:00Z", SHANGHAI, datetime(2024, 2, 29, 10, tzinfo=UTC)),
        ("2024-02-29t10:00z", SHANGHAI, datetime(2024, 2, 29, 10, tzinfo=UTC)),
        ("2024-02-29 10:00", SHANGHAI, datetime(2024, 2, 29, 2, tzinfo=UTC)),
        ("2024-02-29T10:00", SHANGHAI, datetime(2024, 2, 29, 2, tzinfo=UTC)),
        (" 2024-02-29 ", SHANGHAI, datetime(2024, 2, 28, 16, tzinfo=UTC)),
        ("20240229T100000+0800", BERLIN, datetime(2024, 2, 29, 2, tzinfo=UTC)),
        ("2024-02-29T10:00:00.123456789Z", BERLIN, datetime(2024, 2, 29, 10, 0, 0, 123456, tzinfo=UTC)),
        ("2024-02-29T10:00:00.5-03:30", BERLIN, datetime(2024, 2, 29, 13, 30, 0, 500000, tzinfo=UTC)),
        ("2024-03-31T02:30", BERLIN, datetime(2024, 3, 31, 1, 30, tzinfo=UTC)),  # in the gap: 03:30 summer time
        ("2024-10-27T02:30", BERLIN, datetime(2024, 10, 27, 0, 30, tzinfo=UTC)),  # twice: the first
        ("2024-10-27T02:30+01:00", BERLIN, datetime(2024, 10, 27, 1, 30, tzinfo=UTC)),
        ("2018-11-04", SAO_PAULO, datetime(2018, 11, 4, 3, tzinfo=UTC)),  # no midnight on that day
    ],
)
def test_moment_is_read(text: str, zone: ZoneInfo, moment: datetime) -> None:
    """With an offset it is an instant, without one the zone's wall clock, alone a day is its midnight."""
    read = parse_moment(text, zone)
    assert read == moment
    assert read.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2024",
        "2024-02",
        "2024-02-30",
        "2023-02-29T10:00",
        "2024-13-01",
        "2024-02-29T25:00",
        "2024-02-29T24:00",
        "2024-02-29T10:60",
        "2024-02-29T10:00:60",
        "2024-02-29Z",
        "2024-02-29+08:00",  # must not become eight in the morning
        "2024-02-29T10:00+24:00",
        "2024-02-29T10:00 Europe/Berlin",
        "29.02.2024",
        "02/29/2024",
        "2024-W09-4",
        "1709172000",
        "２０２４-02-29",
        "0001-01-01T00:00+08:00",
        "0001-01-01",
        "9999-12-31T23:00-05:00",
        "x" * 10_000,
    ],
)
def test_moment_is_refused(text: str) -> None:
    """What is not an ISO 8601 moment, or not in the calendar, is refused rather than guessed, with a short message."""
    with pytest.raises(ValueError, match="is not a moment") as refusal:
        parse_moment(text, SHANGHAI)
    assert len(str(refusal.value)) < 250


@given(moments, zones)
def test_moment_is_written_and_read_back(moment: datetime, zone: ZoneInfo) -> None:
    """What is written with the zone's offset is the same instant when read, wherever it is read."""
    assert parse_moment(in_zone_iso(moment, zone), SHANGHAI) == moment


def test_moment_is_written_to_the_second_unless_there_is_more() -> None:
    """Microseconds are written only where there are some."""
    assert in_zone_iso(datetime(2024, 2, 29, 2, tzinfo=UTC), SHANGHAI) == "2024-02-29T10:00:00+08:00"
    assert in_zone_iso(datetime(2024, 2, 29, 2, 0, 0, 5, UTC), SHANGHAI) == "2024-02-29T10:00:00.000005+08:00"


def test_start_of_day() -> None:
    """A day begins at its midnight in the zone, or when the gap over it ends."""
    assert start_of_day(date(2024, 2, 29), SHANGHAI) == datetime(2024, 2, 28, 16, tzinfo=UTC)
    assert start_of_day(date(2018, 11, 4), SAO_PAULO) == datetime(2018, 11, 4, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("year", "month", "day", "end"),
    [
        (2027, 12, 31, "2028-01-01T00:00:00+08:00"),
        (2024, 2, 29, "2024-03-01T00:00:00+08:00"),
        (2025, 2, 29, "2025-03-01T00:00:00+08:00"),
        (2100, 2, 29, "2100-03-01T00:00:00+08:00"),
        (2024, 2, 28, "2024-02-29T00:00:00+08:00"),
        (2024, 6, 30, "2024-07-01T00:00:00+08:00"),
    ],
)
def test_end_of_anchor_day(year: int, month: int, day: int, end: str) -> None:
    """An anchor day ends at the next midnight, and 29 February is 28 February in a common year."""
    assert in_zone_iso(end_of_anchor_day(year, month, day, SHANGHAI), SHANGHAI) == end


def test_an_anchor_day_that_no_year_has_is_refused() -> None:
    """Only 29 February is forgiving; 30 February is refused in every year."""
    with pytest.raises(ValueError, match="day"):
        end_of_anchor_day(2024, 2, 30, SHANGHAI)

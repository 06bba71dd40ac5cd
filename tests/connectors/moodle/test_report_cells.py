"""The cells of custom reports: dates, links, entities, and what is refused."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.moodle import report_cells
from connectors.moodle.demo.dates import readable
from plugin.errors import RecordRefusedError


@given(st.integers(min_value=40_000_000, max_value=4_100_000_000))
def test_every_minute_that_moodle_writes_is_read_back(seconds: int) -> None:
    """A moment written as Moodle writes it in English is the same minute again."""
    assert report_cells.moment(readable(seconds, UTC)) == seconds - seconds % 60


def test_midnight_and_noon() -> None:
    """12 AM is the beginning of a day, 12 PM its middle."""
    assert report_cells.moment("Friday, 1 May 2026, 12:55 AM") == datetime(2026, 5, 1, 0, 55, tzinfo=UTC).timestamp()
    assert report_cells.moment("Friday, 1 May 2026, 12:55 PM") == datetime(2026, 5, 1, 12, 55, tzinfo=UTC).timestamp()


@pytest.mark.parametrize("cell", ["", None])
def test_an_empty_date_is_none(cell: str | None) -> None:
    """A report shows nothing where there is no date."""
    assert report_cells.moment(cell) is None


@pytest.mark.parametrize(
    "cell",
    [
        "Saturday, 1 May 2026, 12:55 AM",  # it was a Friday
        "Friday, May 1 2026, 12:55 AM",
        "Friday, 5 January 2026, 12:55 AM",  # day and month exchanged: the weekday tells
        "1 May 2026, 12:55 AM",
        "Friday, 1 May 2026, 00:55",
        "Friday, 1 May 2026, 0:55 AM",
        "Friday, 1 May 2026, 13:55 PM",
        "Friday, 01 May 2026, 12:55 AM",
        "Friday, 1 May 26, 12:55 AM",
        "Friday, 1 May 2026, 12:5 AM",
        "Monday, 30 February 2026, 12:55 AM",
        "Wednesday, 32 June 2026, 25:61 PM",
        "2026年5月1日 星期五 00:55",
        "2026-05-01 00:55",
        "Freitag, 1. Mai 2026, 00:55",
        " Friday, 1 May 2026, 12:55 AM",
        "Friday, 1 May 2026, 12:55 AM\n",
    ],
)
def test_a_date_written_otherwise_is_refused(cell: str) -> None:
    """What is not exactly Moodle's English text, or names a day that is another weekday, is never read as some date."""
    with pytest.raises(RecordRefusedError):
        report_cells.moment(cell)


def test_another_zone_reads_as_another_minute() -> None:
    """The text says no zone, which is why it is checked elsewhere: the same moment in Shanghai reads eight hours later."""
    seconds = int(datetime(2026, 5, 1, 20, 0, tzinfo=UTC).timestamp())
    shanghai = report_cells.moment(readable(seconds, timezone(timedelta(hours=8))))
    assert shanghai == seconds + 8 * 3600


def test_a_link_names_an_id_and_a_text() -> None:
    """The id comes out of the address, the text without tags and with entities decoded."""
    cell = '<a href="https://m.example/user/profile.php?id=12&amp;course=1">Anna &amp; <b>Li</b> 李</a>'
    assert report_cells.link(cell, "/user/") == (12, "Anna & Li 李")
    assert report_cells.link("", "/user/") is None
    assert report_cells.link('<a href="https://m.example/course/view.php?id=2"></a>', "/course/") == (2, "")


@pytest.mark.parametrize(
    "cell",
    [
        "Anna Li",
        '<a href="https://m.example/user/profile.php">Anna</a>',
        '<a href="https://m.example/user/profile.php?id=0">Anna</a>',
        '<a href="https://m.example/user/profile.php?id=-3">Anna</a>',
        '<a href="https://m.example/user/profile.php?id=x">Anna</a>',
        '<a href="https://m.example/user/profile.php?id=1&amp;id=2">Anna</a>',
        '<a href="https://m.example/course/view.php?id=12">Anna</a>',
        '<a href="https://m.example/user/profile.php?id=12">Anna',
    ],
)
def test_a_cell_that_is_no_such_link_is_refused(cell: str) -> None:
    """Without one whole id, or with a link to elsewhere, nobody is meant."""
    with pytest.raises(RecordRefusedError):
        report_cells.link(cell, "/user/")


def test_texts_yes_and_status() -> None:
    """Entities are decoded; only the words that Moodle's English has mean something."""
    assert report_cells.text("R&amp;D &lt;1&gt; ") == "R&D <1>"
    assert report_cells.text("") is None
    assert (report_cells.yes("Yes"), report_cells.yes("No"), report_cells.yes("")) == (True, False, None)
    assert [report_cells.active(one) for one in ("Active", "Suspended", "Not current")] == [True, False, False]
    for wrong in ("Ja", "1", "yes"):
        with pytest.raises(RecordRefusedError):
            report_cells.yes(wrong)
        with pytest.raises(RecordRefusedError):
            report_cells.active(wrong)

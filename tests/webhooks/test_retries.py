"""When a message that failed is tried again."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from webhooks.retries import parse_retry_after, wait_before
from webhooks.settings import RETRY_SECONDS

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


def test_ten_attempts_over_three_days() -> None:
    """The schedule has ten attempts over 75 hours, 35 minutes and 5 seconds, and nothing after them."""
    assert len(RETRY_SECONDS) == 10
    assert timedelta(seconds=sum(RETRY_SECONDS)) == timedelta(hours=75, minutes=35, seconds=5)
    assert wait_before(1, RETRY_SECONDS, Random(1)) == timedelta()
    assert wait_before(11, RETRY_SECONDS, Random(1)) is None


def test_jitter_stays_within_a_fifth() -> None:
    """Each wait is at most a fifth shorter or longer than scheduled, and really varies over that range."""
    random = Random(1)
    for number, seconds in enumerate(RETRY_SECONDS[1:], start=2):
        waits = [wait.total_seconds() for _ in range(500) if (wait := wait_before(number, RETRY_SECONDS, random))]
        assert seconds * 0.8 <= min(waits) < seconds * 0.83
        assert seconds * 1.17 < max(waits) <= seconds * 1.2


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("Mon, 23 Nov 2026 02:10:00 GMT", 600),
        ("Mon, 23 Nov 2026 01:00:00 GMT", 0),
        ("99999999", 86_400),
        ("9" * 4000, 86_400),
        ("Mon, 23 Nov 2099 02:10:00 GMT", 86_400),
        ("soon", None),
        ("-5", None),
        ("²", None),
        ("", None),
        (None, None),
        ("Mon, 23 Nov 2026 02:10:00", None),
    ],
)
def test_retry_after_is_read_and_bounded(header: str | None, seconds: int | None) -> None:
    """Retry-After is understood in seconds and as a date, bounded by a day; nonsense is as if it were absent."""
    wait = parse_retry_after(header, NOW)
    assert (wait.total_seconds() if wait is not None else None) == seconds

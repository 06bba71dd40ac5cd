"""When a message that failed is tried again."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from random import Random

JITTER = 0.2
LONGEST_RETRY_AFTER = timedelta(hours=24)


def wait_before(attempt: int, seconds: Sequence[int], random: Random) -> timedelta | None:
    """How long to wait before the attempt number `attempt` (from 1); None when there is none any more.

    Each wait is as scheduled, up to a fifth shorter or longer, so that what failed together is not retried together.
    """
    if attempt > len(seconds):
        return None
    return timedelta(seconds=seconds[attempt - 1] * random.uniform(1 - JITTER, 1 + JITTER))


def parse_retry_after(value: str | None, now: datetime) -> timedelta | None:
    """The wait that a Retry-After header asks for, in seconds or as an HTTP date (RFC 9110); at most a day.

    None for one that is absent or makes no sense.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        # Ten digits are centuries already; more would only make a number too large for a timedelta.
        wait = timedelta(seconds=int(value[:10])) if len(value) <= 10 else LONGEST_RETRY_AFTER
    else:
        try:
            moment = parsedate_to_datetime(value)
        except ValueError:
            return None
        if moment.tzinfo is None:
            return None
        wait = moment - now
    return min(max(wait, timedelta()), LONGEST_RETRY_AFTER)

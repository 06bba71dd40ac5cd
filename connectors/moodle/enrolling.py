"""One enrolment of a user in a course, made of the enrolments by all the methods that Moodle keeps apart."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from connectors import parse
from connectors.records import EnrolmentRecord


def merged(rows: Sequence[Mapping[str, Any]], now: int = 0) -> EnrolmentRecord:
    """The enrolment that rows of one user and course make together. Raises RecordRefusedError.

    Fields of a row: `courseid`, `userid`, `enrol` (the method), `status` and `methodstatus` (0: in force), and as Unix
    seconds, 0 or null for none, `timestart`, `timeend`, `timecreated`, `lastaccess`, `timestarted`. Where the source says
    by itself whether a row is active, it stands in `active`; else that is so at `now`. A row without a start counts
    from when it was created, as in Moodle's own reports.
    """
    created = _moments(rows, "timecreated")
    starts = [parse.moment(row, "timestart") or parse.moment(row, "timecreated") for row in rows]
    ends = [parse.moment(row, "timeend") for row in rows]
    active = [_active(row, now) for row in rows]  # all of them: none may hold what cannot be used
    return EnrolmentRecord(
        course_key=parse.key(rows[0], "courseid"),
        user_key=parse.key(rows[0], "userid"),
        active=any(active),
        last_access_at=max(_moments(rows, "lastaccess"), default=None),
        methods=",".join(sorted({method for row in rows if (method := parse.text(row, "enrol", 100))}))[:200] or None,
        enrolled_at=min(created, default=None),
        starts_at=min((start for start in starts if start), default=None),
        ends_at=None if None in ends else max(end for end in ends if end),
        started_at=min(_moments(rows, "timestarted"), default=None),
    )


def _moments(rows: Sequence[Mapping[str, Any]], field: str) -> list[datetime]:
    return [moment for row in rows if (moment := parse.moment(row, field))]


def _active(row: Mapping[str, Any], now: int) -> bool:
    if "active" in row:
        return bool(parse.flag(row, "active"))
    if parse.required(row, "status") != 0 or row.get("methodstatus"):
        return False
    at = datetime.fromtimestamp(now, UTC)
    start, end = parse.moment(row, "timestart"), parse.moment(row, "timeend")
    return (start is None or start <= at) and (end is None or end > at)

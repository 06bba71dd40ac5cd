"""One enrolment out of several methods."""

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.moodle.enrolling import merged
from plugin.errors import RecordRefusedError

NOW = 1_800_000_000


def at(seconds: int) -> datetime:
    """A moment."""
    return datetime.fromtimestamp(seconds, UTC)


def row(**given: Any) -> dict[str, Any]:
    """An enrolment in force, but for what is given."""
    return {
        "courseid": 2, "userid": 7, "enrol": "manual", "status": 0, "methodstatus": 0, "timestart": 0, "timeend": 0,
        "timecreated": 1_700_000_000, "lastaccess": None, "timestarted": None, **given,
    }  # fmt: skip


def test_one_method() -> None:
    """A single row is the enrolment; without a start it counts from when it was created, without an end it has none."""
    found = merged([row(lastaccess=1_750_000_000, timestarted=1_710_000_000)], NOW)
    assert (found.course_key, found.user_key, found.active, found.methods) == ("2", "7", True, "manual")
    assert (found.enrolled_at, found.starts_at, found.ends_at) == (at(1_700_000_000), at(1_700_000_000), None)
    assert (found.last_access_at, found.started_at) == (at(1_750_000_000), at(1_710_000_000))


def test_two_methods() -> None:
    """Methods stand in order; the earliest beginnings and the latest end count; one that is in force is enough."""
    rows = [
        row(enrol="self", status=1, timecreated=1_690_000_000, timestart=1_695_000_000, timeend=1_790_000_000),
        row(enrol="manual", timeend=1_810_000_000),
    ]
    found = merged(rows, NOW)
    assert (found.active, found.methods) == (True, "manual,self")
    assert found.enrolled_at == at(1_690_000_000)
    assert found.starts_at == at(1_695_000_000)
    assert found.ends_at == at(1_810_000_000)
    assert merged([*rows, row(enrol="cohort")], NOW).ends_at is None


@pytest.mark.parametrize(
    ("given", "active"),
    [
        ({"status": 1}, False),
        ({"methodstatus": 1}, False),
        ({"timestart": NOW + 1}, False),
        ({"timestart": NOW}, True),
        ({"timeend": NOW}, False),
        ({"timeend": NOW + 1}, True),
        ({"active": False}, False),
        ({"active": True, "status": 1}, True),
    ],
)
def test_what_is_in_force(given: dict[str, Any], active: bool) -> None:
    """Suspended, switched off, not begun and over are not active; what the source says itself counts before all."""
    assert merged([row(**given)], NOW).active is active


@pytest.mark.parametrize("given", [{"userid": None}, {"courseid": 0}, {"timecreated": "soon"}, {"status": None}])
def test_what_cannot_be_used_is_refused(given: dict[str, Any]) -> None:
    """A row with a field that says nothing usable refuses the whole enrolment, also beside a good one."""
    with pytest.raises(RecordRefusedError):
        merged([row(**given), row(**given)] if "userid" in given or "courseid" in given else [row(), row(**given)], NOW)

"""The typed records that streams bring, whatever the system. Keys are the source's own ids, as text."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from plugin.people import Employee


@dataclass(frozen=True, slots=True)
class UserRecord:
    """A user account of the source."""

    user_key: str
    username: str | None = None
    idnumber: str | None = None
    email: str | None = None
    name: str | None = None
    department: str | None = None
    suspended: bool = False


@dataclass(frozen=True, slots=True)
class CourseRecord:
    """A course. None means that the source does not say: what was known before stays. An idnumber '' is none."""

    course_key: str
    name: str
    idnumber: str | None = None
    short_name: str | None = None
    category: str | None = None
    completion_enabled: bool | None = None
    visible: bool | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EnrolmentRecord:
    """That a user is enrolled in a course; `last_access_at` is None as long as they have not opened it."""

    course_key: str
    user_key: str
    active: bool
    last_access_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CompletionRecord:
    """That a user completed a course at a moment."""

    course_key: str
    user_key: str
    completed_at: datetime


@dataclass(frozen=True, slots=True)
class ActivityRecord:
    """Something graded in a course. `object` is what rules call it.

    `pass_mark` 0 is none; None says that the source does not say: what was known before stays.
    """

    activity_key: str
    course_key: str
    object: str
    kind: str
    name: str | None
    minimum: Decimal
    maximum: Decimal
    pass_mark: Decimal | None = None


@dataclass(frozen=True, slots=True)
class ResultRecord:
    """A graded submission. `submission` identifies it among those of the user: the attempt, else its time, else ''.

    `minimum` and `maximum` are this user's: a course total counts what was graded for them.
    """

    activity_key: str
    user_key: str
    submission: str
    score: Decimal
    minimum: Decimal
    maximum: Decimal
    achieved_at: datetime
    graded_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EmployeeRecord:
    """An employee, from the source that is the authority for people."""

    employee: Employee


Record = UserRecord | CourseRecord | EnrolmentRecord | CompletionRecord | ActivityRecord | ResultRecord | EmployeeRecord

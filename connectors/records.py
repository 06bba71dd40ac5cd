"""The typed records that streams bring, whatever the system. Keys are the source's own ids, as text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from plugin.people import Employee, Unit


@dataclass(frozen=True, slots=True)
class UserRecord:
    """A user account of the source. `custom` holds its own fields by short name; None: the source does not show them."""

    user_key: str
    username: str | None = None
    idnumber: str | None = None
    email: str | None = None
    name: str | None = None
    department: str | None = None
    suspended: bool = False
    custom: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class CategoryRecord:
    """A course category; `parent_key` is None at the top."""

    category_key: str
    name: str
    idnumber: str | None = None
    parent_key: str | None = None
    visible: bool | None = None


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
    category_key: str | None = None


@dataclass(frozen=True, slots=True)
class EnrolmentRecord:
    """That a user is enrolled in a course, by one method or several; None is 'not so', or 'not visible this way'.

    `methods` are the methods' names, sorted, with commas between. `enrolled_at` and `starts_at` are the earliest of
    them, `ends_at` the latest, None when one has no end. `last_access_at` is when the user last opened the course,
    `started_at` when they first did, as far as the source keeps it.
    """

    course_key: str
    user_key: str
    active: bool
    last_access_at: datetime | None = None
    methods: str | None = None
    enrolled_at: datetime | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    started_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CompletionRecord:
    """That a user completed a course at a moment."""

    course_key: str
    user_key: str
    completed_at: datetime


@dataclass(frozen=True, slots=True)
class ActivityRecord:
    """Something graded in a course. `object` is what rules call it.

    `pass_mark` 0 is none; None says that the source does not say: what was known before stays. `module_key` is the
    activity's own key in its course, by which completions and attempts name it; a course total has none.
    """

    activity_key: str
    course_key: str
    object: str
    kind: str
    name: str | None
    minimum: Decimal
    maximum: Decimal
    pass_mark: Decimal | None = None
    module_key: str | None = None


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
class ActivityCompletionRecord:
    """How far a user is with an activity: `incomplete`, `complete`, `passed` or `failed`, and since when."""

    module_key: str
    user_key: str
    course_key: str
    state: str
    completed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One attempt at an activity, the `number`th of the user; `score` is in the activity's points, None until graded.

    `state` is the source's word, such as `inprogress`, `finished` or `abandoned`.
    """

    attempt_key: str
    module_key: str
    course_key: str
    user_key: str
    number: int
    state: str
    started_at: datetime | None
    finished_at: datetime | None
    score: Decimal | None
    maximum: Decimal | None


@dataclass(frozen=True, slots=True)
class CohortRecord:
    """A cohort: a group of users across the site."""

    cohort_key: str
    name: str
    idnumber: str | None = None


@dataclass(frozen=True, slots=True)
class CohortMemberRecord:
    """That a user belongs to a cohort; `row_id` is the source's number of the membership, where it has one."""

    cohort_key: str
    user_key: str
    added_at: datetime | None = None
    row_id: int | None = None


@dataclass(frozen=True, slots=True)
class BadgeRecord:
    """A badge issued to a user. `object` is what rules call it; `course_key` is None for a badge of the whole site."""

    badge_key: str
    user_key: str
    issued_at: datetime
    object: str
    name: str
    course_key: str | None = None
    expires_at: datetime | None = None
    row_id: int | None = None


@dataclass(frozen=True, slots=True)
class CompetencyRecord:
    """A competency. `object` is what rules call it, FRAMEWORK/COMPETENCY; `levels` are the names of its scale in order."""

    competency_key: str
    object: str
    name: str
    framework: str | None = None
    parent_key: str | None = None
    levels: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class CompetencyRatingRecord:
    """How a user is rated in a competency, over all (`course_key` '') or in a course; `level` counts from 1."""

    competency_key: str
    user_key: str
    course_key: str
    level: Decimal | None
    proficient: bool | None
    rated_at: datetime
    row_id: int | None = None


@dataclass(frozen=True, slots=True)
class LearningPlanRecord:
    """A user's learning plan. `status` is `draft`, `active`, `complete`, `waiting for review` or `in review`."""

    plan_key: str
    user_key: str
    name: str
    status: str
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SurveyRecord:
    """A feedback activity. `questions` are dicts with `key`, `kind`, `label`, `text`, `options` (texts in order)."""

    survey_key: str
    course_key: str
    name: str
    anonymous: bool
    questions: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class SurveyAnswerRecord:
    """One answered survey: `answers` by the questions' keys. An anonymous one has neither user nor time."""

    answer_key: str
    survey_key: str
    course_key: str
    user_key: str | None
    answered_at: datetime | None
    answers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class StatementRecord:
    """What counts of an xAPI statement: a user's verb about an activity (`object`), at a moment.

    `external` is what the LMS calls the activity by its own number. `authority` is who stands behind it: the mbox, or the
    account as `HOMEPAGE/NAME`. `voided_at` says since when another statement voids it.
    """

    statement_id: str
    user_key: str
    verb: str
    object: str
    achieved_at: datetime
    external: str | None = None
    percent: Decimal | None = None
    success: bool | None = None
    authority: str | None = None
    voided_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EmployeeRecord:
    """An employee, from the source that is the authority for people."""

    employee: Employee


@dataclass(frozen=True, slots=True)
class UnitRecord:
    """A department, position or grade (`kind`: departments, positions, grades), from the authority for people."""

    kind: str
    unit: Unit


@dataclass(frozen=True, slots=True)
class ManagerRecord:
    """Who is an employee's manager, by their numbers, from the authority for people."""

    employee_number: str
    manager: str


@dataclass(frozen=True, slots=True)
class LeaverRecord:
    """That an employee leaves, on the day `left_on`; None: they are not reported any more, and have left today."""

    employee_number: str
    left_on: date | None


Record = (
    UserRecord
    | CategoryRecord
    | CourseRecord
    | EnrolmentRecord
    | CompletionRecord
    | ActivityRecord
    | ResultRecord
    | ActivityCompletionRecord
    | AttemptRecord
    | CohortRecord
    | CohortMemberRecord
    | BadgeRecord
    | CompetencyRecord
    | CompetencyRatingRecord
    | LearningPlanRecord
    | SurveyRecord
    | SurveyAnswerRecord
    | StatementRecord
    | EmployeeRecord
    | UnitRecord
    | ManagerRecord
    | LeaverRecord
)

"""How each type of record stands in the store: its table, what tells its rows apart, and what is compared."""

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from connectors.models import (
    Activity,
    ActivityCompletion,
    Badge,
    Category,
    Cohort,
    CohortMember,
    Competency,
    CompetencyRating,
    Completion,
    Course,
    Enrolment,
    LearningAttempt,
    LearningPlan,
    Result,
    SourceUser,
    Survey,
    SurveyAnswer,
)
from connectors.records import (
    ActivityCompletionRecord,
    ActivityRecord,
    AttemptRecord,
    BadgeRecord,
    CategoryRecord,
    CohortMemberRecord,
    CohortRecord,
    CompetencyRatingRecord,
    CompetencyRecord,
    CompletionRecord,
    CourseRecord,
    EnrolmentRecord,
    LearningPlanRecord,
    Record,
    ResultRecord,
    StatementRecord,
    SurveyAnswerRecord,
    SurveyRecord,
    UserRecord,
)
from connectors.statement_models import Statement


@dataclass(frozen=True)
class Kind:
    """How one type of record stands in the store."""

    model: Any
    key: tuple[str, ...]
    content: tuple[str, ...]
    dated: bool = False
    keeps: tuple[str, ...] = ()  # of these, None says nothing: what was known stays
    moment: str = ""  # the column of the key that some ways know to the minute only

    def reader(self, names: tuple[str, ...]) -> Callable[[Record], tuple[Any, ...]]:
        """What gives of a record the values of these columns."""
        if "object" in names and self.model is Course:
            values = _reader(tuple("idnumber" if name == "object" else name for name in names))
            place = names.index("object")

            def read(record: Record) -> tuple[Any, ...]:
                found = list(values(record))
                # A course without an idnumber is called by its number; None says that the source does not show it.
                found[place] = found[place] or (None if found[place] is None else f"id:{record.course_key}")  # type: ignore[union-attr]
                return tuple(found)

            return read
        return _reader(names)


def _reader(names: tuple[str, ...]) -> Callable[[Record], tuple[Any, ...]]:
    if len(names) > 1:
        return attrgetter(*names)
    return lambda record: tuple(getattr(record, name) for name in names)


_COURSE = (
    "object",
    "name",
    "short_name",
    "category",
    "category_key",
    "completion_enabled",
    "visible",
    "starts_at",
    "ends_at",
)
_ACTIVITY = ("course_key", "object", "kind", "name", "minimum", "maximum", "pass_mark", "module_key")


KINDS: dict[type, Kind] = {
    UserRecord: Kind(
        SourceUser,
        ("user_key",),
        ("username", "idnumber", "email", "name", "department", "suspended", "custom"),
        keeps=("custom",),
    ),
    CategoryRecord: Kind(Category, ("category_key",), ("name", "idnumber", "parent_key", "visible")),
    CourseRecord: Kind(Course, ("course_key",), _COURSE, keeps=_COURSE),
    EnrolmentRecord: Kind(
        Enrolment,
        ("course_key", "user_key"),
        ("active", "last_access_at", "methods", "enrolled_at", "starts_at", "ends_at", "started_at"),
        dated=True,
    ),
    CompletionRecord: Kind(
        Completion, ("course_key", "user_key", "completed_at"), (), dated=True, moment="completed_at"
    ),
    ActivityRecord: Kind(Activity, ("activity_key",), _ACTIVITY, keeps=_ACTIVITY),
    # Attempts before results: a grade whose attempts are known is no evidence of its own.
    AttemptRecord: Kind(
        LearningAttempt,
        ("attempt_key",),
        ("module_key", "course_key", "user_key", "number", "state", "started_at", "finished_at", "score", "maximum"),
        dated=True,
    ),
    ResultRecord: Kind(
        Result,
        ("activity_key", "user_key", "submission"),
        ("score", "minimum", "maximum", "achieved_at", "graded_at"),
        dated=True,
    ),
    ActivityCompletionRecord: Kind(
        ActivityCompletion, ("module_key", "user_key"), ("course_key", "state", "completed_at"), dated=True
    ),
    CohortRecord: Kind(Cohort, ("cohort_key",), ("name", "idnumber")),
    CohortMemberRecord: Kind(CohortMember, ("cohort_key", "user_key"), ("added_at", "row_id"), dated=True),
    BadgeRecord: Kind(
        Badge,
        ("badge_key", "user_key", "issued_at"),
        ("object", "name", "course_key", "expires_at", "row_id"),
        dated=True,
        moment="issued_at",
        keeps=("row_id",),
    ),
    CompetencyRecord: Kind(
        Competency, ("competency_key",), ("object", "name", "framework", "parent_key", "levels"), keeps=("levels",)
    ),
    CompetencyRatingRecord: Kind(
        CompetencyRating,
        ("competency_key", "user_key", "course_key"),
        ("level", "proficient", "rated_at", "row_id"),
        dated=True,
        keeps=("row_id",),
    ),
    LearningPlanRecord: Kind(LearningPlan, ("plan_key",), ("user_key", "name", "status", "due_at"), dated=True),
    StatementRecord: Kind(
        Statement,
        ("statement_id",),
        ("user_key", "verb", "object", "external", "achieved_at", "percent", "success", "authority", "voided_at"),
        dated=True,
    ),
    SurveyRecord: Kind(Survey, ("survey_key",), ("course_key", "name", "anonymous", "questions")),
    SurveyAnswerRecord: Kind(
        SurveyAnswer, ("answer_key",), ("survey_key", "course_key", "user_key", "answered_at", "answers"), dated=True
    ),
}

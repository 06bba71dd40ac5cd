"""Time to complete: how many days lie between enrolment and completion."""

from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Select, and_, cast, func, select

from connectors.models import Completion, Course, Enrolment, Identity
from metrics.figures.participation import bound_at
from metrics.figures.ratio import Ratio
from metrics.figures.scope import Scope, flag
from metrics.figures.words import Words


def _facts(scope: Scope) -> Select[Any]:
    """The seconds that each completion took, where it is known when the enrolment began."""
    people = scope.people
    began = func.coalesce(Enrolment.starts_at, Enrolment.enrolled_at, Enrolment.started_at)
    known = and_(began.is_not(None), began <= Completion.completed_at)
    seconds = _seconds(scope, Completion.completed_at) - _seconds(scope, began)
    enrolment = and_(
        Enrolment.source == Completion.source,
        Enrolment.course_key == Completion.course_key,
        Enrolment.user_key == Completion.user_key,
    )
    return (
        select(
            people.c.slice,
            people.c.person_id,
            scope.course_part().label("course"),
            (func.coalesce(seconds, 0) * flag(known)).label("numerator"),
            flag(known).label("denominator"),
            flag(~func.coalesce(known, False)).label("no_beginning"),
        )
        .select_from(people)
        .join(Identity, (Identity.person_id == people.c.person_id) & bound_at(scope.as_of))
        .join(Completion, (Completion.source == Identity.source) & (Completion.user_key == Identity.user_key))
        .join(Course, (Course.source == Completion.source) & (Course.course_key == Completion.course_key))
        .outerjoin(Enrolment, enrolment)
        .where(
            scope.within(Completion.completed_at),
            Completion.first_seen_at <= scope.as_of,
            *scope.in_course(Completion.source, Completion.course_key),
        )
    )


def _seconds(scope: Scope, moment: Any) -> Any:
    """The moment as whole seconds of Unix time."""
    if scope.is_sqlite:
        return cast(func.strftime("%s", moment), BigInteger)
    return cast(func.floor(func.extract("epoch", moment)), BigInteger)


FIGURE = Ratio(
    name="time_to_complete",
    title=Words("Time to complete", "平均完成用时"),
    definition=Words(
        "The mean number of days from the beginning of the enrolment to the completion, over the completions in the "
        "period. An enrolment begins when it may be used from; else when it was made; else when the learner began. "
        "Completions whose enrolment's beginning is not known, or lies after them, are left out and counted.",
        "期间内各次完成自报名开始至完成的平均天数。报名开始取其生效时间，否则取报名时间，再否则取开始学习的时间。"
        "开始时间不详或晚于完成时间者不计入，另行列出次数。",
    ),
    nothing=Words("Nobody completed a course since a known beginning.", "没有已知开始时间的完成记录。"),
    streams=("employees", "enrolments", "completions"),
    facts=_facts,
    not_visible={"no_beginning": Words("completions without a known beginning", "开始时间不详的完成次数")},
    counts_enrolments=True,
    unit="days",
    per=Decimal(86400),
)

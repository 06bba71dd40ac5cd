"""Training hours per employee."""

from typing import Any

from sqlalchemy import Select, and_, func, literal, null, select, type_coerce, union_all

from connectors.models import Completion, Course, Identity
from metrics.figures.participation import bound_at
from metrics.figures.ratio import Ratio
from metrics.figures.scope import WITHOUT, Scope, course_label, flag, no_course
from metrics.figures.words import Words
from metrics.inputs.models import Amount, CourseDetail, ExternalTraining, known_at


def _facts(scope: Scope) -> Select[Any]:
    """The hours of each person (and course, or category): of courses completed, and of trainings outside."""
    hours = union_all(_courses(scope), _external(scope)).subquery()
    total = type_coerce(func.sum(hours.c.hours), Amount)
    course = hours.c.course if scope.by_courses else no_course()
    query = select(
        hours.c.slice,
        hours.c.person_id,
        course.label("course"),
        total.label("numerator"),
        flag(hours.c.person_id.is_not(None)).label("denominator"),
        func.sum(hours.c.unknown).label("no_hours"),
        func.sum(hours.c.outside).label("external"),
    ).group_by(hours.c.slice, hours.c.person_id)
    return query.group_by(course) if scope.by_courses else query


def _courses(scope: Scope) -> Select[Any]:
    people = scope.people
    detail = and_(
        CourseDetail.course == course_label(Course.source, Course.object), known_at(CourseDetail, scope.as_of)
    )
    return (
        select(
            people.c.slice,
            people.c.person_id,
            scope.course_part().label("course"),
            func.coalesce(CourseDetail.hours, literal(0, Amount)).label("hours"),
            flag(CourseDetail.hours.is_(None)).label("unknown"),
            literal(0).label("outside"),
        )
        .select_from(people)
        .join(Identity, (Identity.person_id == people.c.person_id) & bound_at(scope.as_of))
        .join(Completion, (Completion.source == Identity.source) & (Completion.user_key == Identity.user_key))
        .join(Course, (Course.source == Completion.source) & (Course.course_key == Completion.course_key))
        .outerjoin(CourseDetail, detail)
        .where(
            scope.within(Completion.completed_at),
            Completion.first_seen_at <= scope.as_of,
            *scope.in_course(Completion.source, Completion.course_key),
        )
    )


def _external(scope: Scope) -> Select[Any]:
    people, outside = scope.people, ExternalTraining
    periods, day = {one.name: one for one in scope.periods}, outside.ended_on
    question = scope.question
    of_slice = [
        and_(people.c.slice == name, day >= one.first_day, day < one.end_day, day <= one.day_at(question.as_of))
        for name, one in periods.items()
    ]
    label = func.coalesce(outside.category, WITHOUT) if scope.by == "category" else no_course()
    query = (
        select(
            people.c.slice,
            people.c.person_id,
            label.label("course"),
            outside.hours.label("hours"),
            literal(0).label("unknown"),
            literal(1).label("outside"),
        )
        .select_from(people)
        .join(outside, outside.person_id == people.c.person_id)
        .where(known_at(outside, scope.as_of))
    )
    query = query.where(_any(of_slice))
    if question.course is not None or question.lecturer is not None:
        return query.where(null().is_not(None))
    if question.programme is not None:
        query = query.where(outside.programme == question.programme)
    if question.category is not None:
        query = query.where(func.coalesce(outside.category, WITHOUT) == question.category)
    return query


def _any(conditions: list[Any]) -> Any:
    found = conditions[0]
    for each in conditions[1:]:
        found = found | each
    return found


FIGURE = Ratio(
    name="training_hours",
    title=Words("Training hours per employee", "人均学时"),
    definition=Words(
        "Hours of training in the period per employee of the population: the hours of every course that somebody "
        "completed in the period, each time, and of every training outside the LMS that ended in it. Courses whose "
        "hours are not on record (inputs: courses) count as none and are counted.",
        "期间内目标人群的人均学时：期间内每次完成课程的学时，加上期间内结束的外部培训学时。未登记学时的课程（inputs: courses）"
        "按零计，另行列出次数。",
    ),
    nothing=Words("Nobody is in the population.", "目标人群中没有员工。"),
    streams=("employees", "completions"),
    facts=_facts,
    not_visible={
        "no_hours": Words("completions of courses whose hours are not known", "课程学时未登记的完成次数"),
    },
    beside={"external": Words("trainings outside the LMS", "外部培训次数")},
    of_population=True,
    unit="hours",
)

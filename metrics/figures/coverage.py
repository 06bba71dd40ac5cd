"""Training coverage: who of the population took part."""

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, null, or_, select

from connectors.models import Course
from metrics.figures.participation import pairs, unbound_enrolments
from metrics.figures.ratio import Ratio
from metrics.figures.scope import Scope, flag, no_course
from metrics.figures.words import Words


def _facts(scope: Scope) -> Select[Any]:
    """For each person (and course) whether they took part, by the question's basis."""
    basis = scope.question.basis
    pair = pairs(scope)
    active, worked = pair.c.active == 1, or_(pair.c.accessed == 1, pair.c.worked == 1)
    completed = pair.c.completed == 1
    conditions: dict[str, ColumnElement[bool]] = {
        "started": or_(completed, and_(active, worked)),
        "enrolled": or_(completed, active),
        "completed": completed,
    }
    took_part = flag(conditions[basis])
    by_course = scope.by_courses
    course = scope.course_part() if by_course else no_course()
    count = func.sum(took_part)
    numerator = flag(count > 0)
    if basis == "started" and not by_course:
        # A statement about no course that we know is a sign of work of somebody who is enrolled in any.
        elsewhere = func.max(flag(and_(pair.c.course_key.is_(null()), pair.c.worked == 1)))
        numerator = flag(or_(count > 0, and_(elsewhere == 1, func.max(pair.c.active) == 1)))
    missed = numerator == 0
    query = select(
        pair.c.slice,
        pair.c.person_id,
        course.label("course"),
        numerator.label("numerator"),
        flag(pair.c.person_id.is_not(None)).label("denominator"),
        flag(and_(missed, func.max(pair.c.suspended) == 1)).label("suspended"),
        flag(and_(missed, func.max(pair.c.suspended) == 0, func.max(pair.c.ended) == 1)).label("ended"),
        _not_visible(
            basis, "started", and_(missed, func.max(flag(and_(active, pair.c.accessed_later == 1))) == 1)
        ).label("accessed_later"),
        _not_visible(
            basis,
            "enrolled",
            func.max(flag(and_(active, pair.c.undated == 1, pair.c.completed == 0, pair.c.worked == 0))) == 1,
        ).label("undated"),
        count.label("attendances"),
    ).group_by(pair.c.slice, pair.c.person_id)
    if not by_course:
        return query
    query = query.join(Course, (Course.source == pair.c.source) & (Course.course_key == pair.c.course_key))
    return query.group_by(course)


def _not_visible(basis: str, matters_for: str, condition: ColumnElement[bool]) -> ColumnElement[int]:
    """The condition as a flag, where it matters for the basis that was asked for."""
    return flag(condition) if basis == matters_for else flag(condition & null().is_not(None))


FIGURE = Ratio(
    name="coverage",
    title=Words("Training coverage", "培训覆盖率"),
    definition=Words(
        "Employees of the population who took part in training in the period, each counted once, out of all employees "
        "of the population. Took part means: an active enrolment and any sign of work in the period (opening the "
        "course, an attempt, a completion, a learning record); on request being enrolled, or having completed, "
        "instead. A completion counts whatever became of the enrolment. Those who left before the population date "
        "and those exempt are left out and counted.",
        "期间内参加培训的目标员工人数（每人只计一次）占目标员工总数的比例。“参加”默认指：报名有效，且期间内有任何学习迹象"
        "（打开课程、作答、完成或学习记录）；也可改为以“已报名”或“已完成”为准。完成后报名记录即使消失，仍然计入。"
        "在人数统计日之前离职者和豁免者不计入，另行列出人数。",
    ),
    nothing=Words("Nobody is in the population.", "目标人群中没有员工。"),
    streams=("employees", "enrolments", "completions", "results", "statements"),
    facts=_facts,
    unbound=unbound_enrolments,
    exclusions={
        "suspended": Words("did not count as taking part: an enrolment is suspended", "未计为参加：报名已被暂停"),
        "ended": Words(
            "did not count as taking part: an enrolment ended before the period's end",
            "未计为参加：报名在期间结束前已取消",
        ),
    },
    not_visible={
        "accessed_later": Words(
            "opened a course after the period's end; whether also in the period is not visible",
            "期间结束后打开过课程，期间内是否打开过无从得知",
        ),
        "undated": Words(
            "enrolled before the first reading, at an unknown time; counted as enrolled",
            "首次读取前已报名，时间不详；计为已报名",
        ),
    },
    beside={"attendances": Words("attendances (people by courses)", "参训人次")},
    of_population=True,
    exempt_out=True,
)

"""Completion rate: how many enrolments were completed."""

from typing import Any

from sqlalchemy import Select, and_, not_, or_, select

from connectors.models import Course
from metrics.figures.participation import pairs, unbound_enrolments
from metrics.figures.ratio import Ratio
from metrics.figures.scope import Scope, flag
from metrics.figures.words import Words


def _facts(scope: Scope) -> Select[Any]:
    """For each person and course whether it counts as enrolled, and as completed; and if not, the one reason why."""
    pair = pairs(scope)
    completed, earlier = pair.c.completed == 1, pair.c.completed_earlier == 1
    active, suspended, ended = pair.c.active == 1, pair.c.suspended == 1, pair.c.ended == 1
    untracked = Course.completion_enabled.is_(False)
    open_ = and_(not_(completed), not_(earlier))
    enrolled = or_(completed, and_(open_, active, not_(untracked)))
    return (
        select(
            pair.c.slice,
            pair.c.person_id,
            scope.course_part().label("course"),
            flag(completed).label("numerator"),
            flag(enrolled).label("denominator"),
            flag(and_(not_(completed), earlier, or_(active, suspended, ended))).label("completed_earlier"),
            flag(and_(open_, not_(active), suspended)).label("suspended"),
            flag(and_(open_, not_(active), not_(suspended), ended)).label("ended"),
            flag(and_(open_, active, untracked)).label("untracked"),
            flag(and_(enrolled, not_(completed), pair.c.undated == 1, pair.c.worked == 0)).label("undated"),
        )
        .select_from(pair)
        .join(Course, and_(Course.source == pair.c.source, Course.course_key == pair.c.course_key))
    )


FIGURE = Ratio(
    name="completion_rate",
    title=Words("Completion rate", "完成率"),
    definition=Words(
        "Enrolments completed in the period out of all enrolments: an employee counts once for each course. Enrolled "
        "is who has an active enrolment at the period's end and had not completed the course before the period; who "
        "completed it in the period counts as enrolled and completed whatever became of the enrolment. Suspended "
        "enrolments, those that ended uncompleted, and courses that do not track completion are left out and counted.",
        "期间内完成的报名人次占全部报名人次的比例，每名员工每门课程计一次。“报名”指期间结束时报名有效，且在期间之前尚未完成；"
        "期间内完成者无论报名记录其后如何，均计为已报名并已完成。已暂停的报名、未完成即取消的报名以及未启用完成跟踪的课程"
        "不计入，另行列出人次。",
    ),
    nothing=Words("Nobody of the population is enrolled.", "目标人群中无人报名。"),
    streams=("employees", "enrolments", "completions"),
    facts=_facts,
    unbound=unbound_enrolments,
    exclusions={
        "completed_earlier": Words("completed before the period", "期间之前已完成"),
        "suspended": Words("suspended, not completed", "已暂停且未完成"),
        "ended": Words("ended before the period's end, not completed", "期间结束前已取消且未完成"),
        "untracked": Words("in courses that do not track completion", "课程未启用完成跟踪"),
    },
    not_visible={
        "undated": Words(
            "enrolled before the first reading, at an unknown time; counted as enrolled",
            "首次读取前已报名，时间不详；计为已报名",
        ),
    },
    counts_enrolments=True,
)

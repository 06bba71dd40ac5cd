"""Mean score (level 2): percentages of tests, and how they are distributed."""

from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, select, type_coerce

from connectors.models import Course, Evidence, Percent
from metrics.figures.participation import counting_at
from metrics.figures.pass_rate import is_no_sum_of_tests, unbound_results
from metrics.figures.ratio import Ratio
from metrics.figures.scope import WITHOUT, Scope, course_label, flag, no_course
from metrics.figures.words import Words

BINS = {"below_60": (None, 60), "from_60": (60, 70), "from_70": (70, 80), "from_80": (80, 90), "from_90": (90, None)}


def _facts(scope: Scope) -> Select[Any]:
    """For each person (and course) the sum of the percentages of their tests, how many these are, and of which size."""
    people = scope.people
    attempts = (
        select(
            people.c.slice,
            people.c.person_id,
            Evidence.source,
            Evidence.course,
            Evidence.object,
            Evidence.percent,
            Evidence.achieved_at,
            Evidence.id,
        )
        .select_from(people)
        .join(Evidence, Evidence.person_id == people.c.person_id)
        .where(
            Evidence.kind == "score",
            Evidence.percent.is_not(None),
            scope.within(Evidence.achieved_at),
            counting_at(scope.as_of),
            is_no_sum_of_tests(),
            *scope.of_course(Evidence.source, Evidence.course),
        )
        .subquery()
    )
    order: dict[str, list[ColumnElement[Any]]] = {
        "best": [attempts.c.percent.desc()],
        "last": [attempts.c.achieved_at.desc(), attempts.c.id.desc()],
        "first": [attempts.c.achieved_at, attempts.c.id],
    }
    test = (attempts.c.slice, attempts.c.person_id, attempts.c.source, attempts.c.course, attempts.c.object)
    place = func.row_number().over(partition_by=test, order_by=order[scope.question.attempt])
    ranked = select(attempts, place.label("place")).subquery()
    course = course_label(ranked.c.source, ranked.c.course) if scope.by_courses else no_course()
    if scope.by == "category":
        course = func.coalesce(Course.category, WITHOUT)
    query = select(
        ranked.c.slice,
        ranked.c.person_id,
        course.label("course"),
        type_coerce(func.sum(ranked.c.percent), Percent).label("numerator"),
        func.count().label("denominator"),
        *(func.sum(flag(_within(ranked.c.percent, *ends))).label(name) for name, ends in BINS.items()),
    )
    if scope.by == "category":
        query = query.outerjoin(Course, and_(Course.source == ranked.c.source, Course.object == ranked.c.course))
    query = query.where(ranked.c.place == 1).group_by(ranked.c.slice, ranked.c.person_id)
    return query.group_by(course) if scope.by_courses else query


def _within(percent: Any, low: int | None, high: int | None) -> ColumnElement[bool]:
    found: ColumnElement[bool] = percent.is_not(None)
    if low is not None:
        found = and_(found, percent >= Decimal(low))
    return found if high is None else and_(found, percent < Decimal(high))


FIGURE = Ratio(
    name="score",
    title=Words("Mean score", "平均成绩"),
    definition=Words(
        "The mean of the percentages, (score - minimum) / (maximum - minimum), of the tests attempted in the period: of "
        "each employee and test the best attempt in the period (on request the last, or the first). Beside it how many "
        "lie in each range. A course's total counts only where none of its tests has a pass mark. Numerator: the sum "
        "of the percentages, 1 for a full score.",
        "期间内各项考核得分率（得分－最低分）／（最高分－最低分）的平均值：每名员工每项考核取期间内最好的一次"
        "（也可取最后一次或第一次）。并列各分数段的人次。仅当课程内没有任何考核设有及格线时才计课程总成绩。"
        "分子为得分率之和，满分计 1。",
    ),
    nothing=Words("Nobody of the population attempted a test.", "目标人群中无人参加考核。"),
    streams=("employees", "results"),
    facts=_facts,
    unbound=unbound_results,
    beside={
        "below_60": Words("below 60 %", "60% 以下"),
        "from_60": Words("60 to 70 %", "60% 至 70%"),
        "from_70": Words("70 to 80 %", "70% 至 80%"),
        "from_80": Words("80 to 90 %", "80% 至 90%"),
        "from_90": Words("90 % and above", "90% 及以上"),
    },
    per=Decimal(100),
    falls_short=False,
)

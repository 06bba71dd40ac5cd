"""Pass rate: who of those who attempted a test passed it."""

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, not_, or_, select, tuple_

from connectors.models import Activity, Course, Evidence, Result
from metrics.figures.participation import counting_at, unbound_accounts
from metrics.figures.ratio import Ratio
from metrics.figures.scope import WITHOUT, Scope, course_label, flag, no_course
from metrics.figures.words import Words


def _facts(scope: Scope) -> Select[Any]:
    """For each person (and course) how many tests they attempted and passed, and results that have no pass mark.

    Made from evidence, which keeps what a mark was before it was corrected: a score stands beside a pass or a fail of
    the same origin where the pass mark is known, and alone where it is not.
    """
    people = scope.people
    passed = Evidence.kind == "passed"
    key = (people.c.slice, people.c.person_id, Evidence.source, Evidence.course, Evidence.object)
    attempts = (
        select(
            *key,
            func.max(flag(passed)).label("marked"),
            func.max(flag(and_(passed, Evidence.success.is_(True)))).label("passed"),
            func.max(Evidence.achieved_at).label("achieved_at"),
            func.max(Evidence.id).label("id"),
        )
        .select_from(people)
        .join(Evidence, Evidence.person_id == people.c.person_id)
        .where(
            Evidence.kind.in_(("score", "passed")),
            scope.within(Evidence.achieved_at),
            counting_at(scope.as_of),
            is_no_sum_of_tests(),
        )
        .group_by(*key, Evidence.origin)
    )
    attempts = attempts.where(*scope.of_course(Evidence.source, Evidence.course))
    tried = attempts.subquery()
    order: dict[str, list[ColumnElement[Any]]] = {
        "best": [tried.c.passed.desc()],
        "last": [tried.c.achieved_at.desc(), tried.c.id.desc()],
        "first": [tried.c.achieved_at, tried.c.id],
    }
    test = (tried.c.slice, tried.c.person_id, tried.c.source, tried.c.course, tried.c.object, tried.c.marked)
    place = func.row_number().over(partition_by=test, order_by=order[scope.question.attempt])
    ranked = select(tried, place.label("place")).subquery()
    marked = ranked.c.marked == 1
    counts = and_(marked, ranked.c.place == 1)
    assessments = func.sum(flag(counts))
    successes = func.sum(flag(and_(counts, ranked.c.passed == 1)))
    course = course_label(ranked.c.source, ranked.c.course) if scope.by_courses else no_course()
    if scope.by == "category":
        course = func.coalesce(Course.category, WITHOUT)
    query = select(
        ranked.c.slice,
        ranked.c.person_id,
        course.label("course"),
        flag(and_(assessments > 0, successes == assessments)).label("numerator"),
        flag(assessments > 0).label("denominator"),
        func.sum(flag(not_(marked))).label("no_pass_mark"),
        assessments.label("assessments"),
        successes.label("assessments_passed"),
    ).group_by(ranked.c.slice, ranked.c.person_id)
    if scope.by == "category":
        query = query.outerjoin(Course, and_(Course.source == ranked.c.source, Course.object == ranked.c.course))
    return query.group_by(course) if scope.by_courses else query


def is_no_sum_of_tests() -> ColumnElement[bool]:
    """The condition that a result is not the total of a course whose tests are judged by themselves."""
    with_tests = (
        select(Course.source, Course.object)
        .join(Activity, and_(Activity.source == Course.source, Activity.course_key == Course.course_key))
        .where(Activity.pass_mark > 0, Activity.kind != "course")
    )
    return or_(Evidence.object != Evidence.course, tuple_(Evidence.source, Evidence.object).not_in(with_tests))


def unbound_results(scope: Scope) -> Select[Any]:
    """How many results in the period are of accounts that belong to no employee: slice, count."""
    slices, as_of, accounts = scope.slices, scope.as_of, unbound_accounts(scope)
    at = Result.achieved_at
    return (
        select(slices.c.slice, func.count())
        .select_from(accounts)
        .join(Result, and_(Result.source == accounts.c.source, Result.user_key == accounts.c.user_key))
        .join(Activity, and_(Activity.source == Result.source, Activity.activity_key == Result.activity_key))
        .join(slices, and_(at >= slices.c.start_at, at < slices.c.end_at))
        .where(
            at <= as_of,
            Result.first_seen_at <= as_of,
            *scope.in_course(Activity.source, Activity.course_key),
        )
        .group_by(slices.c.slice)
    )


FIGURE = Ratio(
    name="pass_rate",
    title=Words("Pass rate", "考核合格率"),
    definition=Words(
        "Employees who passed out of those who attempted a test in the period, judged by each one's best attempt in "
        "the period (on request the last, or the first). Who attempted several tests has passed when all of them are "
        "passed. Only tests with a pass mark above zero count; results without one are left out and counted. A "
        "course's total counts only where none of its tests has a pass mark.",
        "期间内参加考核的员工中合格者所占的比例，默认以每人期间内最好的一次为准（也可改为最后一次或第一次）。参加多项考核者，"
        "全部合格才算合格。只计及格线大于零的考核；没有及格线的成绩不计入，另行列出条数。仅当课程内没有任何考核设有及格线时，"
        "才以课程总成绩为准。",
    ),
    nothing=Words(
        "Nobody of the population attempted a test with a pass mark.", "目标人群中无人参加设有及格线的考核。"
    ),
    streams=("employees", "results"),
    facts=_facts,
    unbound=unbound_results,
    exclusions={"no_pass_mark": Words("results without a known pass mark", "没有及格线的成绩")},
    beside={
        "assessments": Words("tests attempted (people by tests)", "参加考核人次"),
        "assessments_passed": Words("tests passed (people by tests)", "合格人次"),
    },
)

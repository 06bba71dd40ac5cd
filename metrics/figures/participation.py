"""Who was enrolled in which course, did something in it, completed it: what coverage and completion rate count.

Enrolments have no dates of their own in what is pulled, so three things are settled here:

- An enrolment begins when it is first seen. What the first whole reading of a source found had begun at an unknown
  time before, so it counts for every period; such a one is marked `undated` where the period was over by then.
- Enrolled is who has an active enrolment at the period's end (or at the as-of time, if earlier). A suspended one and
  one that ended before are told apart from it. Whether an enrolment is active is known for now only.
- The last access is the only one known. One after the period's end hides whether there was one in the period.

A completion stands for itself: it counts whatever has become of the enrolment since.
"""

from typing import Any

from sqlalchemy import CTE, ColumnElement, Select, Subquery, and_, func, not_, or_, select, union_all

from connectors.models import (
    Activity,
    Completion,
    Course,
    Enrolment,
    Evidence,
    Identity,
    Result,
    SourceUser,
    StreamRun,
    SyncRun,
)
from metrics.figures.scope import Scope, flag, no_flag

FLAGS = (
    "active",
    "suspended",
    "ended",
    "accessed",
    "accessed_later",
    "undated",
    "worked",
    "completed",
    "completed_earlier",
)
# The last segments of verbs that record what was done to a learner, not what the learner did.
NOT_WORK = ("enrolled", "unenrolled", "registered", "unregistered", "assigned", "leave")


def pairs(scope: Scope) -> Subquery:
    """One row for each slice, person and course, with the FLAGS. A statement whose course is not known has none."""
    arms = union_all(_enrolments(scope), _completions(scope), _results(scope), _statements(scope)).subquery()
    key = (arms.c.slice, arms.c.person_id, arms.c.source, arms.c.course_key)
    return select(*key, *(func.max(arms.c[name]).label(name) for name in FLAGS)).group_by(*key).subquery()


def unbound_enrolments(scope: Scope) -> Select[Any]:
    """How many standing enrolments are of accounts that belong to no employee: slice, count."""
    slices, as_of, accounts = scope.slices, scope.as_of, unbound_accounts(scope)
    return (
        select(slices.c.slice, func.count())
        .select_from(accounts)
        .join(Enrolment, (Enrolment.source == accounts.c.source) & (Enrolment.user_key == accounts.c.user_key))
        .join(slices, _stands_at(slices.c.end_at, as_of))
        .where(
            Enrolment.first_seen_at <= as_of,
            *scope.in_course(Enrolment.source, Enrolment.course_key),
        )
        .group_by(slices.c.slice)
    )


def unbound_accounts(scope: Scope) -> CTE:
    """The accounts that belonged to nobody at the as-of time."""
    bound = select(Identity.source, Identity.user_key).where(bound_at(scope.as_of))
    return select(SourceUser.source, SourceUser.user_key).except_(bound).cte("unbound")


def bound_at(as_of: ColumnElement[Any]) -> ColumnElement[bool]:
    """The condition that a binding stood at the as-of time."""
    return and_(Identity.bound_at <= as_of, or_(Identity.unbound_at.is_(None), Identity.unbound_at > as_of))


def counting_at(as_of: ColumnElement[Any]) -> ColumnElement[bool]:
    """The condition that a piece of evidence was known and not voided at the as-of time."""
    return and_(Evidence.recorded_at <= as_of, or_(Evidence.voided_at.is_(None), Evidence.voided_at > as_of))


def _stands_at(end: ColumnElement[Any], as_of: ColumnElement[Any]) -> ColumnElement[bool]:
    """The condition that an enrolment was there at the slice's end, or at the as-of time."""
    return or_(Enrolment.closed_at.is_(None), Enrolment.closed_at >= end, Enrolment.closed_at > as_of)


def _arm(scope: Scope, source: Any, course_key: Any, **flags: ColumnElement[bool]) -> Select[Any]:
    """The head of one arm of the union: the key, and the flags that this kind of row can set."""
    given = [(flag(flags[name]) if name in flags else no_flag()).label(name) for name in FLAGS]
    people = scope.people
    return select(
        people.c.slice, people.c.person_id, source.label("source"), course_key.label("course_key"), *given
    ).select_from(people)


def _with_account(query: Select[Any], scope: Scope, model: Any) -> Select[Any]:
    """`query` joined with the rows of `model` that are of accounts bound to the people."""
    return query.join(Identity, (Identity.person_id == scope.people.c.person_id) & bound_at(scope.as_of)).join(
        model, (model.source == Identity.source) & (model.user_key == Identity.user_key)
    )


def _enrolments(scope: Scope) -> Select[Any]:
    people, as_of = scope.people, scope.as_of
    end = people.c.end_at
    first = (
        select(SyncRun.source, func.min(SyncRun.finished_at).label("finished_at"))
        .join(StreamRun, StreamRun.run_id == SyncRun.id)
        .where(StreamRun.stream == "enrolments", StreamRun.status == "done", SyncRun.finished_at.is_not(None))
        .group_by(SyncRun.source)
        .cte("first_reading")
    )
    stands = _stands_at(end, as_of)
    access = Enrolment.last_access_at
    query = _arm(
        scope,
        Enrolment.source,
        Enrolment.course_key,
        active=and_(stands, Enrolment.active),
        suspended=and_(stands, not_(Enrolment.active)),
        ended=not_(stands),
        accessed=scope.within(access),
        accessed_later=and_(access.is_not(None), or_(access >= end, access > as_of)),
        undated=Enrolment.first_seen_at >= end,
    )
    return (
        _with_account(query, scope, Enrolment)
        .outerjoin(first, first.c.source == Enrolment.source)
        .where(
            Enrolment.first_seen_at <= as_of,
            or_(
                Enrolment.first_seen_at < end,
                first.c.finished_at.is_(None),
                Enrolment.first_seen_at <= first.c.finished_at,
            ),
            or_(Enrolment.closed_at.is_(None), Enrolment.closed_at > people.c.start_at),
            *scope.in_course(Enrolment.source, Enrolment.course_key),
        )
    )


def _completions(scope: Scope) -> Select[Any]:
    people, as_of = scope.people, scope.as_of
    query = _arm(
        scope,
        Completion.source,
        Completion.course_key,
        completed=Completion.completed_at >= people.c.start_at,
        completed_earlier=Completion.completed_at < people.c.start_at,
    )
    return _with_account(query, scope, Completion).where(
        Completion.first_seen_at <= as_of,
        Completion.completed_at < people.c.end_at,
        Completion.completed_at <= as_of,
        *scope.in_course(Completion.source, Completion.course_key),
    )


def _results(scope: Scope) -> Select[Any]:
    within = scope.within(Result.achieved_at)
    return (
        _with_account(_arm(scope, Result.source, Activity.course_key, worked=within), scope, Result)
        .join(Activity, (Activity.source == Result.source) & (Activity.activity_key == Result.activity_key))
        .where(
            within,
            Result.first_seen_at <= scope.as_of,
            *scope.in_course(Activity.source, Activity.course_key),
        )
    )


def _statements(scope: Scope) -> Select[Any]:
    within = scope.within(Evidence.achieved_at)
    verb = func.lower(func.coalesce(Evidence.verb, ""))
    query = (
        _arm(scope, Course.source, Course.course_key, worked=within)
        .join(Evidence, Evidence.person_id == scope.people.c.person_id)
        .outerjoin(Course, Course.object == Evidence.course)
        .where(
            Evidence.kind == "statement",
            within,
            counting_at(scope.as_of),
            *(not_(or_(verb == name, verb.like(f"%/{name}"))) for name in NOT_WORK),
        )
    )
    return query.where(*scope.asked_courses)

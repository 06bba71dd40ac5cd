"""Programme completion rate: which of the planned programmes were completed."""

from datetime import date

from sqlalchemy import func, select

from connectors.models import Completion, Course, Identity
from metrics.figures.figure import Member
from metrics.figures.measured import Answer, Measured
from metrics.figures.participation import bound_at
from metrics.figures.programmes import known_programmes
from metrics.figures.scope import WITHOUT, Scope, course_label
from metrics.figures.words import Words
from metrics.inputs.models import Programme
from plugin.models import Department
from plugin.moments import start_of_day

BY_HAND, BY_RULE = "by_hand", "by_rule"


def _programmes(scope: Scope, *, unplanned: bool) -> list[Programme]:
    """Those whose planned end lies in the period, as far as the question narrows them."""
    question, period = scope.question, scope.question.period
    organisers: set[str] | None = None
    if question.department is not None:
        organisers = {question.department}
        if question.with_children:
            below = scope.below
            roots = select(Department.id).where(Department.code == question.department)
            ids = select(below.c.id).where(below.c.root_id.in_(roots))
            organisers |= set(scope.session.scalars(select(Department.code).where(Department.id.in_(ids))))
    return [
        one
        for one in known_programmes(scope.session, question.as_of)
        if one.unplanned == unplanned
        and period.first_day <= one.planned_end_on < period.end_day
        and (organisers is None or (one.organiser or WITHOUT) in organisers)
        and question.programme in (None, one.programme)
        and question.category in (None, one.category or WITHOUT)
        and question.lecturer in (None, one.lecturer)
    ]


def _completed(scope: Scope, programme: Programme) -> str | None:
    """How the programme was completed by the period's end; None where it was not."""
    last: date = scope.question.population_date
    ended = programme.actual_end_on
    if programme.status == "completed" and ended is not None:
        return BY_HAND if ended <= last else None
    if programme.complete_at is None or programme.status == "cancelled" or not programme.courses:
        return None
    done, target = _share(scope, programme)
    return BY_RULE if target and done >= programme.complete_at * target else None


def _share(scope: Scope, programme: Programme) -> tuple[int, int]:
    """How many of the programme's target completed all of its courses since it began, and how many the target are."""
    of_it = Scope(scope.session, scope.question.about_programme(programme.programme))
    people = of_it.people
    label = course_label(Course.source, Course.object)
    since = start_of_day(programme.starts_on, scope.question.zone)
    done = (
        select(people.c.person_id)
        .join(Identity, (Identity.person_id == people.c.person_id) & bound_at(of_it.as_of))
        .join(Completion, (Completion.source == Identity.source) & (Completion.user_key == Identity.user_key))
        .join(Course, (Course.source == Completion.source) & (Course.course_key == Completion.course_key))
        .where(
            of_it.among(label, programme.courses),
            Completion.completed_at >= since,
            Completion.completed_at < people.c.end_at,
            Completion.completed_at <= of_it.as_of,
            Completion.first_seen_at <= of_it.as_of,
        )
        .group_by(people.c.person_id)
        .having(func.count(label.distinct()) >= len(programme.courses))
    )
    count = select(func.count()).select_from(done.subquery())
    size = select(func.count()).select_from(people)
    return scope.session.scalar(count) or 0, scope.session.scalar(size) or 0


def _answer(scope: Scope) -> Answer:
    planned = _programmes(scope, unplanned=False)
    how = [_completed(scope, one) for one in planned]
    extra = [_completed(scope, one) for one in _programmes(scope, unplanned=True)]
    completed = sum(one is not None for one in how)
    return Answer(
        numerator=completed,
        denominator=len(planned),
        value=scope.share(completed, len(planned)),
        beside={
            "cancelled": sum(one.status == "cancelled" for one in planned),
            "by_rule": how.count(BY_RULE),
            "unplanned": len(extra),
            "unplanned_completed": sum(one is not None for one in extra),
        },
    )


def _members(scope: Scope, side: str) -> list[Member]:
    """The programmes by their codes."""
    if not scope.periods:
        return []
    wanted = {"numerator": (True,), "gap": (False,), "denominator": (True, False)}[side]
    return [
        Member(one.programme, one.name)
        for one in _programmes(scope, unplanned=False)
        if (_completed(scope, one) is not None) in wanted
    ]


FIGURE = Measured(
    name="programme_completion",
    title=Words("Programme completion rate", "培训计划完成率"),
    definition=Words(
        "Programmes completed out of those planned: of every programme whose planned end lies in the period, cancelled "
        "ones included. Completed is one that is marked so with an actual end by the period's end; or one whose rule "
        "is fulfilled by then: the given share of its target completed all of its courses since it began. Unplanned "
        "programmes are reported beside it and never counted in it.",
        "计划结束日期落在期间内的培训项目（含已取消者）中已完成者的比例。已完成指：在期间结束前（含）标记为完成并填有实际结束日期；"
        "或达到其完成规则，即自项目开始以来目标人群中达到规定比例的人完成了其全部课程。计划外项目另行列出，不计入。",
    ),
    nothing=Words("No programme was planned to end in the period.", "期间内没有计划结束的培训项目。"),
    streams=(),
    answer=_answer,
    members=_members,
    breakdowns=("department", "category", "lecturer", "month"),
    unit="share",
    counts={
        "cancelled": Words("of the planned, cancelled", "计划内已取消"),
        "by_rule": Words("completed by their rule", "按规则判定完成"),
        "unplanned": Words("unplanned programmes", "计划外项目"),
        "unplanned_completed": Words("unplanned programmes completed", "已完成的计划外项目"),
    },
    about_people=False,
    lists="programme",
    falls_short=True,
)

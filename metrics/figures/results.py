"""Results (level 4): performance figures 6 to 12 months after a programme against as many months before it."""

from collections import defaultdict
from collections.abc import Collection
from datetime import date, timedelta
from decimal import Decimal

from sqlalchemy import select

from connectors.models import Completion, Course, Identity
from metrics.figures import changes
from metrics.figures.figure import Member, Number
from metrics.figures.measured import Answer, Measured
from metrics.figures.participation import bound_at
from metrics.figures.programmes import ended_on, known_programmes, named
from metrics.figures.scope import Scope, course_label
from metrics.figures.statistics import difference, mean, mean_with_interval
from metrics.figures.words import Words
from metrics.inputs.models import PerformanceMeasure, PerformanceValue, Programme, known_at
from plugin.models import Person
from plugin.moments import start_of_day

FROM, UNTIL = 6, 12  # months after the programme
SEVERAL = Words(
    "Programmes of several performance figures cannot be put together; name one programme.",
    "各项目的绩效指标不同，无法合并；请指定一个项目。",
)
NOT_YET = Words(
    "No programme with a performance figure completed its 12 months after in the period.",
    "期间内没有已满培训后 12 个月且设有绩效指标的项目。",
)
Window = tuple[date, date]


def months_on(day: date, months: int) -> date:
    """The day so many calendar months later; the month's last where it has no such day."""
    years, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    first_of_next = date(years + (month == 11), (month + 1) % 12 + 1, 1)
    last = (first_of_next - timedelta(days=1)).day
    return date(years, month + 1, min(day.day, last))


def windows(programme: Programme) -> tuple[Window, Window]:
    """The days before and after that are compared, half open: 6 months each."""
    first_after = ended_on(programme) + timedelta(days=1)
    after = (months_on(first_after, FROM), months_on(first_after, UNTIL))
    return (months_on(programme.starts_on, FROM - UNTIL), programme.starts_on), after


def _due(scope: Scope) -> list[Programme]:
    """The programmes with a performance figure whose months after ended in the period, and by now."""
    question, period = scope.question, scope.question.period
    found = []
    for one in known_programmes(scope.session, question.as_of):
        last = windows(one)[1][1] - timedelta(days=1)
        wanted = one.performance and one.status != "cancelled" and question.programme in (None, one.programme)
        if wanted and period.first_day <= last < period.end_day and last <= question.population_date:
            found.append(one)
    return found


def _trained(scope: Scope, programme: Programme) -> set[int]:
    """Who of the programme's target completed one of its courses while it ran; all of them where it has no course."""
    of_it = Scope(scope.session, scope.question.about_programme(programme.programme))
    people = of_it.candidates
    if not programme.courses:
        return set(scope.session.scalars(select(people.c.person_id)))
    zone = scope.question.zone
    query = (
        select(people.c.person_id)
        .join(Identity, (Identity.person_id == people.c.person_id) & bound_at(of_it.as_of))
        .join(Completion, (Completion.source == Identity.source) & (Completion.user_key == Identity.user_key))
        .join(Course, (Course.source == Completion.source) & (Course.course_key == Completion.course_key))
        .where(
            of_it.among(course_label(Course.source, Course.object), programme.courses),
            Completion.completed_at >= start_of_day(programme.starts_on, zone),
            Completion.completed_at < start_of_day(ended_on(programme) + timedelta(days=1), zone),
            Completion.first_seen_at <= of_it.as_of,
        )
    )
    return {person for (person,) in scope.session.execute(query.distinct())}


def _changes(scope: Scope, programme: Programme, people: Collection[int]) -> dict[int, Decimal]:
    """Each one's change, where more is better: the mean of the months after less that of the months before."""
    value, as_of = PerformanceValue, scope.question.as_of
    windows_ = windows(programme)
    found: dict[int, tuple[list[Decimal], list[Decimal]]] = defaultdict(lambda: ([], []))
    query = select(value.person_id, value.month, value.value).where(
        value.measure == programme.performance,
        value.month >= windows_[0][0],
        value.month < windows_[1][1],
        known_at(value, as_of),
    )
    for person, month, amount in scope.session.execute(query):
        for place, (first, end) in enumerate(windows_):
            if person in people and first <= month and months_on(month, 1) <= end:
                found[person][place].append(amount)
    better = select(PerformanceMeasure.better).where(
        PerformanceMeasure.measure == programme.performance, known_at(PerformanceMeasure, as_of)
    )
    sign = -1 if scope.session.scalar(better) == "lower" else 1
    return {
        person: sign * (mean(after) - mean(before)) for person, (before, after) in found.items() if before and after
    }


def _measured(scope: Scope) -> tuple[list[Programme], dict[tuple[str, int], Decimal], list[Decimal], int]:
    """The programmes, their people's changes, those of the groups they are compared with, and who has no pair."""
    programmes, trained, compared, lacking = _due(scope), {}, [], 0
    asked = set(scope.session.scalars(select(scope.candidates.c.person_id)))
    for one in programmes:
        people = _trained(scope, one) & asked
        theirs = _changes(scope, one, people)
        lacking += len(people) - len(theirs)
        trained.update({(one.programme, person): change for person, change in theirs.items()})
        group: set[int] = set(scope.session.scalars(named(one.programme, "comparison", scope.question.as_of)))
        compared += list(_changes(scope, one, group).values()) if group else []
    return programmes, trained, compared, lacking


def _answer(scope: Scope) -> Answer:
    programmes, trained, compared, lacking = _measured(scope)
    if not programmes:
        return Answer(reason=NOT_YET)
    values = list(trained.values())
    total = sum(values, Decimal(0))
    exclusions = {"no_pair": lacking, **changes.few(values)}
    if len({one.performance for one in programmes}) > 1:
        return Answer(reason=SEVERAL, exclusions=exclusions, beside={"programmes": len(programmes)})
    if len(values) < 2:
        return Answer(total, len(values), None, changes.TOO_FEW, exclusions, beside={"pairs": len(values)})
    shown = difference(values, compared) if compared else mean_with_interval(values)
    beside: dict[str, Number] = {"programmes": len(programmes), **changes.beside(values, shown)}
    if compared:
        beside |= {
            "trained_change": mean(values),
            "comparison_change": mean(compared),
            "comparison_pairs": len(compared),
        }
    return Answer(total, len(values), shown.value, None, exclusions, beside=beside)


def _members(scope: Scope, side: str) -> list[Member]:
    """Denominator: who has a pair; numerator: who improved; gap: who did not."""
    _, trained, _, _ = _measured(scope)
    query = select(Person.id, Person.employee_number, Person.name)
    wanted = scope.among_ids(Person.id, {person for _, person in trained})
    people = {person: Member(number, name) for person, number, name in scope.session.execute(query.where(wanted))}
    return [
        Member(people[person].employee_number, people[person].name, programme)
        for (programme, person), change in trained.items()
        if side == "denominator" or (change > 0) == (side == "numerator")
    ]


FIGURE = Measured(
    name="results",
    title=Words("Results", "业务结果"),
    definition=Words(
        "How much better people's performance figure is in the 6th to 12th month after a programme than in the 6 months "
        "before it: the mean of the paired changes, in the figure's own unit, above zero where it improved, whichever "
        "way is better. With its 95 % interval and the number of pairs. People: who of the programme's target completed "
        "one of its courses while it ran. Where a comparison group is named, their mean change is taken off (difference "
        "in differences). Only months that lie whole in the windows count. A programme belongs to the period in which "
        "its 12 months end. Fewer than two pairs give no value.",
        "参训人员绩效指标在培训后第 6 至 12 个月与培训前 6 个月相比的平均改善（配对变化的平均值，按指标自身单位；无论指标越高越好"
        "还是越低越好，正数均为改善），并列 95% 置信区间和配对数。人员为项目目标人群中在项目期间完成其任一课程者。"
        "指定对照组时减去对照组的平均变化（双重差分）。只计完整落在时间窗内的月份。项目归属其满 12 个月之日所在的期间。"
        "配对不足两组则没有数值。",
    ),
    nothing=NOT_YET,
    streams=("employees", "completions"),
    answer=_answer,
    members=_members,
    each=Words("Programme", "培训项目"),
    breakdowns=("programme", "department", "position", "grade"),
    unit="number",
    counts={
        **changes.WORDS,
        "programmes": Words("programmes", "项目数"),
        "no_pair": Words("trained, without values both before and after", "已参训但缺少培训前或培训后的数值"),
        "trained_change": Words("mean change of those trained", "参训者的平均变化"),
        "comparison_change": Words("mean change of the comparison group", "对照组的平均变化"),
        "comparison_pairs": Words("pairs of the comparison group", "对照组配对数"),
    },
)

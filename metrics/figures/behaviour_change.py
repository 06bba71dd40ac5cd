"""Behaviour change (level 3): how supervisors rated people before a programme and some months after it."""

from collections import defaultdict
from decimal import Decimal

from sqlalchemy import and_, or_, select

from metrics.figures import changes
from metrics.figures.figure import Member
from metrics.figures.measured import Answer, Measured
from metrics.figures.scope import Scope
from metrics.figures.statistics import mean, mean_with_interval
from metrics.figures.survey_counts import scaled
from metrics.figures.words import Words
from metrics.inputs.models import SupervisorRating, known_at
from plugin.models import Person

Pair = tuple[str, int]  # programme and person


def _ratings(scope: Scope) -> tuple[dict[Pair, Decimal], int, dict[int, Member]]:
    """The change of each pair that is rated at both times, how many are rated after only, and who they are."""
    question, candidates = scope.question, scope.candidates
    period = question.period
    before, after = SupervisorRating.moment == "before", SupervisorRating.moment == "after"
    query = (
        select(SupervisorRating, Person.employee_number, Person.name)
        .join(candidates, candidates.c.person_id == SupervisorRating.person_id)
        .join(Person, Person.id == SupervisorRating.person_id)
        .where(
            known_at(SupervisorRating, question.as_of),
            or_(
                before,
                and_(
                    after,
                    SupervisorRating.months_after == question.months,
                    SupervisorRating.rated_on >= period.first_day,
                    SupervisorRating.rated_on < period.end_day,
                    SupervisorRating.rated_on <= question.population_date,
                ),
            ),
        )
    )
    if question.programme is not None:
        query = query.where(SupervisorRating.programme == question.programme)
    rated: dict[Pair, dict[str, dict[str, Decimal]]] = defaultdict(lambda: {"before": {}, "after": {}})
    people: dict[int, Member] = {}
    for row, number, name in scope.session.execute(query):
        pair = (row.programme, row.person_id)
        rated[pair][row.moment][row.dimension] = scaled(row.score, row.lowest, row.highest)
        people[row.person_id] = Member(number, name)
    found: dict[Pair, Decimal] = {}
    alone = 0
    for pair, by_moment in rated.items():
        both = by_moment["before"].keys() & by_moment["after"].keys()
        if both:
            found[pair] = mean([by_moment["after"][each] - by_moment["before"][each] for each in sorted(both)])
        else:
            alone += bool(by_moment["after"])
    return found, alone, people


def _answer(scope: Scope) -> Answer:
    found, alone, _ = _ratings(scope)
    values = list(found.values())
    exclusions = {"rated_once": alone, **changes.few(values)}
    if len(values) < 2:
        reason = changes.TOO_FEW if values else None
        return Answer(sum(values, Decimal(0)), len(values), None, reason, exclusions, beside=changes.beside(values))
    return Answer(
        numerator=sum(values, Decimal(0)),
        denominator=len(values),
        value=mean_with_interval(values).value,
        exclusions=exclusions,
        beside=changes.beside(values),
    )


def _members(scope: Scope, side: str) -> list[Member]:
    """Denominator: who has a pair; numerator: who improved; gap: who did not."""
    found, _, people = _ratings(scope)
    return [
        Member(people[person].employee_number, people[person].name, programme)
        for (programme, person), change in found.items()
        if side == "denominator" or (change > 0) == (side == "numerator")
    ]


FIGURE = Measured(
    name="behaviour_change",
    title=Words("Behaviour change", "行为改变"),
    definition=Words(
        "The mean change of supervisors' ratings from before a programme to 3 months after it (or as many as are asked "
        "for), on a scale from 0 to 1, over the people who were rated at both times; with its 95 % interval, the number "
        "of pairs, and the share improved. A pair belongs to the period of its rating after. Who was rated on several "
        "dimensions counts with their mean, of those rated at both times. Who was rated after only is left out and "
        "counted. Numerator: the sum of the changes; the people listed for it are those who improved.",
        "主管评分从培训前到培训后 3 个月（或所问的月数）的平均变化，折算为 0 至 1 的分值，仅计前后均有评分者；并列 95% 置信区间、"
        "配对数和有改善的比例。配对归属其培训后评分所在的期间。多个维度取前后均有评分的维度的平均值。仅有培训后评分者不计入，"
        "另行计数。分子为变化之和；分子名单为有改善者。",
    ),
    nothing=Words("Nobody was rated both before and after.", "没有前后均有评分的人员。"),
    streams=(),
    answer=_answer,
    members=_members,
    each=Words("Programme", "培训项目"),
    breakdowns=("programme", "department", "position", "grade", "month"),
    unit="change",
    counts={**changes.WORDS, "rated_once": Words("rated after and not before", "仅有培训后评分")},
)

"""Return on investment: what programmes brought for what they cost."""

from collections.abc import Sequence
from decimal import Decimal

from sqlalchemy import func, select

from metrics.figures.figure import Number
from metrics.figures.measured import Answer, Measured
from metrics.figures.money import CENT, NO_RATE, costs, rates
from metrics.figures.scope import WITHOUT, Scope
from metrics.figures.words import Words
from metrics.inputs.models import Benefit, Programme, known_at

NO_BENEFIT = Words("No benefit is stated in the period.", "期间内没有收益声明。")
NO_ISOLATION = Words(
    "A statement of benefit says nothing of how much of it is the training's doing: no isolation factor, no figure.",
    "有收益声明未说明其中归因于培训的比例；没有隔离系数，不得出数值。",
)
NO_COST = Words("No cost of these programmes is on record.", "这些项目没有费用记录。")


def _statements(scope: Scope) -> Sequence[Benefit]:
    question, period = scope.question, scope.question.period
    query = select(Benefit).where(
        known_at(Benefit, question.as_of),
        Benefit.stated_on >= period.first_day,
        Benefit.stated_on < period.end_day,
        Benefit.stated_on <= question.population_date,
    )
    if question.programme is not None:
        query = query.where(Benefit.programme == question.programme)
    if question.category is not None:
        of_it = select(Programme.programme).where(
            func.coalesce(Programme.category, WITHOUT) == question.category, known_at(Programme, question.as_of)
        )
        query = query.where(Benefit.programme.in_(of_it))
    return scope.session.scalars(query).all()


def _answer(scope: Scope) -> Answer:
    question = scope.question
    statements, worth = _statements(scope), rates(scope.session, question)
    programmes = {one.programme for one in statements}
    gross = benefit = Decimal(0)
    for one in statements:
        amount = worth.converted(one.amount, one.currency, one.stated_on) or Decimal(0)
        gross += amount
        sure = Decimal(1) if one.confidence is None else one.confidence
        benefit += (amount * (one.isolation or Decimal(0)) * sure).quantize(CENT)
    by_kind = dict.fromkeys(("direct", "indirect", "time"), Decimal(0))
    timed = set()
    for row in scope.session.execute(costs(scope)):
        if row.programme in programmes and row.spent_on <= question.population_date:
            by_kind[row.kind] += worth.converted(row.amount, row.currency, row.spent_on) or 0
            timed |= {row.programme} if row.kind == "time" else set()
    cost = sum(by_kind.values(), Decimal(0))
    without = sum(one.isolation is None for one in statements)
    reason = None
    if not statements:
        reason = NO_BENEFIT
    elif without:
        reason = NO_ISOLATION
    elif worth.lacking:
        reason = NO_RATE
    elif cost <= 0:
        reason = NO_COST
    beside: dict[str, Number] = {
        "gross_benefit": gross,
        "cost_direct": by_kind["direct"],
        "cost_indirect": by_kind["indirect"],
        "cost_time": by_kind["time"],
        "programmes": len(programmes),
    }
    if reason is None:
        beside = {"net_return": (benefit - cost) / cost, **beside}
    return Answer(
        numerator=Decimal(0) if without else benefit,
        denominator=cost,
        value=None if reason else benefit / cost,
        reason=reason,
        exclusions={"no_isolation": without},
        not_visible={
            "no_rate": worth.lacking,
            "no_time_cost": len(programmes - timed),
            "confidence_assumed": sum(one.confidence is None for one in statements),
        },
        beside=beside,
    )


FIGURE = Measured(
    name="roi",
    title=Words("Return on investment", "投资回报率"),
    definition=Words(
        "The benefit-cost ratio: benefit / cost; beside it (benefit - cost) / cost. Benefit: the savings, and the "
        "performance in money, that were stated in the period, each times its isolation factor (how much of it is the "
        "training's doing) and its confidence. Cost: everything that the same programmes cost until the period's end, "
        "direct, indirect and the participants' time. Amounts in other currencies are converted by the rate of their "
        "day. Without an isolation factor there is no figure.",
        "效益成本比：收益／成本；并列净回报率：（收益－成本）／成本。收益为期间内声明的节约额和绩效改善折合金额，各乘以其隔离系数"
        "（归因于培训的比例）和可信度。成本为相同项目截至期间结束的全部费用，包括直接费用、间接费用和参训人员工时成本。"
        "外币金额按当日汇率折算。没有隔离系数则不得出数值。",
    ),
    nothing=NO_BENEFIT,
    streams=(),
    answer=_answer,
    members=None,
    breakdowns=("programme",),
    unit="ratio",
    counts={
        "no_isolation": Words("statements without an isolation factor", "缺少隔离系数的声明"),
        "no_rate": Words("amounts without a rate of their day", "缺少当日汇率的金额（笔数）"),
        "no_time_cost": Words("programmes without a cost of the participants' time", "没有参训人员工时成本的项目"),
        "confidence_assumed": Words(
            "statements without a confidence, taken as certain", "未注明可信度、按 100% 计的声明"
        ),
        "net_return": Words("(benefit - cost) / cost", "净回报率（收益－成本）／成本"),
        "gross_benefit": Words("benefit as stated", "声明的收益"),
        "cost_direct": Words("cost: direct", "直接费用"),
        "cost_indirect": Words("cost: indirect", "间接费用"),
        "cost_time": Words("cost: participants' time", "参训人员工时成本"),
        "programmes": Words("programmes", "项目数"),
    },
    about_people=False,
)

"""Cost control rate: what was spent of the budget."""

from decimal import Decimal

from metrics.figures.measured import Answer, Measured
from metrics.figures.money import NO_RATE, budget, costs, first_day_of, rates
from metrics.figures.periods import Period
from metrics.figures.scope import Scope
from metrics.figures.words import Words

NO_BUDGET = Words("There is no budget for a quarter of the period.", "期间内的各季度没有预算。")
BUDGETED = ("direct", "indirect")


def _answer(scope: Scope) -> Answer:
    question, period = scope.question, scope.question.period
    worth = rates(scope.session, question)
    planned = {kind: Decimal(0) for kind in BUDGETED}
    spent = dict(planned)
    lines = time_costs = 0
    for row in scope.session.execute(budget(scope)):
        quarter = Period.parse(row.quarter, question.zone)
        if quarter.first_day >= period.first_day and quarter.end_day <= period.end_day:
            lines += 1
            planned[row.kind] += worth.converted(row.amount, row.currency, first_day_of(row.quarter)) or 0
    for row in scope.session.execute(costs(scope)):
        if period.first_day <= row.spent_on < period.end_day and row.spent_on <= question.population_date:
            if row.kind not in BUDGETED:
                time_costs += 1
                continue
            spent[row.kind] += worth.converted(row.amount, row.currency, row.spent_on) or 0
    total, allowed = sum(spent.values(), Decimal(0)), sum(planned.values(), Decimal(0))
    beside = {
        **{f"spent_{kind}": spent[kind] for kind in BUDGETED},
        **{f"budget_{kind}": planned[kind] for kind in BUDGETED},
    }
    reason = NO_RATE if worth.lacking else NO_BUDGET if not allowed else None
    return Answer(
        numerator=total,
        denominator=allowed,
        value=None if reason else total / allowed,
        reason=reason,
        exclusions={"participants_time": time_costs},
        not_visible={"no_rate": worth.lacking},
        beside={**beside, "budget_lines": lines, "left_over": allowed - total},
    )


FIGURE = Measured(
    name="cost_control",
    title=Words("Cost control rate", "成本控制率"),
    definition=Words(
        "What was spent in the period, direct and indirect, out of the budget of the quarters that lie whole in the "
        "period, in the organisation's currency: an amount in another one is converted by the newest rate of its day, "
        "a budget line by that of its quarter's first day. A cost belongs to the programme and the department that it "
        "names, else to its budget line's. What the participants' time cost is not budgeted and left out. Without a "
        "budget there is no value.",
        "期间内实际发生的直接与间接费用占预算的比例；预算取完整落在期间内的各季度之和。金额以本币计：外币费用按发生当日的最新汇率"
        "折算，预算按所属季度首日的汇率折算。费用归属其注明的项目和部门，未注明者归属其预算行的项目和部门。参训人员的工时成本"
        "不列入预算，不计入。没有预算则没有数值。",
    ),
    nothing=NO_BUDGET,
    streams=(),
    answer=_answer,
    members=None,
    breakdowns=("department", "programme", "quarter"),
    unit="share",
    counts={
        "participants_time": Words("costs that are the participants' time", "参训人员工时成本（笔数）"),
        "no_rate": Words("amounts without a rate of their day", "缺少当日汇率的金额（笔数）"),
        "spent_direct": Words("spent: direct", "实际直接费用"),
        "spent_indirect": Words("spent: indirect", "实际间接费用"),
        "budget_direct": Words("budget: direct", "预算直接费用"),
        "budget_indirect": Words("budget: indirect", "预算间接费用"),
        "budget_lines": Words("budget lines", "预算行数"),
        "left_over": Words("budget left over", "预算结余"),
    },
    about_people=False,
)

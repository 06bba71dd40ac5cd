"""Promotion records by eligibility."""

from typing import Any

from sqlalchemy import Select, func, select

from metrics.certification.models import Promotion
from metrics.figures.ratio import Ratio
from metrics.figures.scope import Scope, flag
from metrics.figures.words import Words

CODES = ("conditional", "blocked")


def _facts(scope: Scope) -> Select[Any]:
    """For each promotion record whether the person is eligible."""
    people = scope.people
    answer = Promotion.eligibility
    return (
        select(
            people.c.slice,
            people.c.person_id,
            Promotion.promotion_id.label("course"),
            flag(func.coalesce(answer, "") == "eligible").label("numerator"),
            flag(answer.is_not(None)).label("denominator"),
            flag(answer.is_(None)).label("unanswered"),
            *(flag(func.coalesce(answer, "") == code).label(code) for code in CODES),
            flag(Promotion.closed_at.is_not(None)).label("closed"),
        )
        .select_from(people)
        .join(Promotion, Promotion.person_id == people.c.person_id)
        .where(scope.within(Promotion.proposed_at))
    )


FIGURE = Ratio(
    name="promotion_eligibility",
    title=Words("Promotion records by eligibility", "晋升记录资格分布"),
    definition=Words(
        "Promotion and pay records that HR proposed in the period whose certifications are all held (eligible), out of "
        "those that were answered. Beside it the conditional, the blocked and the closed ones. The answer is the one "
        "that stands now, or stood when HR closed the record, whatever moment is asked for.",
        "期间内人力资源部提出的晋升与调薪记录中，所需证书均已持有（符合）者占已答复记录的比例。并列有条件、不符合和已关闭的记录数。"
        "答复为当前答复，或记录关闭时的答复，与所问时刻无关。",
    ),
    nothing=Words("No promotion record of the period was answered.", "期间内没有已答复的晋升记录。"),
    streams=("employees",),
    facts=_facts,
    exclusions={"unanswered": Words("not answered yet", "尚未答复")},
    beside={
        "conditional": Words("conditional", "有条件"),
        "blocked": Words("blocked", "不符合"),
        "closed": Words("closed by HR", "已关闭"),
    },
    counts_enrolments=True,
    each=Words("Record", "记录"),
    breakdowns=("department", "position", "grade", "month"),
)

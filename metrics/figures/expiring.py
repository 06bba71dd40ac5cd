"""Expiring: which of the certifications that are held end in the period."""

from typing import Any

from sqlalchemy import Select, select

from metrics.figures import duties
from metrics.figures.ratio import Ratio
from metrics.figures.scope import Scope, flag
from metrics.figures.where_people_stand import ENDING, standings
from metrics.figures.words import Words


def _facts(scope: Scope) -> Select[Any]:
    """For each person and certification that they hold whether it ends in the slice, and whether it is required."""
    where, people = standings(scope), scope.people
    return (
        select(
            where.c.slice,
            where.c.person_id,
            where.c.certification.label("course"),
            where.c.ends.label("numerator"),
            flag(where.c.status.in_(ENDING)).label("denominator"),
            flag((where.c.ends == 1) & (where.c.required == 1)).label("expiring_required"),
        )
        .join(people, (people.c.person_id == where.c.person_id) & (people.c.slice == where.c.slice))
        .where(where.c.status.in_(ENDING))
    )


FIGURE = Ratio(
    name="expiring",
    title=Words("Expiring", "到期情况"),
    definition=Words(
        "Certifications that are held and end in the period, out of all that are held; people by certifications, as "
        "of the as-of time (or the period's end, if earlier). Broken down by month it says how many end in each month, "
        "also of months to come.",
        "已持有的证书中在期间内到期者占全部已持有证书的比例，按人次计；以所问时刻（或期间结束时，取较早者）为准。"
        "按月分列即为各月到期人次，包括未来月份。",
    ),
    nothing=Words("Nobody of the population holds a certification.", "目标人群中无人持证。"),
    streams=duties.STREAMS,
    facts=_facts,
    beside={"expiring_required": Words("of these, required", "其中须持证书")},
    counts_enrolments=True,
    falls_short=False,
    breakdowns=duties.BREAKDOWNS,
    each=duties.EACH,
    looks_ahead=True,
)

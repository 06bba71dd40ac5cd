"""What the figures about required certifications have in common: people by certifications, without those exempt."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Select, select

from metrics.figures.scope import Scope, flag
from metrics.figures.where_people_stand import standings
from metrics.figures.words import Words

NOTHING = Words("Nobody of the population must hold a certification.", "目标人群中无人须持证。")
EXEMPT = {"exempted": Words("exempt from the certification", "获豁免的人次")}
EACH = Words("Certification", "证书")
STREAMS = ("employees", "completions", "results")
# A certification belongs to no course of the LMS, and what is required of whom to no programme.
BREAKDOWNS = ("department", "position", "grade", "certification", "month")


def required(scope: Scope, counts: Callable[[Any], ColumnElement[bool]], beside: tuple[str, ...] = ()) -> Select[Any]:
    """For each person and certification that they must hold whether it counts; `beside` are statuses that are counted."""
    where, people = standings(scope), scope.people
    due = where.c.status != "exempt"
    return (
        select(
            where.c.slice,
            where.c.person_id,
            where.c.certification.label("course"),
            flag(due & counts(where)).label("numerator"),
            flag(due).label("denominator"),
            flag(~due).label("exempted"),
            *(flag(due & (where.c.status == status)).label(status) for status in beside),
        )
        .join(people, (people.c.person_id == where.c.person_id) & (people.c.slice == where.c.slice))
        .where(where.c.required == 1)
    )

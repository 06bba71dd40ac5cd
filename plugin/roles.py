"""What signed-in users may see and do: the rights, who has each, and about whom.

Roles add up; what none of a user's roles allows is absent. A right reaches everybody, those below the user in the tree
of managers, or the user alone; docs/roles.md shows the same matrix for people.
"""

from collections.abc import Collection
from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, false, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute, aliased

from plugin.models import Assignment, Person

ROLES = ("administrator", "operator", "coordinator", "assessor", "hr", "manager", "employee", "auditor")


class Reach(StrEnum):
    """About whom, or about what, a role has a right."""

    EVERYBODY = "everybody"
    SUBTREE = "own subtree"
    OWN = "own"
    AREA = "own area"  # the acts of one's own area, in the audit trail


PERSONAL = frozenset({Reach.SUBTREE, Reach.OWN})  # mean something only for an account that is an employee's


def _for(everybody: str = "", *, subtree: str = "", own: str = "", area: str = "") -> dict[str, Reach]:
    """Which role has a right, and how far it reaches."""
    named = {Reach.EVERYBODY: everybody, Reach.SUBTREE: subtree, Reach.OWN: own, Reach.AREA: area}
    return {role: reach for reach, roles in named.items() for role in roles.split()}


# A page names one of these rights. What ends in `.see` only looks; the others act.
RIGHTS: dict[str, dict[str, Reach]] = {
    # Sources, addons, sync state, quarantine
    "sync.see": _for("administrator operator coordinator auditor"),
    "sync.do": _for("administrator"),
    # Files of people and the organisation: handing in, using, letting a held one through
    "roster.do": _for("administrator hr"),
    # Linking the accounts of sources with employees
    "identities.see": _for("administrator coordinator hr auditor"),
    "identities.do": _for("administrator coordinator hr"),
    # Endpoints, keys, deliveries, and mail
    "deliveries.see": _for("administrator operator hr auditor"),
    "deliveries.replay": _for("administrator operator"),
    "endpoints.do": _for("administrator"),
    "mail.see": _for("administrator operator"),
    "mail.retry": _for("administrator operator"),
    # People: finding them; who they are and what they hold; the whole record with evidence and explanations
    "people.list": _for("administrator coordinator assessor hr auditor", subtree="manager"),
    "people.see": _for("administrator coordinator assessor hr auditor", subtree="manager", own="employee"),
    "people.record": _for("administrator coordinator hr auditor", subtree="manager", own="employee"),
    # Rules and requirements
    "rules.see": _for("coordinator hr manager auditor", own="employee"),
    "rules.do": _for("coordinator"),
    # Assessments and external certificates
    "assessments.see": _for("coordinator assessor auditor", own="employee"),
    "assessments.do": _for("coordinator assessor"),
    "assessments.hand_in": _for(own="employee"),
    # Exempting, revoking, reinstating
    "awards.see": _for("coordinator hr auditor"),
    "awards.propose": _for("coordinator"),
    "awards.do": _for("hr"),
    # Promotion and pay records
    "promotions.see": _for("coordinator hr auditor", subtree="manager", own="employee"),
    "promotions.do": _for("hr"),
    # Figures, without names and with them
    "figures.see": _for("administrator coordinator hr auditor", subtree="manager"),
    "figures.names": _for("coordinator hr auditor", subtree="manager"),
    # Plan, budget, costs, surveys, improvement list: managers and employees the items that they own
    "plans.see": _for("coordinator hr auditor", own="manager employee"),
    "plans.do": _for("coordinator"),
    # Users, roles, API tokens
    "users.see": _for("administrator auditor"),
    "users.do": _for("administrator"),
    # The audit trail
    "audit.see": _for("auditor", area="administrator hr"),
    # Exporting and erasing a person
    "erasures.see": _for("administrator auditor"),
    "erasures.propose": _for("hr"),
    "erasures.do": _for("administrator"),
    "exports.do": _for("administrator", own="employee"),
}


def reaches(roles: Collection[str], right: str, person_id: int | None) -> frozenset[Reach]:
    """How far the right reaches for somebody with these roles who is this employee (None: nobody's account)."""
    found = frozenset(reach for role, reach in RIGHTS[right].items() if role in roles)
    return found if person_id is not None else found - PERSONAL


def below(person_id: int, day: date) -> Select[int]:
    """The ids of all who are below the person in the tree of managers on `day`, without those who have left by then.

    A ring in the tree does no harm. Who reports to somebody who has left is still below whoever is above them.
    """
    root = aliased(Person)
    tree = select(root.id, root.employee_number).where(root.id == person_id).cte(recursive=True)
    report, place = aliased(Person), aliased(Assignment)
    tree = tree.union(
        select(report.id, report.employee_number)
        .join(place, place.person_id == report.id)
        .join(tree, place.manager_number == tree.c.employee_number)
        .where(place.valid_from <= day, or_(place.valid_until.is_(None), place.valid_until > day))
    )
    member = aliased(Person)
    return (
        select(member.id)
        .join(tree, tree.c.id == member.id)
        .where(member.id != person_id, or_(member.left_on.is_(None), member.left_on > day))
    )


def within(
    found: Collection[Reach],
    person_id: int | None,
    day: date,
    column: ColumnElement[Any] | InstrumentedAttribute[Any] = Person.id,
) -> ColumnElement[bool]:
    """The condition that the person in `column` is one whom these reaches of the employee `person_id` cover."""
    if Reach.EVERYBODY in found:
        return true()
    conditions: list[ColumnElement[bool]] = []
    if person_id is not None and Reach.OWN in found:
        conditions.append(column == person_id)
    if person_id is not None and Reach.SUBTREE in found:
        conditions.append(column.in_(below(person_id, day)))
    return or_(*conditions) if conditions else false()

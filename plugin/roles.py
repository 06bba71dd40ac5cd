"""The roles of signed-in users. Roles add up; what none of a user's roles allows is absent."""

ROLES = ("administrator", "operator", "coordinator", "assessor", "hr", "manager", "employee", "auditor")

# Which roles may see and do what; a page or an API call names one of these rights.
RIGHTS: dict[str, frozenset[str]] = {
    "sync.see": frozenset({"administrator", "operator", "coordinator", "auditor"}),
    "sync.do": frozenset({"administrator"}),
    "people.see": frozenset({"administrator", "coordinator", "hr", "auditor"}),
    "promotions.see": frozenset({"coordinator", "hr", "auditor"}),
    "figures.see": frozenset({"administrator", "coordinator", "hr", "auditor"}),
    "figures.names": frozenset({"coordinator", "hr", "auditor"}),
    "deliveries.see": frozenset({"administrator", "operator", "hr", "auditor"}),
    "deliveries.replay": frozenset({"administrator", "operator"}),
}


def allows(roles: list[str], right: str) -> bool:
    """Whether somebody with these roles has the right."""
    return not RIGHTS[right].isdisjoint(roles)

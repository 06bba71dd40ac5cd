"""Whose acts are whose: what a role with the reach 'own area' sees of the audit trail.

An act belongs to the area of every role that may do such an act itself. The beginning of its `action`, up to the first
point, says of what kind it is. docs/audit.md has the same as a table; whatever stands in no area is for auditors.
"""

from collections.abc import Collection

AREAS: dict[str, tuple[str, ...]] = {
    "administrator": (
        "account.",
        "addon.",
        "alert.",
        "audit.",
        "delivery.",
        "endpoint.",
        "erasure.",
        "export.",
        "identity.",
        "keys.",
        "mail.",
        "person.",  # handed out, erased
        "quarantine.",
        "retention.",
        "roster.",
        "sign_in.",
        "source.",
        "sync.",
        "token.",
    ),
    "hr": ("award.", "erasure.", "identity.", "pay.", "promotion.", "roster."),
}


def area_of(roles: Collection[str]) -> frozenset[str]:
    """The beginnings of the actions that these roles see together."""
    return frozenset(beginning for role in roles for beginning in AREAS.get(role, ()))

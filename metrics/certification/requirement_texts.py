"""A requirement as people write it, in a line of a file or a form: every cell a text, empty where nothing is said."""

import re
from collections.abc import Mapping
from datetime import date

from metrics.certification import record_refusals as why
from metrics.certification.models import Requirement
from metrics.certification.refusals import RefusedInWordsError
from metrics.certification.requirement_checks import DUTY

COLUMNS = (
    "certification",
    "kind",
    "position",
    "grade",
    "department",
    "with_children",
    "tag",
    "people",
    "starts_on",
    "ends_on",
    "due_on",
    "due_within",
)
TRUTHS = {"": False, "no": False, "false": False, "0": False, "yes": True, "true": True, "1": True}


def read_requirement(cells: Mapping[str, str], today: date) -> tuple[Requirement, list[str]]:
    """The requirement, and the employee numbers that it lists; without a beginning it begins today.

    Raises RefusedError for what cannot be read. What it asks is checked when it is added.
    """
    said = {name: cells.get(name, "").strip() for name in COLUMNS}
    if not said["certification"]:
        raise RefusedInWordsError(why.EMPTY, field="certification")
    if said["with_children"].lower() not in TRUTHS:
        raise RefusedInWordsError(why.NEITHER, field="with_children", text=said["with_children"][:60])
    wanted = Requirement(
        certification=said["certification"],
        kind=said["kind"] or DUTY,
        position_code=said["position"] or None,
        grade_code=said["grade"] or None,
        department_code=said["department"] or None,
        with_children=TRUTHS[said["with_children"].lower()],
        tag=said["tag"] or None,
        starts_on=read_day(said, "starts_on") or today,
        ends_on=read_day(said, "ends_on"),
        due_on=read_day(said, "due_on"),
        due_within=said["due_within"] or None,
    )
    return wanted, [number for number in re.split(r"[;；,，\s]+", said["people"]) if number]


def read_day(cells: Mapping[str, str], name: str) -> date | None:
    """The day in a cell; None where it is empty. Raises RefusedError."""
    text = cells.get(name, "").strip()
    if not text:
        return None
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII) is None:
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise RefusedInWordsError(why.NOT_A_DAY, field=name, text=text[:60]) from None

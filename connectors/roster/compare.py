"""What using a file would change: who and what is added, changed field by field, or ended."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from typing import Any

from sqlalchemy.orm import Session

from connectors.roster.fields import EMPLOYEES, LEAVERS, MANAGERS
from connectors.roster.planning import Plan
from connectors.roster.reading import Line
from connectors.roster.rows import employee_of, unit_of
from plugin import people, tags
from plugin.people import Known, Unit

ADDED, CHANGED, ENDED = "added", "changed", "ended"
AT_A_TIME = 5_000
FIELDS = {"joined_on": "joined", "left_on": "left"}  # what columns are called


@dataclass(frozen=True)
class Change:
    """What a file would do to one employee, department, position or grade: the fields with what they hold before and after."""

    line: int | None  # None: it stands in the file no more
    what: str
    key: str
    name: str
    fields: Mapping[str, tuple[str, str]] = field(default_factory=dict)


@dataclass
class Counts:
    """How many rows do what."""

    added: int = 0
    changed: int = 0
    ended: int = 0
    unchanged: int = 0
    refused: int = 0

    def count(self, change: Change) -> None:
        """Count a change."""
        setattr(self, change.what, getattr(self, change.what) + 1)


def compare(session: Session, plan: Plan, today: date, counts: Counts) -> Iterator[Change]:
    """What would change, in the order of the file, and who ends last. `counts` counts it, and the rows that change nothing."""
    rest = plan.lines()
    while page := list(islice(rest, AT_A_TIME)):
        good = [line for line in page if not line.faults]
        counts.refused += len(page) - len(good)
        changes = list(_compared(session, plan, good, today))
        for change in changes:
            counts.count(change)
            yield change
        counts.unchanged += len(good) - len(changes)
    for start in range(0, len(plan.ends), AT_A_TIME):
        known = people.standing(session, plan.ends[start : start + AT_A_TIME])
        for number in plan.ends[start : start + AT_A_TIME]:
            before = known[number]
            change = Change(None, ENDED, number, before.name, {"left": (_text(before.left_on), str(today))})
            counts.count(change)
            yield change


def _compared(session: Session, plan: Plan, lines: Sequence[Line], today: date) -> Iterator[Change]:
    kind = plan.reading.kind
    if kind in (EMPLOYEES, MANAGERS, LEAVERS):
        known = people.standing(session, [line.said["employee_number"] for line in lines])
        tagged = tags.held_on(session, [each.person_id for each in known.values()], today) if _has_tags(plan) else {}
        for line in lines:
            found = known.get(line.said["employee_number"])
            change = _of_employee(line, found, today, tagged) if kind is EMPLOYEES else _of_one(line, found)
            if change is not None:
                yield change
        return
    units = people.known_units(session, kind.name, [line.said["code"] for line in lines])
    for line in lines:
        change = _of_unit(line, units.get(line.said["code"]))
        if change is not None:
            yield change


def _has_tags(plan: Plan) -> bool:
    return "tags" in plan.reading.columns


def _of_employee(line: Line, known: Known | None, today: date, tagged: Mapping[int, frozenset[str]]) -> Change | None:
    wanted = people.heard(employee_of(line.said), known, today)
    number, name = wanted.employee_number, wanted.name
    if known is None:
        shown = {key: ("", text) for key, text in line.said.items() if text and key not in ("employee_number", "name")}
        return Change(line.line, ADDED, number, name, shown)
    fields = {FIELDS.get(key, key): (_text(a), _text(b)) for key, (a, b) in people.differences(known, wanted).items()}
    has = tagged.get(known.person_id, frozenset())
    if wanted.tags is not None and wanted.tags != has:
        fields["tags"] = ("; ".join(sorted(has)), "; ".join(sorted(wanted.tags)))
    if not fields:
        return None
    ends = known.left_on is None and wanted.left_on is not None
    return Change(line.line, ENDED if ends else CHANGED, number, name, fields)


def _of_one(line: Line, known: Known | None) -> Change | None:
    """A row of managers or leavers."""
    if known is None:
        return None
    name = "left" if "left" in line.said else "manager"
    before = _text(known.left_on if name == "left" else known.manager)
    if before == line.said[name]:
        return None
    what = ENDED if name == "left" and not before else CHANGED
    return Change(line.line, what, line.said["employee_number"], known.name, {name: (before, line.said[name])})


def _of_unit(line: Line, known: Unit | None) -> Change | None:
    wanted = unit_of(line.said)
    names = ("name", "parent", "valid_from", "valid_until")
    if known is None:
        shown = {name: ("", _text(getattr(wanted, name))) for name in names[1:] if getattr(wanted, name)}
        return Change(line.line, ADDED, wanted.code, wanted.name, shown)
    fields = {
        name: (_text(getattr(known, name)), _text(getattr(wanted, name)))
        for name in names
        if getattr(known, name) != getattr(wanted, name)
    }
    return Change(line.line, CHANGED, wanted.code, wanted.name, fields) if fields else None


def _text(value: Any) -> str:
    return "" if value is None else str(value)

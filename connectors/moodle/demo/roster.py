"""What HR holds of the same organisation: the roster of employees and the promotion proposals."""

import csv
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TextIO

from connectors.moodle.demo.names import NEXT_POSITION, POSITIONS
from connectors.moodle.demo.organisation import Organisation
from connectors.moodle.demo.records import Employee

COLUMNS = (
    "employee_number", "name", "email", "department", "position", "grade", "manager", "joined", "left",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Proposal:
    """One promotion proposal as the sandbox HR system keeps it."""

    hr_id: str
    employee_number: str
    kind: str
    from_position: str
    to_position: str
    from_grade: str
    to_grade: str
    effective: date


def rows(organisation: Organisation) -> list[dict[str, str]]:
    """Return the roster, one row of text per employee, leavers included."""
    return [
        {
            "employee_number": employee.number,
            "name": employee.name,
            "email": employee.email,
            "department": employee.department,
            "position": employee.position,
            "grade": employee.grade,
            "manager": employee.manager,
            "joined": employee.joined.isoformat(),
            "left": employee.left.isoformat() if employee.left else "",
        }
        for employee in organisation.employees.values()
    ]


def write(organisation: Organisation, target: TextIO) -> None:
    """Write the roster as CSV to an open text file."""
    writer = csv.DictWriter(target, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows(organisation))


def write_file(organisation: Organisation, path: Path) -> None:
    """Write the roster as a UTF-8 CSV file."""
    with path.open("w", encoding="utf-8", newline="") as target:
        write(organisation, target)


def proposals(organisation: Organisation, count: int = 25) -> list[Proposal]:
    """Return promotion proposals spread over the staff; every fifth is about pay only."""
    candidates = [
        employee
        for employee in organisation.employees.values()
        if employee.left is None and employee.position in NEXT_POSITION
    ]
    step = max(1, len(candidates) // count)
    today = organisation.anchor.date()
    return [_proposal(number, employee, today) for number, employee in enumerate(candidates[::step][:count], start=1)]


def _proposal(number: int, employee: Employee, today: date) -> Proposal:
    pay = number % 5 == 0
    post = employee.position if pay else NEXT_POSITION[employee.position]
    lowest = next((paid[0] for position, paid, _ in POSITIONS if position == post), "G7")
    return Proposal(
        hr_id=f"PR-{number:04}",
        employee_number=employee.number,
        kind="pay" if pay else "promotion",
        from_position=employee.position,
        to_position=post,
        from_grade=employee.grade,
        to_grade=max(lowest, f"G{int(employee.grade[1:]) + 1}"),
        effective=(today + timedelta(days=20 + 7 * number)).replace(day=1),
    )

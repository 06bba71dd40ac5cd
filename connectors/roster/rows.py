"""From a row's texts to the record that is stored, and back to what it would change."""

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Any

from connectors.records import EmployeeRecord, LeaverRecord, ManagerRecord, Record, UnitRecord
from connectors.roster.fields import EMPLOYEES, LEAVERS, MANAGERS, Kind
from plugin import tags
from plugin.people import Employee, Unit

# The employees' fields in the file, and what `Employee` calls them.
CALLED = {"joined": "joined_on", "left": "left_on"}
NOT_ALWAYS = tuple(field.name for field in EMPLOYEES.fields if not field.required and field.name != "tags")


@lru_cache(maxsize=1_000)
def _unsaid(said: tuple[str, ...]) -> frozenset[str]:
    """The fields about which a row with these columns says nothing."""
    return frozenset(CALLED.get(name, name) for name in NOT_ALWAYS if name not in said)


def record_of(kind: Kind, said: Mapping[str, Any]) -> Record:
    """The record in a row that was found good."""
    if kind is EMPLOYEES:
        return EmployeeRecord(employee_of(said))
    if kind is MANAGERS:
        return ManagerRecord(said["employee_number"], said["manager"])
    if kind is LEAVERS:
        return LeaverRecord(said["employee_number"], _day(said, "left"))
    return UnitRecord(kind.name, unit_of(said))


def employee_of(said: Mapping[str, Any]) -> Employee:
    """The employee in a row."""
    given = said.get
    return Employee(
        said["employee_number"],
        said["name"],
        given("email") or None,
        given("department") or None,
        given("position") or None,
        given("grade") or None,
        given("manager") or None,
        _day(said, "joined"),
        _day(said, "left"),
        _tags(said["tags"]) if "tags" in said else None,
        _unsaid(tuple(said)),
    )


def unit_of(said: Mapping[str, Any]) -> Unit:
    """The department, position or grade in a row."""
    return Unit(
        said["code"],
        said.get("name") or said["code"],
        said.get("parent") or None,
        _day(said, "valid_from"),
        _day(said, "valid_until"),
    )


@lru_cache(maxsize=1 << 15)
def _date(text: str) -> date:
    return date.fromisoformat(text)


def _day(said: Mapping[str, Any], name: str) -> date | None:
    text = said.get(name)
    return _date(text) if text else None


@lru_cache(maxsize=4_096)
def _tags(text: str) -> frozenset[str]:
    return frozenset(tags.checked(tag) for tag in tags.SEPARATORS.split(text) if tag.strip())

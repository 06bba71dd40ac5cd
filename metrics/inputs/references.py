"""What the cells of a file refer to, looked up at once for all of its rows."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from connectors.models import Course
from metrics.figures.scope import course_label
from metrics.inputs import models
from metrics.inputs.columns import N_
from plugin.models import Department, Grade, Person, Position
from plugin.store import among

NOT_THERE: Mapping[str, str] = {
    "employee": N_("%(field)s: there is no employee %(text)s; check the number."),
    "department": N_("%(field)s: there is no department with the code %(text)s."),
    "position": N_("%(field)s: there is no position with the code %(text)s."),
    "grade": N_("%(field)s: there is no grade with the code %(text)s."),
    "course": N_("%(field)s: there is no course %(text)s; write its idnumber, or SOURCE/id:N where it has none."),
    "programme": N_("%(field)s: there is no programme %(text)s; import programmes first."),
    "lecturer": N_("%(field)s: there is no lecturer %(text)s; import lecturers first."),
    "venue": N_("%(field)s: there is no venue %(text)s; import venues first."),
    "line": N_("%(field)s: there is no budget line %(text)s; import the budget first."),
    "measure": N_("%(field)s: there is no performance figure %(text)s; import performance_measures first."),
    "competency": N_("%(field)s: there is no competency %(text)s; import competencies first."),
}
UNITS: Mapping[str, Any] = {"department": Department, "position": Position, "grade": Grade}
INPUTS: Mapping[str, Any] = {
    "programme": models.Programme.programme,
    "lecturer": models.Lecturer.lecturer,
    "venue": models.Venue.venue,
    "line": models.BudgetLine.line,
    "measure": models.PerformanceMeasure.measure,
    "competency": models.ModelCompetency.competency,
}


def found(session: Session, kind: str, codes: Iterable[str]) -> dict[str, Any]:
    """Those of the codes that exist, with what a row keeps: an employee's person id, else the code."""
    wanted = [(code,) for code in sorted(set(codes))]
    if not wanted:
        return {}
    if kind == "employee":
        query = select(Person.employee_number, Person.id).where(Person.erased_at.is_(None))
        return dict(session.execute(query.where(among(session, (Person.employee_number,), wanted))).all())
    if kind == "course":
        label = course_label(Course.source, Course.object)
        return {code: code for code in session.scalars(select(label).where(among(session, (label,), wanted)))}
    column = UNITS[kind].code if kind in UNITS else INPUTS[kind]
    query = select(column).where(among(session, (column,), wanted))
    if kind in INPUTS:
        query = query.where(column.class_.ended_at.is_(None))
    return {code: code for code in session.scalars(query)}

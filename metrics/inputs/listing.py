"""The rows of an input as they were known at a moment."""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from metrics.inputs.kinds import Kind
from metrics.inputs.models import known_at
from plugin.models import Person


def listed(session: Session, kind: Kind, moment: datetime) -> list[dict[str, Any]]:
    """The rows, each by the columns of the template, with employees by their numbers, and the row's own number."""
    query, columns = select(kind.model.id), []
    for column in kind.columns:
        value = getattr(kind.model, column.kept_as)
        if column.refers == "employee":
            person = aliased(Person)
            query = query.outerjoin(person, person.id == value)
            value = person.employee_number
        columns.append(value.label(column.name))
    query = query.add_columns(*columns).where(known_at(kind.model, moment)).order_by(kind.model.id)
    names = ["number", *(column.name for column in kind.columns)]
    return [dict(zip(names, row, strict=True)) for row in session.execute(query)]

"""Break-downs that are measured by asking for each part in turn: by programme, by lecturer, and others for small figures."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from connectors.models import Course
from metrics.figures.programmes import known_programmes, runs_in
from metrics.figures.question import Question
from metrics.figures.scope import WITHOUT, Scope, course_label
from metrics.inputs.models import CourseDetail, ModelCompetency, Programme, known_at
from plugin.errors import RefusedError
from plugin.models import Department, Grade, Position

PLACES: Mapping[str, Any] = {"department": Department, "position": Position, "grade": Grade}


def narrowed(session: Session, question: Question, by: str) -> Iterator[tuple[str, Question]]:
    """The parts by their labels, each with the question about it. A question that is narrowed so already has one part."""
    asked = getattr(question, by, None)
    if by in ("month", "quarter"):
        for period in question.period.months() if by == "month" else question.period.quarters():
            if period.start <= question.as_of:
                yield period.name, replace(question, period=period)
    elif asked is not None and not (by == "department" and question.with_children):
        yield asked, question
    else:
        for label in _labels(session, question, by):
            part: dict[str, Any] = {by: label}
            yield label, replace(question, **part)


def _labels(session: Session, question: Question, by: str) -> list[str]:
    """What there is of it, those without one last."""
    if by == "programme":
        found = [one.programme for one in known_programmes(session, question.as_of) if runs_in(one, question.period)]
    elif by == "lecturer":
        teaching = (CourseDetail, Programme)
        found = [
            str(code)
            for model in teaching
            for code in session.scalars(select(model.lecturer).where(known_at(model, question.as_of)))
            if code is not None
        ]
    elif by in PLACES:
        found = [*session.scalars(select(PLACES[by].code)), WITHOUT]
        if by == "department" and question.department is not None:  # with those below it
            below = Scope(session, question).below
            top = select(Department.id).where(Department.code == question.department)
            within = select(below.c.id).where(below.c.root_id.in_(top))
            found = list(session.scalars(select(Department.code).where(Department.id.in_(within))))
    elif by in ("course", "category"):
        scope = Scope(session, question)
        label = (
            func.coalesce(Course.category, WITHOUT) if by == "category" else course_label(Course.source, Course.object)
        )
        found = list(session.scalars(select(label).where(*scope.asked_courses).distinct()))
        if by == "category":
            own = select(Programme.category).where(known_at(Programme, question.as_of))
            found += [code or WITHOUT for code in session.scalars(own)]
    elif by == "competency":
        found = list(
            session.scalars(select(ModelCompetency.competency).where(known_at(ModelCompetency, question.as_of)))
        )
    else:
        raise RefusedError(f"Figures do not break down by {by!r}.")
    return sorted(set(found), key=lambda code: (code == WITHOUT, code))

"""Answers to imported satisfaction surveys, added to those of the LMS."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from sqlalchemy import and_, or_, select

from connectors.models import Course
from metrics.figures.scope import Scope, course_label
from metrics.figures.survey_counts import Scores, dimension_of, narrows_people, scaled
from metrics.inputs.models import SurveyEntry, known_at

IN, OUTSIDE, UNDATED, UNPLACED = "in", "outside", "undated", "unplaced"
Sheet = tuple[str, str]  # survey and respondent


def add_imports(scope: Scope, found: Scores) -> None:
    """Count the imported answers of the question's courses, programme, people and period."""
    there = set(scope.session.scalars(select(scope.people.c.person_id))) if narrows_people(scope) else None
    sheets: dict[str, set[Sheet]] = {}
    states: dict[str, set[Sheet]] = {IN: set(), UNDATED: set(), UNPLACED: set()}
    by_course: set[Sheet] = set()
    for entry, source, course_key, ends_at in _entries(scope):
        dimension, sheet = dimension_of(entry.dimension), (entry.survey, entry.respondent)
        if dimension not in scope.question.dimensions:
            continue
        ends_on = ends_at.astimezone(scope.question.zone).date() if ends_at is not None else None
        state = _state(scope, entry, entry.answered_on or ends_on, there)
        if state != IN:
            states.setdefault(state, set()).add(sheet)
            continue
        states[IN].add(sheet)
        if entry.answered_on is None:
            by_course.add(sheet)
        found.add(dimension, scaled(entry.score, entry.lowest, entry.highest), 1)
        sheets.setdefault(dimension, set()).add(sheet)
        if entry.person_id is None:
            found.anonymous.add(dimension)
            found.has_anonymous = True
        if course_key is not None:
            found.courses.add((source, course_key))
    for dimension, theirs in sheets.items():
        found.sheets[dimension] = found.sheets.get(dimension, 0) + len(theirs)
    found.respondents += len(states[IN])
    found.undated += len(states[UNDATED])
    found.unplaced += len(states[UNPLACED])
    found.dated_by_course += len(by_course)


def _entries(scope: Scope) -> Iterable[Any]:
    """The entries with a score about a dimension, of the question's courses or programme, with their courses."""
    question, entry = scope.question, SurveyEntry
    query = (
        select(entry, Course.source, Course.course_key, Course.ends_at)
        .outerjoin(Course, course_label(Course.source, Course.object) == entry.course)
        .where(known_at(entry, question.as_of), entry.purpose == "satisfaction", entry.score.is_not(None))
        .where(entry.dimension.is_not(None))
    )
    ways = [and_(Course.id.is_not(None), *scope.asked_courses)] if scope.asked_courses else []
    if question.programme is not None:
        ways.append(entry.programme == question.programme)
    return scope.session.execute(query.where(or_(*ways)) if ways else query)


def _state(scope: Scope, entry: SurveyEntry, day: date | None, there: set[int] | None) -> str:
    """What becomes of an answer of that day; `there` are the people asked about, None where all are."""
    period = scope.question.period
    if day is None:
        return UNDATED
    if not period.first_day <= day < period.end_day or day > scope.question.population_date:
        return OUTSIDE
    if there is not None and entry.person_id not in there:
        return UNPLACED if entry.person_id is None else OUTSIDE
    return IN

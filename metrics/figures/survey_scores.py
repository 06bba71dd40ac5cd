"""Answers to satisfaction surveys, counted: from the LMS's feedback activities and from imported surveys.

A question of a feedback activity is about the dimension that its label names (`content`, `content 2`, `Learning gain`).
Its answer is one of n options from the poorest to the best, so that the k-th is (k - 1) / (n - 1). An answer without a
time is dated by its course's end; one that cannot be dated is counted apart.
"""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, and_, case, func, literal, select

from connectors.models import Course, Identity, Survey, SurveyAnswer
from metrics.figures.participation import bound_at
from metrics.figures.scope import Scope, flag
from metrics.figures.survey_counts import Scores, dimension_of, narrows_people, scaled
from metrics.figures.survey_imports import add_imports

ONE_CHOICE = re.compile(r"[0-9]+")


def scores(scope: Scope) -> Scores:
    """The answers of the question's courses, people and period."""
    found = Scores()
    _of_lms(scope, found)
    add_imports(scope, found)
    return found


def _of_lms(scope: Scope, found: Scores) -> None:
    questions = _questions(scope)
    if not questions:
        return
    when = func.coalesce(SurveyAnswer.answered_at, Course.ends_at)
    facts = _answers(scope, when, sorted({(source, survey) for source, survey, _ in questions}))
    sheets = scope.session.execute(facts).all()
    ids = _counted_sheets(sheets, found)
    if not ids:
        return
    exploded = _exploded(scope, when, sorted({(source, survey) for source, survey, _ in questions}))
    answered: dict[str, dict[tuple[str, str, str], int]] = {}
    for source, survey, question, value, hidden, count in scope.session.execute(exploded):
        if (source, survey, question) not in questions:
            continue
        dimension, options = questions[source, survey, question]
        if not ONE_CHOICE.fullmatch(str(value)) or not 1 <= int(value) <= options:
            found.unscaled += count if str(value) not in ("", "0") else 0
            continue
        found.add(dimension, scaled(Decimal(int(value)), Decimal(1), Decimal(options)), count)
        by_question = answered.setdefault(dimension, {})
        by_question[source, survey, question] = by_question.get((source, survey, question), 0) + count
        if hidden:
            found.anonymous.add(dimension)
    for dimension, by_question in answered.items():
        by_survey: dict[tuple[str, str], int] = {}
        for (source, survey, _), count in by_question.items():
            by_survey[source, survey] = max(count, by_survey.get((source, survey), 0))
        found.sheets[dimension] = found.sheets.get(dimension, 0) + sum(by_survey.values())


def _counted_sheets(rows: Iterable[Any], found: Scores) -> int:
    """Note how many sheets there are, of which kind; answer how many of them count."""
    counting = 0
    for source, course_key, state, hidden, by_course, count in rows:
        if state == "in":
            counting += count
            found.respondents += count
            found.has_anonymous |= bool(hidden)
            found.dated_by_course += count if by_course else 0
            found.courses.add((source, course_key))
        elif state == "undated":
            found.undated += count
        elif state == "unplaced":
            found.unplaced += count
    return counting


def _questions(scope: Scope) -> Mapping[tuple[str, str, str], tuple[str, int]]:
    """The questions about a dimension of satisfaction: which, and among how many options."""
    query = select(Survey.source, Survey.survey_key, Survey.questions).where(
        *scope.in_course(Survey.source, Survey.course_key)
    )
    found = {}
    for source, survey, questions in scope.session.execute(query):
        for question in questions:
            dimension, options = dimension_of(str(question.get("label") or "")), len(question.get("options") or ())
            if dimension in scope.question.dimensions and options > 1:
                found[source, survey, str(question.get("key"))] = (dimension, options)
    return found


def _base(scope: Scope, query: Select[Any], surveys: list[tuple[str, str]]) -> Select[Any]:
    keys = scope.rows((("source", SurveyAnswer.source.type), ("survey_key", SurveyAnswer.survey_key.type)), surveys)
    return (
        query.select_from(SurveyAnswer)
        .join(keys, and_(keys.c.source == SurveyAnswer.source, keys.c.survey_key == SurveyAnswer.survey_key))
        .join(Survey, and_(Survey.source == SurveyAnswer.source, Survey.survey_key == SurveyAnswer.survey_key))
        .outerjoin(Course, and_(Course.source == Survey.source, Course.course_key == Survey.course_key))
        .where(SurveyAnswer.first_seen_at <= scope.as_of)
    )


def _state(scope: Scope, when: Any) -> Any:
    """What becomes of a sheet: in, outside the period, without a date, or without a place where places are asked for."""
    slices = scope.question.period
    inside = and_(when >= slices.start, when < slices.end, when <= scope.as_of)
    states: list[tuple[Any, str]] = [(when.is_(None), "undated"), (~inside, "outside")]
    if narrows_people(scope):
        people = scope.people
        theirs = (
            select(Identity.id)
            .join(people, people.c.person_id == Identity.person_id)
            .where(
                bound_at(scope.as_of),
                Identity.source == SurveyAnswer.source,
                Identity.user_key == SurveyAnswer.user_key,
            )
        )
        states += [(SurveyAnswer.user_key.is_(None), "unplaced"), (~theirs.exists(), "outside")]
    return case(*states, else_="in")


def _answers(scope: Scope, when: Any, surveys: list[tuple[str, str]]) -> Select[Any]:
    """How many sheets there are, by what becomes of them."""
    state = _state(scope, when).label("state")
    hidden = flag(SurveyAnswer.user_key.is_(None)).label("hidden")
    by_course = flag(SurveyAnswer.answered_at.is_(None)).label("by_course")
    columns = (Survey.source, Survey.course_key, state, hidden, by_course)
    inner = _base(scope, select(*columns), surveys).subquery()
    return select(*inner.c, func.count()).group_by(*inner.c)


def _exploded(scope: Scope, when: Any, surveys: list[tuple[str, str]]) -> Select[Any]:
    """How often each question was answered so, on the sheets that count."""
    each = func.json_each if scope.is_sqlite else func.jsonb_each_text
    answer = each(SurveyAnswer.answers).table_valued("key", "value", joins_implicitly=True)
    hidden = flag(SurveyAnswer.user_key.is_(None)).label("hidden")
    inner = _base(
        scope,
        select(
            SurveyAnswer.source,
            SurveyAnswer.survey_key,
            answer.c.key.label("question"),
            answer.c.value.label("value"),
            hidden,
            _state(scope, when).label("state"),
        ),
        surveys,
    ).join(answer, literal(1) == 1)
    rows = inner.subquery()
    key = (rows.c.source, rows.c.survey_key, rows.c.question, rows.c.value, rows.c.hidden)
    return select(*key, func.count()).where(rows.c.state == "in").group_by(*key)

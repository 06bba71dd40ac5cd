"""Whom and what a question is about, as SQL that the figures build on.

A *slice* is a period that is measured: the question's own, or each of its months. A *candidate* is somebody who was
with the organisation in a slice and stood where the question asks; their `standing` is `in`, `left` (before the end)
or `exempt`. The people of a slice are its candidates who are in. A leaver stands where they stood last.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from sqlalchemy import (
    CTE,
    JSON,
    ColumnElement,
    Date,
    Integer,
    Select,
    String,
    Subquery,
    and_,
    case,
    cast,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
    true,
    tuple_,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from connectors.models import Course
from metrics.figures.figure import Number
from metrics.figures.periods import Period
from metrics.figures.programmes import find_programme, named
from metrics.figures.question import Question
from metrics.inputs.models import CourseDetail, Lecturer, Programme, known_at
from plugin.errors import NotFoundError, RefusedError
from plugin.models import Assignment, Department, Grade, Person, PersonTag, Position
from plugin.people import standing_on
from plugin.store import UtcDateTime

PLACES = ("department", "position", "grade")
OF_COURSES = ("course", "category", "certification")  # a row for each; the people are those of the whole
NARROWED = ("programme", "lecturer")  # measured by asking for each in turn
USUAL = (*PLACES, "course", "category", *NARROWED, "month")
BREAKDOWNS = (*USUAL, "certification", "competency", "quarter")
WITHOUT = "–"  # the label of those who have no department, position, grade or course

TextColumn = ColumnElement[Any] | InstrumentedAttribute[Any]

IN, LEFT, EXEMPT = "in", "left", "exempt"


class Scope:
    """A question, broken down `by` one of BREAKDOWNS or not at all; `exempt_out` when the figure leaves the exempt out."""

    def __init__(
        self,
        session: Session,
        question: Question,
        by: str | None = None,
        *,
        exempt_out: bool = False,
        looks_ahead: bool = False,
    ) -> None:
        if by is not None and by not in BREAKDOWNS:
            raise RefusedError(f"Figures do not break down by {by!r}; choose one of {', '.join(BREAKDOWNS)}.")
        self.session = session
        self.question = question
        self.by = by
        self.exempt_out = exempt_out
        self.looks_ahead = looks_ahead
        self.is_sqlite = session.get_bind().dialect.name == "sqlite"
        self._check_names()

    def _check_names(self) -> None:
        """Refuse a question about something that is not known: its answer would look like 'nobody'."""
        asked: list[tuple[str, InstrumentedAttribute[str], str | None]] = [
            ("department", Department.code, self.question.department),
            ("position", Position.code, self.question.position),
            ("grade", Grade.code, self.question.grade),
        ]
        for what, column, code in asked:
            if (
                code is not None
                and code != WITHOUT
                and self.session.scalar(select(column).where(column == code)) is None
            ):
                raise NotFoundError(f"There is no {what} with the code {code!r}.")
        course = self.question.course
        if course is not None and self.session.scalar(select(Course.id).where(is_course(course)).limit(1)) is None:
            raise NotFoundError(f"There is no course {course!r}; a course is asked for by its idnumber, or id:N.")
        category = self.question.category
        columns = (Course.category, Programme.category)
        if category not in (None, WITHOUT) and not any(
            self.session.scalar(select(column).where(column == category).limit(1)) for column in columns
        ):
            raise NotFoundError(f"There is no course and no programme of the category {category!r}.")
        _ = self.programme, self.lecturer

    @cached_property
    def periods(self) -> list[Period]:
        """The slices: the period, or those of its months that have begun by the as-of time."""
        period = self.question.period
        periods = list(period.months()) if self.by == "month" else [period]
        return [one for one in periods if self.looks_ahead or one.start <= self.question.as_of]

    @cached_property
    def slices(self) -> CTE:
        """The slices: their names, instants, first days and population dates."""
        rows = [
            select(
                literal(one.name, String).label("slice"),
                literal(one.start, UtcDateTime()).label("start_at"),
                literal(one.end, UtcDateTime()).label("end_at"),
                literal(one.first_day, Date).label("first_day"),
                literal(one.day_at(self.question.as_of), Date).label("day"),
            )
            for one in self.periods
        ]
        return union_all(*rows).cte("slices")

    @cached_property
    def candidates(self) -> CTE:
        """One row for each slice and person: `standing`, department, position, grade, the slice's instants."""
        slices = self.slices
        day: Any = slices.c.day
        has_left = Person.left_on <= day
        place = Assignment.person_id == Person.id
        # A leaver's last day is the one before left_on; as whole days these are the same conditions.
        last = (Assignment.valid_from < Person.left_on) & or_(
            Assignment.valid_until.is_(None), Assignment.valid_until >= Person.left_on
        )
        stands = case((has_left, last), else_=standing_on(day))
        standings = [(has_left, LEFT)]
        if self.exempt_out and self.question.exempt:
            standings.append((self.among(Person.employee_number, self.question.exempt), EXEMPT))
        query = (
            select(
                slices.c.slice,
                slices.c.start_at,
                slices.c.end_at,
                Person.id.label("person_id"),
                case(*standings, else_=IN).label("standing"),
                Assignment.department_id,
                Assignment.position_id,
                Assignment.grade_id,
            )
            .select_from(slices)
            .join(
                Person,
                or_(Person.joined_on.is_(None), Person.joined_on <= day)
                & or_(Person.left_on.is_(None), Person.left_on > slices.c.first_day),
            )
            .outerjoin(Assignment, place & stands)
        )
        for condition in self._filters():
            query = query.where(condition)
        return query.cte("candidates")

    def _filters(self) -> Iterable[ColumnElement[bool]]:
        question = self.question
        if question.department == WITHOUT:
            yield Assignment.department_id.is_(None)
        elif question.department is not None:
            asked = select(Department.id).where(Department.code == question.department)
            if question.with_children:
                below = self.below
                asked = select(below.c.id).where(below.c.root_id.in_(asked))
            yield Assignment.department_id.in_(asked)
        if question.position == WITHOUT:
            yield Assignment.position_id.is_(None)
        elif question.position is not None:
            yield Assignment.position_id.in_(select(Position.id).where(Position.code == question.position))
        if question.grade == WITHOUT:
            yield Assignment.grade_id.is_(None)
        elif question.grade is not None:
            yield Assignment.grade_id.in_(select(Grade.id).where(Grade.code == question.grade))
        if question.listed is not None:
            yield self.among(Person.employee_number, question.listed)
        if self.programme is not None:
            yield self._target(self.programme)

    @cached_property
    def programme(self) -> Programme | None:
        """The programme that the question is about, as it was known then. Raises NotFoundError."""
        code = self.question.programme
        return None if code is None else find_programme(self.session, code, self.question.as_of)

    @cached_property
    def lecturer(self) -> str | None:
        """The lecturer whose courses the question is about. Raises NotFoundError."""
        code = self.question.lecturer
        if code is None:
            return None
        if self.session.scalar(select(Lecturer.id).where(Lecturer.lecturer == code).limit(1)) is None:
            raise NotFoundError(f"There is no lecturer {code!r}; see 'certbridge inputs list lecturers'.")
        return code

    def _target(self, programme: Programme) -> ColumnElement[bool]:
        """The condition that somebody is of the programme's target: by what it says, or by name."""
        by_name = Person.id.in_(named(programme.programme, "target", self.question.as_of))
        if programme.everybody:
            return true()
        rules: list[ColumnElement[bool]] = []
        if programme.department is not None:
            asked = select(Department.id).where(Department.code == programme.department)
            if programme.with_children:
                asked = select(self.below.c.id).where(self.below.c.root_id.in_(asked))
            rules.append(Assignment.department_id.in_(asked))
        if programme.position is not None:
            rules.append(Assignment.position_id.in_(select(Position.id).where(Position.code == programme.position)))
        if programme.grade is not None:
            rules.append(Assignment.grade_id.in_(select(Grade.id).where(Grade.code == programme.grade)))
        if programme.tag is not None:
            day = self.slices.c.day
            tagged = select(PersonTag.id).where(
                PersonTag.person_id == Person.id,
                PersonTag.tag == programme.tag,
                PersonTag.valid_from <= day,
                or_(PersonTag.valid_until.is_(None), PersonTag.valid_until > day),
            )
            rules.append(tagged.exists())
        return or_(and_(*rules), by_name) if rules else by_name

    @cached_property
    def people(self) -> CTE:
        """The candidates who count."""
        candidates = self.candidates
        return select(*(column for column in candidates.c)).where(candidates.c.standing == IN).cte("people")

    @cached_property
    def below(self) -> CTE:
        """Every department (`root_id`) with itself and all below it (`id`); a ring in the tree does no harm."""
        tree = select(Department.id.label("root_id"), Department.id.label("id")).cte("below", recursive=True)
        child = aliased(Department)
        return tree.union(select(tree.c.root_id, child.id).join(tree, child.parent_id == tree.c.id))

    def labelled(self, query: Select[Any], members: CTE) -> tuple[Select[Any], ColumnElement[str]]:
        """`query`, which has `members` in it, joined with what people are broken down by; and the label."""
        if self.by == "department":
            unit = aliased(Department)
            if not self.question.with_children:
                query = query.outerjoin(unit, unit.id == members.c.department_id)
                return query, func.coalesce(unit.code, WITHOUT)
            below = self.below
            query = query.outerjoin(below, below.c.id == members.c.department_id)
            query = query.outerjoin(unit, unit.id == below.c.root_id)
            if self.question.department is not None:  # the rows of the departments above it would be rows of a part
                top = select(Department.id).where(Department.code == self.question.department)
                query = query.where(unit.id.in_(select(below.c.id).where(below.c.root_id.in_(top))))
            return query, func.coalesce(unit.code, WITHOUT)
        if self.by == "position":
            query = query.outerjoin(Position, Position.id == members.c.position_id)
            return query, func.coalesce(Position.code, WITHOUT)
        if self.by == "grade":
            return query.outerjoin(Grade, Grade.id == members.c.grade_id), func.coalesce(Grade.code, WITHOUT)
        return query, members.c.slice

    @staticmethod
    def share(part: Number, whole: Number) -> Decimal | None:
        """The part of the whole; None of nothing."""
        return Decimal(part) / Decimal(whole) if whole else None

    def among(
        self, column: ColumnElement[str] | InstrumentedAttribute[str], values: Iterable[str]
    ) -> ColumnElement[bool]:
        """The condition that `column` is one of `values`: one parameter, however many they are."""
        listed = sorted(values)
        if self.is_sqlite:
            return column.in_(select(func.json_each(json.dumps(listed)).table_valued("value").c.value))
        items = func.jsonb_array_elements_text(cast(listed, JSONB)).table_valued("value")
        return column.in_(select(items.c.value))

    def among_ids(self, column: Any, values: Iterable[int]) -> ColumnElement[bool]:
        """The condition that a number is one of `values`: one parameter, however many they are."""
        listed = self.rows((("id", Integer),), [(value,) for value in sorted(values)])
        condition: ColumnElement[bool] = column.in_(select(listed.c.id))
        return condition

    def within(self, moment: Any) -> ColumnElement[bool]:
        """The condition that `moment` lies in the slice and not after the as-of time; for queries over `people`."""
        people = self.people
        condition: ColumnElement[bool] = (
            (moment >= people.c.start_at) & (moment < people.c.end_at) & (moment <= self.as_of)
        )
        return condition

    @cached_property
    def as_of(self) -> ColumnElement[datetime]:
        """The as-of time, as SQL."""
        return literal(self.question.as_of, UtcDateTime())

    def in_course(self, source: Any, course_key: Any) -> Sequence[ColumnElement[bool]]:
        """The condition that a pulled row is of the question's courses; none when it asks for no course."""
        if not self.asked_courses:
            return ()
        asked = select(Course.source, Course.course_key).where(*self.asked_courses)
        return (tuple_(source, course_key).in_(asked),)

    def of_course(self, source: Any, object_: Any) -> Sequence[ColumnElement[bool]]:
        """The same for a row that has the course's object and not its key."""
        if not self.asked_courses:
            return ()
        asked = select(Course.source, Course.object).where(*self.asked_courses)
        return (tuple_(source, object_).in_(asked),)

    @cached_property
    def asked_courses(self) -> list[ColumnElement[bool]]:
        """The conditions on courses that the question makes; none when it asks for no course."""
        question, label = self.question, course_label(Course.source, Course.object)
        conditions: list[ColumnElement[bool]] = []
        if question.course is not None:
            conditions.append(is_course(question.course))
        if question.category is not None:
            conditions.append(func.coalesce(Course.category, WITHOUT) == question.category)
        if self.programme is not None and self.programme.courses:
            conditions.append(self.among(label, self.programme.courses))
        if self.lecturer is not None:
            taught = select(CourseDetail.course).where(
                CourseDetail.lecturer == self.lecturer, known_at(CourseDetail, question.as_of)
            )
            conditions.append(label.in_(taught))
        return conditions

    @property
    def by_courses(self) -> bool:
        """Whether it is broken down by what courses are told apart by."""
        return self.by in OF_COURSES

    def course_part(self) -> ColumnElement[str]:
        """What a course is broken down by, or else called; for queries that have Course in them."""
        if self.by == "category":
            return func.coalesce(Course.category, WITHOUT)
        return course_label(Course.source, Course.object)

    def rows(self, columns: Sequence[tuple[str, Any]], rows: Iterable[Sequence[Any]]) -> Subquery:
        """Rows that were worked out elsewhere, as a table: one parameter, however many they are. JSON values, no NULL."""
        text = json.dumps(list(rows))
        if self.is_sqlite:
            listed = func.json_each(text).table_valued("value")
            parts: list[Any] = [func.json_extract(listed.c.value, f"$[{place}]") for place in range(len(columns))]
        else:
            listed = func.json_array_elements(cast(literal(text), JSON)).table_valued("value").render_derived()
            parts = [listed.c.value.op("->>")(literal_column(str(place))) for place in range(len(columns))]
        named_parts = zip(parts, columns, strict=True)
        return select(*(cast(part, type_).label(name) for part, (name, type_) in named_parts)).subquery()


def course_label(source: TextColumn, object_: TextColumn) -> ColumnElement[str]:
    """What a course is called in break-downs: its object, with the source before it where it is only a number there."""
    return case((object_.like("id:%"), source + "/" + object_), else_=object_)


def is_course(
    asked: str, source: TextColumn = Course.source, object_: TextColumn = Course.object
) -> ColumnElement[bool]:
    """The condition that a course is the one asked for, by its object or as break-downs call it."""
    return or_(object_ == asked, course_label(source, object_) == asked)


def flag(condition: ColumnElement[bool]) -> ColumnElement[int]:
    """1 where the condition holds, else 0: what can be summed on every database."""
    return case((condition, 1), else_=0)


def no_flag() -> ColumnElement[int]:
    """0."""
    return literal(0, Integer)


def no_course() -> ColumnElement[str]:
    """The course column of a row that belongs to none."""
    return cast(null(), String)

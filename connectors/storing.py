"""Storing a page's records: what is new is inserted, what differs is updated, what vanished is closed.

Everything is set-based: a page costs a few statements, and rows that did not change are only read. What a
change means for people is carried on at once: accounts are bound, evidence is made, persons are touched.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, insert, select, tuple_, update
from sqlalchemy.orm import Session

from connectors import evidence, identities
from connectors.evidence import AS_ONE
from connectors.models import Activity, Completion, Course, Enrolment, Identity, Result, SourceUser
from connectors.records import (
    ActivityRecord,
    CompletionRecord,
    CourseRecord,
    EmployeeRecord,
    EnrolmentRecord,
    Record,
    ResultRecord,
    UserRecord,
)
from connectors.streams import Scope
from plugin import people
from plugin.store import chunks


@dataclass
class Counts:
    """What storing did, in records."""

    created: int = 0
    updated: int = 0
    closed: int = 0

    def __iadd__(self, other: "Counts") -> "Counts":
        self.created += other.created
        self.updated += other.updated
        self.closed += other.closed
        return self


@dataclass
class Moment:
    """When and in which pass a page is stored, and which day that is in the organisation."""

    now: datetime
    today: date
    pass_number: int = 1


@dataclass
class Changed:
    """The rows that storing changed: keys are values of the kind's key columns."""

    created: list[tuple[Any, ...]] = field(default_factory=list)
    updated: list[tuple[Any, ...]] = field(default_factory=list)
    closed: list[tuple[Any, ...]] = field(default_factory=list)

    @property
    def all(self) -> list[tuple[Any, ...]]:
        """Every one of them."""
        return self.created + self.updated + self.closed


@dataclass(frozen=True)
class Kind:
    """How one type of record stands in the store."""

    model: Any
    key: tuple[str, ...]
    content: tuple[str, ...]
    dated: bool = False
    keeps_unknown: bool = False
    in_course: Callable[[str, str], ColumnElement[bool]] | None = None


def _result_in_course(source: str, course_key: str) -> ColumnElement[bool]:
    of_course = select(Activity.activity_key).where(Activity.source == source, Activity.course_key == course_key)
    return Result.activity_key.in_(of_course)


KINDS: dict[type, Kind] = {
    UserRecord: Kind(SourceUser, ("user_key",), ("username", "idnumber", "email", "name", "department", "suspended")),
    CourseRecord: Kind(
        Course,
        ("course_key",),
        ("object", "name", "short_name", "category", "completion_enabled", "visible", "starts_at", "ends_at"),
        keeps_unknown=True,
    ),
    EnrolmentRecord: Kind(
        Enrolment,
        ("course_key", "user_key"),
        ("active", "last_access_at"),
        dated=True,
        in_course=lambda _source, course_key: Enrolment.course_key == course_key,
    ),
    CompletionRecord: Kind(
        Completion,
        ("course_key", "user_key", "completed_at"),
        (),
        dated=True,
        in_course=lambda _source, course_key: Completion.course_key == course_key,
    ),
    ActivityRecord: Kind(
        Activity,
        ("activity_key",),
        ("course_key", "object", "kind", "name", "minimum", "maximum", "pass_mark"),
        keeps_unknown=True,
    ),
    ResultRecord: Kind(
        Result,
        ("activity_key", "user_key", "submission"),
        ("score", "minimum", "maximum", "achieved_at", "graded_at"),
        dated=True,
        in_course=_result_in_course,
    ),
}


def store_records(
    session: Session, source: str, records: Sequence[Record], scope: Scope | None, moment: Moment
) -> Counts:
    """Store `records` of one page and close what has vanished from `scope`, with everything that follows from it."""
    counts = Counts()
    by_type: dict[type, list[Record]] = {}
    for record in records:
        by_type.setdefault(type(record), []).append(record)
    employees = [record.employee for record in by_type.pop(EmployeeRecord, []) if isinstance(record, EmployeeRecord)]
    if employees:
        changes = people.record_employees(session, employees, moment.today, moment.now)
        counts += Counts(changes.created, changes.updated)
        if changes.created or changes.updated:
            _carry_on_bindings(session, identities.bind(session, moment.now), moment)
    scoped = scope.records if scope else ()
    for kind_of_record, kind in KINDS.items():
        rows = [_row(record) for record in by_type.get(kind_of_record, [])]
        if not rows and kind_of_record not in scoped:
            continue
        changed = _store_rows(session, source, kind, rows, scope if kind_of_record in scoped else None, moment)
        counts += Counts(len(changed.created), len(changed.updated), len(changed.closed))
        if changed.all:
            FOLLOW_UPS[kind_of_record](session, source, changed, moment)
    return counts


def _row(record: Record) -> dict[str, Any]:
    row = {part.name: getattr(record, part.name) for part in fields(record)}
    if isinstance(record, CourseRecord):
        idnumber = row.pop("idnumber")
        row["object"] = idnumber or (None if idnumber is None else f"id:{record.course_key}")
    return row


def _store_rows(
    session: Session, source: str, kind: Kind, rows: list[dict[str, Any]], scope: Scope | None, moment: Moment
) -> Changed:
    wanted = {tuple(row[name] for name in kind.key): row for row in rows}
    standing = _standing(session, source, kind, list(wanted), scope)
    changed = Changed()
    inserts: list[dict[str, Any]] = []
    updates: list[dict[str, Any]] = []
    for key, row in wanted.items():
        found = standing.get(key)
        if found is not None and kind.model is Result and _is_another_grade(key, row, found):
            updates.append({"id": found["id"], "submission": f"until {found['closed_at']:%Y-%m-%dT%H:%M:%S.%f}"})
            found = None
        if found is None:
            inserts.append(_new_row(source, kind, row, moment))
            changed.created.append(key)
            continue
        if kind.keeps_unknown:
            row |= {name: found[name] for name in kind.content if row[name] is None}
        if found["closed_at"] is not None or any(found[name] != row[name] for name in kind.content):
            content = {name: row[name] for name in kind.content}
            updates.append({"id": found["id"], **content, "closed_at": None, "missing_pass": None})
            changed.updated.append(key)
        elif found["missing_pass"] is not None:
            updates.append({"id": found["id"], "missing_pass": None})
    if scope is not None:
        vanished = {key: found for key, found in standing.items() if key not in wanted and found["closed_at"] is None}
        updates += _close(vanished, changed, moment)
    if updates:  # those that set the same columns side by side, for each run of them is a statement
        session.execute(update(kind.model), sorted(updates, key=sorted))
    if inserts:
        session.execute(insert(kind.model), inserts, execution_options=AS_ONE)
    return changed


def _is_another_grade(key: tuple[Any, ...], row: Mapping[str, Any], found: RowMapping) -> bool:
    """Whether a grade without a submission to know it by had vanished, as by a reset, and was earned again since.

    It is another one then, and what the first one proved goes on counting.
    """
    return key[-1] == "" and found["closed_at"] is not None and bool(found["achieved_at"] != row["achieved_at"])


def _close(vanished: Mapping[tuple[Any, ...], RowMapping], changed: Changed, moment: Moment) -> list[dict[str, Any]]:
    """Rows that this pass did not see: noted the first time, closed the second."""
    updates: list[dict[str, Any]] = []
    for key, found in vanished.items():
        if found["missing_pass"] is None:
            updates.append({"id": found["id"], "missing_pass": moment.pass_number})
        elif found["missing_pass"] < moment.pass_number:
            updates.append({"id": found["id"], "closed_at": moment.now})
            changed.closed.append(key)
    return updates


def _new_row(source: str, kind: Kind, row: dict[str, Any], moment: Moment) -> dict[str, Any]:
    new = {"source": source, **row}
    if kind.dated:
        new["first_seen_at"] = moment.now
    if kind.model is Course:
        new["object"] = row["object"] or f"id:{row['course_key']}"
    return new


def _standing(
    session: Session, source: str, kind: Kind, keys: list[tuple[Any, ...]], scope: Scope | None
) -> dict[tuple[Any, ...], RowMapping]:
    """The stored rows under `keys`, or all within `scope`, by key."""
    model = kind.model
    names = ("id", *kind.key, *kind.content, "closed_at", "missing_pass")
    query = select(*(getattr(model, name) for name in names)).where(model.source == source)
    queries = []
    if scope is not None:
        within = kind.in_course(source, scope.course_key) if kind.in_course and scope.course_key is not None else None
        queries.append(query if within is None else query.where(within))
    else:
        columns = [getattr(model, name) for name in kind.key]
        for chunk in chunks(keys):
            queries.append(
                query.where(
                    columns[0].in_([key[0] for key in chunk]) if len(columns) == 1 else tuple_(*columns).in_(chunk)
                )
            )
    rows = (row for found in queries for row in session.execute(found).mappings())
    return {tuple(row[name] for name in kind.key): row for row in rows}


def _after_users(session: Session, source: str, _changed: Changed, moment: Moment) -> None:
    _carry_on_bindings(session, identities.bind(session, moment.now, source), moment)


def _after_courses(session: Session, source: str, changed: Changed, moment: Moment) -> None:
    """A course that has become known, or is called otherwise now, shows in the evidence of its completions and grades."""
    course_keys = [key[0] for key in changed.created + changed.updated]
    evidence.record(session, moment.now, evidence.completions_of_courses(source, course_keys))
    evidence.record(session, moment.now, evidence.results_of_courses(source, course_keys))
    for chunk in chunks(key[0] for key in changed.closed):
        enrolled = select(Enrolment.user_key).where(
            Enrolment.source == source, Enrolment.course_key.in_(chunk), Enrolment.closed_at.is_(None)
        )
        people.touch(session, session.scalars(_persons(source, enrolled)))
        activities = select(Activity.activity_key).where(Activity.source == source, Activity.course_key.in_(chunk))
        for model, of_course in (  # nobody reads a course that is gone: close what belongs to it with it
            (Enrolment, Enrolment.course_key.in_(chunk)),
            (Completion, Completion.course_key.in_(chunk)),
            (Result, Result.activity_key.in_(activities)),
            (Activity, Activity.course_key.in_(chunk)),
        ):
            session.execute(
                update(model)
                .where(model.source == source, of_course, model.closed_at.is_(None))
                .values(closed_at=moment.now),
                execution_options={"synchronize_session": False},
            )


def _after_enrolments(session: Session, source: str, changed: Changed, _moment: Moment) -> None:
    for chunk in chunks({key[1] for key in changed.all}):
        people.touch(session, session.scalars(_persons(source, chunk)))


def _persons(source: str, user_keys: Any) -> Select[int]:
    """The persons whose these accounts are."""
    return select(Identity.person_id).where(
        Identity.source == source, Identity.unbound_at.is_(None), Identity.user_key.in_(user_keys)
    )


def _after_completions(session: Session, source: str, changed: Changed, moment: Moment) -> None:
    evidence.record(session, moment.now, evidence.completions(source, changed.created))


def _after_activities(session: Session, source: str, changed: Changed, moment: Moment) -> None:
    """An activity, or its pass mark, that has become known or changed shows in the evidence of its results."""
    keys = [key[0] for key in changed.created + changed.updated]
    evidence.record(session, moment.now, evidence.results_of_activities(source, keys))


def _after_results(session: Session, source: str, changed: Changed, moment: Moment) -> None:
    evidence.record(session, moment.now, evidence.results(source, changed.created + changed.updated))


def _carry_on_bindings(session: Session, bound: Mapping[str, Sequence[str]], moment: Moment) -> None:
    """Accounts that were bound just now: what they did before counts for their person from now on."""
    for source, user_keys in bound.items():
        evidence.record(session, moment.now, evidence.completions_of_users(source, user_keys))
        evidence.record(session, moment.now, evidence.results_of_users(source, user_keys))


FOLLOW_UPS: dict[type, Callable[[Session, str, Changed, Moment], None]] = {
    UserRecord: _after_users,
    CourseRecord: _after_courses,
    EnrolmentRecord: _after_enrolments,
    CompletionRecord: _after_completions,
    ActivityRecord: _after_activities,
    ResultRecord: _after_results,
}

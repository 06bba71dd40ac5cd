"""Storing a page's records: what is new is inserted, what differs is updated, what vanished is closed.

Everything is set-based: a page costs a few statements, and rows that did not change are only read. What a change means for
people is carried on at once (connectors.following).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, bindparam, select, true, update
from sqlalchemy import cast as sql_cast
from sqlalchemy.orm import Session

from connectors import identities
from connectors.changed import Changed, Counts, Moment
from connectors.evidence import BINDING
from connectors.following import FOLLOW_UPS, carry_on_bindings
from connectors.kinds import KINDS, Kind
from connectors.minutes import align
from connectors.models import Activity, Course, Result
from connectors.records import EmployeeRecord, LeaverRecord, ManagerRecord, Record, UnitRecord, UserRecord
from connectors.streams import Between, In, Scope
from plugin import people
from plugin.store import among, chunks, hold, insert_rows

__all__ = ["Changed", "Counts", "Moment", "store_records"]

AT_A_TIME = 5_000
OF_PEOPLE = (UnitRecord, ManagerRecord, LeaverRecord)

Key = tuple[Any, ...]
Stored = tuple[Any, ...]  # id, key, content, closed_at, missing_pass


def store_records(
    session: Session, source: str, records: Sequence[Record], scope: Scope | None, moment: Moment
) -> Counts:
    """Store `records` of one page and close what has vanished from `scope`, with everything that follows from it."""
    counts = Counts()
    by_type: dict[type, list[Record]] = {}
    for record in records:
        by_type.setdefault(type(record), []).append(record)
    employees = [record.employee for record in by_type.pop(EmployeeRecord, []) if isinstance(record, EmployeeRecord)]
    of_people = [record for kind in OF_PEOPLE for record in by_type.pop(kind, [])]
    binds = bool(employees) or UserRecord in by_type or (scope is not None and UserRecord in scope.records)
    hold(
        session, BINDING, shared=not binds
    )  # before any row: who came to it later could wait in a circle with who links
    if employees:
        changes = people.record_employees(session, employees, moment.today, moment.now)
        counts += Counts(changes.created, changes.updated)
        if changes.created or changes.updated:
            carry_on_bindings(session, identities.bind(session, moment.now), moment)
    if of_people:
        counts += _store_of_people(session, of_people, moment)
    scoped = scope.records if scope else ()
    for kind_of_record, kind in KINDS.items():
        found = by_type.get(kind_of_record, [])
        if not found and kind_of_record not in scoped:
            continue
        page = _Page(session, source, kind, scope if kind_of_record in scoped else None, moment)
        changed = page.store(found)
        counts += Counts(len(changed.created), len(changed.updated), len(changed.closed))
        if changed.all and kind_of_record in FOLLOW_UPS:
            FOLLOW_UPS[kind_of_record](session, source, changed, moment)
    return counts


def _store_of_people(session: Session, records: Sequence[Record], moment: Moment) -> Counts:
    """What the authority for people says beside its employees: the organisation's units, managers, and who has left."""
    counts = Counts()
    for name in people.UNITS:
        units = [record.unit for record in records if isinstance(record, UnitRecord) and record.kind == name]
        if units:
            changes = people.record_units(session, name, units)
            counts += Counts(changes.created, changes.updated)
    managers = {record.employee_number: record.manager for record in records if isinstance(record, ManagerRecord)}
    if managers:
        counts += Counts(0, people.set_managers(session, managers, moment.today))
    ends = {record.employee_number: record.left_on for record in records if isinstance(record, LeaverRecord)}
    if ends:
        counts += Counts(0, 0, people.end_employees(session, ends, moment.today, moment.now))
    return counts


class _Page:
    """The records of one kind on one page, beside the rows that stand in the store."""

    def __init__(self, session: Session, source: str, kind: Kind, scope: Scope | None, moment: Moment) -> None:
        self.session = session
        self.source = source
        self.kind = kind
        self.scope = scope
        self.moment = moment
        self.content = slice(1 + len(kind.key), -2)
        self.keeps = [place for place, name in enumerate(kind.content) if name in kind.keeps]
        self.inserts: list[tuple[Any, ...]] = []
        self.updates: list[dict[str, Any]] = []
        self.changed = Changed()

    def store(self, records: Sequence[Record]) -> Changed:
        """Compare the records with the rows, and write what differs."""
        kind = self.kind
        key_of, content_of = kind.reader(kind.key), kind.reader(kind.content)
        wanted = {key_of(record): content_of(record) for record in records}
        standing = self._standing(wanted)
        if kind.moment:
            self._align(wanted, standing)
        for key, content in wanted.items():
            found = standing.get(key)
            if found is None:
                self._insert(key, content)
            elif kind.model is Result and _is_another_grade(key, content, found):
                self.updates.append({"id": found[0], "submission": f"until {found[-2]:%Y-%m-%dT%H:%M:%S.%f}"})
                self._insert(key, content)
            else:
                self._update(key, content, found)
        if self.scope is not None:
            vanished = {key: found for key, found in standing.items() if key not in wanted and found[-2] is None}
            self._close(self._unspared(vanished, self.scope.spared), certain=self.scope.certain)
        self._write()
        return self.changed

    def _align(self, wanted: dict[Key, tuple[Any, ...]], standing: dict[Key, Stored]) -> None:
        """Recognise rows whose moment is known to the minute here and to the second there (connectors.minutes)."""
        place = self.kind.key.index(self.kind.moment)
        others: dict[Key, Stored] = {}
        if self.scope is None or not _covers(self.kind, self.scope):
            others = self._of_the_same(place, [key for key in wanted if key not in standing])
        refined = align(place, wanted, [*standing, *others])
        standing |= {key: found for key, found in others.items() if key in wanted}
        for known, better in refined:
            found = standing.pop(known, None) or others[known]
            standing[better] = (found[0], *better, *found[1 + len(better) :])
            self.updates.append({"id": found[0], self.kind.moment: better[place]})
            self.changed.updated.append(better)

    def _of_the_same(self, place: int, keys: Collection[Key]) -> dict[Key, Stored]:
        """The stored rows under keys that may differ from `keys` in what stands at `place`."""
        model, kind = self.kind.model, self.kind
        names = ("id", *kind.key, *kind.content, "closed_at", "missing_pass")
        query = select(*(getattr(model, name) for name in names)).where(model.source == self.source)
        columns = [getattr(model, name) for name in kind.key if name != kind.moment]
        rows: dict[Key, Stored] = {}
        for chunk in chunks({(*key[:place], *key[place + 1 :]) for key in keys}, AT_A_TIME):
            rows |= self._by_key(query.where(among(self.session, columns, chunk)))
        return rows

    def _insert(self, key: Key, content: tuple[Any, ...]) -> None:
        if self.kind.model is Course and content[0] is None:  # its object
            content = (f"id:{key[0]}", *content[1:])
        dated = (self.moment.now,) if self.kind.dated else ()
        self.inserts.append((self.source, *key, *content, *dated))
        self.changed.created.append(key)

    def _update(self, key: Key, content: tuple[Any, ...], found: Stored) -> None:
        known = found[self.content]
        if self.keeps:
            kept = list(content)
            for place in self.keeps:
                if kept[place] is None:
                    kept[place] = known[place]
            content = tuple(kept)
        if found[-2] is not None or content != known:
            values = dict(zip(self.kind.content, content, strict=True))
            self.updates.append({"id": found[0], **values, "closed_at": None, "missing_pass": None})
            self.changed.updated.append(key)
        elif found[-1] is not None:
            self.updates.append({"id": found[0], "missing_pass": None})

    def _unspared(self, vanished: dict[Key, Stored], spared: Collection[str]) -> dict[Key, Stored]:
        """Without the rows of accounts that something refused is about; a kind whose rows have no account is spared none."""
        columns = (*self.kind.key, *self.kind.content)
        if not spared or "user_key" not in columns:
            return vanished
        place = 1 + columns.index("user_key")
        return {key: found for key, found in vanished.items() if found[place] not in spared}

    def _close(self, vanished: Mapping[Key, Stored], *, certain: bool) -> None:
        """Rows that this pass did not see: noted the first time, closed the second, or at once where it is certain."""
        for key, found in vanished.items():
            if found[-1] is None and not certain:
                self.updates.append({"id": found[0], "missing_pass": self.moment.pass_number})
            elif certain or found[-1] < self.moment.pass_number:
                self.updates.append({"id": found[0], "closed_at": self.moment.now})
                self.changed.closed.append(key)

    def _write(self) -> None:
        """Updates first: a row may have to make room for another one. Those that set the same columns go together."""
        table = self.kind.model.__table__
        for names, rows in groupby(sorted(self.updates, key=sorted), key=sorted):
            values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in names if name != "id"}
            statement = update(table).where(table.c.id == bindparam("new_id")).values(values)
            given = [{f"new_{name}": value for name, value in row.items()} for row in rows]
            self.session.connection().execute(statement, given)
        if self.inserts:
            dated = ("first_seen_at",) if self.kind.dated else ()
            columns = ("source", *self.kind.key, *self.kind.content, *dated)
            insert_rows(self.session, self.kind.model, columns, self.inserts)

    def _standing(self, keys: Collection[Key]) -> dict[Key, Stored]:
        """The stored rows under `keys`, or all within the scope, by key."""
        model, kind = self.kind.model, self.kind
        names = ("id", *kind.key, *kind.content, "closed_at", "missing_pass")
        query = select(*(getattr(model, name) for name in names)).where(model.source == self.source)
        rows: dict[Key, Stored] = {}
        if self.scope is not None:
            for within in _within(self.session, self.source, kind, self.scope):
                rows |= self._by_key(query.where(within))
        if self.scope is None or not _covers(kind, self.scope):
            columns = [getattr(model, name) for name in kind.key]
            for chunk in chunks((key for key in keys if key not in rows), AT_A_TIME):
                rows |= self._by_key(query.where(among(self.session, columns, chunk)))
        return rows

    def _by_key(self, query: Select[Any]) -> dict[Key, Stored]:
        end = 1 + len(self.kind.key)
        self.session.flush()
        rows = map(tuple, self.session.connection().execute(query))
        return {row[1:end]: row for row in rows}


def _is_another_grade(key: Key, content: tuple[Any, ...], found: Stored) -> bool:
    """Whether a grade without a submission to know it by had vanished, as by a reset, and was earned again since.

    It is another one then, and what the first one proved goes on counting.
    """
    return key[-1] == "" and found[-2] is not None and bool(found[7] != content[3])  # achieved_at


def _covers(kind: Kind, scope: Scope) -> bool:
    """Whether no row that is on the page can stand in the store outside of `scope`."""
    within = scope.within
    columns = () if within is None else within.columns if isinstance(within, In) else (within.column,)
    return set(columns) <= set(kind.key)


def _within(session: Session, source: str, kind: Kind, scope: Scope) -> Iterator[ColumnElement[bool]]:
    """Conditions that together hold for the rows within `scope`."""
    within = scope.within
    if within is None:
        yield true()
    elif isinstance(within, Between):
        column = getattr(kind.model, within.column)
        number = column if isinstance(column.type, BigInteger) else sql_cast(column, BigInteger)
        inside = number > within.after
        if within.upto is not None:
            inside &= number <= within.upto
        yield inside if within.after else inside | column.is_(None)
    else:
        by_activity = kind.model is Result and within.columns == ("course_key",)
        columns = [Activity.course_key] if by_activity else [getattr(kind.model, name) for name in within.columns]
        for chunk in chunks(within.values, AT_A_TIME):
            condition = among(session, columns, chunk)
            if by_activity:  # only their activities say which course results belong to
                of_courses = select(Activity.activity_key).where(Activity.source == source, condition)
                condition = Result.activity_key.in_(of_courses)
            yield condition

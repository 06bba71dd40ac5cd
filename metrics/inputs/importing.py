"""Inputs from a spreadsheet: each row is new, changed, known already, or refused by its line, its column and the reason.

A row is known by its key. One that says otherwise than the row that stands ends that row and takes its place; what was
known before stays on record. The same file again changes nothing. A row is refused for all of its cells at once.
"""

from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from metrics.inputs.columns import N_, SEPARATORS, Column
from metrics.inputs.kinds import Kind
from metrics.inputs.references import NOT_THERE, found
from plugin.audit import record_act
from plugin.errors import NotFoundError, RefusedInWordsError
from plugin.imports import CHANGED, EMPTY, KNOWN, NEW, Outcome
from plugin.spreadsheets import Row, read_sheet
from plugin.store import among, chunks

NO_SUCH_COLUMN = N_("the column '%(field)s' is none of the template's and was passed over")
SAID_OTHERWISE = N_("%(field)s: line %(line)s says something else of the same; keep one of the two.")

Known = dict[str, dict[str, Any]]  # what cells refer to, by kind and code


def import_inputs(session: Session, kind: Kind, path: Path, currency: str, actor: str, now: datetime) -> Outcome:
    """Store the rows in the file. Raises RefusedInWordsError for a file that cannot be used as a whole.

    `currency` is the organisation's, for amounts that name none.
    """
    outcome = Outcome()
    sheet = read_sheet(path, kind.required)
    for name in sheet.columns:
        if name and name not in {column.name for column in kind.columns}:
            outcome.warn(1, RefusedInWordsError(NO_SUCH_COLUMN, field=name))
    rows = []
    for row in sheet.rows:
        if row.fault is not None:
            outcome.refuse(row.line, row.fault)
        elif any(row.cells.values()):
            rows.append(row)
    known = _references(session, kind, rows)
    read = {row.line: values for row in rows if (values := _values(kind, row, known, currency, outcome)) is not None}
    _store(session, kind, _once(kind, read, outcome), outcome, now)
    if outcome.count(NEW) or outcome.count(CHANGED):
        after = {"file": path.name, "new": outcome.count(NEW), "changed": outcome.count(CHANGED)}
        record_act(session, actor, "inputs.import", f"inputs:{kind.name}", now, after=after)
    return outcome


def end_input(session: Session, kind: Kind, number: int, actor: str, now: datetime) -> None:
    """Take a row back: it does not count from now on, and stays on record. Raises NotFoundError."""
    row = session.get(kind.model, number)
    if row is None or row.ended_at is not None:
        raise NotFoundError(f"There is no No. {number} of {kind.name} that stands; see 'inputs list {kind.name}'.")
    row.ended_at = now
    record_act(session, actor, "inputs.end", f"inputs:{kind.name}", now, after={"number": number})


def _codes(column: Column, text: str) -> list[str]:
    """What a cell refers to."""
    if column.refers != "courses":
        return [text] if text else []
    return [part.strip() for part in SEPARATORS.split(text) if part.strip()]


def _references(session: Session, kind: Kind, rows: list[Row]) -> Known:
    wanted: dict[str, set[str]] = {}
    for column in kind.columns:
        if column.refers:
            codes = wanted.setdefault(column.refers.replace("courses", "course"), set())
            codes.update(code for row in rows for code in _codes(column, row.cells.get(column.name, "")))
    return {refers: found(session, refers, codes) for refers, codes in wanted.items()}


def _values(kind: Kind, row: Row, known: Known, currency: str, outcome: Outcome) -> dict[str, Any] | None:
    """What the row says, by attribute; None, with what is wrong noted, where it cannot be used."""
    values: dict[str, Any] = {}
    wrong: list[RefusedInWordsError] = []
    for column in kind.columns:
        try:
            values[column.kept_as] = _value(column, row.cells.get(column.name, ""), known)
        except RefusedInWordsError as refused:
            wrong.append(refused)
    if "currency" in values and values["currency"] is None:
        values["currency"] = currency
    if not wrong:
        try:
            kind.check(values)
        except RefusedInWordsError as refused:
            wrong.append(refused)
    for each in wrong:
        outcome.refuse(row.line, each)
    return None if wrong else values


def _value(column: Column, text: str, known: Known) -> Any:
    if not text:
        if column.required:
            raise RefusedInWordsError(EMPTY, field=column.name)
        return list(column.default) if isinstance(column.default, tuple) else column.default
    value = column.read(column.name, text)
    if column.refers is None:
        return value
    refers = column.refers.replace("courses", "course")
    for code in _codes(column, text):
        if code not in known[refers]:
            raise RefusedInWordsError(NOT_THERE[refers], field=column.name, text=code[:60])
    return value if column.refers == "courses" else known[refers][text]


def _key(kind: Kind, values: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(values[name] for name in kind.model.KEY)


def _once(kind: Kind, read: dict[int, dict[str, Any]], outcome: Outcome) -> dict[int, dict[str, Any]]:
    """The rows without those that say otherwise than an earlier one of the file; those that say the same are known."""
    first: dict[tuple[Any, ...], int] = {}
    kept: dict[int, dict[str, Any]] = {}
    for line, values in read.items():
        earlier = first.setdefault(_key(kind, values), line)
        if earlier == line:
            kept[line] = values
        elif read[earlier] == values:
            outcome.took(line, KNOWN, _about(kind, values))
        else:
            name = next(column.name for column in kind.columns if column.kept_as == kind.model.KEY[0])
            outcome.refuse(line, RefusedInWordsError(SAID_OTHERWISE, field=name, line=earlier))
    return kept


def _store(session: Session, kind: Kind, rows: dict[int, dict[str, Any]], outcome: Outcome, now: datetime) -> None:
    model, names = kind.model, tuple(column.kept_as for column in kind.columns)
    columns = [getattr(model, name) for name in model.KEY]
    standing: dict[tuple[Any, ...], Any] = {}
    for part in chunks({_key(kind, values) for values in rows.values()}):
        query = select(model).where(model.ended_at.is_(None), among(session, columns, part))
        standing.update({tuple(getattr(row, name) for name in model.KEY): row for row in session.scalars(query)})
    ended, new = [], []
    for line, values in rows.items():
        before = standing.get(_key(kind, values))
        if before is not None and all(getattr(before, name) == values[name] for name in names):
            outcome.took(line, KNOWN, _about(kind, values))
            continue
        outcome.took(line, NEW if before is None else CHANGED, _about(kind, values))
        new.append({**values, "recorded_at": now})
        if before is not None:
            ended.append(before.id)
    for ids in chunks(ended):  # before what takes their place: of a key one row stands
        session.execute(update(model).where(model.id.in_(ids)).values(ended_at=now))
    for made in chunks(new):
        session.execute(insert(model), made)


def _about(kind: Kind, values: dict[str, Any]) -> str:
    """The row's key in words."""
    return " ".join(str(each) for each in _key(kind, values) if each != "")

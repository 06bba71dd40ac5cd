"""Everything that is held about a person: one JSON document, or a ZIP with a CSV file for each table.

What is a secret is left out by declaration; rows about other people that only mention the person are not theirs.
"""

import csv
import io
import json
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from plugin.audit import record_act
from plugin.errors import RefusedError
from plugin.installation import Installation
from plugin.privacy.declarations import Declarations, Rule, declarations
from plugin.privacy.finding import condition
from plugin.privacy.retention import kept_for
from plugin.privacy.subject import Subject, find_person, subject_of
from plugin.store import Base

ACTION = "person.export"
FORMATS = ("json", "zip")


def export(home: Installation, number: str, actor: str) -> dict[str, Any]:
    """The document about the employee `number`; that it was made goes to the audit trail. Raises NotFoundError."""
    declared = declarations(home.installed)
    now = home.clock()
    with home.store.write() as session:
        person = find_person(session, number)
        subject = subject_of(session, person, declared.hooks.get("identities", ()))
        record_act(session, actor, ACTION, f"person:{number}", now, person_id=person.id)
        session.flush()
        return {
            "schema": "1",
            "made_at": _plain(now),
            "organisation": home.settings.organisation.name,
            "employee_number": number,
            "tables": [_table(session, home, declared, rule, subject) for rule in _theirs(declared)],
        }


def _theirs(declared: Declarations) -> list[Rule]:
    return [rule for rule in declared.rules if rule.found and not rule.others]


def _table(
    session: Session, home: Installation, declared: Declarations, rule: Rule, subject: Subject
) -> dict[str, Any]:
    columns = [column for column in rule.table.columns if column.name not in rule.leave_out]
    query = select(*columns).where(condition(session, declared, rule, subject)).order_by(*rule.table.primary_key)
    names = _names(session, rule.table)
    rows = []
    for row in session.execute(query).mappings():
        said = {column.name: _plain(row[column.name]) for column in columns}
        rows.append(said | {of: known.get(row[column]) for column, (of, known) in names.items()})
    return {
        "table": rule.name,
        "what": rule.what,
        "why": rule.why,
        "kept": kept_for(rule, declared, home.settings),
        "rows": rows,
    }


def _names(session: Session, table: Table) -> dict[str, tuple[str, dict[int, str]]]:
    """For each column that refers to a department, position and the like: what the name is called, and the names by id."""
    found = {}
    for column in table.columns:
        for key in column.foreign_keys:
            other = Base.metadata.tables[key.target_fullname.partition(".")[0]]
            if {"id", "code", "name"} <= set(other.c.keys()):
                known = dict(session.execute(select(other.c.id, other.c.name)).all())
                found[column.name] = (column.name.removesuffix("_id"), known)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def as_json(document: dict[str, Any]) -> bytes:
    """The document as it is handed out."""
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()


def as_zip(document: dict[str, Any]) -> bytes:
    """The document as a ZIP: README.txt says what each file is; a CSV file for each table that has rows."""
    target = io.BytesIO()
    made = datetime.fromisoformat(document["made_at"]).timetuple()[:6]
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:

        def add(name: str, text: str) -> None:
            archive.writestr(zipfile.ZipInfo(name, made), text.encode(), zipfile.ZIP_DEFLATED)

        lines = [f"What {document['organisation']} holds in CertBridge about {document['employee_number']}", ""]
        for table in document["tables"]:
            lines += [
                f"{table['table']}: {table['what']} {table['why']} Kept {table['kept']}. Rows: {len(table['rows'])}."
            ]
            if table["rows"]:
                add(f"{table['table']}.csv", _csv(table["rows"]))
        add("README.txt", "\n".join(lines) + "\n")
    return target.getvalue()


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return "\ufeff" + text.getvalue()


def _cell(value: Any) -> Any:
    """A cell that a spreadsheet takes for text, not for a formula."""
    if isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False)
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def packed(document: dict[str, Any], form: str) -> bytes:
    """The document in one of FORMATS. Raises RefusedError for another."""
    if form not in FORMATS:
        raise RefusedError(f"There is no format {form!r}; the formats are {', '.join(FORMATS)}.")
    return as_zip(document) if form == "zip" else as_json(document)

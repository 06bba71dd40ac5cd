"""Statements as they are taken: all of a request or none of it, stored as they came before anything is made of them."""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from connectors.signed import CONFLICT, INVALID, MALFORMED, Refusal
from connectors.statement_models import SourceCredential, XapiStatement
from connectors.xapi.fields import actor_key, digest_of, fingerprint_of, occurred_at, target_of
from connectors.xapi.validation import errors_of
from plugin.store import among, chunks, hold, insert_rows

LOCK = "xapi_statements"
LARGEST = 8 * 1024 * 1024  # bytes of a request
MOST = 5_000  # statements in a request
FINDINGS = 20
COLUMNS = (
    "source", "statement_id", "user_key", "occurred_at", "stored_at", "statement", "digest", "fingerprint", "voids",
)  # fmt: skip


class BadStatements(Refusal):
    """A request that the specification answers with 400."""

    @property
    def status(self) -> int:
        """400, whichever it is, but for a conflict."""
        return 409 if self.code == CONFLICT else 400


@dataclass(frozen=True)
class Outcome:
    """The ids of the statements of a request, in their order, and how many of them are new here."""

    ids: list[str]
    new: int


def check(given: Any, *, one: bool = False) -> list[dict[str, Any]]:
    """The statements of a request, every one valid. Raises BadStatements."""
    statements = [given] if one or not isinstance(given, list) else given
    if len(statements) > MOST:
        raise BadStatements(INVALID, f"A request has at most {MOST} statements; send them in parts.")
    findings: list[dict[str, str]] = []
    for place, statement in enumerate(statements):
        start = f"/{place}" if isinstance(given, list) else ""
        findings += [{"field": start + wrong.path, "problem": wrong.code} for wrong in errors_of(statement)]
        if not findings:
            findings += _without_file(start, statement)
        if len(findings) >= FINDINGS:
            break
    if findings:
        first = findings[0]
        raise BadStatements(
            INVALID,
            f"Nothing was stored: {first['field'] or 'the body'} is wrong ({first['problem']}); docs/xapi.md explains the word.",
            findings[:FINDINGS],
        )
    ids = [statement["id"].lower() for statement in statements if "id" in statement]
    if len(set(ids)) != len(ids):
        raise BadStatements(MALFORMED, "Nothing was stored: two statements of the request have the same id.")
    return statements


def _without_file(start: str, statement: Mapping[str, Any]) -> list[dict[str, str]]:
    """Attachments that are nowhere: their data does not come with a request of type application/json."""
    listed = [(f"{start}/attachments", statement.get("attachments", []))]
    about = statement["object"]
    if about.get("objectType") == "SubStatement":
        listed.append((f"{start}/object/attachments", about.get("attachments", [])))
    return [
        {"field": f"{path}/{place}/fileUrl", "problem": "missing"}
        for path, attachments in listed
        for place, attachment in enumerate(attachments)
        if "fileUrl" not in attachment
    ]


def store(
    session: Session, credential: SourceCredential, statements: Sequence[dict[str, Any]], home_page: str, now: datetime
) -> Outcome:
    """Store checked statements as they came, with what an LRS adds. Raises BadStatements when an id is that of another one.

    One that was sent before without an id, by its actor, verb, object, timestamp and result, has the id that it was given then.
    """
    hold(session, LOCK)  # two requests with one id: the second one finds what the first has stored
    source = credential.source
    prints = {place: fingerprint_of(one) for place, one in enumerate(statements) if "id" not in one}
    known_prints = _known(session, source, XapiStatement.fingerprint, {each for each in prints.values() if each})
    ids: list[str] = []
    given_now: dict[str, str] = {}
    for place, statement in enumerate(statements):
        if "id" in statement:
            ids.append(statement["id"].lower())
            continue
        mark = prints[place]
        again = known_prints.get(mark or "") or given_now.get(mark or "")
        ids.append(again[0] if isinstance(again, tuple) else again or str(uuid.uuid4()))
        if mark:
            given_now.setdefault(mark, ids[-1])
    known = _known(session, source, XapiStatement.statement_id, set(ids))
    authority = {"objectType": "Agent", "account": {"homePage": home_page, "name": credential.name}}
    rows: dict[str, tuple[Any, ...]] = {}
    for place, (id_, statement) in enumerate(zip(ids, statements, strict=True)):
        digest = digest_of(statement)
        if id_ in rows:
            continue  # the same twice in one request, without an id
        if id_ in known:
            if "id" in statement and digest not in (known[id_][1], _held_digest(session, source, id_)):
                raise BadStatements(
                    CONFLICT,
                    f"Nothing was stored: another statement has the id {id_} (the {place + 1}. of the request).",
                )
            continue
        whole = {**statement, "id": id_, "stored": _text_of(now), "authority": authority}
        whole.setdefault("timestamp", whole["stored"])
        whole.setdefault("version", "1.0.0")
        rows[id_] = (
            source, id_, actor_key(statement["actor"]), occurred_at(statement, now), now, _stored_text(whole), digest,
            prints.get(place), target_of(statement),
        )  # fmt: skip
    if rows:
        insert_rows(session, XapiStatement, COLUMNS, rows.values())
    return Outcome(ids, len(rows))


def _held_digest(session: Session, source: str, id_: str) -> str | None:
    """What the statement says as it is held, with what was added here: somebody may send it back so."""
    held = session.scalar(
        select(XapiStatement.statement).where(XapiStatement.source == source, XapiStatement.statement_id == id_)
    )
    return digest_of(json.loads(held)) if held is not None else None


def _known(session: Session, source: str, column: Any, values: set[str]) -> dict[str, tuple[str, str]]:
    """Id and digest of the statements under these values of a column."""
    found: dict[str, tuple[str, str]] = {}
    query = select(column, XapiStatement.statement_id, XapiStatement.digest).where(XapiStatement.source == source)
    for chunk in chunks(sorted(values)):
        for value, id_, digest in session.execute(query.where(among(session, (column,), [(each,) for each in chunk]))):
            found.setdefault(value, (id_, digest))
    return found


def _text_of(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


def _stored_text(statement: Mapping[str, Any]) -> str:
    text = json.dumps(statement, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # half a character, which no database takes
        return json.dumps(statement, separators=(",", ":"), allow_nan=False)
    return text


def find(session: Session, source: str, statement_id: str, *, voided: bool) -> str | None:
    """The statement of this id as it is held, when it is voided or not as asked for."""
    row = session.scalars(
        select(XapiStatement).where(XapiStatement.source == source, XapiStatement.statement_id == statement_id.lower())
    ).one_or_none()
    if row is None or row.statement is None:
        return None
    return row.statement if is_voided(session, row) == voided else None


def is_voided(session: Session, row: XapiStatement) -> bool:
    """Whether another statement of the source voids this one; what voids cannot be voided itself."""
    if row.voids is not None:
        return False
    voider = select(XapiStatement.id).where(XapiStatement.source == row.source, XapiStatement.voids == row.statement_id)
    return session.scalar(voider.limit(1)) is not None

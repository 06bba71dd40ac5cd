"""What is made of stored statements: accounts of their actors, evidence, and what voiding takes away.

Statements are worked on in the order in which they were stored, some hundreds in a transaction. One that something goes wrong
with is passed over with a word about it, and stays as it came.
"""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from connectors.changed import Moment
from connectors.evidence import record
from connectors.models import SourceUser
from connectors.parse import storable
from connectors.proofs import statements as proofs_of
from connectors.records import Record, StatementRecord, UserRecord
from connectors.statement_models import Statement, XapiStatement
from connectors.storing import store_records
from connectors.xapi import fields
from connectors.xapi.settings import XapiSettings
from plugin.errors import CertBridgeError
from plugin.installation import Installation
from plugin.store import among, chunks, hold

log = logging.getLogger(__name__)

LOCK = "xapi_work"
AT_A_TIME = 500
# What was made of a statement.
EVIDENCE, VOIDING, NO_ACTIVITY, GROUP, TOO_LONG, FAILED, ERASED = (
    "evidence", "voiding", "no_activity", "group", "too_long", "failed", "erased",
)  # fmt: skip


def work(home: Installation) -> int:
    """Work on every statement that waits; how many there were."""
    total = 0
    while True:
        try:
            done = _some(home, AT_A_TIME)
        except (CertBridgeError, OperationalError):
            raise  # it is not the statements' fault
        except Exception:
            log.exception("Some statements could not be worked on; they are tried one by one")
            done = _one_by_one(home)
        total += done
        if not done:
            break
    if total:
        home.wake("people_touched")
    return total


def _some(home: Installation, limit: int) -> int:
    with home.store.write() as session:
        hold(session, LOCK)
        rows = _waiting(session, limit)
        _work_on(session, home, rows)
        return len(rows)


def _one_by_one(home: Installation) -> int:
    """As `_some`, so that one bad statement holds up no other."""
    for done in range(AT_A_TIME):
        try:
            if not _some(home, 1):
                return done
        except (CertBridgeError, OperationalError):
            raise
        except Exception:
            log.exception("A statement could not be worked on")
            with home.store.write() as session:
                hold(session, LOCK)
                for row in _waiting(session, 1):
                    row.outcome = FAILED
    return AT_A_TIME


def _waiting(session: Session, limit: int) -> Sequence[XapiStatement]:
    query = select(XapiStatement).where(XapiStatement.outcome.is_(None)).order_by(XapiStatement.id).limit(limit)
    return session.scalars(query).all()


def _work_on(session: Session, home: Installation, rows: Sequence[XapiStatement]) -> None:
    now = home.clock()
    moment = Moment(now, now.astimezone(home.settings.organisation.zone).date())
    by_source: dict[str, list[XapiStatement]] = {}
    for row in rows:
        by_source.setdefault(row.source, []).append(row)
    for source, found in by_source.items():
        voided = _voided(session, source, [row.statement_id for row in found])
        users: dict[str, Mapping[str, Any]] = {}
        records: list[Record] = []
        for row in found:
            statement = json.loads(row.statement) if row.statement is not None else None
            row.outcome = _outcome(row, statement)
            if row.outcome == EVIDENCE and statement is not None and row.user_key is not None:
                users[row.user_key] = statement["actor"]
                records.append(_record(row, statement, voided.get(row.statement_id)))
        session.flush()
        settings = _settings(home, source)
        accounts: list[Record] = [*_users(session, settings, users)]
        store_records(session, source, accounts + records, None, moment)
        _void(session, source, [row.voids for row in found if row.voids is not None], now)


def _outcome(row: XapiStatement, statement: Mapping[str, Any] | None) -> str:
    if statement is None:
        return ERASED
    if row.voids is not None:
        return VOIDING
    if row.user_key is None or statement["actor"].get("objectType") == "Group":
        return GROUP
    if statement["object"].get("objectType", "Activity") != "Activity":
        return NO_ACTIVITY
    if max(len(statement["object"]["id"]), len(statement["verb"]["id"])) > fields.LONGEST:
        return TOO_LONG
    return EVIDENCE


def _record(row: XapiStatement, statement: Mapping[str, Any], voided_at: datetime | None) -> StatementRecord:
    assert row.user_key is not None
    return StatementRecord(
        statement_id=row.statement_id,
        user_key=row.user_key,
        verb=storable(statement["verb"]["id"]),
        object=storable(statement["object"]["id"]),
        achieved_at=row.occurred_at,
        external=fields.external_of(statement),
        percent=fields.percent_of(statement),
        success=fields.success_of(statement),
        authority=fields.authority_name(statement["authority"]),
        voided_at=voided_at,
    )


def _voided(session: Session, source: str, ids: Sequence[str]) -> dict[str, datetime]:
    """Since when those of these statements are voided whose voiding came first."""
    found: dict[str, datetime] = {}
    query = select(XapiStatement.voids, XapiStatement.stored_at).where(XapiStatement.source == source)
    for chunk in chunks(ids):
        condition = among(session, (XapiStatement.voids,), [(id_,) for id_ in chunk])
        for voids, stored_at in session.execute(query.where(condition).order_by(XapiStatement.id.desc())):
            found[voids or ""] = stored_at
    return found


def _void(session: Session, source: str, ids: Iterable[str], now: datetime) -> None:
    """What these statements proved counts no more."""
    for chunk in chunks(sorted(set(ids))):
        keys = [(id_,) for id_ in chunk]
        session.execute(
            update(Statement)
            .where(
                Statement.source == source,
                Statement.voided_at.is_(None),
                among(session, (Statement.statement_id,), keys),
            )
            .values(voided_at=now),
            execution_options={"synchronize_session": False},
        )
        for rows in proofs_of(source, keys):
            record(session, now, rows)


# Actors -------------------------------------------------------------------------------------------------------------------------


def _settings(home: Installation, source: str) -> XapiSettings:
    """The source's settings; those of one that is not configured any more say nothing."""
    configured = home.settings.sources.get(source)
    if configured is None or configured.connector != "connectors.xapi":
        return XapiSettings()
    return home.settings.source(source, XapiSettings)


def _users(session: Session, settings: XapiSettings, actors: Mapping[str, Mapping[str, Any]]) -> list[UserRecord]:
    """The actors as accounts of the source. A name that an actor goes by is for people to read; nothing is matched by it."""
    elsewhere = _elsewhere(session, settings, actors)
    found = []
    for key, actor in actors.items():
        account, mbox = actor.get("account"), actor.get("mbox")
        idnumber, email = elsewhere.get(key, (None, None))
        if account is not None and account["homePage"] in settings.employee_numbers:
            idnumber = _short(account["name"], 200)
        found.append(
            UserRecord(
                user_key=key,
                username=_short(account["name"], 200) if account is not None else None,
                idnumber=idnumber,
                email=_short(mbox.removeprefix("mailto:"), 320) if mbox is not None else email,
                name=_short(actor.get("name"), 300),
            )
        )
    return found


def _short(text: str | None, most: int) -> str | None:
    return storable(text).strip()[:most] or None if text is not None else None


def _elsewhere(
    session: Session, settings: XapiSettings, actors: Mapping[str, Mapping[str, Any]]
) -> dict[str, tuple[str | None, str | None]]:
    """Number and address that another source knows an actor's account by, as `accounts_of` says."""
    asked: dict[str, dict[str, str]] = {}
    for key, actor in actors.items():
        account = actor.get("account")
        source = settings.accounts_of.get(account["homePage"]) if account is not None else None
        if source is not None and account is not None:
            asked.setdefault(source, {})[key] = storable(account["name"])
    found: dict[str, tuple[str | None, str | None]] = {}
    for source, names in asked.items():
        known: dict[str, tuple[str | None, str | None]] = {}
        columns = (SourceUser.user_key, SourceUser.username, SourceUser.idnumber, SourceUser.email)
        for column in (SourceUser.username, SourceUser.user_key):  # the number goes before the user name
            for chunk in chunks(sorted(set(names.values()))):
                query = select(*columns).where(
                    SourceUser.source == source, SourceUser.closed_at.is_(None),
                    among(session, (column,), [(name,) for name in chunk]),
                )  # fmt: skip
                for user_key, username, idnumber, email in session.execute(query):
                    known[user_key if column is SourceUser.user_key else username or ""] = (idnumber, email)
        found |= {key: known[name] for key, name in names.items() if name in known}
    return found

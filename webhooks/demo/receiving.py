"""Receiving a message as an HR product should: verify the bytes, drop duplicates and stale ones, file the rest."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from webhooks.demo.records import Records
from webhooks.standard.signing import HeadersError, SignatureError, verify

# status code and the word for it
Verdict = tuple[int, str]

ELIGIBILITY = {
    "promotion.eligible": "eligible",
    "promotion.conditional": "conditional",
    "promotion.blocked": "blocked",
}


class Data(BaseModel):
    """What every message's `data` has, whatever its type."""

    model_config = ConfigDict(extra="allow")

    sequence: int
    subject: str


class Message(BaseModel):
    """A message of schema 1. Fields that came later are let through."""

    model_config = ConfigDict(extra="allow")

    type: str
    data: Data


class CertificationData(Data):
    """The state of one person's certification."""

    employee_number: str
    certification: str
    status: str
    valid_from: str | None = None
    valid_until: str | None = None
    reason: str | None = None
    backfill: bool = False


class PromotionData(Data):
    """The answer for one promotion record."""

    promotion_id: str
    employee_number: str
    to: dict[str, str | None] = {}
    effective_date: str | None = None
    requirements: list[dict[str, Any]] = []
    note: str | None = None


class ErasureData(Data):
    """Whose data is to go."""

    employee_number: str


class Question(BaseModel):
    """The data of endpoint.read_back: what page is asked for."""

    cursor: str | None = None
    limit: int = 500


class Asked(BaseModel):
    """An endpoint.read_back."""

    type: Literal["endpoint.read_back"]
    data: Question


def asked(secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: datetime) -> Question | None:
    """The question in a verified message that asks what is held here; None for everything else."""
    try:
        verify(secrets, headers, body, now)
        return Asked.model_validate_json(body).data
    except (HeadersError, SignatureError, ValidationError):
        return None


def receive(
    records: Records, secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: datetime
) -> Verdict:
    """File one message: 201 new, 200 duplicate or stale, 400 bad headers, 401 bad signature, 422 bad data."""
    try:
        webhook_id = verify(secrets, headers, body, now)
        message = Message.model_validate_json(body)
        verdict = _file(records, webhook_id, message, now)
    except HeadersError:
        verdict = 400, "bad headers"
    except SignatureError:
        verdict = 401, "bad signature"
    except ValidationError:
        verdict = 422, "bad data"
    if verdict[0] >= 400:
        records.refuse(verdict[1])
    return verdict


def _file(records: Records, webhook_id: str, message: Message, now: datetime) -> Verdict:
    sequence, subject = message.data.sequence, message.data.subject
    with records.unit() as database:
        seen = database.execute(
            "UPDATE inbox SET times = times + 1 WHERE webhook_id = ? RETURNING 1", (webhook_id,)
        ).fetchone()
        if seen is not None:
            return 200, "duplicate"
        newest = database.execute("SELECT sequence FROM subject WHERE subject = ?", (subject,)).fetchone()
        if message.type == "endpoint.test":
            outcome: Verdict = 200, "test"
        elif newest is not None and sequence <= newest["sequence"]:
            outcome = 200, "stale"
        else:
            _apply(database, message)
            database.execute(
                "INSERT INTO subject VALUES (?, ?) ON CONFLICT (subject) DO UPDATE SET sequence = excluded.sequence",
                (subject, sequence),
            )
            outcome = 201, "new"
        database.execute(
            "INSERT INTO inbox (webhook_id, type, subject, sequence, outcome, received_at) VALUES (?, ?, ?, ?, ?, ?)",
            (webhook_id, message.type, subject, sequence, outcome[1], now.isoformat()),
        )
    return outcome


def _apply(database: sqlite3.Connection, message: Message) -> None:
    raw = message.data.model_dump()
    if message.type.startswith("certification."):
        _apply_certification(database, message.type, CertificationData.model_validate(raw), raw)
    elif message.type in ELIGIBILITY:
        _apply_promotion(database, ELIGIBILITY[message.type], PromotionData.model_validate(raw))
    elif message.type == "person.erased":
        number = ErasureData.model_validate(raw).employee_number
        database.execute("DELETE FROM certification WHERE employee_number = ?", (number,))
        database.execute("DELETE FROM promotion WHERE employee_number = ?", (number,))


def _apply_certification(
    database: sqlite3.Connection, event: str, data: CertificationData, raw: dict[str, Any]
) -> None:
    database.execute(
        "INSERT OR REPLACE INTO certification VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            data.employee_number, data.certification, data.status, data.valid_from, data.valid_until, data.reason,
            data.backfill, data.sequence, event, json.dumps(raw, ensure_ascii=False),
        ),
    )  # fmt: skip


def _apply_promotion(database: sqlite3.Connection, eligibility: str, data: PromotionData) -> None:
    # A record that somebody deleted here comes back with what the message says of it.
    database.execute(
        "INSERT INTO promotion (promotion_id, employee_number, to_position, to_grade, effective_date, proposed, eligibility, "
        "requirements, note, sequence) VALUES (?, ?, ?, ?, ?, 'created', ?, ?, ?, ?) ON CONFLICT (promotion_id) DO UPDATE "
        "SET eligibility = excluded.eligibility, requirements = excluded.requirements, note = excluded.note, "
        "sequence = excluded.sequence",
        (
            data.promotion_id, data.employee_number, data.to.get("position"), data.to.get("grade"), data.effective_date,
            eligibility, json.dumps(data.requirements, ensure_ascii=False), data.note, data.sequence,
        ),
    )  # fmt: skip

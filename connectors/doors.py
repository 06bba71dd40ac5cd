"""Doors: where others send us something. How often it was taken or refused, and why, is counted at each.

The doors are `notices` (a source says that something changed), `xapi` (statements) and `inbound` (events of HR). Somebody who
is unknown here is counted under the name '', so that strangers cannot fill the table.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from flask import Request
from sqlalchemy import func, literal, or_, select, update
from sqlalchemy.orm import Session
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from connectors.signed import MALFORMED, TOO_LARGE, Refusal
from connectors.statement_models import InboundCount
from plugin.alerts import Trouble
from plugin.findings import WARNING, Finding
from plugin.installation import Installation
from plugin.store import Store, UtcDateTime, inserting

NOTICES, XAPI, INBOUND = "notices", "xapi", "inbound"
TAKEN, KNOWN = "taken", "known"
PERSISTENT = 5  # refusals in a row
LATELY = timedelta(days=1)
# For the description of the API.
SIGNED_HEADERS = {
    "webhook-id": {"type": "string", "required": True, "description": "The message's own, the same at every attempt."},
    "webhook-timestamp": {"type": "string", "required": True, "description": "Seconds since 1970, of this attempt."},
    "webhook-signature": {"type": "string", "required": True, "description": "v1 and the HMAC-SHA256 in Base64."},
}
TAKEN_ANSWER = {
    "type": "object",
    "required": ["status"],
    "properties": {"status": {"enum": ["accepted", "known"]}},
}
PAGE, NEEDS = "/sync", "sync.see"


def body_of(request: Request, largest: int) -> bytes:
    """The bytes of a request's body, of which no more than `largest` are read. Raises Refusal."""
    too_large = Refusal(TOO_LARGE, f"The body has more than {largest:,} bytes, which is the most that is taken here.")
    if (request.content_length or 0) > largest:
        raise too_large
    try:
        body = request.stream.read(largest + 1)
    except RequestEntityTooLarge:
        raise too_large from None
    except ClientDisconnected:
        raise Refusal(MALFORMED, "The body ended early.") from None
    if len(body) > largest:
        raise too_large
    return body


def taken(session: Session, door: str, name: str, now: datetime, *, known: bool = False, times: int = 1) -> None:
    """Count what was taken, in the transaction that stores it; refusals before are no row any more."""
    _count(session, door, name, KNOWN if known else TAKEN, now, times)
    session.execute(
        update(InboundCount)
        .where(InboundCount.door == door, InboundCount.name == name, InboundCount.in_a_row > 0)
        .values(in_a_row=0, row_since=None),
        execution_options={"synchronize_session": False},
    )


def refused(store: Store, door: str, name: str, refusal: Refusal, now: datetime) -> None:
    """Count a refusal, with its sentence, which names no person."""
    with store.write() as session:
        _count(session, door, name, refusal.code, now, 1, str(refusal))


def _count(
    session: Session, door: str, name: str, outcome: str, now: datetime, times: int, reason: str | None = None
) -> None:
    is_refusal = reason is not None
    row = {
        "door": door,
        "name": name[:100],
        "outcome": outcome,
        "times": times,
        "first_at": now,
        "last_at": now,
        "in_a_row": times if is_refusal else 0,
        "row_since": now if is_refusal else None,
        "last_reason": reason,
    }
    statement = inserting(session, InboundCount.__table__).values(row)
    again = {
        "times": InboundCount.times + times,
        "last_at": now,
        "last_reason": reason,
        "in_a_row": InboundCount.in_a_row + times if is_refusal else 0,
        "row_since": func.coalesce(InboundCount.row_since, literal(now, UtcDateTime())) if is_refusal else None,
    }
    session.execute(
        statement.on_conflict_do_update(index_elements=["door", "name", "outcome"], set_=again),
        execution_options={"synchronize_session": False},
    )


def counts(session: Session, door: str | None = None, name: str | None = None) -> list[InboundCount]:
    """What was counted, of one door and name or of all, in their order."""
    query = select(InboundCount).order_by(InboundCount.door, InboundCount.name, InboundCount.outcome)
    if door is not None:
        query = query.where(InboundCount.door == door)
    if name is not None:
        query = query.where(InboundCount.name == name)
    return list(session.scalars(query))


def persistent(session: Session, doors: tuple[str, ...], now: datetime) -> Iterator[tuple[InboundCount, int]]:
    """Where refusals do not end: the newest kind of them, and how many there were since something was taken last."""
    rows = session.scalars(
        select(InboundCount).where(
            InboundCount.door.in_(doors),
            InboundCount.in_a_row > 0,
            or_(InboundCount.name != "", InboundCount.in_a_row >= PERSISTENT),
        )
    ).all()
    by_place: dict[tuple[str, str], list[InboundCount]] = {}
    for row in rows:
        by_place.setdefault((row.door, row.name), []).append(row)
    for _, found in sorted(by_place.items()):
        newest = max(found, key=lambda row: row.last_at)
        times = sum(row.in_a_row for row in found)
        if times >= PERSISTENT and newest.last_at > now - LATELY:
            yield newest, times


def troubles(doors: tuple[str, ...]) -> Callable[[Installation], Iterator[Trouble]]:
    """What an addon reports for its alerts about these doors; strangers at a door are nobody's alarm."""

    def found(home: Installation) -> Iterator[Trouble]:
        with home.store.read() as session:
            standing = list(persistent(session, doors, home.clock()))
        for row, times in standing:
            if row.name and row.row_since is not None:
                reason = f"What it sends is refused: {row.last_reason}"
                yield Trouble("inbound", f"{row.door}: {row.name}", reason, row.row_since, PAGE, NEEDS, times)

    return found


def findings(home: Installation, doors: tuple[str, ...]) -> Iterator[Finding]:
    """What doctor says of these doors."""
    with home.store.read() as session:
        standing = list(persistent(session, doors, home.clock()))
    for row, times in standing:
        who = f"What {row.name} sends" if row.name else "What somebody unknown sends"
        yield Finding(
            WARNING,
            "inbound",
            row.name or row.door,
            f"{who} to {row.door} was refused {times} times in a row, last on {row.last_at:%Y-%m-%d %H:%M}Z: {row.last_reason}",
            "nothing of it is known here",
            "Do what the reason says, on the sender's side or here; docs/inbound.md explains each",
        )

"""Comparing what a receiver holds with what it was sent, subject by subject, and sending the damaged ones again.

What should be there is the newest event of each subject that went to the endpoint, or, of a subject that never went there,
the newest event that would have. What is still on its way is left alone. Both sides are read page by page, what the receiver
says is kept in a temporary file, and our side is asked for whole pages: memory stays flat, and the cost is a few queries for
every PAGE subjects.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, and_, exists, func, literal, or_, select

from plugin.errors import RefusedError
from plugin.models import Event
from plugin.store import Store
from webhooks.delivery import Courier, open_target
from webhooks.digests import EXPLAINS, digest_of
from webhooks.endpoints import SKIP, find
from webhooks.models import WAITING, Endpoint, Message
from webhooks.payload import Content, build
from webhooks.spool import Spool, spool
from webhooks.target import Held, ReadsBack

MISSING = "missing"
DIFFERENT = "different"
STALE = "stale"
UNKNOWN = "unknown"
KINDS = {
    MISSING: "the receiver does not hold it",
    DIFFERENT: "the receiver holds another state under the same sequence, or a sequence that it was never sent",
    STALE: "the receiver holds an earlier state",
    UNKNOWN: "the receiver holds it and it was never sent there, or is forgotten here; it is left alone",
}

PAGE = 500
STATES = ("certification:%", "promotion:%")  # subjects that are states; an erasure is none


@dataclass(frozen=True)
class Difference:
    """A subject about which the receiver and we do not agree. `ours` and `theirs` are sequences, `fields` what differs.

    `event_id` and `person_id` are those of the event that the receiver should hold; None when it is unknown here.
    """

    kind: str
    subject: str
    ours: int | None
    theirs: int | None
    fields: tuple[str, ...] = ()
    event_id: str | None = None
    person_id: int | None = None

    def as_json(self) -> dict[str, Any]:
        """For a program."""
        return {
            "kind": self.kind, "subject": self.subject, "ours": self.ours, "theirs": self.theirs, "fields": list(self.fields),
        }  # fmt: skip


@dataclass(frozen=True)
class Expected:
    """What the receiver should hold of a subject; `data` is None when that is still on its way, or was never sendable."""

    subject: str
    sequence: int
    event_id: str
    person_id: int
    type: str
    data: Mapping[str, Any] | None


def compare(courier: Courier, name: str, counts: Counter[str]) -> Iterator[Difference]:
    """Every difference at the endpoint `name`. `counts` is counted up: `held`, `same`, `under_way` and the kinds above.

    Raises NotFoundError; RefusedError for an endpoint whose kind cannot be read back; DeliveryError when the receiver cannot
    be asked, SecretError.
    """
    started_at = courier.clock()
    with courier.store.read() as session:
        endpoint = find(session, name)
    with spool() as held:
        _read(courier, endpoint, held, counts, started_at)
        for page in _expected(courier.store, endpoint, started_at):
            theirs = held.take([one.subject for one in page])
            for one in page:
                difference = _difference(one, theirs.get(one.subject))
                counts["under_way" if one.data is None else difference.kind if difference else "same"] += 1
                if difference is not None:
                    yield difference
        for row in held.unknown():
            counts[UNKNOWN] += 1
            yield Difference(UNKNOWN, row.subject, None, row.sequence)


def _read(courier: Courier, endpoint: Endpoint, held: Spool, counts: Counter[str], now: datetime) -> None:
    target = open_target(courier, endpoint)
    try:
        if not isinstance(target, ReadsBack):
            raise RefusedError(
                f"The endpoint {endpoint.name} cannot be compared: endpoints of the kind {endpoint.kind} cannot be read back."
            )
        for page in target.held(now):
            counts["held"] += held.put(page)
    finally:
        target.close()


def _difference(ours: Expected, theirs: Held | None) -> Difference | None:
    if ours.data is None:
        return None
    if theirs is None:
        return _differs(MISSING, ours, None)
    if theirs.sequence < ours.sequence:
        return _differs(STALE, ours, theirs)
    fields = _unlike(ours.data, theirs)
    if theirs.type is not None and theirs.type != ours.type:
        fields = ("type", *fields)
    if theirs.sequence > ours.sequence:
        fields = ("sequence", *fields)
    return _differs(DIFFERENT, ours, theirs, fields) if fields else None


def _differs(kind: str, ours: Expected, theirs: Held | None, fields: tuple[str, ...] = ()) -> Difference:
    their_sequence = theirs.sequence if theirs is not None else None
    return Difference(kind, ours.subject, ours.sequence, their_sequence, fields, ours.event_id, ours.person_id)


def _unlike(ours: Mapping[str, Any], theirs: Held) -> tuple[str, ...]:
    """The fields of what the receiver says that are not as they were sent."""
    if theirs.data is not None:
        given = theirs.data.items()
        named = (name for name, value in given if name in ours and name not in EXPLAINS and ours[name] != value)
        return tuple(sorted(name for name in named if name != "sequence"))
    if theirs.digest is not None and theirs.digest.lower() != digest_of(ours):
        return ("digest",)
    return ()


def _expected(store: Store, endpoint: Endpoint, started_at: datetime) -> Iterator[list[Expected]]:
    """What the receiver should hold, page by page, each page read in a unit of its own."""
    for newest, rows in ((_newest_sent, _sent), (_newest_never_sent, _never_sent)):
        last = ""
        while True:
            with store.read() as session:
                subjects = [subject for (subject, _) in session.execute(newest(endpoint, last).limit(PAGE))]
                if not subjects:
                    break
                pages = newest(endpoint, last).limit(PAGE).subquery()
                found = session.execute(rows(endpoint, pages)).all()
            last = subjects[-1]
            yield [_as_expected(row, endpoint, started_at) for row in found]


def _newest_sent(endpoint: Endpoint, after: str) -> Select[str, int]:
    return (
        select(Message.subject, func.max(Message.sequence).label("sequence"))
        .where(Message.endpoint_id == endpoint.id, Message.subject > after, _is_state(Message.subject))
        .group_by(Message.subject)
        .order_by(Message.subject)
    )


def _newest_never_sent(endpoint: Endpoint, after: str) -> Select[str, int]:
    sent = exists().where(Message.endpoint_id == endpoint.id, Message.subject == Event.subject)
    wanted = [Event.subject > after, _is_state(Event.subject), ~sent]
    if endpoint.types is not None:
        wanted.append(Event.type.in_(endpoint.types))
    if endpoint.backfill == SKIP:
        wanted.append(Event.backfill.is_(False))
    return (
        select(Event.subject, func.max(Event.sequence).label("sequence"))
        .where(*wanted)
        .group_by(Event.subject)
        .order_by(Event.subject)
    )


def _is_state(column: Any) -> Any:
    return or_(*(column.like(pattern) for pattern in STATES))


_EVENT = (
    Event.id, Event.person_id, Event.subject, Event.sequence, Event.type, Event.occurred_at, Event.backfill, Event.data,
    Event.fanned_out,
)  # fmt: skip


def _sent(endpoint: Endpoint, newest: Any) -> Select[Any]:
    same = and_(Message.subject == newest.c.subject, Message.sequence == newest.c.sequence)
    return (
        select(*_EVENT, Message.state, Message.finished_at)
        .join(newest, same)
        .join(Event, Event.id == Message.event_id)
        .where(Message.endpoint_id == endpoint.id)
        .order_by(Event.subject)
    )


def _never_sent(_endpoint: Endpoint, newest: Any) -> Select[Any]:
    same = and_(Event.subject == newest.c.subject, Event.sequence == newest.c.sequence)
    return select(*_EVENT, literal(None), literal(None)).join(newest, same).order_by(Event.subject)


def _as_expected(row: Row[Any], endpoint: Endpoint, started_at: datetime) -> Expected:
    id_, person_id, subject, sequence, type_, occurred_at, backfill, data, fanned_out, state, finished_at = tuple(row)
    # What was delivered while the receiver was being read may or may not stand in what it said.
    moving = state == WAITING or not fanned_out or (finished_at is not None and finished_at > started_at)
    body = None if moving else build(Content(type_, occurred_at, sequence, subject, backfill, data), full=False)
    return Expected(subject, sequence, id_, person_id, type_, json.loads(body)["data"] if body is not None else None)

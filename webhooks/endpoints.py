"""Endpoints: adding, listing, switching off and on, and asking one whether it answers.

A new endpoint gets the events from then on. `actor` is who is written into the audit trail.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session
from ulid import ULID

from plugin.audit import record_act
from plugin.errors import NotFoundError, RefusedError
from plugin.secrets import KeyRing
from plugin.settings import Settings
from webhooks import target as outcomes
from webhooks.delivery import Courier, open_target
from webhooks.models import WAITING, Endpoint, Message
from webhooks.payload import Content, build
from webhooks.target import Answer, Destination, Parcel, Target, kind_of

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")

STANDARD = "webhooks.standard"

# Every type of event there is, and when each comes; docs/webhooks.md says more.
WHEN = {
    "certification.awarded": "an award begins, for the first time or after a lapse",
    "certification.renewed": "an award begins by renewal",
    "certification.renewal_due": "time opened the window in which it can be renewed",
    "certification.grace": "time ended it, and its grace lasts",
    "certification.expired": "time ended it, and its grace",
    "certification.revoked": "somebody revoked it, or its evidence was voided",
    "certification.reinstated": "somebody took a revocation back",
    "certification.exempted": "somebody exempted the person from it",
    "certification.amended": "dates or evidence of a standing award changed",
    "promotion.eligible": "the person may be promoted as proposed",
    "promotion.conditional": "the person may be promoted once something that is under way is done",
    "promotion.blocked": "something that the promotion asks for is missing",
    "person.erased": "the person's data was erased here and should be there",
}
TYPES = tuple(WHEN)
TEST_TYPE = "endpoint.test"


@dataclass(frozen=True)
class Kinds:
    """What adding an endpoint needs to know: the kinds there are, the settings, the keys for secrets."""

    targets: Mapping[str, type[Target]]
    settings: Settings
    keys: KeyRing


def expand_types(patterns: Sequence[str]) -> list[str] | None:
    """The types that the patterns name, `certification.*` being every one that begins so; None for every type.

    Raises RefusedError for a pattern that names nothing.
    """
    chosen: set[str] = set()
    for pattern in patterns:
        found = [
            name for name in TYPES if name == pattern or (pattern.endswith(".*") and name.startswith(pattern[:-1]))
        ]
        if not found:
            raise RefusedError(f"There is no type of event {pattern!r}; there are: {', '.join(TYPES)}.")
        chosen.update(found)
    return sorted(chosen) or None


def add_endpoint(
    session: Session,
    kinds: Kinds,
    *,
    name: str,
    url: str,
    kind: str = STANDARD,
    types: Sequence[str] = (),
    secret: str | None = None,
    full: bool = False,
    actor: str,
    now: datetime,
) -> str | None:
    """Create an endpoint and return its secret, a new one unless `secret` is given.

    Raises RefusedError for a taken or malformed name, an unknown type, a malformed secret; DeliveryError for an
    address that deliveries may not go to.
    """
    if not NAME.fullmatch(name):
        raise RefusedError(f"{name!r} is no name for an endpoint; use letters, digits, dots, hyphens and underscores.")
    if session.scalars(select(Endpoint.id).where(Endpoint.name == name)).first() is not None:
        raise RefusedError(f"There is an endpoint {name} already; choose another name.")
    chosen = expand_types(types)
    target_class = kind_of(kinds.targets, kind)
    secret = secret if secret is not None else target_class.new_secret()
    target = target_class(Destination(name, url, secret), kinds.settings)
    try:
        target.check()
    finally:
        target.close()
    session.add(
        Endpoint(
            name=name,
            kind=kind,
            url=url,
            types=chosen,
            secret=kinds.keys.encrypt(secret) if secret is not None else None,
            full=full,
            created_at=now,
        )
    )
    after = {"kind": kind, "url": url, "types": chosen, "full": full}
    record_act(session, actor, "endpoint.add", f"endpoint:{name}", now, after=after)
    return secret


def find(session: Session, name: str) -> Endpoint:
    """The endpoint of this name. Raises NotFoundError."""
    endpoint = session.scalars(select(Endpoint).where(Endpoint.name == name)).one_or_none()
    if endpoint is None:
        raise NotFoundError(f"There is no endpoint {name}; 'certbridge endpoint list' shows those there are.")
    return endpoint


def every(session: Session) -> list[Endpoint]:
    """All endpoints by name."""
    return list(session.scalars(select(Endpoint).order_by(Endpoint.name)))


def waiting_counts(session: Session) -> dict[int, int]:
    """How many messages wait at each endpoint, by the endpoint's id."""
    query = select(Message.endpoint_id, func.count()).where(Message.state == WAITING).group_by(Message.endpoint_id)
    return dict(session.execute(query).all())


def disable(session: Session, name: str, reason: str, actor: str, now: datetime) -> None:
    """Send nothing more to the endpoint; its messages wait. Raises NotFoundError."""
    endpoint = find(session, name)
    endpoint.disabled_at = endpoint.disabled_at or now
    endpoint.disabled_reason = reason
    record_act(session, actor, "endpoint.disable", f"endpoint:{name}", now, reason=reason)


def enable(session: Session, name: str, actor: str, now: datetime) -> int:
    """Send to the endpoint again, at once what waited; how many messages that is. Raises NotFoundError."""
    endpoint = find(session, name)
    endpoint.disabled_at = endpoint.disabled_reason = endpoint.paused_until = None
    session.execute(
        update(Message)
        .where(Message.endpoint_id == endpoint.id, Message.state == WAITING, Message.due_at > now)
        .values(due_at=now),
        execution_options={"synchronize_session": False},
    )
    record_act(session, actor, "endpoint.enable", f"endpoint:{name}", now)
    return waiting_counts(session).get(endpoint.id, 0)


def test(courier: Courier, name: str, actor: str) -> tuple[Answer, timedelta]:
    """Send an `endpoint.test` message, outside every line, and say how it went and how long it took.

    Raises NotFoundError, DeliveryError, SecretError.
    """
    now = courier.clock()
    with courier.store.read() as session:
        endpoint = find(session, name)
    target = open_target(courier, endpoint)
    event_id = str(ULID.from_datetime(now))
    content = Content(TEST_TYPE, now, 0, f"endpoint:{name}", backfill=False, data={"endpoint": name})
    body = build(content, full=False)
    assert body is not None
    try:
        answer = target.send(Parcel(event_id, body), now)
    finally:
        target.close()
    ended = courier.clock()
    with courier.store.write() as session:
        endpoint = find(session, name)
        if answer.outcome == outcomes.DELIVERED:
            endpoint.last_success_at = ended
        else:
            endpoint.last_failure_at, endpoint.last_failure = ended, answer.reason
        after = {"event": event_id, "outcome": answer.outcome, "status": answer.status}
        record_act(session, actor, "endpoint.test", f"endpoint:{name}", now, after=after)
    return answer, ended - now

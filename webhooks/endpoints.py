"""Endpoints: adding, listing, changing, switching off and on, new keys, and asking one whether it answers.

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
from plugin.errors import N_, NotFoundError, RefusedError, RefusedInWordsError
from plugin.secrets import KeyRing
from plugin.settings import Settings
from webhooks import keys
from webhooks import target as outcomes
from webhooks.delivery import Courier, open_target
from webhooks.models import WAITING, Endpoint, Message
from webhooks.payload import Content, build
from webhooks.settings import WebhooksSettings
from webhooks.standing import note_success
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

SEND, SKIP = "send", "skip"  # what an endpoint wants of events that lie in the past
SLOWEST, FASTEST = 0.001, 10_000  # messages a second

# Why something is refused, as pages say it too.
NO_NAME = N_("%(name)s is no name for an endpoint; use letters, digits, dots, hyphens and underscores.")
TAKEN = N_("There is an endpoint %(name)s already; choose another name.")
NO_RATE = N_("A rate is %(slowest)s to %(fastest)s messages a second, or 0 for no limit.")
SAME_KEY = N_("The endpoint %(name)s signs with this key already; give a new one, or have one made.")
NO_KEYS = N_("The endpoint %(name)s has no keys: messages to its kind are not signed.")
SAY_WHY = N_("Say why the endpoint is disabled; it stands in the audit trail.")

IN_USE, FAILING, PAUSED, DISABLED = "in_use", "failing", "paused", "disabled"


@dataclass(frozen=True)
class Kinds:
    """What adding an endpoint needs to know: the kinds there are, the settings, the keys for secrets."""

    targets: Mapping[str, type[Target]]
    settings: Settings
    keys: KeyRing


@dataclass(frozen=True)
class Changes:
    """What is to be different about an endpoint; None leaves it as it is. No types at all means every type, a rate of 0 none."""

    url: str | None = None
    types: Sequence[str] | None = None
    full: bool | None = None
    rate: float | None = None
    backfill: str | None = None


def state_of(endpoint: Endpoint, now: datetime) -> str:
    """How an endpoint stands: IN_USE, FAILING, PAUSED (it asked for that) or DISABLED."""
    if endpoint.disabled_at is not None:
        return DISABLED
    if endpoint.paused_until is not None and endpoint.paused_until > now:
        return PAUSED
    failed, succeeded = endpoint.last_failure_at, endpoint.last_success_at
    if endpoint.failing_since is not None or (failed is not None and (succeeded is None or failed > succeeded)):
        return FAILING
    return IN_USE


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
    scheme: str = keys.V1,
    full: bool = False,
    rate: float | None = None,
    backfill: str = SEND,
    actor: str,
    now: datetime,
) -> str | None:
    """Create an endpoint and return the secret that its receiver has to know; None when it needs none.

    `secret` are the keys to sign with, a space between them; what `scheme` needs and is not given is made. Raises
    RefusedError for a taken or malformed name, an unknown type or scheme, a malformed key or rate; DeliveryError for an
    address that deliveries may not go to.
    """
    if not NAME.fullmatch(name):
        raise RefusedInWordsError(NO_NAME, column="name", name=repr(name))
    if session.scalars(select(Endpoint.id).where(Endpoint.name == name)).first() is not None:
        raise RefusedInWordsError(TAKEN, column="name", name=name)
    chosen = expand_types(types)
    target_class = kind_of(kinds.targets, kind)
    signing = _keys_for(target_class, scheme, secret)
    _check(target_class, kinds.settings, name, url, signing)
    endpoint = Endpoint(
        name=name,
        kind=kind,
        url=url,
        types=chosen,
        full=full,
        rate=checked_rate(rate),
        backfill=_checked_backfill(backfill),
        created_at=now,
    )
    _set_keys(endpoint, kinds, signing)
    session.add(endpoint)
    record_act(session, actor, "endpoint.add", f"endpoint:{name}", now, after=_as_chosen(endpoint))
    return keys.shared(signing) if signing is not None else None


def _keys_for(target_class: type[Target], scheme: str, given: str | None) -> str | None:
    """What an endpoint of this kind signs with; None when its kind needs nothing. Raises RefusedError."""
    fresh = target_class.new_secret()
    if fresh is not None and fresh.startswith(keys.SECRET):
        return keys.complete(scheme, (given or "").split())
    return given if given is not None else fresh


def _set_keys(endpoint: Endpoint, kinds: Kinds, signing: str | None) -> None:
    endpoint.secret = kinds.keys.encrypt(signing) if signing is not None else None
    endpoint.scheme = keys.scheme_of(signing) if signing is not None else keys.V1
    endpoint.public_key = keys.public_key(signing) if signing is not None else None


def _check(target_class: type[Target], settings: Settings, name: str, url: str, signing: str | None) -> None:
    """Raise DeliveryError when the kind cannot send there."""
    first, *also = signing.split() if signing is not None else [None]
    target = target_class(Destination(name, url, first, tuple(key for key in also if key)), settings)
    try:
        target.check()
    finally:
        target.close()


def checked_rate(rate: float | None) -> float | None:
    """A rate in messages a second; None, for 0 too, is no limit. Raises RefusedError."""
    if rate is None or rate == 0:
        return None
    if not SLOWEST <= rate <= FASTEST:
        raise RefusedInWordsError(NO_RATE, column="rate", slowest=SLOWEST, fastest=FASTEST)
    return rate


def _checked_backfill(backfill: str) -> str:
    if backfill not in (SEND, SKIP):
        raise RefusedError(f"{backfill!r} says nothing about backfill; it is {SEND} or {SKIP}.")
    return backfill


def _as_chosen(endpoint: Endpoint) -> dict[str, object]:
    """What somebody has chosen about an endpoint, for the audit trail: everything but its keys."""
    chosen = ("kind", "url", "types", "full", "rate", "backfill", "scheme", "public_key")
    return {name: getattr(endpoint, name) for name in chosen}


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


def change(session: Session, kinds: Kinds, name: str, changes: Changes, actor: str, now: datetime) -> list[str]:
    """Change an endpoint; the names of what is different now. What has become a message already stays one.

    Raises NotFoundError, RefusedError, DeliveryError; then nothing is changed.
    """
    endpoint = find(session, name)
    wanted: dict[str, object] = {}
    if changes.url is not None:
        signing = kinds.keys.decrypt(endpoint.secret) if endpoint.secret is not None else None
        _check(kind_of(kinds.targets, endpoint.kind), kinds.settings, name, changes.url, signing)
        wanted["url"] = changes.url
    if changes.types is not None:
        wanted["types"] = expand_types(changes.types)
    if changes.full is not None:
        wanted["full"] = changes.full
    if changes.rate is not None:
        wanted["rate"] = checked_rate(changes.rate)
    if changes.backfill is not None:
        wanted["backfill"] = _checked_backfill(changes.backfill)
    before = {key: getattr(endpoint, key) for key, value in wanted.items() if getattr(endpoint, key) != value}
    for key in before:
        setattr(endpoint, key, wanted[key])
    if "url" in before:
        endpoint.failing_since = endpoint.paused_until = None
    if before:
        after = {key: wanted[key] for key in before}
        record_act(session, actor, "endpoint.change", f"endpoint:{name}", now, before=before, after=after)
    return list(before)


def rotate(
    session: Session,
    kinds: Kinds,
    name: str,
    *,
    secret: str | None = None,
    scheme: str | None = None,
    at_once: bool = False,
    actor: str,
    now: datetime,
) -> str | None:
    """Give an endpoint new keys and return the secret that its receiver has to know; None when it needs none.

    What signed until now signs beside them for `old_key_lasts`, unless `at_once` says that it is not to be trusted any
    more; what an earlier rotation left is wiped. `secret` and `scheme` (as it is by default) are as in `add_endpoint`.
    Raises NotFoundError, RefusedError, SecretError.
    """
    endpoint = find(session, name)
    if endpoint.secret is None:
        raise RefusedInWordsError(NO_KEYS, name=name)
    signing = _keys_for(kind_of(kinds.targets, endpoint.kind), scheme or endpoint.scheme, secret)
    assert signing is not None
    if any(key in kinds.keys.decrypt(endpoint.secret).split() for key in signing.split()):
        raise RefusedInWordsError(SAME_KEY, name=name)
    own = kinds.settings.section("webhooks", WebhooksSettings)
    endpoint.old_secret = None if at_once else endpoint.secret
    endpoint.old_secret_until = None if at_once else now + own.both_keys
    before = {"scheme": endpoint.scheme, "public_key": endpoint.public_key}
    _set_keys(endpoint, kinds, signing)
    until = endpoint.old_secret_until.isoformat() if endpoint.old_secret_until is not None else None
    after = {"scheme": endpoint.scheme, "public_key": endpoint.public_key, "old_key_until": until}
    record_act(session, actor, "endpoint.rotate", f"endpoint:{name}", now, before=before, after=after)
    return keys.shared(signing)


def as_json(endpoint: Endpoint, waiting: int, now: datetime) -> dict[str, object]:
    """An endpoint for a program: what was chosen and how it stands, without its secret keys."""
    moments = (
        "created_at", "disabled_at", "paused_until", "failing_since", "last_success_at", "last_failure_at",
        "delivered_at",
    )  # fmt: skip
    return {
        "name": endpoint.name,
        "state": state_of(endpoint, now),
        "waiting": waiting,
        **_as_chosen(endpoint),
        "old_key_until": endpoint.old_secret_until,
        **{name: getattr(endpoint, name) for name in moments},
        "disabled_reason": endpoint.disabled_reason,
        "last_failure": endpoint.last_failure,
    }


def disable(session: Session, name: str, reason: str, actor: str, now: datetime) -> None:
    """Send nothing more to the endpoint; its messages wait. Raises NotFoundError."""
    endpoint = find(session, name)
    endpoint.disabled_at = endpoint.disabled_at or now
    endpoint.disabled_reason = reason
    record_act(session, actor, "endpoint.disable", f"endpoint:{name}", now, reason=reason)


def enable(session: Session, name: str, actor: str, now: datetime) -> int:
    """Send to the endpoint again, at once what waited; how many messages that is. Raises NotFoundError."""
    endpoint = find(session, name)
    # The messages first, as whoever records attempts does: the other way round the two could wait for each other.
    session.execute(
        update(Message)
        .where(Message.endpoint_id == endpoint.id, Message.state == WAITING, Message.due_at > now)
        .values(due_at=now),
        execution_options={"synchronize_session": False},
    )
    endpoint.disabled_at = endpoint.disabled_reason = endpoint.paused_until = endpoint.failing_since = None
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
            note_success(endpoint, ended)
        else:
            endpoint.last_failure_at, endpoint.last_failure = ended, answer.reason
        after = {"event": event_id, "outcome": answer.outcome, "status": answer.status}
        record_act(session, actor, "endpoint.test", f"endpoint:{name}", now, after=after)
    return answer, ended - now

"""What fails in deliveries, for the alerts: endpoints that fail, were disabled by failing, or are silent for longer than
they usually are, and messages that were given up.

The manifest names `troubles` under `alerts`.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from statistics import median

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from plugin.alerts import Trouble
from plugin.installation import Installation
from plugin.models import AuditEntry
from webhooks.endpoints import DISABLED, PAUSED, state_of
from webhooks.models import DEAD, WAITING, Endpoint, Message
from webhooks.standing import BREAK

PAGE, NEEDS = "/deliveries", "deliveries.see"
LATELY = timedelta(days=7)  # messages that were given up before that are old news; the page of deliveries has them
FAILING_FOR = timedelta(hours=1)  # the schedule has tried four times by then
OVERDUE = timedelta(hours=1)
USUALLY = 2  # how often the longest silence of a usual week has to pass
SHORTEST_SILENCE = timedelta(days=1)
WEEKS = 3  # with events, until anything is usual


def troubles(home: Installation) -> Iterator[Trouble]:
    """How endpoints stand that nobody has disabled, and those with messages given up within a week."""
    now = home.clock()
    given_up = (
        select(Message.endpoint_id, func.count(), func.min(Message.finished_at), func.max(Message.id))
        .where(Message.state == DEAD, Message.finished_at > now - LATELY)
        .group_by(Message.endpoint_id)
    )
    found: list[Trouble] = []
    with home.store.read() as session:
        endpoints = session.scalars(select(Endpoint).order_by(Endpoint.name)).all()
        by_somebody = set(session.scalars(select(Endpoint.id).where(_disabled_by_somebody())))
        for endpoint in endpoints:
            if endpoint.disabled_at is None:
                trouble = failing(endpoint, now) or quiet(session, endpoint, now)
            elif endpoint.id not in by_somebody:
                reason = endpoint.disabled_reason or ""
                trouble = Trouble("disabled", endpoint.name, reason, endpoint.disabled_at, _page(endpoint), NEEDS)
            else:
                trouble = None
            found += [trouble] if trouble is not None else []
        names = {endpoint.id: endpoint.name for endpoint in endpoints}
        dead = session.execute(given_up).all()
        newest = select(Message.id, Message.reason).where(Message.id.in_([row[3] for row in dead]))
        reasons = dict(session.execute(newest).all())
    yield from found
    for endpoint_id, count, since, last in dead:
        assert since is not None
        yield Trouble("deliveries", names[endpoint_id], reasons[last] or "", since, PAGE, NEEDS, count)


def _disabled_by_somebody() -> ColumnElement[bool]:
    """The condition that somebody has disabled an endpoint, or confirmed what failing has done."""
    return (
        select(AuditEntry.id)
        .where(
            AuditEntry.action == "endpoint.disable",
            AuditEntry.subject == "endpoint:" + Endpoint.name,
            AuditEntry.at >= Endpoint.disabled_at,
        )
        .exists()
    )


def failing(endpoint: Endpoint, now: datetime) -> Trouble | None:
    """That nothing but failures have come back for an hour, the last of them lately."""
    since, last = endpoint.failing_since, endpoint.last_failure_at
    if since is None or last is None or now - since < FAILING_FOR or now - last > BREAK:
        return None
    return Trouble("endpoint", endpoint.name, endpoint.last_failure or "", since, _page(endpoint), NEEDS)


def quiet(session: Session, endpoint: Endpoint, now: datetime) -> Trouble | None:
    """That messages are due and nobody tries to send them, or that nothing has arrived for longer than is usual."""
    if state_of(endpoint, now) in (DISABLED, PAUSED):
        return None
    tried = max((at for at in (endpoint.last_success_at, endpoint.last_failure_at) if at), default=endpoint.created_at)
    due = session.scalar(
        select(Message.due_at)
        .where(Message.endpoint_id == endpoint.id, Message.state == WAITING, Message.due_at < now - OVERDUE)
        .order_by(Message.due_at)
        .limit(1)
    )
    if due is not None and tried < now - OVERDUE:
        reason = "Messages are due, and nobody tries to send them; see whether the workers run."
        return Trouble("quiet", endpoint.name, reason, max(due, tried), _page(endpoint), NEEDS)
    usual = usual_silence(endpoint, now)
    since = endpoint.delivered_at
    if usual is None or since is None or now - since < max(USUALLY * usual, SHORTEST_SILENCE):
        return None
    reason = (
        f"No event has been sent to it for longer than usual (the longest silence of a usual week is "
        f"{usual.total_seconds() / 3600:.0f} h); see whether the sources bring anything new."
    )
    return Trouble("quiet", endpoint.name, reason, since, _page(endpoint), NEEDS)


def usual_silence(endpoint: Endpoint, now: datetime) -> timedelta | None:
    """The longest silence of a usual week, the median of the last ones; None until there have been WEEKS of them."""
    gaps = [seconds for week, seconds in (endpoint.gaps or {}).items() if week != now.strftime("%G-W%V")]
    return timedelta(seconds=median(gaps)) if len(gaps) >= WEEKS else None


def _page(endpoint: Endpoint) -> str:
    return f"/endpoints/{endpoint.name}"

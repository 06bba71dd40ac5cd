"""What fails in deliveries, for the alerts: endpoints that were disabled by failing, and messages that were given up.

The manifest names `troubles` under `alerts`.
"""

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import func, select

from plugin.alerts import Trouble
from plugin.installation import Installation
from plugin.models import AuditEntry
from webhooks.models import DEAD, Endpoint, Message

PAGE, NEEDS = "/deliveries", "deliveries.see"
LATELY = timedelta(days=7)  # messages that were given up before that are old news; the page of deliveries has them


def troubles(home: Installation) -> Iterator[Trouble]:
    """Endpoints that nobody has disabled and that are, and those with messages given up within a week."""
    by_somebody = (
        select(AuditEntry.id)
        .where(
            AuditEntry.action == "endpoint.disable",
            AuditEntry.subject == "endpoint:" + Endpoint.name,
            AuditEntry.at >= Endpoint.disabled_at,
        )
        .exists()
    )
    given_up = (
        select(Message.endpoint_id, func.count(), func.min(Message.finished_at), func.max(Message.id))
        .where(Message.state == DEAD, Message.finished_at > home.clock() - LATELY)
        .group_by(Message.endpoint_id)
    )
    with home.store.read() as session:
        disabled = session.scalars(select(Endpoint).where(Endpoint.disabled_at.is_not(None), ~by_somebody)).all()
        names = dict(session.execute(select(Endpoint.id, Endpoint.name)).all())
        dead = session.execute(given_up).all()
        newest = select(Message.id, Message.reason).where(Message.id.in_([row[3] for row in dead]))
        reasons = dict(session.execute(newest).all())
    for endpoint in disabled:
        assert endpoint.disabled_at is not None
        reason = endpoint.disabled_reason or ""
        yield Trouble("endpoint", endpoint.name, reason, endpoint.disabled_at, PAGE, NEEDS)
    for endpoint_id, count, since, last in dead:
        assert since is not None
        yield Trouble("deliveries", names[endpoint_id], reasons[last] or "", since, PAGE, NEEDS, count)

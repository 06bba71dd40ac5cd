"""What `certbridge doctor` finds about the endpoints: whether each can be sent to, and how that went lately."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from urllib.parse import urlsplit

from sqlalchemy import func, select

from plugin.doctor import is_loopback
from plugin.errors import CertBridgeError
from plugin.findings import ERROR, HINT, OK, WARNING, Finding, tried
from plugin.installation import Installation
from webhooks import endpoints, inbound_work
from webhooks.delivery import open_target
from webhooks.models import DEAD, WAITING, Endpoint, Message
from webhooks.tasks import courier

LONG = timedelta(days=1)


def doctor(home: Installation) -> Iterator[Finding]:
    """What is found about every endpoint."""
    found: list[Endpoint] = []

    def listed() -> Iterator[Finding]:
        with home.store.read() as session:
            found.extend(endpoints.every(session))
        if not found:
            yield Finding(
                HINT,
                "endpoints",
                "",
                "There is no endpoint",
                "HR is told nothing",
                "Run: certbridge endpoint add NAME URL --secret-file FILE",
            )

    yield from tried("endpoints", "", listed)
    for endpoint in found:
        for check in (_way, _standing, _line):
            yield from tried("endpoints", endpoint.name, partial(check, home, endpoint))
    yield from tried("inbound", "", partial(inbound_work.findings, home))
    if any(endpoint.disabled_at is None for endpoint in found):
        yield from tried("endpoints", "", partial(_links, home))


def _way(home: Installation, endpoint: Endpoint) -> Iterator[Finding]:
    """Whether its kind is known, its secret opens and its address may be called."""
    try:
        target = open_target(courier(home), endpoint)
        try:
            target.check()
        finally:
            target.close()
    except CertBridgeError as error:
        yield Finding(
            ERROR if endpoint.disabled_at is None else HINT,
            "endpoints",
            endpoint.name,
            f"It cannot be sent to: {error}",
            "its messages wait",
            "Do what the message says; or take it out of use with 'certbridge endpoint disable'",
        )


def _standing(_home: Installation, endpoint: Endpoint) -> Iterator[Finding]:
    """Whether it is in use, and how sending went last."""
    success, failure = endpoint.last_success_at, endpoint.last_failure_at
    if endpoint.disabled_at is not None:
        yield Finding(
            WARNING,
            "endpoints",
            endpoint.name,
            f"It is disabled since {endpoint.disabled_at:%Y-%m-%d %H:%M}Z: {endpoint.disabled_reason}",
            "its messages wait",
            f"Run: certbridge endpoint enable {endpoint.name}",
        )
    elif failure is not None and (success is None or failure > success):
        last = f"the last success was on {success:%Y-%m-%d %H:%M}Z" if success else "nothing was ever delivered"
        yield Finding(
            ERROR,
            "endpoints",
            endpoint.name,
            f"Sending failed on {failure:%Y-%m-%d %H:%M}Z: {endpoint.last_failure} ({last})",
            "HR does not know yet what happened since; it is tried again",
            f"Mend what it says, then run: certbridge endpoint test {endpoint.name}",
        )
    elif success is None:
        yield Finding(
            HINT,
            "endpoints",
            endpoint.name,
            "Nothing has been sent to it yet",
            "whether it accepts our messages is not known",
            f"Run: certbridge endpoint test {endpoint.name}",
        )
    else:
        yield Finding(OK, "endpoints", endpoint.name, f"It accepted a message on {success:%Y-%m-%d %H:%M}Z")


def _line(home: Installation, endpoint: Endpoint) -> Iterator[Finding]:
    """What was given up, and what waits for long."""
    own = select(func.count()).select_from(Message).where(Message.endpoint_id == endpoint.id)
    overdue = Message.due_at < home.clock() - LONG
    with home.store.read() as session:
        dead = session.scalar(own.where(Message.state == DEAD)) or 0
        stuck = session.scalar(own.where(Message.state == WAITING, overdue)) or 0
    if dead:
        yield Finding(
            WARNING,
            "endpoints",
            endpoint.name,
            f"{dead} messages were given up",
            "HR may hold something else than CertBridge",
            f"Run: certbridge deliveries list --state dead --endpoint {endpoint.name}; and send them again",
        )
    if stuck and endpoint.disabled_at is None:
        yield Finding(
            WARNING,
            "endpoints",
            endpoint.name,
            f"{stuck} messages are due for more than a day",
            "HR does not know yet what they say",
            "See what was found about the schedules; or run: certbridge deliver",
        )


def _links(home: Installation) -> Iterator[Finding]:
    url = home.settings.web.public_url
    if is_loopback(urlsplit(url).hostname or ""):
        yield Finding(
            HINT,
            "endpoints",
            "",
            f"The links in messages to HR lead to {url}",
            "they open on this machine only",
            "Write into [web] public_url how people reach the pages",
        )

"""Proposing promotions to CertBridge through its API, with a bearer token."""

from dataclasses import dataclass, field
from typing import Any

import requests

from webhooks.demo.records import Records

TIMEOUT = 20


@dataclass(frozen=True)
class CertBridge:
    """Where CertBridge is, and the token that opens its API."""

    url: str
    token: str = field(repr=False)


def propose(records: Records, certbridge: CertBridge | None) -> dict[str, int]:
    """Send every proposal that CertBridge has not been told; how many had which outcome.

    One that CertBridge refuses keeps the reason; one that does not get through is sent the next time.
    """
    counts: dict[str, int] = {}
    with requests.Session() as session:
        session.trust_env = False
        for proposal in records.unsent():
            outcome, why = _send(session, certbridge, proposal)
            records.told(proposal["promotion_id"], None if outcome == "unsent" else outcome, why)
            counts[outcome] = counts.get(outcome, 0) + 1
    return counts


def _send(session: requests.Session, certbridge: CertBridge | None, proposal: dict[str, Any]) -> tuple[str, str | None]:
    if certbridge is None:
        return "unsent", "The sandbox was started without --certbridge."
    try:
        response = session.post(
            f"{certbridge.url.rstrip('/')}/api/v1/promotions",
            json=proposal,
            headers={"Authorization": f"Bearer {certbridge.token}"},
            timeout=TIMEOUT,
            allow_redirects=False,
        )
    except requests.RequestException as error:
        return "unsent", f"CertBridge could not be reached ({type(error).__name__})."
    try:
        answer = response.json()
    except ValueError:
        answer = {}
    if response.status_code in (200, 201):
        return str(answer.get("outcome", "created")), None
    why = f"{response.status_code}: {answer.get('detail', 'no reason given')}"
    return ("refused" if response.status_code in (409, 422) else "unsent"), why

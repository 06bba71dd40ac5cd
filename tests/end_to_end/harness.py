"""The whole way as processes: start them, kill them, and tell what they left behind."""

import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import select

from connectors.conformance import contents
from metrics.certification.models import Award, AwardChange, Holding, Promotion
from plugin.installation import Installation
from plugin.models import Event, Person
from webhooks.demo.tour import Places, prepare, running, walk

ANCHOR = datetime(2026, 11, 23, 0, 0, tzinfo=UTC)
PEOPLE = 60


@dataclass
class Outcome:
    """What a run left: in our store (but for ids and recorded times), and in HR's records."""

    pulled: dict[str, list[tuple[Any, ...]]]
    derived: dict[str, list[tuple[Any, ...]]]
    told: list[tuple[Any, ...]]
    hr: dict[str, Any]


def whole_way(folder: Path, disturb: Callable[[Places], None] | None = None, settings: str = "") -> Outcome:
    """Walk the whole way with `certbridge run`; `disturb` may start and kill CertBridge before that."""
    places, home = prepare(folder, PEOPLE, ANCHOR, settings)
    with ExitStack() as stack:
        stack.enter_context(running(places, "moodle"))
        stack.enter_context(running(places, "hr"))
        if disturb is not None:
            disturb(places)
        stack.enter_context(running(places, "certbridge"))
        walk(home, places)
        found = outcome(home, places)
    home.store.close()
    return found


def kill_again_and_again(times: int, seed: int) -> Callable[[Places], None]:
    """Start CertBridge and kill it at a random moment, again and again; HR proposes in the middle of it."""
    moments = random.Random(seed)

    def disturb(places: Places) -> None:
        for number in range(times):
            with running(places, "certbridge") as process:
                time.sleep(moments.uniform(0.05, 2.5))
                if number == times // 2:
                    propose(places)
                os.kill(process.pid, signal.SIGKILL)

    return disturb


def propose(places: Places) -> None:
    """HR proposes what it can: CertBridge may be gone, or not know the people yet; then it is proposed again later."""
    requests.post(f"{places.hr}/sandbox/propose", json=[], timeout=60)


def outcome(home: Installation, places: Places) -> Outcome:
    """What stands in both stores."""
    state = requests.get(f"{places.hr}/sandbox/state", timeout=30).json()
    with home.store.read() as session:
        number = dict(session.execute(select(Person.id, Person.employee_number)).all())

        def rows(model: Any, columns: Sequence[str]) -> list[tuple[Any, ...]]:
            found = session.scalars(select(model))
            return sorted(
                ((number[row.person_id], *(_plain(getattr(row, name)) for name in columns)) for row in found), key=str
            )

        derived = {
            "award": rows(
                Award, ("certification", "number", "achieved_at", "valid_from", "valid_until", "basis", "revoked_at")
            ),
            "award_change": rows(AwardChange, ("certification", "change", "reason")),
            "holding": rows(
                Holding, ("certification", "status", "valid_from", "valid_until", "required", "next_change_at")
            ),
            "promotion": rows(Promotion, ("promotion_id", "eligibility", "requirements", "note")),
        }
        told = rows(Event, ("sequence", "type", "subject", "backfill", "data"))
    records = {
        "certifications": [_plain(one) for one in state["certifications"]],
        "promotions": [_plain(one) for one in state["promotions"]],
    }
    return Outcome(contents(home.store), derived, told, records)


def _plain(value: Any) -> Any:
    """`value` without what differs from run to run: our ids, when 'now' was, and the port."""
    if isinstance(value, dict):
        left_out = {"award_id", "earliest", "links", "event_id", "webhook_id", "received_at", "proposed"}
        return {name: _plain(one) for name, one in value.items() if name not in left_out}
    return [_plain(one) for one in value] if isinstance(value, list) else value

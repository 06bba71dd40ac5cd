"""Where persons would stand with their certifications, for pages that show what an act would change."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from metrics.certification.engine import derive_people
from metrics.certification.models import Holding
from metrics.tasks import terms_of
from metrics.words import STATUSES, certification_names
from plugin.installation import Installation
from plugin.standings import Standing
from plugin.store import chunks


def standings(
    home: Installation, session: Session, person_ids: Sequence[int], now: datetime, language: str
) -> dict[tuple[int, str], Standing]:
    """Derives these persons in the caller's transaction, which is taken back; by person and certification."""
    names = certification_names(session, language)
    derive_people(session, person_ids, now, terms_of(home))
    found: dict[tuple[int, str], Standing] = {}
    for ids in chunks(person_ids):
        columns = (Holding.person_id, Holding.certification, Holding.status, Holding.valid_until)
        for person_id, code, status, until in session.execute(select(*columns).where(Holding.person_id.in_(ids))):
            tone = STATUSES[status][1] if status in STATUSES else "mute"
            found[person_id, code] = Standing(names.get(code, code), status, tone, until)
    return found

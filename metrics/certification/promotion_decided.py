"""A promotion or pay record as it was decided: the answer at closing, with the awards and the evidence behind it.

at, eligibility, note       when it was closed, and the answer that stood then
requirements                its lines, each with `award` (None where nothing is held) and `evidence`: what the award
                            used; without one, everything of that day that the rule looks at
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from connectors.models import Evidence
from metrics.certification.models import Award, Holding, Promotion
from metrics.certification.rules import load_books, objects_of
from plugin.store import chunks


def as_decided(session: Session, record: Promotion, at: datetime) -> dict[str, Any]:
    """The record's answer with what is behind it, in moments of the zone of `at`."""
    codes = [line["certification"] for line in record.requirements]
    awards = _awards(session, record.person_id, codes)
    pieces = _pieces(session, record.person_id, at) if codes else {}
    books = load_books(session, ZoneInfo("UTC")) if codes else {}  # what a rule looks at is the same in every zone
    lines = []
    for line in record.requirements:
        code = line["certification"]
        award = awards.get(code)
        wanted = objects_of(books[code]) if code in books else set()
        used: Iterable[Evidence] = (
            (pieces[each] for each in award.evidence if each in pieces)
            if award is not None
            else (piece for piece in pieces.values() if piece.voided_at is None and _is_looked_at(piece, wanted))
        )
        lines.append({**line, "award": _award(award, at), "evidence": [_piece(piece, at) for piece in used]})
    return {
        "at": _iso(at.replace(microsecond=0), at),
        "eligibility": record.eligibility,
        "note": record.note,
        "requirements": lines,
    }


def _awards(session: Session, person_id: int, codes: list[str]) -> dict[str, Award]:
    """The award that decides where the person stands, by certification."""
    found: dict[str, Award] = {}
    for chunk in chunks(codes):
        query = (
            select(Award)
            .join(Holding, Holding.award_id == Award.id)
            .where(Holding.person_id == person_id, Holding.certification.in_(chunk))
        )
        found.update((award.certification, award) for award in session.scalars(query))
    return found


def _pieces(session: Session, person_id: int, at: datetime) -> dict[int, Evidence]:
    """Everything recorded about the person, in the order of achievement."""
    query = select(Evidence).where(Evidence.person_id == person_id, Evidence.recorded_at <= at)
    return {piece.id: piece for piece in session.scalars(query.order_by(Evidence.achieved_at, Evidence.id))}


def _is_looked_at(piece: Evidence, wanted: set[tuple[str, str]]) -> bool:
    keys = {(piece.kind, piece.object), (piece.kind, piece.course or ""), (piece.kind, piece.category or "")}
    return not wanted.isdisjoint(keys)


def _award(award: Award | None, at: datetime) -> dict[str, Any] | None:
    if award is None:
        return None
    return {
        "id": award.id,
        "number": award.number,
        "basis": award.basis,
        "rule_version": award.rule_version,
        "achieved_at": _iso(award.achieved_at, at),
        "valid_from": _iso(award.valid_from, at),
        "valid_until": _iso(award.valid_until, at),
        "revoked_at": _iso(award.revoked_at, at),
    }


def _piece(piece: Evidence, at: datetime) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": piece.id,
        "kind": piece.kind,
        "source": piece.source,
        "object": piece.object,
        "achieved_at": _iso(piece.achieved_at, at),
        "recorded_at": _iso(piece.recorded_at, at),
    }
    figures = {"percent": piece.percent, "level": piece.level, "hours": piece.hours}
    shown |= {name: str(figure) for name, figure in figures.items() if figure is not None}
    shown |= {"success": piece.success} if piece.success is not None else {}
    shown |= {"verb": piece.verb} if piece.verb is not None else {}
    return shown | ({"voided_at": _iso(piece.voided_at, at)} if piece.voided_at is not None else {})


def _iso(moment: datetime | None, at: datetime) -> str | None:
    return moment.astimezone(at.tzinfo).isoformat() if moment is not None else None

"""Evidence: what pulled rows mean for persons, once their account is bound to one.

`record` brings the evidence of rows (connectors.proofs names them) in line with them: what is missing is added, what says
something else than its row is voided as superseded and recorded anew. Evidence of rows that have vanished at their source
stays, but for badges: those were revoked.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from connectors import proofs
from connectors.models import Evidence, Identity
from connectors.proofs import COLUMNS, Piece, Rows, completions, covers, percent, results
from plugin import people
from plugin.store import among, chunks, hold, insert_rows

__all__ = ["BINDING", "completions", "covers", "percent", "record", "record_of_users", "results", "void_unbound"]

BINDING = "identities"  # held alone while accounts are bound, shared while evidence is made
UNBOUND = "unbound"
AT_A_TIME = 5_000

_STANDING = select(Evidence.id, *(getattr(Evidence, name) for name in COLUMNS)).where(Evidence.voided_at.is_(None))


def record(session: Session, now: datetime, rows: Rows, *, fresh: bool = False) -> None:
    """Bring the evidence of `rows` in line with them, and touch the persons concerned.

    `fresh` says that the rows were stored in this transaction, so that there cannot be any evidence of them.
    """
    # An account may be bound at the same time by another pull: whoever is later must see what the other one stored.
    hold(session, BINDING, shared=True)
    proof, model = rows.proof, rows.proof.model
    for values in chunks(rows.values, AT_A_TIME):
        picked = select(model.id).where(model.source == rows.source, among(session, rows.columns, values)).cte("picked")
        with _joining_in_order(session):
            found = session.execute(proof.rows(picked.prefix_with("MATERIALIZED"))).all()
        asked: dict[tuple[int, str], str] = {}
        wanted: list[Piece] = []
        for row in found:
            origin, pieces, reason = proof.read(row)
            key = row[-1], origin
            if key not in asked:
                asked[key] = reason
                wanted += pieces
        _write(session, asked, wanted, now, fresh=fresh)


@contextmanager
def _joining_in_order(session: Session) -> Iterator[None]:
    """Join in the order that is written: PostgreSQL has no statistics of a fresh table, and would guess badly."""
    postgresql = session.get_bind().dialect.name == "postgresql"
    if postgresql:
        session.execute(text("SET LOCAL join_collapse_limit = 1"))
    yield
    if postgresql:
        session.execute(text("SET LOCAL join_collapse_limit = DEFAULT"))


def record_of_users(session: Session, source: str, user_keys: Sequence[str], now: datetime) -> None:
    """Bring everything that these accounts prove in line with what was pulled of them."""
    for rows in proofs.of_users(source, user_keys):
        record(session, now, rows)


def void_unbound(session: Session, source: str, user_key: str, now: datetime) -> None:
    """Void what an account proved about persons whose it was not then, as its bindings say now; touch those persons."""
    theirs = select(Identity.id).where(
        Identity.source == source,
        Identity.user_key == user_key,
        Identity.person_id == Evidence.person_id,
        covers(Evidence.achieved_at),
    )
    proved = select(Evidence.id, Evidence.person_id).where(
        Evidence.source == source, Evidence.user_key == user_key, Evidence.voided_at.is_(None), ~theirs.exists()
    )
    found = session.execute(proved).all()
    _void(session, [row.id for row in found], UNBOUND, now)
    people.touch(session, (row.person_id for row in found))


def _write(
    session: Session, asked: Mapping[tuple[int, str], str], wanted: list[Piece], now: datetime, *, fresh: bool
) -> None:
    """Leave of the origins in `asked` exactly the pieces that are `wanted` standing."""
    standing: dict[Piece, Any] = {}
    if asked and not fresh:
        those = among(session, (Evidence.person_id, Evidence.origin), asked)
        standing = {tuple(found[1:4]): found for found in session.execute(_STANDING.where(those))}
    new: list[Piece] = []
    voided: dict[str, list[int]] = {}
    for piece in wanted:
        found = standing.pop(piece[:3], None)
        if found is None:
            new.append(piece)
        elif found[6:] != piece[5:]:
            voided.setdefault(proofs.SUPERSEDED, []).append(found[0])
            new.append(piece)
    # What is left of a row that was asked for: it passed as long as there was a pass mark, and there is none now.
    for identity, found in standing.items():
        voided.setdefault(asked[identity[0], identity[1]], []).append(found[0])
    for reason, ids in voided.items():
        _void(session, ids, reason, now)
    if new:
        insert_rows(session, Evidence, (*COLUMNS, "recorded_at"), ((*piece, now) for piece in new))
    people.touch(session, {piece[0] for piece in new} | {identity[0] for identity in standing})


def _void(session: Session, ids: Sequence[int], reason: str, now: datetime) -> None:
    for chunk in chunks(ids, AT_A_TIME):
        session.execute(
            update(Evidence)
            .where(among(session, (Evidence.id,), [(id_,) for id_ in chunk]))
            .values(voided_at=now, void_reason=reason),
            execution_options={"synchronize_session": False},
        )

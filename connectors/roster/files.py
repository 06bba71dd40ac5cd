"""What is kept about files: which was read last, which are held, which wait on the page."""

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.orm import Session

from connectors.file_models import APPLIED, CONFIRMED, DROPPED, HELD, READ, WAITING, RosterFile
from plugin.audit import record_act
from plugin.errors import N_, RefusedInWordsError
from plugin.models import Person

if TYPE_CHECKING:
    from connectors.roster.planning import Plan

KEPT_WAITING = timedelta(days=1)  # a file that was handed in and that nobody decided about
NOTHING_HELD = N_("No file of %(source)s is held, or it has changed meanwhile; pull again to see.")
NO_FILE = N_("There is no file %(id)s that waits; it was settled already, or a day has passed.")


def _mark(session: Session) -> str:
    """How the persons stand: how many there are, and when the newest change was."""
    count, newest = session.execute(select(func.count(), func.max(Person.changed_at)).select_from(Person)).one()
    return f"{count} {newest.isoformat() if newest else ''}"


def is_read(session: Session, source: str, kind: str, digest: str) -> bool:
    """Whether this was the last file of its kind to be read to its end, and nobody has changed since."""
    query = _of(source, kind, READ).where(RosterFile.digest == digest)
    row = session.scalars(query).first()
    return row is not None and row.mark == _mark(session)


def note_read(session: Session, source: str, kind: str, name: str, digest: str, now: datetime) -> None:
    """Note that a file was read to its end. What was held of the kind before is over; a confirmation is used up."""
    session.flush()
    forget_read(session, source, kind)
    over = update(RosterFile).where(
        RosterFile.source == source, RosterFile.kind == kind, RosterFile.state.in_((HELD, CONFIRMED))
    )
    session.execute(over.values(state=DROPPED, settled_at=now), execution_options={"synchronize_session": False})
    session.add(
        RosterFile(
            source=source, kind=kind, state=READ, name=name[:300], digest=digest, mark=_mark(session), received_at=now
        )
    )


def forget_read(session: Session, source: str, kind: str) -> None:
    """Have the next pull compare the file, though it is as it was."""
    gone = delete(RosterFile).where(RosterFile.source == source, RosterFile.kind == kind, RosterFile.state == READ)
    session.execute(gone, execution_options={"synchronize_session": False})


def hold(session: Session, source: str, kind: str, plan: "Plan", now: datetime) -> None:
    """Note that a file is held; the one that was held before it is forgotten."""
    digest = plan.reading.digest
    row = session.scalars(_of(source, kind, HELD).where(RosterFile.digest == digest)).first()
    if row is not None:
        row.ending, row.people = plan.ending, plan.people
        return
    gone = delete(RosterFile).where(RosterFile.source == source, RosterFile.kind == kind, RosterFile.state == HELD)
    session.execute(gone, execution_options={"synchronize_session": False})
    session.add(
        RosterFile(
            source=source,
            kind=kind,
            state=HELD,
            name=plan.reading.called[:300],
            digest=digest,
            ending=plan.ending,
            people=plan.people,
            received_at=now,
        )
    )


def held(session: Session, source: str | None = None) -> list[RosterFile]:
    """The files that are held, of one source or of all."""
    query = select(RosterFile).where(RosterFile.state == HELD).order_by(RosterFile.source, RosterFile.kind)
    return list(session.scalars(query.where(RosterFile.source == source) if source else query))


def is_confirmed(session: Session, source: str, kind: str, digest: str) -> bool:
    """Whether somebody has let this very file through."""
    query = _of(source, kind, CONFIRMED).where(RosterFile.digest == digest)
    return session.scalars(query).first() is not None


def confirm(session: Session, row: RosterFile, actor: str, reason: str, now: datetime) -> None:
    """Let a held file through, as it is; who did so and why goes into the audit trail."""
    row.state, row.settled_at, row.settled_by, row.reason = CONFIRMED, now, actor, reason.strip() or None
    record_act(
        session,
        actor,
        "roster.confirm",
        f"{row.source}:{row.kind}",
        now,
        after={
            "file": row.name,
            "sha256": row.digest,
            "ending": row.ending,
            "people": row.people,
            "reason": row.reason,
        },
    )


def keep(
    session: Session, source: str, kind: str, name: str, content: bytes, actor: str, now: datetime, *, whole: bool
) -> RosterFile:
    """Keep a file that was handed in until somebody decides about it, a day at the most."""
    sweep(session, now)
    row = RosterFile(
        source=source,
        kind=kind,
        state=WAITING,
        name=name[:300],
        digest=hashlib.sha256(content).hexdigest(),
        whole=whole,
        content=content,
        received_at=now,
        received_by=actor,
    )
    session.add(row)
    session.flush()
    return row


def waiting(session: Session, id_: int) -> RosterFile:
    """A file that was handed in and waits. Raises RefusedInWordsError."""
    row = session.get(RosterFile, id_)
    if row is None or row.state != WAITING or row.content is None:
        raise RefusedInWordsError(NO_FILE, id=id_)
    return row


def settle(session: Session, row: RosterFile, state: str, actor: str, now: datetime) -> None:
    """End the waiting of a file that was handed in; what it says is not kept."""
    assert state in (APPLIED, DROPPED)
    row.state, row.content, row.settled_at, row.settled_by = state, None, now, actor


def sweep(session: Session, now: datetime) -> None:
    """Drop files that have waited for too long."""
    over = update(RosterFile).where(RosterFile.state == WAITING, RosterFile.received_at <= now - KEPT_WAITING)
    values = {"state": DROPPED, "content": None, "settled_at": now}
    session.execute(over.values(values), execution_options={"synchronize_session": False})


def _of(source: str, kind: str, state: str) -> Select[RosterFile]:
    return select(RosterFile).where(RosterFile.source == source, RosterFile.kind == kind, RosterFile.state == state)

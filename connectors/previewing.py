"""What a decision about an account would change, found out by deciding it in a part of a transaction that is taken back.

Beside the evidence, the addons that derive something tell where the persons would stand: `plugin.standings`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from connectors.evidence import BINDING
from connectors.linking import Decision, Outcome, decide
from connectors.models import Activity, Course, Evidence, Identity, SourceUser
from plugin import standings
from plugin.installation import Installation
from plugin.models import Person
from plugin.standings import Standing
from plugin.store import chunks, hold

PREVIEW = "preview"  # the reason and the actor of an act that never comes to be


@dataclass(frozen=True)
class Piece:
    """A piece of evidence that would appear or be voided."""

    number: str
    kind: str
    object: str
    achieved_at: datetime


@dataclass(frozen=True)
class Move:
    """Where a person stands with something, and would stand; None: nowhere."""

    number: str
    before: Standing | None
    after: Standing | None

    @property
    def name(self) -> str:
        """What it is that they stand with."""
        known = self.after or self.before
        assert known is not None
        return known.name


@dataclass
class Preview:
    """Everything that a decision would change. `bound`: accounts that the rules would bind then, with their persons.

    `names` are the persons' by their numbers, `titles` what the objects of the evidence are called.
    """

    appears: list[Piece] = field(default_factory=list)
    voided: list[Piece] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    bound: list[tuple[str, str]] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)


@dataclass
class _Look:
    """What is known of some persons at one time."""

    pieces: dict[int, tuple[int, str, str, datetime]]
    standings: dict[tuple[int, str], Standing]


def preview(home: Installation, decision: Decision, language: str = "en") -> Preview:
    """What `decision` would change. Raises LinkingRefused where it cannot be done. Nothing is stored."""
    now, zone = home.clock(), home.settings.organisation.zone
    decision = replace(decision, reason=decision.reason.strip() or PREVIEW)
    with home.store.write() as session:
        hold(session, BINDING)  # so that nothing else changes between the two looks
        with _taken_back(session):
            outcome = decide(session, decision, PREVIEW, now, zone)
            after = _look(home, session, outcome, decision.source, now, language)
            bound = _bound(session, decision.source, outcome.bound)
        with _taken_back(session):
            before = _look(home, session, outcome, decision.source, now, language)
        persons = select(Person.id, Person.employee_number, Person.name).where(Person.id.in_(outcome.person_ids))
        people = {row.id: (row.employee_number, row.name) for row in session.execute(persons)}
        number = {person_id: found[0] for person_id, found in people.items()}
        appears, voided = _pieces(after, before, number), _pieces(before, after, number)
        titles = _titles(session, {piece.object for piece in (*appears, *voided)})
    return Preview(
        appears=appears,
        voided=voided,
        moves=_moves(before, after, number),
        bound=bound,
        names=dict(people.values()),
        titles=titles,
    )


@contextmanager
def _taken_back(session: Session) -> Iterator[None]:
    """Whatever is done in the block is undone at its end, and what was loaded there forgotten."""
    nested = session.begin_nested()
    try:
        yield
    finally:
        nested.rollback()
        session.expunge_all()


def _look(home: Installation, session: Session, outcome: Outcome, source: str, now: datetime, language: str) -> _Look:
    pieces: dict[int, tuple[int, str, str, datetime]] = {}
    for ids in chunks(sorted(outcome.person_ids)):
        columns = (Evidence.id, Evidence.person_id, Evidence.kind, Evidence.object, Evidence.achieved_at)
        query = select(*columns).where(Evidence.person_id.in_(ids), Evidence.voided_at.is_(None))
        for row in session.execute(query.where(Evidence.source == source)):
            pieces[row.id] = (row.person_id, row.kind, row.object, row.achieved_at)
    session.flush()
    session.expunge_all()  # what is derived is derived from the store, not from what this session remembers
    return _Look(pieces, standings.of(home, session, sorted(outcome.person_ids), now, language))


def _pieces(here: _Look, not_there: _Look, number: dict[int, str]) -> list[Piece]:
    found = [row for key, row in here.pieces.items() if key not in not_there.pieces]
    return sorted(
        (Piece(number[person_id], kind, name, moment) for person_id, kind, name, moment in found),
        key=lambda piece: (piece.number, piece.achieved_at, piece.object, piece.kind),
    )


def _titles(session: Session, objects: set[str]) -> dict[str, str]:
    """What courses and activities are called, by what rules call them."""
    found: dict[str, str] = {}
    for chunk in chunks(sorted(objects)):
        for model in (Activity, Course):
            for name, title in session.execute(select(model.object, model.name).where(model.object.in_(chunk))):
                found[name] = title or name
    return found


def _moves(before: _Look, after: _Look, number: dict[int, str]) -> list[Move]:
    keys = before.standings.keys() | after.standings.keys()
    moves = [
        Move(number[key[0]], before.standings.get(key), after.standings.get(key))
        for key in keys
        if before.standings.get(key) != after.standings.get(key)
    ]
    return sorted(moves, key=lambda move: (move.number, move.name))


def _bound(session: Session, source: str, user_keys: list[str]) -> list[tuple[str, str]]:
    """The names of these accounts, with the numbers of the persons whose they are."""
    found: list[tuple[str, str]] = []
    for chunk in chunks(user_keys):
        query = (
            select(SourceUser.username, SourceUser.user_key, Person.employee_number)
            .join(Identity, (Identity.source == SourceUser.source) & (Identity.user_key == SourceUser.user_key))
            .join(Person, Person.id == Identity.person_id)
            .where(Identity.unbound_at.is_(None), SourceUser.source == source, SourceUser.user_key.in_(chunk))
        )
        found += [(name or key, number) for name, key, number in session.execute(query)]
    return sorted(found)

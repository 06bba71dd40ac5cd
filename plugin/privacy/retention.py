"""Retention: what is older than its kind is kept goes, in bounded batches, each in one transaction.

How long a kind is kept is its declaration's word, or that of `[privacy.retention]`. Evidence and awards have no kind:
they are kept until the person is erased.
"""

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol
from typing import cast as cast_type

from sqlalchemy import ColumnElement, Text, and_, cast, delete, func, or_, select, true, update
from sqlalchemy.orm import Session

from plugin.audit import record_act
from plugin.errors import SettingsError
from plugin.installation import Installation, load_object
from plugin.moments import Duration, subtract
from plugin.privacy.declarations import KEEP, NEVER, Declarations, Kind, Rule, declarations
from plugin.privacy.erasing import blank_value
from plugin.privacy.finding import key_of
from plugin.settings import Settings
from plugin.store import CHUNK

ACTION = "retention.run"
MOST = 50_000  # rows of a kind that one run of the schedule takes


@dataclass(frozen=True)
class Held:
    """What there is of a kind: rows, the oldest of them, and how many are kept for too long."""

    rows: int = 0
    oldest: datetime | date | None = None
    due: int = 0


class Sweeper(Protocol):
    """The module that a kind names as `by`: how it is counted, and how it is swept."""

    def survey(self, home: Installation, before: datetime | None) -> Held:
        """What there is, and how much of it is older than `before`; None: nothing is."""
        ...

    def sweep(self, home: Installation, before: datetime, most: int) -> int:
        """Let at most about `most` go that are older; how many did."""
        ...


@dataclass(frozen=True)
class State:
    """How a kind stands, or what became of it."""

    kind: Kind
    keep: str
    held: Held
    gone: int = 0

    def as_json(self) -> dict[str, Any]:
        """For a program."""
        oldest = self.held.oldest.isoformat() if self.held.oldest else None
        counts = {"rows": self.held.rows, "oldest": oldest, "due": self.held.due, "gone": self.gone}
        return {"kind": self.kind.name, "keep": self.keep, **counts}


def keep_of(kind: Kind, settings: Settings) -> str:
    """How long the kind is kept here: a duration, or `never`: it never goes by itself."""
    return settings.privacy.retention.get(kind.name, kind.keep)


def check_settings(declared: Declarations, settings: Settings) -> None:
    """Raise SettingsError for a kind that nobody declares."""
    known = [kind.name for kind in declared.kinds]
    for name in settings.privacy.retention:
        if name not in known:
            raise SettingsError(f"[privacy.retention] {name}: there is no such kind; the kinds are {', '.join(known)}.")


def kept_for(rule: Rule, declared: Declarations, settings: Settings) -> str:
    """How long rows of this rule are kept, in words."""
    for_ever = "until the person is erased" if rule.found and rule.erase != KEEP else "for ever"
    if rule.kept is not None:
        return rule.kept
    if rule.retention is None:
        return "as long as what it belongs to" if rule.goes_with else for_ever
    keep = next(keep_of(kind, settings) for kind in declared.kinds if kind.name == rule.retention.kind)
    if keep == NEVER:
        return for_ever
    columns = f" ({', '.join(rule.retention.blank)})" if rule.retention.blank else ""
    return f"for {keep}, counted from {rule.retention.since}{columns}"


def survey(home: Installation) -> list[State]:
    """Every kind as it stands; nothing is changed. Raises SettingsError."""
    declared = declarations(home.installed)
    check_settings(declared, home.settings)
    states = []
    for kind in declared.kinds:
        keep = keep_of(kind, home.settings)
        states.append(State(kind, keep, _survey(home, declared, kind, _before(home, keep))))
    return states


def retain(home: Installation, actor: str, most: int = MOST) -> list[State]:
    """Let go what is kept for too long, at most about `most` rows of each kind; what became of every kind.

    Raises SettingsError.
    """
    states = []
    for state in survey(home):
        before = _before(home, state.keep)
        gone = _sweep(home, state.kind, before, most) if before is not None and state.held.due else 0
        states.append(State(state.kind, state.keep, state.held, gone))
    done = {state.kind.name: state.gone for state in states if state.gone}
    if done:
        with home.store.write() as session:
            record_act(session, actor, ACTION, "installation", home.clock(), after=done)
    return states


def _before(home: Installation, keep: str) -> datetime | None:
    if keep == NEVER:
        return None
    return subtract(home.clock(), Duration.parse(keep), home.settings.organisation.zone)


def _survey(home: Installation, declared: Declarations, kind: Kind, before: datetime | None) -> Held:
    if kind.by is not None:
        return _sweeper(kind.by).survey(home, before)
    found = Held()
    with home.store.read() as session:
        for rule in _rules(declared, kind):
            assert rule.retention is not None
            since = rule.table.c[rule.retention.since]
            rows, oldest = session.execute(select(func.count(since), func.min(since)).where(_concerns(rule))).one()
            due = 0
            if before is not None:
                due = session.scalar(select(func.count()).select_from(rule.table).where(_due(rule, before))) or 0
            oldest = min((each for each in (found.oldest, oldest) if each is not None), default=None)
            found = Held(found.rows + rows, oldest, found.due + due)
    return found


def _sweep(home: Installation, kind: Kind, before: datetime, most: int) -> int:
    if kind.by is not None:
        return _sweeper(kind.by).sweep(home, before, most)
    declared = declarations(home.installed)
    gone = 0
    for rule in _rules(declared, kind):
        done = 0
        while done < most:
            with home.store.write() as session:
                batch = _batch(session, declared, rule, before)
            if not batch:
                break
            done += batch
        gone += done
    return gone


def _batch(session: Session, declared: Declarations, rule: Rule, before: datetime) -> int:
    """Let a few of the rule's rows go, the oldest first, with what goes with them; how many."""
    assert rule.retention is not None
    key = key_of(rule.table)
    oldest = select(key).where(_due(rule, before)).order_by(rule.table.c[rule.retention.since], key).limit(CHUNK)
    keys = list(session.scalars(oldest.with_for_update(skip_locked=True)))
    if not keys:
        return 0
    if rule.retention.blank:
        values = {name: blank_value(rule.table, name, what) for name, what in rule.retention.blank.items()}
        session.execute(update(rule.table).where(key.in_(keys)).values(values))
        return len(keys)
    for other in declared.rules:
        if other.goes_with is not None and other.goes_with[1] == rule.table.name:
            session.execute(delete(other.table).where(other.table.c[other.goes_with[0]].in_(keys)))
    session.execute(delete(rule.table).where(key.in_(keys)))
    return len(keys)


def _sweeper(module: str) -> Sweeper:
    return cast_type(Sweeper, importlib.import_module(module))


def _rules(declared: Declarations, kind: Kind) -> Iterable[Rule]:
    return (rule for rule in declared.rules if rule.retention is not None and rule.retention.kind == kind.name)


def _due(rule: Rule, before: datetime) -> ColumnElement[bool]:
    """The condition that a row has been kept for too long."""
    assert rule.retention is not None
    return and_(rule.table.c[rule.retention.since] <= before, _concerns(rule))


def _concerns(rule: Rule) -> ColumnElement[bool]:
    """The condition that a row is one that retention concerns: its own one, and that it is not blank already."""
    assert rule.retention is not None
    own: ColumnElement[bool] = load_object(rule.retention.only)() if rule.retention.only else true()
    filled = [
        rule.table.c[name].is_not(None) if what == "null" else cast(rule.table.c[name], Text).not_in(["", "{}"])
        for name, what in rule.retention.blank.items()
    ]
    return own & or_(*filled) if filled else own

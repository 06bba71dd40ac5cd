"""Where a person stands with a certification at a moment: the table of statuses, and the next moment it changes.

All moments are aware and in UTC. Nothing here reads a clock.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from metrics.certification.chain import EARLIEST, Award, Dates, Rulebook
from metrics.certification.criteria import LATEST, Facts, Holdings, Search
from metrics.certification.evidence import Piece
from metrics.certification.rule import Leaf, Section, leaves

NEVER = {None, EARLIEST, LATEST}
NO_DATES = Dates(None, None, None)


class Status(StrEnum):
    """The statuses, in the order in which the first that applies is taken."""

    EXEMPT = "exempt"
    REVOKED = "revoked"
    CERTIFIED = "certified"
    RENEWAL_DUE = "renewal_due"
    GRACE = "grace"
    EXPIRED = "expired"
    OVERDUE = "overdue"
    IN_PROGRESS = "in_progress"
    NOT_STARTED = "not_started"


@dataclass(slots=True)
class Standing:
    """A person's status at a moment.

    `since` is when the status began as known now; None for what never began (not_started). `achieved_at` is that of the
    latest award that stands, else None. `award` is the one that decides the status, with its W, U and G; None where the
    person never held the certification. `begun_at`: since when somebody who never held it is on the way to it.
    `next_change_at` is None where time alone changes nothing.
    """

    status: Status
    since: datetime | None
    achieved_at: datetime | None
    award: Award | None
    window_opens: datetime | None
    ends: datetime | None
    grace_ends: datetime | None
    begun_at: datetime | None
    next_change_at: datetime | None


def standing(
    book: Rulebook,
    awards: Sequence[Award],
    pieces: Iterable[Piece],
    at: datetime,
    *,
    holdings: Holdings | None = None,
    exempt_until: datetime | None = None,
    exempt_from: datetime | None = None,
    required_due_at: datetime | None = None,
) -> Standing:
    """Where the person stands at `at`, given the awards as known then.

    `pieces` are all recorded about the person, enrolments (kind `enrolled`) among them. An exemption holds in
    `exempt_from <= at < exempt_until`; without a beginning it began before everything. `required_due_at` is the earliest
    due date of the requirements, None where the certification is not required.
    """
    case = _Case(book, awards, exempt_from or EARLIEST, exempt_until or EARLIEST, required_due_at)
    award = case.deciding(at)
    if award is None:
        case.begun_at = begun_at(book, pieces, at, holdings)
    status = case.status(at)
    dates = book.dates(award) if award is not None and award.revoked_at is None else NO_DATES
    stands = next((each for each in reversed(case.awards) if each.revoked_at is None), None)
    changes = case.changes()
    return Standing(
        status=status,
        since=case.since(at, changes),
        achieved_at=stands.achieved_at if stands is not None else None,
        award=award,
        window_opens=dates.window_opens,
        ends=dates.ends,
        grace_ends=dates.grace_ends,
        begun_at=case.begun_at,
        next_change_at=next((moment for moment in changes if moment > at and case.status(moment) != status), None),
    )


def status_at(
    book: Rulebook,
    awards: Sequence[Award],
    now: Standing,
    at: datetime,
    exempt_until: datetime | None = None,
    required_due_at: datetime | None = None,
    exempt_from: datetime | None = None,
) -> Status:
    """The status at a moment after `now` if nothing more is recorded: what comes at `next_change_at`."""
    case = _Case(book, awards, exempt_from or EARLIEST, exempt_until or EARLIEST, required_due_at)
    case.begun_at = now.begun_at
    return case.status(at)


def begun_at(
    book: Rulebook, pieces: Iterable[Piece], at: datetime, holdings: Holdings | None = None
) -> datetime | None:
    """Since when somebody who never held the certification is in progress at `at`; None for not started.

    That is the earliest moment at which counting evidence meets a leaf of [earn], whatever within and newer_than say, or
    an enrolment in a course that [earn] names became active.
    """
    listed = list(pieces)
    earn = book.in_force(at).earn
    courses = {(leaf.source, course) for leaf in leaves(earn.criterion) for course in _courses(leaf)}
    moments = [
        piece.achieved_at
        for piece in listed
        if piece.kind == "enrolled"
        and piece.counts_at(at)
        and ((None, piece.object) in courses or (piece.source, piece.object) in courses)
    ]
    moments += _leaves_met(book.facts(listed, at, holdings), earn, at)
    return min(moments, default=None)


def _leaves_met(facts: Facts, section: Section, at: datetime) -> list[datetime]:
    """When the leaves of `section` that are met were, each on its own."""
    return [met.at for leaf in leaves(section.criterion) if (met := facts.leaf_alone(leaf, Search(at))) is not None]


def _courses(leaf: Leaf) -> tuple[str, ...]:
    if leaf.kind == "hours":
        return leaf.courses
    return (leaf.object,) if leaf.object_key == "course" else ()


def _latest(award: Award) -> tuple[datetime, datetime, int]:
    return award.valid_from, award.achieved_at, award.number


class _Case:
    """What is known of one person, asked for the status at different moments."""

    def __init__(
        self,
        book: Rulebook,
        awards: Sequence[Award],
        exempt_from: datetime,
        exempt_until: datetime,
        due_at: datetime | None,
    ) -> None:
        self.book = book
        self.awards = sorted(awards, key=_latest)
        self.exempt_from = exempt_from
        self.exempt_until = exempt_until
        self.due_at = due_at
        self.begun_at: datetime | None = None

    def deciding(self, at: datetime) -> Award | None:
        """The latest award that holds at `at`, else the latest that has begun."""
        latest: Award | None = None
        for award in reversed(self.awards):
            if award.valid_from <= at:
                if award.valid_until is None or at < award.valid_until:
                    return award
                latest = latest or award
        return latest

    def status(self, at: datetime) -> Status:
        """The first row of the table that applies at `at`."""
        if self.exempt_from <= at < self.exempt_until:
            return Status.EXEMPT
        award = self.deciding(at)
        if award is not None:
            return self._by_award(award, at)
        if self.due_at is not None and at >= self.due_at:
            return Status.OVERDUE
        return Status.IN_PROGRESS if self.begun_at is not None and self.begun_at <= at else Status.NOT_STARTED

    def _by_award(self, award: Award, at: datetime) -> Status:
        dates = self.book.dates(award)
        if award.holds_at(at):
            due = dates.window_opens is not None and at >= dates.window_opens and award.revoked_at is None
            return Status.RENEWAL_DUE if due else Status.CERTIFIED
        if award.revoked_at is not None and award.revoked_at <= at:
            return Status.REVOKED
        return Status.GRACE if dates.grace_ends is not None and at < dates.grace_ends else Status.EXPIRED

    def changes(self) -> list[datetime]:
        """Every moment at which the status may change by what is known, in order."""
        moments = {self.exempt_from, self.exempt_until, self.due_at, self.begun_at}
        for award in self.awards:
            moments.add(award.valid_from)
            moments.add(award.revoked_at)
            moments.update(self.book.dates(award))
        return sorted(moment for moment in moments - NEVER if moment is not None)

    def since(self, at: datetime, changes: list[datetime]) -> datetime | None:
        """The beginning of the status that holds at `at`; None where it always was."""
        status, since = self.status(at), None
        for moment in reversed(changes):
            if moment > at:
                continue
            if self.status(moment) != status:
                return since
            since = moment
        return since if status is not Status.NOT_STARTED else None

"""Using one file by hand: what it would change, and then, once somebody has seen it, all of it in one transaction."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from connectors.changed import Moment
from connectors.records import LeaverRecord
from connectors.roster import files
from connectors.roster.compare import Change, Counts, compare
from connectors.roster.fields import EMPLOYEES, KINDS
from connectors.roster.planning import Plan, kind_of, make_plan
from connectors.roster.reading import Fault, Note
from connectors.roster.rows import record_of
from connectors.roster.settings import RosterSettings
from connectors.storing import store_records
from plugin.audit import record_act
from plugin.errors import N_, RefusedInWordsError
from plugin.installation import Installation
from plugin.store import chunks

CONNECTOR = "connectors.roster"
PAGE = 5_000
NO_SOURCE = N_('No source of config.toml is a roster; add one: [sources.roster] with connector = "connectors.roster".')
NOT_THE_AUTHORITY = N_(
    "The source '%(source)s' is not the authority for people ([people] authority is '%(authority)s'); its files are not used."
)
WHICH_SOURCE = N_("Several sources are rosters: %(sources)s. Say which one, with --source.")
NO_FILE = N_("The source '%(source)s' has no file of %(kind)s; name one, or set its path.")


@dataclass
class Report:
    """What a file would do, or did. `changes` are the first ones of it; `refused` are all refused rows, with where to look."""

    kind: str
    file: str
    read_as: str
    sheet: str
    columns: Mapping[str, str]
    passed_over: list[str]
    counts: Counts = field(default_factory=Counts)
    changes: list[Change] = field(default_factory=list)
    refused: list[tuple[int, str, str, Fault]] = field(default_factory=list)  # line, column's name, its letters, why
    notes: list[Note] = field(default_factory=list)
    more_notes: int = 0
    spared: list[str] = field(default_factory=list)
    ending: int = 0
    people: int = 0
    held: bool = False

    def as_json(self) -> dict[str, Any]:
        """As a script reads it."""
        return {
            "kind": self.kind,
            "file": self.file,
            "read_as": self.read_as,
            "sheet": self.sheet or None,
            "columns": dict(self.columns),
            "columns_not_used": self.passed_over,
            **asdict(self.counts),
            "held": self.held,
            "ending": self.ending,
            "people": self.people,
            "not_ended": self.spared,
            "changes": [
                {
                    "line": change.line,
                    "what": change.what,
                    "key": change.key,
                    "name": change.name,
                    "fields": {name: {"before": a or None, "after": b or None} for name, (a, b) in change.fields.items()},
                }
                for change in self.changes
            ],
            "refusals": [
                {"file": self.file, "line": line, "column": column or None, "cell": f"{letters}{line}" if letters else None,
                 "field": fault.field or None, "reason": str(fault)}
                for line, column, letters, fault in self.refused
            ],
            "notes": [
                {"line": note.line, "field": note.field, "note": str(note)} for note in self.notes
            ],
            "more_notes": self.more_notes,
        }  # fmt: skip


def roster_of(home: Installation, source: str | None = None) -> tuple[str, RosterSettings]:
    """The roster source and its settings: the one that is named, or the only one. Raises RefusedInWordsError, SettingsError."""
    rosters = [name for name, each in home.settings.sources.items() if each.connector == CONNECTOR]
    authority = home.settings.people.authority
    if source is None and authority in rosters:
        source = authority
    if source is None and len(rosters) > 1:
        raise RefusedInWordsError(WHICH_SOURCE, sources=", ".join(rosters))
    if not rosters or (source is not None and source not in rosters):
        raise RefusedInWordsError(NO_SOURCE)
    name = source or rosters[0]
    return name, home.settings.source(name, RosterSettings)


def file_of(home: Installation, source: str, settings: RosterSettings, kind: str) -> Path:
    """The file of a kind that the source's settings name. Raises RefusedInWordsError."""
    path = settings.path_of(kind_of(kind).name)
    if path is None:
        raise RefusedInWordsError(NO_FILE, source=source, kind=kind)
    return home.settings.folder / path


@dataclass(frozen=True)
class Import:
    """A file that is to be looked at or used: which kind, how it is read, whether who is not in it has left.

    `alone`: it is handed in, and the source's own files of managers and leavers are not asked. `most`: how many changes
    the report lists.
    """

    source: str
    settings: RosterSettings
    kind: str
    path: Path
    whole: bool = True
    alone: bool = True
    most: int | None = None
    called: str = ""

    def plan(self, session: Session, folder: Path, now: datetime, zone: ZoneInfo) -> Plan:
        """Read the file. Raises RefusedInWordsError for one that cannot be used as a whole; the caller closes the plan."""
        kind, today = kind_of(self.kind), now.astimezone(zone).date()
        return make_plan(
            session,
            self.path,
            kind,
            self.settings,
            folder,
            today,
            whole=self.whole,
            alone=self.alone,
            called=self.called,
        )


def preview(home: Installation, wanted: Import) -> Report:
    """What using the file would change. Nothing is stored. Raises RefusedInWordsError."""
    now, zone = home.clock(), home.settings.organisation.zone
    with home.store.read() as session:
        plan = wanted.plan(session, home.settings.folder, now, zone)
        try:
            return _reported(session, wanted, plan, now.astimezone(zone).date())
        finally:
            plan.close()


def apply(home: Installation, wanted: Import, actor: str, *, confirmed: bool = False) -> Report:
    """Use the file, all of it in one transaction. Who did it stands in the audit trail.

    Raises HeldError for one that ends too many, unless that is `confirmed`; RefusedInWordsError.
    """
    if wanted.source != home.settings.people.authority:
        raise RefusedInWordsError(NOT_THE_AUTHORITY, source=wanted.source, authority=home.settings.people.authority)
    with home.store.write() as session:
        report = apply_in(session, home, wanted, actor, confirmed=confirmed)
    home.wake("people_touched")
    return report


def apply_in(session: Session, home: Installation, wanted: Import, actor: str, *, confirmed: bool) -> Report:
    """The same, in the caller's transaction."""
    now, zone = home.clock(), home.settings.organisation.zone
    today = now.astimezone(zone).date()
    plan = wanted.plan(session, home.settings.folder, now, zone)
    try:
        if plan.is_too_much and not confirmed:
            raise plan.held()
        report = _reported(session, wanted, plan, today)
        moment = Moment(now, today)
        rest = (line for line in plan.lines() if not line.faults)
        while page := list(islice(rest, PAGE)):
            records = [record_of(plan.reading.kind, line.said) for line in page]
            store_records(session, wanted.source, records, None, moment)
        for numbers in chunks(plan.ends, PAGE):
            store_records(session, wanted.source, [LeaverRecord(number, None) for number in numbers], None, moment)
        for kind in KINDS:  # the next pull compares its own files again
            files.forget_read(session, wanted.source, kind)
        said = {"file": report.file, "sha256": plan.reading.digest, **asdict(report.counts), "ending": plan.ending}
        record_act(session, actor, "roster.import", f"{wanted.source}:{wanted.kind}", now, after=said)
    finally:
        plan.close()
    return report


def _reported(session: Session, wanted: Import, plan: Plan, today: Any) -> Report:
    reading = plan.reading
    report = Report(
        wanted.kind,
        reading.called,
        reading.read_as,
        reading.sheet,
        reading.columns,
        reading.passed_over,
        notes=reading.notes,
        more_notes=reading.more_notes,
        spared=plan.spared,
        ending=plan.ending,
        people=plan.people,
        held=plan.is_too_much,
    )
    for change in compare(session, plan, today, report.counts):
        if wanted.most is None or len(report.changes) < wanted.most:
            report.changes.append(change)
    report.refused = list(_refusals(plan))
    return report


def _refusals(plan: Plan) -> Iterator[tuple[int, str, str, Fault]]:
    reading = plan.reading
    for line in plan.lines():
        for fault in line.faults:
            column = reading.columns.get(fault.field, "")
            letters = reading.letters.get(fault.field, "") if reading.sheet else ""
            yield line.line, column, letters, fault


__all__ = ["EMPLOYEES", "Import", "Report", "apply", "apply_in", "file_of", "preview", "roster_of"]

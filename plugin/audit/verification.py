"""Verification: goes along each chain and names every row that was changed, taken away or put in.

It reads one snapshot of the store, so the sealer may work meanwhile.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Table, func, select
from sqlalchemy.orm import Session

from plugin.audit.chains import CHECKPOINT, HEAD
from plugin.audit.digests import GENESIS, batch_digest, entry_digest, seal_hash
from plugin.audit.erasure import FORGET, subject_of
from plugin.audit.keys import SealingKeys
from plugin.audit.reading import Row, read_rows
from plugin.audit.sealer import LATE, waiting_ids
from plugin.audit.tables import SealedTable
from plugin.models import AuditCheckpoint, AuditEntry, AuditHead, AuditMark, AuditSalt, AuditSeal
from plugin.store import Base, Store, chunks

SEALS_AT_ONCE = 200
ROWS_AT_ONCE = 5_000
LARGEST_SEAL = 100_000  # more than any sealer covers with one: its ranges were forged


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: in which table, with which row, what (changed, missing, inserted …), and why."""

    table: str
    id: str
    what: str
    why: str


@dataclass
class ChainReport:
    """What one chain holds. `head` is worth noting down elsewhere: it shows later whether newer seals were cut off."""

    table: str
    seals: int = 0
    entries: int = 0
    erased: int = 0
    pruned: int = 0
    waiting: int = 0
    number: int = 0
    hash: str = GENESIS

    @property
    def head(self) -> str:
        """The newest seal, as `verify` takes it back."""
        return f"{self.table}:{self.number}:{self.hash}"


@dataclass
class Report:
    """What verification found."""

    chains: list[ChainReport] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


def verify(store: Store, tables: Sequence[SealedTable], keys: SealingKeys, noted: Collection[str] = ()) -> Report:
    """Verify the chains of `tables`; `noted` are heads (`table:number:hash`) that earlier reports gave."""
    report = Report()
    with store.read() as session:
        if not store.is_sqlite:  # there a unit that reads is a snapshot anyway
            session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        acts = _Erasures(session, keys)
        for table in tables:
            _Chain(session, table, keys, acts, report.findings, set(noted)).verify(report)
        names = {table.name for table in tables}
        report.findings += _strangers(session, names)
        for head in sorted(noted):
            if head.partition(":")[0] not in names:
                why = f"The head noted as {head} is not of a table that is sealed here."
                report.findings.append(Finding(head.partition(":")[0], "*", "unknown", why))
    return report


def _strangers(session: Session, known: set[str]) -> Iterator[Finding]:
    """Chains of tables that nobody seals here: they cannot be verified."""
    models = (AuditSeal, AuditMark, AuditHead, AuditCheckpoint)
    found = {name for model in models for name in session.scalars(select(model.table_name).distinct())}
    for name in sorted(found - known):
        yield Finding(
            name, "*", "unknown", "No installed addon seals this table; put the addon back to verify its chain."
        )


class _Erasures:
    """Which persons were forgotten when, by the acts that say so."""

    def __init__(self, session: Session, keys: SealingKeys) -> None:
        rows, _ = read_rows(session, _table(AuditEntry), AuditEntry.action == FORGET)
        self._acts = {(row["subject"], row["at"]) for row in rows}
        kept, _ = read_rows(session, _table(AuditCheckpoint), AuditCheckpoint.table_name == AuditEntry.__tablename__)
        self._pruned = max((row["before"] for row in kept if keys.opens(CHECKPOINT, row)), default=None)

    def has(self, person_id: int, at: datetime) -> bool:
        """Whether the person was forgotten at this moment, or so long ago that the act itself has been deleted."""
        return (subject_of(person_id), at) in self._acts or (self._pruned is not None and at < self._pruned)


@dataclass
class _Chain:
    """The verification of one table's chain."""

    session: Session
    table: SealedTable
    keys: SealingKeys
    erasures: _Erasures
    findings: list[Finding]
    noted: set[str]
    watched: datetime | None = None  # when nothing waited, so that whatever is older and sealed later was put in
    no_salt: set[int] = field(default_factory=set)

    def verify(self, report: Report) -> None:
        """Go along the chain from the newest checkpoint to the head, then look at what is outside of it."""
        self.chain = ChainReport(self.table.name)
        report.chains.append(self.chain)
        self._passes(0, GENESIS)
        self._checkpoints()
        for page in self._pages():
            rows = self._marked_rows(page)
            for seal in page:
                self._seal(seal, rows)
        self._head()
        self._orphans()
        self._waiting()
        for head in sorted(self.noted):
            if head.partition(":")[0] == self.table.name:
                self._say("audit_seal", head.split(":")[1], "missing", f"The head noted as {head} is not in the chain.")

    def _say(self, table: str, row_id: object, what: str, why: str) -> None:
        own = table in {self.table.name, _table(AuditMark).name, _table(AuditSalt).name}
        self.findings.append(Finding(table, str(row_id) if own else f"{self.table.name} {row_id}", what, why))

    def _passes(self, number: int, hash_: str) -> None:
        """Note that the chain stands at this seal; a noted head that is older than what is kept is let go."""
        self.chain.number, self.chain.hash = number, hash_
        self.noted.discard(self.chain.head)

    # The links -----------------------------------------------------------------------------------------------------

    def _checkpoints(self) -> None:
        rows, broken = read_rows(self.session, _table(AuditCheckpoint), AuditCheckpoint.table_name == self.table.name)
        for key in broken:
            self._say("audit_checkpoint", key[1], "unreadable", "Its columns do not hold what belongs into them.")
        signed = [row for row in rows if self.keys.opens(CHECKPOINT, row)]
        for row in rows:
            if row not in signed:
                self._say("audit_checkpoint", row["number"], "forged", "No key of the key file has signed it.")
        self.chain.pruned = sum(row["entries"] for row in signed)
        if signed:
            base = max(signed, key=lambda row: int(row["number"]))
            self._passes(base["number"], base["hash"])
            self.noted = {head for head in self.noted if not self._is_pruned(head)}

    def _is_pruned(self, head: str) -> bool:
        table, _, rest = head.partition(":")
        return table == self.table.name and int(rest.partition(":")[0]) < self.chain.number

    def _pages(self) -> Iterator[list[Row]]:
        """The seals in order, so many at a time that the rows they cover fit into memory."""
        numbers = self.session.scalars(
            select(AuditSeal.number).where(AuditSeal.table_name == self.table.name).order_by(AuditSeal.number)
        )
        for wanted in chunks(list(numbers), SEALS_AT_ONCE):
            condition = (AuditSeal.table_name == self.table.name) & AuditSeal.number.in_(wanted)
            seals, broken = read_rows(self.session, _table(AuditSeal), condition)
            for key in broken:
                self._say("audit_seal", key[1], "unreadable", "Its columns do not hold what belongs into them.")
            page: list[Row] = []
            size = 0
            for seal in sorted(seals, key=lambda seal: int(seal["number"])):
                covered = _covered(seal)
                seal["ids"] = covered
                if page and size + len(covered or ()) > ROWS_AT_ONCE:
                    yield page
                    page, size = [], 0
                page.append(seal)
                size += len(covered or ())
            if page:
                yield page

    def _seal(self, seal: Row, rows: "_MarkedRows") -> None:
        ids = seal.pop("ids")
        number, expected = seal["number"], self.chain.number + 1
        if number < expected:
            self._say("audit_seal", number, "inserted", "The checkpoint says that the chain begins after it.")
            return
        if number > expected:
            self._missing_seals(expected, number - 1)
        elif seal["previous"] != self.chain.hash:
            why = f"It does not follow on from what stands before it: one of the two, {number - 1} or {number}, was changed."
            self._say("audit_seal", number, "changed", why)
        sound = ids is not None and seal_hash(seal) == seal["hash"]
        if not sound:
            self._say("audit_seal", number, "changed", "Its hash is not that of what it says.")
        self._passes(number, seal["hash"])
        self.chain.seals += 1
        marks = rows.marks.get(number, {})
        told = len(self.findings)
        self._covers(number, ids or set(), marks.keys())
        for mark in marks.values():
            self._row(mark, seal, rows)
        given = batch_digest((mark["row_id"], mark["person_id"], mark["digest"]) for mark in marks.values())
        if given != seal["digest"] and sound and told == len(self.findings):
            erased = ", ".join(str(row_id) for row_id, mark in sorted(marks.items()) if mark["erased_at"] is not None)
            whose = f"one of the forgotten persons' rows ({erased})" if erased else "one of its rows"
            self._say(
                "audit_seal",
                number,
                "changed",
                f"It does not cover the marks as they are: that of {whose} was changed.",
            )
        if seal["complete"]:
            self.watched = seal["sealed_at"]

    def _missing_seals(self, first: int, last: int) -> None:
        self._say(
            "audit_seal", first if first == last else f"{first}-{last}", "missing", "The chain goes on without it."
        )

    def _covers(self, number: int, ids: set[int], marked: Iterable[int]) -> None:
        for row_id in sorted(ids - set(marked)):
            self._say(
                self.table.name, row_id, "missing", f"Seal {number} covers it, but its mark is not there any more."
            )
        for row_id in sorted(set(marked) - ids):
            self._say(
                "audit_mark", f"{self.table.name} {row_id}", "inserted", f"Seal {number} does not cover this row."
            )

    def _head(self) -> None:
        rows, broken = read_rows(self.session, _table(AuditHead), AuditHead.table_name == self.table.name)
        if broken:
            self._say("audit_head", "", "unreadable", "Its columns do not hold what belongs into them.")
        if not rows:
            if self.chain.number and not broken:
                self._say("audit_head", "", "missing", "There are seals, but nothing says which is the newest.")
            return
        head = rows[0]
        if head["number"] and not self.keys.opens(HEAD, head):
            self._say("audit_head", "", "forged", "No key of the key file has signed the newest seal.")
        if head["number"] > self.chain.number:
            self._missing_seals(self.chain.number + 1, head["number"])
        elif head["number"] < self.chain.number:
            self._say("audit_seal", self.chain.number, "inserted", f"The newest seal should be {head['number']}.")
        elif head["hash"] != self.chain.hash:
            self._say("audit_seal", self.chain.number, "changed", "Its hash is not the one that was signed.")

    # The rows ------------------------------------------------------------------------------------------------------

    def _marked_rows(self, seals: list[Row]) -> "_MarkedRows":
        within = (AuditMark.table_name == self.table.name) & AuditMark.seal.in_([seal["number"] for seal in seals])
        marks, broken_marks = read_rows(self.session, _table(AuditMark), within)
        for key in broken_marks:
            why = "Its columns do not hold what belongs into them."
            self._say("audit_mark", f"{key[0]} {key[1]}", "unreadable", why)
        columns = self.table.table
        rows, broken = read_rows(self.session, columns, columns.c.id.in_(select(AuditMark.row_id).where(within)))
        people = select(AuditMark.person_id).where(within)
        salts, broken_salts = read_rows(self.session, _table(AuditSalt), AuditSalt.person_id.in_(people))
        for key in broken_salts:
            self._say("audit_salt", key[0], "unreadable", "Its columns do not hold what belongs into them.")
        by_seal: dict[int, dict[int, Row]] = {}
        for mark in marks:
            by_seal.setdefault(mark["seal"], {})[mark["row_id"]] = mark
        return _MarkedRows(
            by_seal, {row["id"]: row for row in rows}, {key[0] for key in broken},
            {salt["person_id"]: salt["salt"] for salt in salts},
        )  # fmt: skip

    def _row(self, mark: Row, seal: Row, rows: "_MarkedRows") -> None:
        """Compare one row with its mark."""
        row_id, person_id = mark["row_id"], mark["person_id"]
        row = rows.rows.get(row_id)
        self.chain.entries += 1
        if row_id in rows.broken:
            self._say(self.table.name, row_id, "unreadable", "Its columns do not hold what belongs into them.")
        elif row is None:
            self._say(self.table.name, row_id, "missing", f"Seal {seal['number']} covers it.")
        elif self.table.person_of(row) != person_id:
            self._say(
                self.table.name, row_id, "changed", "The row and its mark name different persons as whom it is about."
            )
        elif mark["erased_at"] is not None:
            self._erased(mark, seal, row)
        elif person_id not in rows.salts:
            if person_id not in self.no_salt:
                self.no_salt.add(person_id)
                self._say("audit_salt", person_id, "missing", "The rows that it salted cannot be verified without it.")
        elif entry_digest(self.table.name, row, rows.salts[person_id]) != mark["digest"]:
            why = f"It does not give the digest that seal {seal['number']} covers: the row, its mark or salt {person_id} was changed."
            self._say(self.table.name, row_id, "changed", why)
        elif self.watched is not None and row["at"] < self.watched - LATE:
            self._say(self.table.name, row_id, "inserted", self._belated(row["at"]))

    def _erased(self, mark: Row, seal: Row, row: Row) -> None:
        self.chain.erased += 1
        at = mark["erased_at"]
        if not self.erasures.has(mark["person_id"], at) or seal["sealed_at"] > at:
            why = f"Its mark says that person {mark['person_id']} was forgotten, but no act of the trail does."
            self._say(self.table.name, row["id"], "changed", why)
        elif any(row[name] != value for name, value in self.table.blank().items()):
            why = f"Person {mark['person_id']} was forgotten, but the row says something again."
            self._say(self.table.name, row["id"], "changed", why)

    def _belated(self, at: datetime) -> str:
        return f"It says that it was written at {at:%Y-%m-%d %H:%M:%S}Z; at {self.watched:%Y-%m-%d %H:%M:%S}Z it was not there."

    # What is outside of the chain ----------------------------------------------------------------------------------

    def _orphans(self) -> None:
        """Marks of seals that are not there."""
        kept = select(AuditSeal.number).where(AuditSeal.table_name == self.table.name)
        orphans = (AuditMark.table_name == self.table.name) & AuditMark.seal.not_in(kept)
        marks = select(AuditMark.row_id, AuditMark.seal).where(orphans).order_by(AuditMark.row_id)
        for row_id, number in self.session.execute(marks):
            self._say(self.table.name, row_id, "changed", f"Its mark says seal {number}, which is not there.")

    def _waiting(self) -> None:
        """Rows that no seal covers yet, and those among them that are too old for that."""
        waiting = waiting_ids(self.table)
        self.chain.waiting = self.session.scalar(select(func.count()).select_from(waiting.subquery())) or 0
        if self.watched is not None:
            for row_id in self.session.scalars(waiting.where(self.table.table.c.at < self.watched - LATE)):
                why = f"It says that it is older than {self.watched - LATE:%Y-%m-%d %H:%M:%S}Z, but was not there to be sealed."
                self._say(self.table.name, row_id, "inserted", why)


@dataclass(frozen=True)
class _MarkedRows:
    """The marks of some seals by number and row, the rows, which of them cannot be read, and the salts."""

    marks: dict[int, dict[int, Row]]
    rows: dict[int, Row]
    broken: set[int]
    salts: dict[int, str]


def _covered(seal: Row) -> set[int] | None:
    """The ids that a seal covers; None when its ranges are not such."""
    ids: set[int] = set()
    try:
        for first, last in seal["covers"]:
            if not 0 <= last - first < LARGEST_SEAL - len(ids):
                return None
            ids.update(range(first, last + 1))
    except (TypeError, ValueError):
        return None
    return ids


def _table(model: type[Base]) -> Table:
    table: Any = model.__table__
    assert isinstance(table, Table)
    return table

"""The sealed audit trail: whatever is done to it behind its back is found and named."""

import csv
import io
import json
import logging
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Boolean, Column, Integer, Table, delete, func, insert, select, text, update
from sqlalchemy.exc import DatabaseError

from metrics.certification.models import AwardChange
from plugin.audit import (
    Report,
    SealedTable,
    SealingKeys,
    accept_chains,
    forget_person,
    prune,
    record_act,
    rekey,
    seal_waiting,
    sealed_tables,
    verify,
)
from plugin.audit import sealer as sealer_module
from plugin.audit.digests import GENESIS, canonical, entry_digest, seal_hash
from plugin.audit.sealer import as_ranges
from plugin.cli import Command, Context
from plugin.commands import register
from plugin.errors import AddonError, SecretError
from plugin.installation import PACKAGES, Installation
from plugin.manifests import Addon, discover
from plugin.migrate import differences, load_models, upgrade
from plugin.models import (
    AuditCheckpoint,
    AuditEntry,
    AuditHead,
    AuditMark,
    AuditSalt,
    AuditSeal,
    Person,
    Schedule,
)
from plugin.secrets import create_key_file
from plugin.store import Store
from plugin.tasks import TASKS

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
TABLES: dict[str, Table] = {
    model.__tablename__: model.__table__  # type: ignore[misc]  # a mapped class's table is a Table
    for model in (AuditEntry, AuditMark, AuditSeal, AuditHead, AuditCheckpoint, AuditSalt)
}
COLUMNS = [(table.name, column.name) for table in TABLES.values() for column in table.columns]
FORGOTTEN, ANNA, BERT = 7, 8, 9


@dataclass
class Trail:
    """A store with sealed tables, the keys that sign, and a clock."""

    store: Store
    tables: list[SealedTable]
    keys: SealingKeys = field(default_factory=lambda: SealingKeys([b"the key"]))
    moment: datetime = NOW

    def clock(self) -> datetime:
        return self.moment

    def act(self, count: int = 1, person_id: int | None = None, action: str = "endpoint.add") -> None:
        with self.store.write() as session:
            for number in range(count):
                after = {"weight": 1.5, "number": number, "name": "安娜"}
                subject, reason = f"endpoint:{number}", "it is new"
                record_act(
                    session, "mai", action, subject, self.moment, reason=reason, after=after, person_id=person_id
                )

    def seal(self, *, everything: bool = False) -> int:
        return seal_waiting(self.store, self.clock, self.keys, self.tables, everything=everything)

    def forget(self, person_id: int) -> int:
        with self.store.write() as session:
            return forget_person(session, person_id, self.moment, self.tables)

    def prune(self, before: datetime) -> int:
        with self.store.write() as session:
            return prune(session, before, self.moment, self.keys, self.tables)

    def verify(self, *noted: str) -> Report:
        return verify(self.store, self.tables, self.keys, noted)

    def found(self, *noted: str) -> set[tuple[str, str, str]]:
        return {(each.table, each.id, each.what) for each in self.verify(*noted).findings}

    def do(self, *statements: Any) -> None:
        with self.store.write() as session:
            for statement in statements:
                session.execute(statement)

    def ids(self) -> list[int]:
        with self.store.read() as session:
            return list(session.scalars(select(AuditEntry.id).order_by(AuditEntry.id)))

    def rows(self, table: Table) -> list[dict[str, Any]]:
        with self.store.read() as session:
            return [dict(row) for row in session.execute(select(table).order_by(*table.primary_key)).mappings()]


@pytest.fixture
def trail(kernel: Installation) -> Trail:
    """An empty audit trail, on both databases."""
    return Trail(kernel.store, sealed_tables([kernel.addons["plugin"]]))


@pytest.fixture
def long(trail: Trail, monkeypatch: pytest.MonkeyPatch) -> Trail:
    """A trail with a bit of everything: a checkpoint, three seals, persons, one of them forgotten."""
    monkeypatch.setattr(sealer_module, "BATCH", 3)
    trail.moment = NOW - timedelta(days=400)
    trail.act(2)
    trail.seal()
    trail.moment = NOW - timedelta(days=2)
    assert trail.prune(NOW - timedelta(days=100)) == 2
    trail.act(2)
    trail.act(2, ANNA)
    trail.act(1, BERT)
    trail.act(1, FORGOTTEN)
    trail.seal()
    trail.moment = NOW
    assert trail.forget(FORGOTTEN) == 1
    trail.seal()
    assert trail.verify().is_sound
    return trail


def other(column: Column[Any], value: Any) -> Any:
    """A value of the column's type that is not `value`."""
    if isinstance(column.type, Boolean):
        return not value
    if isinstance(column.type, Integer):
        return (value or 0) + 100
    if column.name in {"at", "sealed_at", "newest_at", "before", "pruned_at", "erased_at"} and not isinstance(
        value, dict | None
    ):
        return value + timedelta(microseconds=1)
    if column.name == "erased_at":
        return NOW
    if isinstance(value, str):
        return value[:-1] + ("0" if value[-1:] != "0" else "1")
    return [[1, 2]] if column.name == "covers" else {"another": True} if column.name != "reason" else "another"


# What is sealed ----------------------------------------------------------------------------------------------------------


def test_acts_are_sealed_into_a_chain(trail: Trail, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each batch gets a seal with the ids it covers and the hash of the seal before; nothing waits, nothing is wrong."""
    monkeypatch.setattr(sealer_module, "BATCH", 4)
    trail.act(10)
    assert trail.verify().chains[0].waiting == 10
    assert trail.seal() == 10
    ids = trail.ids()
    seals = sorted(trail.rows(TABLES["audit_seal"]), key=lambda seal: seal["number"])
    assert [seal["number"] for seal in seals] == [1, 2, 3]
    assert [seal["covers"] for seal in seals] == [[[ids[0], ids[3]]], [[ids[4], ids[7]]], [[ids[8], ids[9]]]]
    assert [seal["previous"] for seal in seals] == [GENESIS, seals[0]["hash"], seals[1]["hash"]]
    assert [seal["complete"] for seal in seals] == [False, False, True]
    report = trail.verify()
    assert report.is_sound
    [chain] = report.chains
    assert (chain.table, chain.entries, chain.seals, chain.waiting) == ("audit_entry", 10, 3, 0)
    assert chain.head == f"audit_entry:3:{seals[2]['hash']}"
    assert trail.seal() == 0


def test_nothing_sealed_is_nothing_wrong(trail: Trail) -> None:
    """An empty trail verifies, before and after the sealer has looked at it."""
    assert trail.verify().is_sound
    assert trail.seal() == 0
    assert trail.verify().is_sound


def test_digests_are_salted_per_person(trail: Trail) -> None:
    """Two equal acts about two persons have different digests; a person's acts share a salt, those of nobody have 0's."""
    trail.act(1, ANNA)
    trail.act(1, BERT)
    trail.act(1, BERT)
    trail.act(1)
    trail.seal()
    marks = trail.rows(TABLES["audit_mark"])
    assert len({mark["digest"] for mark in marks}) == 4
    assert sorted(mark["person_id"] for mark in marks) == [0, ANNA, BERT, BERT]
    salts = {row["person_id"]: row["salt"] for row in trail.rows(TABLES["audit_salt"])}
    assert salts.keys() == {0, ANNA, BERT}
    assert len(set(salts.values())) == 3


def test_canonical_text_is_one_for_one_value() -> None:
    """Empty columns, the order of keys, the zone of a moment, and how a number is written make no difference."""
    moment = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
    assert canonical({"b": 1.0, "a": None}) == canonical({"b": 1}) == b'{"b":1}'
    assert canonical({"x": {"q": 1, "p": [1e22, None]}}) == canonical({"x": {"p": [10**22, None], "q": 1}})
    values = {"at": moment, "on": date(2026, 11, 23), "cost": Decimal("1.50"), "raw": b"\x00\xff", "yes": True}
    assert json.loads(canonical(values)) == {
        "at": "2026-11-23T10:00:00.000000+00:00", "on": "2026-11-23", "cost": "1.5", "raw": "00ff", "yes": True,
    }  # fmt: skip
    assert entry_digest("a", {"id": 1}, "salt") != entry_digest("b", {"id": 1}, "salt")


def test_ranges_of_ids() -> None:
    """Ids become ranges with both ends, whatever their order."""
    assert as_ranges([5, 1, 2, 9, 3]) == [[1, 3], [5, 5], [9, 9]]
    assert as_ranges([]) == []


# What is done behind its back --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("table_name", "column_name"), COLUMNS)
def test_changed_column_is_found(long: Trail, table_name: str, column_name: str) -> None:
    """Whichever column of whichever kind of row is changed, the row is named; put back, nothing is wrong."""
    table = TABLES[table_name]
    column = table.c[column_name]
    for row in long.rows(table):
        if table_name == "audit_entry" and row["person_id"] == FORGOTTEN and column_name in {"at", "actor", "action"}:
            continue  # what is left of a forgotten person's row has no salt any more: docs/audit.md
        this = [own == row[own.name] for own in table.primary_key.columns]
        changed = other(column, row[column_name])
        long.do(update(table).where(*this).values({column_name: changed}))
        found = long.found()
        key = [changed if own.name == column_name else row[own.name] for own in table.primary_key.columns]
        that = [own == value for own, value in zip(table.primary_key.columns, key, strict=True)]
        long.do(update(table).where(*that).values({column_name: row[column_name]}))
        assert names(table_name, row) & {(place, row_id) for place, row_id, _ in found}, (row, found)
        assert long.verify().is_sound


def names(table: str, row: dict[str, Any]) -> set[tuple[str, str]]:
    """The names under which a finding may speak of this row."""
    chain = row.get("table_name", "")
    if table == "audit_entry":
        return {("audit_entry", str(row["id"]))}
    if table == "audit_mark":
        rowwise = {("audit_entry", str(row["row_id"])), ("audit_mark", f"{chain} {row['row_id']}")}
        return rowwise | ({("audit_seal", f"{chain} {row['seal']}")} if row["person_id"] == FORGOTTEN else set())
    if table == "audit_head":
        return {("audit_head", f"{chain} "), ("audit_seal", f"{chain} {row['number'] + 1}-{row['number'] + 100}")}
    if table == "audit_salt":
        return {("audit_salt", str(row["person_id"])), *(("audit_entry", str(each)) for each in range(1, 100_000))}
    if table == "audit_checkpoint":  # without it, the chain begins too late
        return {(table, f"{chain} {row['number']}"), ("audit_seal", f"{chain} {row['number']}")}
    return {(table, f"{chain} {row['number']}"), (table, f"{chain} {row['number']}-{row['number'] + 99}")}


@pytest.mark.parametrize("table_name", TABLES)
def test_deleted_row_is_found(long: Trail, table_name: str) -> None:
    """Whichever row is deleted, it is named, with the word 'missing' where nothing else can stand for it."""
    table = TABLES[table_name]
    for row in long.rows(table):
        this = [own == row[own.name] for own in table.primary_key.columns]
        long.do(delete(table).where(*this))
        found = long.found()
        long.do(insert(table).values(row))
        assert names(table_name, row) & {(place, row_id) for place, row_id, what in found if what == "missing"}, found
        assert long.verify().is_sound


def test_inserted_row_is_found(long: Trail) -> None:
    """A row put in among the older ones is named, before and after the sealer has taken it for one that waited."""
    [first, *_] = long.rows(TABLES["audit_entry"])
    ghost = {**first, "id": 9_999, "actor": "nobody"}
    long.do(insert(AuditEntry).values(ghost))
    assert long.found() == {("audit_entry", "9999", "inserted")}
    long.moment += timedelta(days=1)
    assert (long.seal(), long.seal(everything=True)) == (0, 1)
    assert long.found() == {("audit_entry", "9999", "inserted")}


def test_inserted_row_with_a_mark_is_found(long: Trail) -> None:
    """A row put in together with a mark that fits is named, as the seal does not cover it."""
    with long.store.write() as session:
        salt = session.get_one(AuditSalt, 0).salt
        row = {"id": 9_999, "at": long.moment, "actor": "nobody", "action": "a", "subject": "s"}
        session.execute(insert(AuditEntry).values(row))
        mark = {"table_name": "audit_entry", "row_id": 9_999, "seal": 3, "person_id": 0}
        session.execute(insert(AuditMark).values(mark | {"digest": entry_digest("audit_entry", row, salt)}))
    assert long.found() == {("audit_mark", "audit_entry 9999", "inserted")}


def test_swapped_rows_are_found(long: Trail) -> None:
    """Two rows whose contents are exchanged are both named."""
    one, two = long.rows(TABLES["audit_entry"])[:2]
    content = {name: one[name] for name in ("subject", "after")}
    long.do(
        update(AuditEntry).where(AuditEntry.id == one["id"]).values(subject=two["subject"], after=two["after"]),
        update(AuditEntry).where(AuditEntry.id == two["id"]).values(content),
    )
    assert long.found() == {("audit_entry", str(row["id"]), "changed") for row in (one, two)}


def test_swapped_seals_are_found(long: Trail) -> None:
    """Two seals that exchange their numbers break the chain at both."""
    long.do(*(update(AuditSeal).where(AuditSeal.number == a).values(number=b) for a, b in ((2, 99), (3, 2), (99, 3))))
    assert {row_id for table, row_id, _ in long.found() if table == "audit_seal"} >= {"audit_entry 2", "audit_entry 3"}


def test_change_with_everything_after_it_made_anew_is_found(long: Trail) -> None:
    """Whoever changes a row and computes every later digest and hash anew still cannot sign the head."""
    with long.store.write() as session:
        row_id = session.scalars(select(AuditMark.row_id).where(AuditMark.seal == 2)).first()
        session.execute(update(AuditEntry).where(AuditEntry.id == row_id).values(actor="somebody else"))
    seals = sorted(long.rows(TABLES["audit_seal"]), key=lambda seal: seal["number"])
    forged = _forged_from(long, seals)
    assert {(table, what) for table, _, what in long.found()} == {("audit_head", "forged")}
    with pytest.raises(SecretError, match="its head was not signed with a key of the key file"):
        long.act()
        long.seal()
    assert forged[-1]["number"] == 4


def _forged_from(trail: Trail, seals: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What somebody with all rights in the database, but without the key file, would do."""
    salts = {row["person_id"]: row["salt"] for row in trail.rows(TABLES["audit_salt"])}
    entries = {row["id"]: row for row in trail.rows(TABLES["audit_entry"])}
    previous = seals[0]["previous"]
    for seal in seals:
        marks = [mark for mark in trail.rows(TABLES["audit_mark"]) if mark["seal"] == seal["number"]]
        for mark in marks:
            if mark["erased_at"] is None:
                mark["digest"] = entry_digest("audit_entry", entries[mark["row_id"]], salts[mark["person_id"]])
            trail.do(update(AuditMark).where(AuditMark.row_id == mark["row_id"]).values(digest=mark["digest"]))
        seal["digest"] = sealer_module.batch_digest((m["row_id"], m["person_id"], m["digest"]) for m in marks)
        seal["previous"] = previous
        seal["hash"] = previous = seal_hash(seal)
        values = {name: seal[name] for name in ("digest", "previous", "hash")}
        trail.do(update(AuditSeal).where(AuditSeal.number == seal["number"]).values(values))
    trail.do(update(AuditHead).values(hash=previous))
    return seals


def test_newest_seals_taken_away_are_found(long: Trail) -> None:
    """Without the newest seal, with its rows or without them, the signed head says that one is missing."""
    row_ids = [mark["row_id"] for mark in long.rows(TABLES["audit_mark"]) if mark["seal"] == 4]
    long.do(delete(AuditSeal).where(AuditSeal.number == 4))
    assert ("audit_seal", "audit_entry 4", "missing") in long.found()
    assert ("audit_entry", str(row_ids[0]), "changed") in long.found()
    long.do(delete(AuditMark).where(AuditMark.seal == 4), delete(AuditEntry).where(AuditEntry.id.in_(row_ids)))
    assert ("audit_seal", "audit_entry 4", "missing") in long.found()


def test_trail_set_back_to_an_older_copy_is_found_by_a_noted_head_only(long: Trail) -> None:
    """An older state of all tables, signed head included, verifies; the head noted since then is not in it."""
    copy = {name: long.rows(table) for name, table in TABLES.items()}
    older = long.verify().chains[0].head
    long.act(2)
    long.seal()
    newer = long.verify(older).chains[0].head
    assert long.verify(older, newer).is_sound
    for name, table in TABLES.items():
        long.do(delete(table), insert(table).values(copy[name]))
    assert long.verify(older).is_sound
    assert long.found(newer) == {("audit_seal", "audit_entry 5", "missing")}
    assert long.found("gone:1:" + "0" * 64) == {("gone", "*", "unknown")}


def test_seals_of_a_table_that_nobody_seals_are_named(long: Trail) -> None:
    """When an addon has gone, its chain is reported as one that cannot be verified."""
    values = {"table_name": "gone", "number": 1, "hash": "0" * 64, "signature": "x"}
    long.do(insert(AuditHead).values(values))
    assert long.found() == {("gone", "*", "unknown")}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entry SET at = 'yesterday' WHERE id = {id}",
        "UPDATE audit_entry SET after = '{{broken' WHERE id = {id}",
        "UPDATE audit_entry SET person_id = 'somebody' WHERE id = {id}",
        "UPDATE audit_entry SET actor = CAST(x'ff' AS TEXT) WHERE id = {id}",
        "UPDATE audit_mark SET person_id = 'somebody' WHERE row_id = {id}",
        "UPDATE audit_seal SET sealed_at = 'never' WHERE number = 3",
        "UPDATE audit_seal SET covers = '5' WHERE number = 3",
        "UPDATE audit_seal SET covers = '[[1, 10000000000]]' WHERE number = 3",
        "UPDATE audit_seal SET covers = '[\"x\"]' WHERE number = 3",
        "UPDATE audit_head SET number = 'many'",
        "UPDATE audit_checkpoint SET before = 'long ago'",
    ],
)
def test_values_of_the_wrong_type_are_found(
    sqlite_kernel: Installation, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    """What SQLite lets into a column and no type takes is named, and everything else is verified still."""
    monkeypatch.setattr(sealer_module, "BATCH", 2)
    trail = Trail(sqlite_kernel.store, sealed_tables([sqlite_kernel.addons["plugin"]]))
    trail.moment = NOW - timedelta(days=400)
    trail.act(2)
    trail.seal()
    trail.prune(NOW - timedelta(days=100))
    trail.moment = NOW
    trail.act(4)
    trail.seal()
    last = trail.ids()[-1]
    trail.do(update(AuditEntry).where(AuditEntry.id == trail.ids()[0]).values(actor="x"))
    trail.do(text(statement.format(id=last)))
    found = trail.found()
    assert len(found) > 1
    assert ("audit_entry", str(trail.ids()[0]), "changed") in found


def test_unreadable_row_is_left_waiting(sqlite_kernel: Installation, caplog: pytest.LogCaptureFixture) -> None:
    """A row that is broken before it is sealed does not stop the sealer; it is named in the log and goes on waiting."""
    trail = Trail(sqlite_kernel.store, sealed_tables([sqlite_kernel.addons["plugin"]]))
    trail.act(3)
    broken = trail.ids()[1]
    trail.do(text(f"UPDATE audit_entry SET before = '{{broken' WHERE id = {broken}"))
    with caplog.at_level(logging.WARNING):
        assert trail.seal() == 2
    assert f"The row {broken} of audit_entry cannot be read" in caplog.text
    assert trail.verify().chains[0].waiting == 1


TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=0x24F), min_size=1, max_size=20)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive


def anything(column: Column[Any]) -> st.SearchStrategy[Any]:
    """Any value of the column's type."""
    if isinstance(column.type, Boolean):
        return st.booleans()
    if isinstance(column.type, Integer):
        return st.integers(1, 10**9)
    if column.name in {"before", "after"} and column.table.name == "audit_entry":
        return st.dictionaries(TEXTS, st.integers() | TEXTS, max_size=3).map(lambda each: each or None)
    if column.name == "covers":
        return st.lists(st.tuples(st.integers(1, 50), st.integers(51, 99)).map(list), max_size=3)
    if column.name in {"at", "sealed_at", "newest_at", "before", "pruned_at", "erased_at"}:
        return MOMENTS
    return TEXTS


def tampered(trail: Trail, table: Table, row: dict[str, Any], data: st.DataObject) -> bool:
    """Delete the row, or write any value into any of its columns; whether that made a difference."""
    this = [own == row[own.name] for own in table.primary_key.columns]
    column = data.draw(st.sampled_from([*table.columns, None]))
    if column is None:
        trail.do(delete(table).where(*this))
        return True
    value = data.draw(anything(column))
    try:
        trail.do(update(table).where(*this).values({column.name: value}))
    except DatabaseError:  # the key is taken, or the text too long
        return False
    return bool(value != row[column.name])


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_tampering_goes_unnoticed(long: Trail, data: st.DataObject) -> None:
    """One to three changes or deletions, of any values in any rows, are found."""
    copy = {name: long.rows(table) for name, table in TABLES.items()}
    known = [(name, row) for name, rows in copy.items() for row in rows]
    known = [(name, row) for name, row in known if name != "audit_entry" or row["person_id"] != FORGOTTEN]
    chosen = st.lists(st.sampled_from(known), min_size=1, max_size=3, unique_by=lambda each: id(each[1]))
    try:
        changes = [tampered(long, TABLES[name], row, data) for name, row in data.draw(chosen)]
        found = long.found()
    finally:
        for name, table in TABLES.items():
            long.do(delete(table), *(insert(table).values(row) for row in copy[name]))
    assert bool(found) == any(changes)
    assert long.verify().is_sound


# Several at once, late, killed ------------------------------------------------------------------------------------------


def test_two_sealers_at_once(trail: Trail, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four sealers that start together seal every row once, into one chain."""
    monkeypatch.setattr(sealer_module, "BATCH", 7)
    trail.act(30, ANNA)
    trail.act(30)
    done: list[int] = []
    threads = [threading.Thread(target=lambda: done.append(trail.seal())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(done) == 60
    assert trail.verify().is_sound
    assert trail.verify().chains[0].entries == 60


def test_row_that_is_committed_late_is_sealed(postgresql_kernel: Installation) -> None:
    """A row with a low id that becomes visible after higher ones have been sealed is sealed by the next run."""
    trail = Trail(postgresql_kernel.store, sealed_tables([postgresql_kernel.addons["plugin"]]))
    with trail.store.write() as session:
        record_act(session, "mai", "slow", "a:1", trail.moment)
        session.flush()
        trail.act(3)
        trail.moment += timedelta(minutes=10)
        assert trail.seal() == 3
    assert trail.seal() == 1
    assert trail.verify().is_sound
    covers = [seal["covers"] for seal in trail.rows(TABLES["audit_seal"])]
    assert covers[1][0][0] < covers[0][0][0]


def test_sealer_killed_between_batches(trail: Trail, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was sealed before the crash stands, the rest is sealed afterwards, and no row is taken for one put in."""
    monkeypatch.setattr(sealer_module, "BATCH", 3)
    real = sealer_module.seal_batch
    calls = 0

    def killed(*args: Any, **options: Any) -> int:
        nonlocal calls
        calls += 1
        done = real(*args, **options)
        if calls == 2:
            raise KeyboardInterrupt  # before the second batch is committed
        return done

    trail.act(8)
    monkeypatch.setattr(sealer_module, "seal_batch", killed)
    with pytest.raises(KeyboardInterrupt):
        trail.seal()
    assert (trail.verify().is_sound, trail.verify().chains[0].waiting) == (True, 5)
    trail.moment += timedelta(days=3)
    assert trail.seal() == 5
    assert trail.verify().is_sound


def test_backlog_longer_than_one_look_is_sealed(trail: Trail, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much waits, one run seals it, and only its last seal says that nothing waited any more."""
    monkeypatch.setattr(sealer_module, "BATCH", 2)
    monkeypatch.setattr(sealer_module, "BACKLOG", 4)
    trail.act(4)
    trail.moment += timedelta(days=2)
    trail.act(5)
    assert trail.seal() == 9
    assert [seal["complete"] for seal in trail.rows(TABLES["audit_seal"])] == [False] * 4 + [True]
    assert trail.verify().is_sound


def test_verifying_costs_few_statements(
    trail: Trail, monkeypatch: pytest.MonkeyPatch, counted: Any, kernel: Any
) -> None:
    """The number of statements follows the number of pages, not of rows or seals."""
    monkeypatch.setattr(sealer_module, "BATCH", 1)
    trail.act(2)
    trail.seal()
    with counted(kernel) as few:
        trail.verify()
    trail.act(60)
    trail.seal()
    with counted(kernel) as many:
        assert trail.verify().chains[0].seals == 62
    assert len(many) == len(few)


# Erasure ---------------------------------------------------------------------------------------------------------------


def test_forgotten_person_leaves_nothing_and_the_chain_holds(trail: Trail) -> None:
    """After erasure the payload and the salt are gone, others' rows are untouched, the digests stand, nothing is wrong."""
    trail.act(3, ANNA)
    trail.act(2, BERT)
    trail.seal()
    digests = {mark["row_id"]: mark["digest"] for mark in trail.rows(TABLES["audit_mark"])}
    trail.moment += timedelta(days=30)
    assert trail.forget(ANNA) == 3
    assert trail.verify().is_sound
    blank = [row for row in trail.rows(TABLES["audit_entry"]) if row["person_id"] == ANNA]
    assert {(row["subject"], row["reason"], row["before"], row["after"]) for row in blank} == {
        ("erased", None, None, None)
    }
    assert {row["person_id"] for row in trail.rows(TABLES["audit_salt"])} == {0, BERT} - {0}
    assert {mark["row_id"]: mark["digest"] for mark in trail.rows(TABLES["audit_mark"])} == digests
    trail.seal()
    report = trail.verify()
    assert (report.is_sound, report.chains[0].erased) == (True, 3)
    [act] = [row for row in trail.rows(TABLES["audit_entry"]) if row["action"] == "audit.forget"]
    assert (act["subject"], act["person_id"], act["after"]) == (f"person-id:{ANNA}", None, {"rows": 3})


def test_rows_about_a_forgotten_person_afterwards(trail: Trail) -> None:
    """A row that waited is sealed blank, one written later with a new salt; a second erasure takes that one too."""
    trail.act(1, ANNA)
    trail.seal()
    trail.act(1, ANNA)
    trail.forget(ANNA)
    trail.act(1, ANNA)
    trail.seal()
    assert trail.verify().is_sound
    assert trail.verify().chains[0].erased == 1
    trail.moment += timedelta(days=1)
    assert trail.forget(ANNA) == 3
    trail.seal()
    assert trail.verify().is_sound
    assert trail.verify().chains[0].erased == 3


@pytest.mark.parametrize("payload", [{"subject": "person:E1"}, {"after": {"name": "Anna"}}, {"reason": "x"}])
def test_blank_row_that_says_something_again_is_found(long: Trail, payload: dict[str, Any]) -> None:
    """A payload written into a forgotten person's row is named."""
    [row] = [row for row in long.rows(TABLES["audit_entry"]) if row["person_id"] == FORGOTTEN]
    long.do(update(AuditEntry).where(AuditEntry.id == row["id"]).values(payload))
    assert long.found() == {("audit_entry", str(row["id"]), "changed")}


def test_erasure_that_nobody_recorded_is_found(long: Trail) -> None:
    """Whoever blanks rows and takes the salt away without the act that belongs to it is found out."""
    blank = {"subject": "erased", "reason": None, "before": None, "after": None}
    long.do(
        update(AuditEntry).where(AuditEntry.person_id == ANNA).values(blank),
        delete(AuditSalt).where(AuditSalt.person_id == ANNA),
    )
    assert long.found() == {("audit_salt", str(ANNA), "missing")}
    long.do(update(AuditMark).where(AuditMark.person_id == ANNA).values(erased_at=NOW))
    assert {what for _, _, what in long.found()} == {"changed"}
    assert len(long.found()) == 2


def test_forgetting_waits_for_the_sealer(postgresql_kernel: Installation) -> None:
    """A batch that is being sealed is finished first: its marks are erased too, and no digest outlives its salt."""
    trail = Trail(postgresql_kernel.store, sealed_tables([postgresql_kernel.addons["plugin"]]))
    trail.act(2, ANNA)
    forgetting = threading.Thread(target=lambda: trail.forget(ANNA))
    with trail.store.write() as session:
        ids = trail.ids()
        assert sealer_module.seal_batch(session, trail.tables[0], ids, trail.keys, NOW, complete=True) == 2
        forgetting.start()
        forgetting.join(0.3)
        assert forgetting.is_alive()
    forgetting.join(30)
    trail.seal()
    assert (trail.verify().is_sound, trail.verify().chains[0].erased) == (True, 2)


# Retention -------------------------------------------------------------------------------------------------------------


def test_pruning_leaves_a_signed_checkpoint(trail: Trail, monkeypatch: pytest.MonkeyPatch) -> None:
    """Old seals and their rows go, the checkpoint says up to where, and the chain verifies from there and goes on."""
    monkeypatch.setattr(sealer_module, "BATCH", 2)
    for day in range(6):
        trail.moment = NOW + timedelta(days=day)
        trail.act(2)
        trail.seal()
    noted = trail.verify().chains[0].head
    cut = NOW + timedelta(days=3)
    assert trail.prune(cut) == 6
    [checkpoint] = trail.rows(TABLES["audit_checkpoint"])
    assert (checkpoint["number"], checkpoint["entries"], checkpoint["before"]) == (3, 6, cut)
    assert {row["at"] for row in trail.rows(TABLES["audit_entry"])} == {NOW + timedelta(days=day) for day in (3, 4, 5)}
    report = trail.verify(noted)
    assert (report.is_sound, report.chains[0].pruned, report.chains[0].entries) == (True, 6, 6)
    assert trail.prune(cut) == 0
    trail.act(1)
    trail.seal()
    assert trail.prune(NOW + timedelta(days=4)) == 2
    assert len(trail.rows(TABLES["audit_checkpoint"])) == 2
    assert trail.verify(noted).is_sound


def test_everything_may_be_pruned(trail: Trail) -> None:
    """When all seals have gone the next one follows on from the checkpoint; rows that wait are not deleted."""
    trail.act(2, ANNA)
    trail.seal()
    trail.moment += timedelta(days=1)
    trail.act(1)
    assert trail.prune(trail.moment + timedelta(days=1)) == 2
    assert len(trail.ids()) == 1
    assert trail.verify().is_sound
    trail.seal()
    assert trail.verify().is_sound
    assert trail.rows(TABLES["audit_seal"])[0]["number"] == 2


def test_erasure_older_than_the_checkpoint_stands(trail: Trail) -> None:
    """When the act of forgetting has itself been pruned, the erased rows that are kept verify still."""
    trail.moment = NOW + timedelta(days=10)
    trail.act(1, ANNA)  # a clock that went wrong: it keeps this row, and with it the seal, longer
    with trail.store.write() as session:
        ids = trail.ids()
        sealer_module.seal_batch(session, trail.tables[0], ids, trail.keys, NOW - timedelta(days=9), complete=False)
    trail.moment = NOW - timedelta(days=8)
    trail.forget(ANNA)
    trail.seal()
    assert trail.verify().is_sound
    assert trail.prune(NOW) == 0
    assert trail.verify().is_sound


@pytest.mark.parametrize(
    "values",
    [{"number": 2}, {"hash": "1" * 64}, {"entries": 1}, {"signature": "1" * 64}, {"before": NOW}, {"pruned_at": NOW}],
)
def test_changed_checkpoint_is_found(long: Trail, values: dict[str, Any]) -> None:
    """A checkpoint with any other content than was signed is forged."""
    long.do(update(AuditCheckpoint).values(values))
    assert "forged" in {what for table, _, what in long.found() if table == "audit_checkpoint"}


def test_forged_checkpoint_is_found(long: Trail) -> None:
    """Whoever deletes old seals and writes the checkpoint that would excuse it, without the key, is found out."""
    [cut] = [seal for seal in long.rows(TABLES["audit_seal"]) if seal["number"] == 2]
    row_ids = [mark["row_id"] for mark in long.rows(TABLES["audit_mark"]) if mark["seal"] == 2]
    checkpoint = {
        "table_name": "audit_entry", "number": 2, "hash": cut["hash"], "entries": 3, "before": NOW, "pruned_at": NOW,
    }  # fmt: skip
    forger = SealingKeys([b"another key"])
    long.do(
        delete(AuditEntry).where(AuditEntry.id.in_(row_ids)),
        delete(AuditMark).where(AuditMark.seal == 2),
        delete(AuditSeal).where(AuditSeal.number == 2),
        insert(AuditCheckpoint).values(**checkpoint, signature=forger.sign("checkpoint", checkpoint)),
    )
    assert long.found() == {
        ("audit_checkpoint", "audit_entry 2", "forged"),
        ("audit_seal", "audit_entry 2", "missing"),
    }


def test_seal_older_than_the_checkpoint_is_found(long: Trail) -> None:
    """A seal put back in front of the checkpoint is named."""
    [seal, *_] = long.rows(TABLES["audit_seal"])
    long.do(insert(AuditSeal).values({**seal, "number": 1}))
    assert ("audit_seal", "audit_entry 1", "inserted") in long.found()


# Keys ------------------------------------------------------------------------------------------------------------------


def test_key_can_be_changed(kernel: Installation, tmp_path: Path) -> None:
    """With a new key on top the old signatures open; signed anew, they do without the old key, and a second time is idle."""
    kernel.settings._folder = tmp_path
    create_key_file(kernel.key_file)
    old = kernel.key_file.read_text(encoding="utf-8")
    trail = Trail(kernel.store, sealed_tables(kernel.installed), SealingKeys.from_file(kernel.key_file))
    trail.act(2)
    trail.seal()
    trail.prune(NOW + timedelta(days=1))
    trail.act(1)
    trail.seal()
    new = Fernet.generate_key().decode() + "\n"
    kernel.key_file.write_text(new + old, encoding="utf-8")
    trail.keys = SealingKeys.from_file(kernel.key_file)
    assert trail.verify().is_sound
    assert (rekey(kernel), rekey(kernel)) == (2, 0)
    kernel.key_file.write_text(new, encoding="utf-8")
    trail.keys = SealingKeys.from_file(kernel.key_file)
    assert trail.verify().is_sound
    trail.act(1)
    assert trail.seal() == 1


def test_lost_key_is_accepted_by_a_person(long: Trail) -> None:
    """Without the key the sealer refuses; a person may let it go on, with a reason that is recorded, once."""
    long.keys = SealingKeys([b"a new key"])
    long.act()
    with pytest.raises(SecretError, match="certbridge audit accept"):
        long.seal()
    assert {what for _, _, what in long.found()} == {"forged", "missing"}  # what the forged checkpoint stands for
    for expected in (["audit_entry"], []):
        with long.store.write() as session:
            done = accept_chains(session, "mai", "the disk with the key file died", long.moment, long.keys, long.tables)
        assert done == expected
    assert long.seal() == 2
    assert long.verify().is_sound
    with long.store.read() as session:
        act = session.scalars(select(AuditEntry).where(AuditEntry.action == "audit.accept")).one()
    assert (act.actor, act.subject, act.reason) == ("mai", "chain:audit_entry", "the disk with the key file died")


def test_seals_without_a_head_are_not_gone_on_from(long: Trail) -> None:
    """When the head has been deleted the sealer does not begin a new chain over the old one; accepting sets it again."""
    long.do(delete(AuditHead))
    long.act()
    with pytest.raises(SecretError):
        long.seal()
    with long.store.write() as session:
        accept_chains(session, "mai", "restored by hand", long.moment, long.keys, long.tables)
    long.seal()
    assert long.verify().is_sound


def test_keys_show_nothing_and_kinds_differ() -> None:
    """A signature holds for its kind, its values and its keys only."""
    keys, values = SealingKeys([b"first", b"second"]), {"number": 1}
    signed = values | {"signature": keys.sign("head", values)}
    assert keys.opens("head", signed)
    assert SealingKeys([b"another", b"first"]).opens("head", signed)
    assert not keys.opens("checkpoint", signed)
    assert not keys.opens("head", signed | {"number": 2})
    assert not SealingKeys([b"second"]).opens("head", signed)
    assert "first" not in repr(keys)


# Other addons' tables ----------------------------------------------------------------------------------------------------


def test_history_of_the_engine_is_sealed_beside_the_acts(installation: Installation) -> None:
    """A further table that an addon registers has a chain of its own: sealed, verified, erased and pruned alike."""
    addon = installation.addons["metrics"]
    registered = Addon(addon.name, addon.path, {**addon.manifest, "sealed": {"award_change": ["before", "after"]}})
    trail = Trail(installation.store, sealed_tables([installation.addons["plugin"], registered]))
    assert [table.name for table in trail.tables] == ["audit_entry", "award_change"]
    with trail.store.write() as session:
        people = [
            Person(employee_number=number, name=number, created_at=NOW, changed_at=NOW) for number in ("E1", "E2")
        ]
        session.add_all(people)
        session.flush()
        rows = [
            {"at": NOW, "person_id": person.id, "certification": "FIRE", "award_id": f"A{person.id}", "change": "awarded",
             "reason": "earned", "before": None, "after": {"valid_from": "2026-01-01", "evidence": [1, 2]}}
            for person in people
        ]  # fmt: skip
        session.execute(insert(AwardChange), rows)
        one, two = (person.id for person in people)
    trail.act(2, one)
    assert trail.seal() == 4
    assert {chain.table: chain.entries for chain in trail.verify().chains} == {"audit_entry": 2, "award_change": 2}
    table: Any = AwardChange.__table__
    for row in trail.rows(table):
        for column in table.columns:
            if column.name in {"id", "person_id"}:
                continue
            this = AwardChange.id == row["id"]
            trail.do(update(AwardChange).where(this).values({column.name: other(column, row[column.name])}))
            assert trail.found() == {("award_change", str(row["id"]), "changed")}, column.name
            trail.do(update(AwardChange).where(this).values({column.name: row[column.name]}))
    assert trail.forget(one) == 3
    trail.seal()
    assert trail.verify().is_sound
    with trail.store.read() as session:
        assert session.scalars(select(AwardChange.after).where(AwardChange.person_id == one)).one() is None
        assert session.scalars(select(AwardChange.after).where(AwardChange.person_id == two)).one() is not None
    with trail.store.write() as session:
        assert prune(session, NOW + timedelta(days=1), NOW, trail.keys, trail.tables[1:]) == 2
    assert trail.verify().is_sound
    trail.do(delete(AuditSeal).where(AuditSeal.table_name == "audit_entry", AuditSeal.number == 1))
    assert {table for table, _, _ in trail.found()} == {"audit_seal", "audit_entry"}


@pytest.mark.parametrize(
    ("sealed", "says"),
    [
        ({"no_such": []}, "seals the table no_such, which no model declares"),
        ({"person": ["name"]}, "which has no column at"),
        ({"audit_entry": ["colour"]}, "which has no column colour"),
        ({"mailing": []}, None),
        ({"event": []}, "which has no column at"),
        ({"audit_entry": ["at"]}, "cannot blank audit_entry.at"),
    ],
)
def test_table_that_cannot_be_sealed_is_refused(
    kernel: Installation, sealed: dict[str, list[str]], says: str | None
) -> None:
    """A manifest that seals what is not there or not made for it gives an AddonError that says what to mend."""
    addon = Addon("own", Path(), {"sealed": sealed})
    with pytest.raises(AddonError, match=says or "The addon own seals the table mailing"):
        sealed_tables([addon])


# Upgrading ---------------------------------------------------------------------------------------------------------------


def test_installation_of_the_version_before_is_upgraded(store_url: str, tmp_path: Path) -> None:
    """Entries of the first version are kept, wait after the upgrade, and are sealed and verified like new ones."""
    addons = discover([], PACKAGES)
    load_models(addons)
    kernel = addons["plugin"]
    (tmp_path / "old" / "migrations").mkdir(parents=True)
    shutil.copy(next((kernel.path / "migrations").glob("0001_*.py")), tmp_path / "old" / "migrations")
    store = Store(store_url)
    with store.write() as session:
        assert upgrade(session.connection(), Addon("plugin", tmp_path / "old", kernel.manifest)) == ["0001"]
        add = text(
            "INSERT INTO audit_entry (at, actor, action, subject, reason, before, after)"
            " VALUES (:at, 'mai', 'endpoint.add', :subject, NULL, 'null', '{\"weight\": 1.10, \"a\": [1e3, null]}')"
        )
        for number in range(5):
            at = NOW - timedelta(days=500 - number)
            stored = at.replace(tzinfo=None).isoformat(" ", "microseconds") if store.is_sqlite else at
            session.execute(add, {"at": stored, "subject": f"endpoint:{number}"})
    with store.write() as session:
        assert upgrade(session.connection(), kernel)[:1] == ["0002"]
        assert differences(session.connection(), kernel, addons) == []
    trail = Trail(store, sealed_tables([kernel]))
    report = trail.verify()
    assert (report.is_sound, report.chains[0].waiting) == (True, 5)
    trail.act(2, ANNA)
    assert trail.seal() == 7
    assert trail.verify().is_sound
    assert [row["person_id"] for row in trail.rows(TABLES["audit_entry"])] == [None] * 5 + [ANNA] * 2
    trail.do(update(AuditEntry).where(AuditEntry.subject == "endpoint:3", AuditEntry.id < 6).values(actor="x"))
    assert len(trail.found()) == 1
    store.close()


# The task and the commands ----------------------------------------------------------------------------------------------


@pytest.fixture
def home(kernel: Installation, tmp_path: Path) -> Installation:
    """The kernel with a key file."""
    kernel.settings._folder = tmp_path
    create_key_file(kernel.key_file)
    return kernel


@pytest.fixture
def run(home: Installation) -> Callable[..., Result]:
    """Run `certbridge` with these words."""

    @click.group(cls=Command)
    @click.pass_context
    def cli(ctx: click.Context) -> None:
        ctx.obj = Context(Path("config.toml"))
        ctx.obj.installation = home

    register(cli)
    return lambda *words: CliRunner().invoke(cli, words)


@pytest.fixture
def acts(home: Installation) -> Iterator[None]:
    """Three acts of two people, a day apart."""
    with home.store.write() as session:
        record_act(session, "mai", "account.create", "account:li", NOW - timedelta(days=2), after={"roles": ["hr"]})
        record_act(session, "command:li", "endpoint.add", "endpoint:hr_%", NOW - timedelta(days=1), reason="=cmd()")
        record_act(session, "mai", "endpoint.disable", "endpoint:hr", NOW, before={"on": True}, after={"on": False})
    yield


def test_task_of_the_schedule_seals(home: Installation, acts: None) -> None:
    """The kernel's manifest names the task, and the task seals what waits, with the keys of the key file."""
    schedules = home.addons["plugin"].manifest["schedules"]
    keys = SealingKeys.from_file(home.key_file)
    for number, name in enumerate(["plugin.seal", "plugin.seal_all"], 3):
        TASKS[schedules[name]["task"]](home, schedules[name].get("argument"))
        report = verify(home.store, sealed_tables(home.installed), keys)
        assert (report.chains[0].entries, report.chains[0].waiting) == (number, 0)
        with home.store.write() as session:
            record_act(session, "mai", "token.create", "token:hr", NOW - timedelta(days=1))
    assert [(finding.table, finding.what) for finding in report.findings] == [("audit_entry", "inserted")]


def test_sealer_without_a_key_file_says_so(kernel: Installation, tmp_path: Path) -> None:
    """Without a key file the sealer seals nothing and says which file is missing."""
    kernel.settings._folder = tmp_path / "nowhere"
    with pytest.raises(SecretError, match="cannot be read"):
        TASKS["plugin.seal"](kernel, None)


def test_verify_command(home: Installation, run: Callable[..., Result], acts: None) -> None:
    """Whole: status 0 and the head to note down. Tampered: status 1 and every finding, for people and for programs."""
    TASKS["plugin.seal"](home, None)
    whole = run("audit", "verify")
    assert (whole.exit_code, "audit_entry: 3 rows under 1 seals" in whole.output) == (0, True)
    assert "Nothing is wrong." in whole.output
    head = json.loads(run("audit", "verify", "--format", "json").output)["chains"][0]["head"]
    assert run("audit", "verify", "--head", head).exit_code == 0
    with home.store.write() as session:
        session.execute(update(AuditEntry).where(AuditEntry.action == "endpoint.add").values(actor="li"))
    said = run("audit", "verify", "--format", "json")
    found = json.loads(said.output)
    assert (said.exit_code, found["sound"]) == (1, False)
    assert [(each["table"], each["what"]) for each in found["findings"]] == [("audit_entry", "changed")]
    tampered = run("audit", "verify", "--head", f"audit_entry:9:{'0' * 64}")
    assert (tampered.exit_code, "Findings: 2." in tampered.output) == (1, True)
    assert f"audit_entry {found['findings'][0]['id']}: changed." in tampered.output
    refused = run("audit", "verify", "--head", "nonsense")
    assert (refused.exit_code, "--head nonsense is no head" in refused.output) == (1, True)


def test_show_command(run: Callable[..., Result], acts: None) -> None:
    """Acts are shown oldest first, by subject, actor and time, as lines, JSON and CSV; a formula stays text."""
    shown = run("audit", "show").output.splitlines()
    assert shown[0] == "2026-11-21T10:00:00+08:00  mai  account.create  account:li"
    assert shown[1] == '    after {"roles": ["hr"]}'
    actions = {
        words: [act["action"] for act in json.loads(run("audit", "show", *words, "--format", "json").output)]
        for words in [
            (), ("--subject", "endpoint:"), ("--subject", "endpoint:hr_"), ("--actor", "mai"), ("--since", "2026-11-23"),
            ("--actor", "mai", "--since", "2026-11-22T10:00"), ("--subject", "nothing"),
        ]
    }  # fmt: skip
    assert list(actions.values()) == [
        ["account.create", "endpoint.add", "endpoint.disable"], ["endpoint.add", "endpoint.disable"], ["endpoint.add"],
        ["account.create", "endpoint.disable"], ["endpoint.disable"], ["endpoint.disable"], [],
    ]  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(run("audit", "show", "--format", "csv").output)))
    assert [row["reason"] for row in rows] == ["", "'=cmd()", ""]
    assert json.loads(rows[2]["after"]) == {"on": False}
    wrong = run("audit", "show", "--since", "soon")
    assert (wrong.exit_code, "--since: 'soon' is not a moment" in wrong.output) == (1, True)


def test_accept_command(home: Installation, run: Callable[..., Result], acts: None) -> None:
    """Accepting is for chains that the sealer refuses, names them, and is an act with a reason itself."""
    TASKS["plugin.seal"](home, None)
    assert "Nothing to accept" in run("audit", "accept", "--reason", "why not").output
    with home.store.write() as session:
        session.execute(update(AuditHead).values(signature="x"))
    assert run("audit", "verify").exit_code == 1
    assert "Accepted as they are: audit_entry" in run("audit", "accept", "--reason", "restored").output
    assert run("audit", "accept").exit_code == 2
    TASKS["plugin.seal"](home, None)
    assert run("audit", "verify").exit_code == 0
    with home.store.read() as session:
        assert session.scalar(select(func.count()).where(AuditEntry.action == "audit.accept")) == 1
        assert (
            session.scalar(select(func.count()).select_from(Schedule).where(Schedule.task == "plugin.seal")) is not None
        )

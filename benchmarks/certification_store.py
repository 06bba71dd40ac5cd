"""How fast the engine derives a whole store: people with 20 certifications and 50 pieces of evidence each.

    python -m benchmarks.certification_store [--url postgresql://…] [--people 5000] [--sample 100] [--processes 2]

From nothing; then a thousand people about whom something was recorded; then one day's clock. Beside it a straightforward
loop that asks the database once per person and certification, on a sample, and Polars (if it is installed) on the rows of
five of the rules, which ask for one completion: it knows first awards only, no renewal, no lateness, no voids. Without --url,
a SQLite file in a temporary folder. Seconds are of the wall; 'cpu' is what our processes took, without the database's.
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from connectors.models import Evidence
from metrics.certification.engine import Terms
from metrics.certification.evidence import Piece
from metrics.certification.models import Award, Holding
from metrics.certification.processes import derive_all
from metrics.certification.rule_text import parse_rule
from metrics.certification.rules import import_rule
from plugin import lifecycle, people
from plugin.installation import PACKAGES, Installation
from plugin.manifests import discover
from plugin.migrate import load_models
from plugin.models import Event, Person
from plugin.moments import Duration
from plugin.settings import Settings
from plugin.store import Store
from tests.metrics.certification.peer import peer

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")
TERMS = Terms(ZONE, Duration.parse("P2D"), "https://certbridge.example")
CERTIFICATIONS, TOUCHED = 20, 1_000
FIRST = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp())
SECTIONS = (
    'completed = {{ course = "C{0}" }}\n[validity]\n',
    'within = "P6M"\nall_of = [{{ completed = {{ course = "C{0}" }} }}, {{ score = {{ activity = "Q{0}", at_least = 70 }} }}]\n'
    '[validity]\nfrom = "previous_expiry"\n',
    'any_of = [{{ score = {{ activity = "Q{0}", at_least = 90 }} }}, {{ completed = {{ course = "C{0}" }} }}]\n[validity]\n',
    'all_of = [{{ score = {{ activity = "Q{0}", at_least = 70 }} }}, {{ completed = {{ course = "C{0}" }} }}]\n[validity]\n',
)

# One row for each person, certification and place: 0 and 2 complete the course, 1 is a mark; all in less than two years.
EVIDENCE = """
INSERT INTO evidence
  (person_id, origin, source, user_key, kind, object, achieved_at, recorded_at, percent, voided_at, void_reason)
WITH RECURSIVE
  n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {last}),
  places(j) AS (SELECT 0 UNION ALL SELECT 1 UNION ALL SELECT 2)
SELECT p.id, 'b:' || n.i || ':' || places.j, 'moodle', '', CASE places.j WHEN 1 THEN 'score' ELSE 'completed' END,
  CASE places.j WHEN 1 THEN 'Q' ELSE 'C' END || n.i, {achieved}, {recorded}, {percent}, {voided}, {reason}
FROM person p CROSS JOIN n CROSS JOIN places
WHERE places.j < 2 OR n.i % 2 = 0
ORDER BY p.id, places.j, n.i
"""
SECOND = f"{FIRST} + (p.id * 7919 + n.i * 104729) % 28000000 + CASE places.j WHEN 0 THEN 0 WHEN 1 THEN 86400 ELSE 30000000 END"
LATE = "CASE WHEN (p.id + n.i + places.j) % 100 = 0 THEN 5000000 ELSE 7200 END"
VOIDED = "(p.id + n.i * 3 + places.j) % 150 = 0"


def fill(store: Store, count: int) -> None:
    """People, rules and evidence, by a few statements."""
    moment = "strftime('%Y-%m-%d %H:%M:%S.000000', {0}, 'unixepoch')" if store.is_sqlite else "to_timestamp({0})"
    percent = "60 + (p.id + n.i * 7) % 41"
    with store.write() as session:
        numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
        columns = "employee_number, name, joined_on, event_sequence, created_at, changed_at"
        born = moment.format(FIRST)
        session.execute(
            text(
                f"INSERT INTO person ({columns}) {numbers} "
                f"SELECT 'E' || i, 'Person ' || i, '2020-01-01', 0, {born}, {born} FROM n".replace(
                    "'2020-01-01'", "'2020-01-01'" if store.is_sqlite else "DATE '2020-01-01'"
                )
            )
        )
        for number in range(CERTIFICATIONS):
            section = SECTIONS[number % 4].format(number)
            terms = 'lasts = "P1Y"\nwindow = "P60D"\ngrace = "P30D"\n'
            import_rule(session, f'code = "CERT{number}"\n[earn]\n{section}{terms}', "benchmark", NOW)
        session.execute(
            text(
                EVIDENCE.format(
                    last=CERTIFICATIONS - 1,
                    achieved=moment.format(SECOND),
                    recorded=moment.format(f"{SECOND} + {LATE}"),
                    percent=f"({percent}) * 10000" if store.is_sqlite else percent,
                    voided=f"CASE WHEN {VOIDED} THEN {moment.format(f'{SECOND} + 9000000')} END",
                    reason=f"CASE WHEN {VOIDED} THEN 'benchmark' END",
                )
            )
        )
        people.touch_all(session)
    if not store.is_sqlite:
        with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))


def derived(store: Store, now: datetime, what: str, rows: int, processes: int = 1) -> float:
    """Derive whoever is touched or due, by so many processes; print the time, and give it."""
    wall, cpu = time.perf_counter(), _cpu()
    events = derive_all(store, lambda: now, TERMS, processes)
    wall, cpu = time.perf_counter() - wall, _cpu() - cpu
    print(f"{what:26} {rows:9,} people {wall:8.2f} s {cpu:8.2f} s cpu {rows / wall:9,.0f} people/s {events:10,} events")
    return wall


def _cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def touch_some(store: Store, now: datetime) -> int:
    """Something arrives about a thousand people, spread over all."""
    with store.write() as session:
        ids = session.scalars(select(Person.id).order_by(Person.id)).all()
        chosen = ids[:: max(1, len(ids) // TOUCHED)][:TOUCHED]
        session.add_all(
            Evidence(
                person_id=each, origin="b:new", source="moodle", user_key="", kind="completed", object=f"C{each % 20}",
                achieved_at=now - timedelta(hours=1), recorded_at=now,
            )
            for each in chosen
        )  # fmt: skip
        people.touch(session, chosen)
        return len(chosen)


def one_by_one(session: Session, person_id: int, now: datetime) -> None:
    """A straightforward derivation: the database is asked for each person and certification; every award is looked for."""
    for number in range(CERTIFICATIONS):
        code = f"CERT{number}"
        rule = parse_rule(
            session.execute(text("SELECT text FROM certification_rule WHERE code = :c"), {"c": code}).scalar_one()
        )
        rows = session.scalars(
            select(Evidence).where(Evidence.person_id == person_id, Evidence.object.in_([f"C{number}", f"Q{number}"]))
        )
        pieces = [
            Piece(
                row.id, row.kind, row.source, row.object, row.achieved_at, row.recorded_at, row.voided_at, row.percent
            )
            for row in rows
        ]
        for place, award in enumerate(peer(rule, pieces, now, ZONE), 1):
            key = {"person_id": person_id, "certification": code, "number": place}
            known = session.scalars(select(Award).filter_by(**key)).one_or_none()
            if known is None or known.valid_until != award.valid_until:
                values = {"valid_until": award.valid_until, "recorded_at": now}
                session.execute(update(Award).where(Award.id == (known.id if known else "")).values(**values))
                session.execute(select(Holding).filter_by(person_id=person_id, certification=code)).one_or_none()


def by_polars(store: Store) -> tuple[float, int] | None:
    """First awards of the five simplest rules by Polars, from rows read beforehand; seconds, and how many."""
    try:
        import polars  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415 - it need not be there
    except ImportError:
        return None
    objects = [f"C{number}" for number in range(0, CERTIFICATIONS, 4)]
    query = select(Evidence.person_id, Evidence.object, Evidence.achieved_at, Evidence.voided_at)
    with store.read() as session:
        rows = session.execute(query.where(Evidence.kind == "completed", Evidence.object.in_(objects))).all()
    begun = time.perf_counter()
    names = ["person", "object", "achieved", "voided"]
    frame = polars.DataFrame(list(map(tuple, rows)), schema=names, orient="row", infer_schema_length=None)
    first = (
        frame.filter(polars.col("voided").is_null())
        .group_by("person", "object")
        .agg(polars.col("achieved").min())
        .with_columns(until=polars.col("achieved").dt.convert_time_zone(ZONE.key).dt.offset_by("1y"))
    )
    return time.perf_counter() - begun, first.height


def measure(store: Store, count: int, sample: int, processes: int) -> None:
    """Everything, printed."""
    begun = time.perf_counter()
    fill(store, count)
    with store.read() as session:
        pieces = session.scalar(select(func.count()).select_from(Evidence))
    print(f"{'made':26} {count:9,} people {time.perf_counter() - begun:8.2f} s, {pieces:,} pieces of evidence")
    before = _megabytes()
    ours = derived(store, NOW, "from nothing", count, processes) / count
    print(f"{'memory':26} {_megabytes():9,.0f} MiB at the most, {before:,.0f} before")
    _counted(store)
    now = NOW + timedelta(hours=1)
    derived(store, now, "touched", touch_some(store, now))
    derived(store, now, "nothing to do", 1)
    now += timedelta(days=1)
    with store.read() as session:
        due = session.scalar(select(func.count(Holding.person_id.distinct())).where(Holding.next_change_at <= now)) or 0
    derived(store, now, "a day's clock", due)

    def alone() -> None:
        for person_id in range(1, sample + 1):
            with store.write() as session:
                one_by_one(session, person_id, now)

    theirs = _timed(alone) / sample
    print(f"{'query per person':26} {sample:9,} people {theirs * sample:8.2f} s; ratio {theirs / ours:,.1f}")
    frame = by_polars(store)
    if frame is None:
        print("Polars is not installed (pip install polars): not compared.")
    else:
        each, mine = frame[0] / max(1, frame[1]), ours / CERTIFICATIONS
        print(
            f"{'Polars':26} {frame[1]:9,} awards {frame[0]:8.2f} s; ratio {each / mine:,.4f} per person and certification"
        )


def _counted(store: Store) -> None:
    with store.read() as session:
        counts: dict[str, Any] = {
            model.__tablename__: session.scalar(select(func.count()).select_from(model))
            for model in (Award, Holding, Event)
        }
        statuses = session.execute(
            select(Holding.status, func.count()).group_by(Holding.status).order_by(Holding.status)
        )
        print(", ".join(f"{name} {number:,}" for name, number in [*counts.items(), *statuses]))


def _timed(work: Callable[[], None]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _megabytes() -> float:
    """The most that this process, or one of those that it started, ever had."""
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024


def main() -> None:
    """Measure in an empty store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="an empty database; a SQLite file if not given")
    parser.add_argument("--people", type=int, default=5_000)
    parser.add_argument("--sample", type=int, default=100, help="how many people the straightforward loop derives")
    parser.add_argument("--processes", type=int, default=2, help="how many processes derive from nothing (PostgreSQL)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        addons = discover([], PACKAGES)
        load_models(addons)
        store = Store(given.url or f"sqlite:///{Path(folder)}/certifications.db")
        lifecycle.install(Installation(Settings(), addons, store, lambda: NOW))
        measure(store, given.people, given.sample, given.processes)
        store.close()


if __name__ == "__main__":
    main()

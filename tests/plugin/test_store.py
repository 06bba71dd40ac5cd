"""The store: types that come back as they went in, units that write whole or not at all, several writers."""

import subprocess
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, func, insert, select, text, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import StatementError

from plugin.errors import StoreError
from plugin.installation import Installation
from plugin.models import Department, Person, Schedule, Touched
from plugin.store import CHUNK, Exact, Store, UtcDateTime, chunks, holds_password, insert_new, shown_url, upsert

SHANGHAI = timezone(timedelta(hours=8))


def things(store: Store) -> Table:
    """A table of the two types of our own, for this connection's temporary tables only."""
    return Table(
        "thing", MetaData(), Column("id", Integer, primary_key=True), Column("at", UtcDateTime()),
        Column("amount", Exact(14, 5)), prefixes=["TEMPORARY"],
    )  # fmt: skip


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 11, 23, 2, 0, 0, 123456, tzinfo=UTC),
        datetime(2026, 11, 23, 10, 0, tzinfo=SHANGHAI),
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 30, 23, 59, 59, 999999, tzinfo=UTC),
    ],
)
def test_moment_comes_back_as_the_same_moment_in_utc(kernel: Installation, moment: datetime) -> None:
    """A moment of any zone comes back equal to the microsecond, aware, in UTC, and is found by comparing."""
    with kernel.store.write() as session:
        table = things(kernel.store)
        table.create(session.connection())
        session.execute(insert(table).values(id=1, at=moment))
        session.execute(insert(table).values(id=2, at=None))
        found = session.execute(select(table.c.at).order_by(table.c.id)).scalars().all()
        assert found == [moment, None]
        assert found[0] is not None
        assert found[0].tzinfo is UTC or found[0].utcoffset() == timedelta(0)
        assert session.scalar(select(table.c.id).where(table.c.at == moment.astimezone(SHANGHAI))) == 1
        session.rollback()


def test_naive_moment_is_refused(kernel: Installation) -> None:
    """A moment without a time zone does not reach the database, as a value or in a condition."""
    naive = datetime(2026, 11, 23)  # noqa: DTZ001 - what is to be refused
    with kernel.store.write() as session, pytest.raises(StatementError, match="a moment without a time zone"):
        session.execute(select(Schedule).where(Schedule.due_at <= naive))


@pytest.mark.parametrize("amount", ["0.1", "-0.00001", "123456789.98765", "-999999999.99999", "0", "1E+3"])
def test_decimal_is_exact(kernel: Installation, amount: str) -> None:
    """A decimal number comes back with its value and places, is compared and summed without error, and negative ones sort."""
    with kernel.store.write() as session:
        table = things(kernel.store)
        table.create(session.connection())
        session.execute(insert(table), [{"id": number, "amount": Decimal(amount)} for number in range(10)])
        session.execute(insert(table).values(id=10, amount=None))
        back = session.scalar(select(table.c.amount).where(table.c.id == 3))
        assert back == Decimal(amount)
        assert back is not None
        assert back.as_tuple().exponent == -5
        assert session.scalar(select(table.c.amount).where(table.c.id == 10)) is None
        assert session.scalar(select(func.count()).where(table.c.amount == Decimal(amount))) == 10
        assert session.scalar(select(func.sum(table.c.amount))) == Decimal(amount) * 10
        above = Decimal(amount) + Decimal("0.00001")
        assert session.scalar(select(func.count()).where(table.c.amount < above)) == 10
        session.rollback()


def test_decimal_is_rounded_half_even_on_both(kernel: Installation) -> None:
    """Places beyond those that are kept are rounded half even, on both databases alike."""
    with kernel.store.write() as session:
        table = things(kernel.store)
        table.create(session.connection())
        rows = ["0.000005", "0.000015", "0.000025", "-0.000015"]
        session.execute(insert(table), [{"id": n, "amount": Decimal(row)} for n, row in enumerate(rows)])
        found = session.scalars(select(table.c.amount).order_by(table.c.id)).all()
        assert found == [Decimal(text) for text in ("0", "0.00002", "0.00002", "-0.00002")]
        session.rollback()


def test_failed_unit_leaves_nothing(kernel: Installation) -> None:
    """An exception takes back everything that the unit wrote; the next unit goes on."""
    with pytest.raises(RuntimeError, match="half way"), kernel.store.write() as session:
        session.add(Department(code="A", name="A"))
        session.flush()
        raise RuntimeError("half way")
    with kernel.store.write() as session:
        assert session.scalars(select(Department.code)).all() == []
        session.add(Department(code="B", name="B"))
    with kernel.store.read() as session:
        assert session.scalars(select(Department.code)).all() == ["B"]


def test_table_of_a_failed_unit_is_gone(kernel: Installation) -> None:
    """Tables are made in transactions too, on SQLite as well: what a failed unit created is not there."""
    with pytest.raises(RuntimeError), kernel.store.write() as session:
        session.execute(text("CREATE TABLE half_done (id INTEGER)"))
        raise RuntimeError
    with kernel.store.read() as session:
        assert not kernel.store.engine.dialect.has_table(session.connection(), "half_done")


def test_foreign_keys_hold(kernel: Installation) -> None:
    """A row that refers to nothing is refused, on SQLite as well."""
    with pytest.raises(Exception, match=r"(?i)foreign key"), kernel.store.write() as session:
        session.add(Touched(person_id=4711))


def test_upsert_sets_what_is_there_and_inserts_the_rest(kernel: Installation, hire: Callable[..., list[int]]) -> None:
    """Rows are inserted or set by their key, in lists longer than a chunk; of two with one key the last counts."""
    ids = hire(kernel, CHUNK + 10)
    with kernel.store.write() as session:
        upsert(session, Touched, [{"person_id": number, "times": 1} for number in ids[:-5]], ["person_id"])
        upsert(session, Touched, [{"person_id": number, "times": 2} for number in ids], ["person_id"])
        twice = [{"person_id": ids[0], "times": 3}, {"person_id": ids[0], "times": 4}]
        upsert(session, Touched, twice, ["person_id"])
        upsert(session, Touched, [], ["person_id"])
    with kernel.store.read() as session:
        times = dict(session.execute(select(Touched.person_id, Touched.times)).all())
    assert times == {**dict.fromkeys(ids, 2), ids[0]: 4}


def test_insert_new_passes_over_what_is_there(kernel: Installation) -> None:
    """A row that a unique index has already is left as it is, twice within the rows too; the others are inserted."""
    with kernel.store.write() as session:
        insert_new(session, Department, [{"code": "A", "name": "first"}])
        rows = [("A", "second"), ("B", "first"), ("B", "second")]
        insert_new(session, Department, [{"code": code, "name": name} for code, name in rows])
    with kernel.store.read() as session:
        assert dict(session.execute(select(Department.code, Department.name)).all()) == {"A": "first", "B": "first"}


def test_chunks_lose_nothing() -> None:
    """A list is cut into lists of at most the size, in order; an empty one gives none."""
    assert list(chunks(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(chunks([], 2)) == []


WRITER = """
import sys, time
from pathlib import Path
from sqlalchemy import select
from plugin.models import Person
from plugin.store import Store
store = Store(sys.argv[1])
store.check()
print("ready", flush=True)
while not Path(sys.argv[2]).exists():
    time.sleep(0.001)
for _ in range(50):
    with store.write() as session:
        person = session.scalars(select(Person).with_for_update()).one()
        person.event_sequence += 1
"""


def test_four_processes_write_without_losing_or_locking(
    sqlite_kernel: Installation,
    hire: Callable[..., list[int]],
    child: Callable[..., subprocess.Popen[str]],
    tmp_path: Path,
) -> None:
    """Four processes that read and then write the same row lose no write, and none fails with 'database is locked'."""
    hire(sqlite_kernel, 1)
    go = tmp_path / "go"
    writers = [child("-c", WRITER, str(sqlite_kernel.store.engine.url), str(go)) for _ in range(4)]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    go.touch()
    for writer in writers:
        assert writer.wait(60) == 0, writer.communicate()[1]
    with sqlite_kernel.store.read() as session:
        assert session.scalar(select(Person.event_sequence)) == 200


def test_four_threads_write_without_losing_or_locking(kernel: Installation, hire: Callable[..., list[int]]) -> None:
    """Four threads of one process that share the store do the same."""
    hire(kernel, 1)
    failures: list[Exception] = []

    def count() -> None:
        try:
            for _ in range(30):
                with kernel.store.write() as session:
                    current = session.scalar(select(Person.event_sequence).with_for_update())
                    session.execute(update(Person).values(event_sequence=(current or 0) + 1))
        except Exception as error:  # the thread hands it to the test
            failures.append(error)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with kernel.store.read() as session:
        assert session.scalar(select(Person.event_sequence)) == 120


def test_reader_is_not_held_up_by_a_writer(kernel: Installation) -> None:
    """While a unit writes, another one reads what stood before, at once."""
    with kernel.store.write() as writing:
        writing.add(Department(code="A", name="A"))
        writing.flush()
        with kernel.store.read() as reading:
            assert reading.scalar(select(func.count()).select_from(Department)) == 0


def test_unreachable_database_is_named_without_its_password(tmp_path: Path) -> None:
    """A server that does not answer and a file that cannot be opened are StoreErrors; the password is not in them."""
    url = f"postgresql://somebody:hunter2@/certbridge?host={tmp_path}"
    with pytest.raises(StoreError, match=r"(?s)postgresql.*cannot be reached.*Check \[store\] url") as refused:
        Store(url).check()
    assert "hunter2" not in str(refused.value)
    assert refused.value.__context__ is None
    with pytest.raises(StoreError, match="cannot be reached: unable to open database file"):
        Store(f"sqlite:///{tmp_path}/no/such/folder/store.db").check()
    (tmp_path / "text.db").write_text("this is not a database, but it is long enough to be looked at" * 20)
    with pytest.raises(StoreError, match="cannot be reached: file is not a database"):
        Store(f"sqlite:///{tmp_path}/text.db").check()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://u:hunter2@h/d", "mysql is not served; use sqlite:///… or postgresql://…"),
        ("hunter2", "is no URL of a database"),
        ("postgresql://u:a:hunter2:b/@h:x/d", "is no URL of a database"),
        ("postgresql://u@h:hunter2/d", "is no URL of a database"),
    ],
)
def test_wrong_url_is_refused_without_repeating_it(url: str, says: str) -> None:
    """A database that is not served and text that is no URL are refused; what may be a password is not repeated."""
    with pytest.raises(StoreError, match=says) as refused:
        Store(url)
    assert "hunter2" not in str(refused.value)


def test_any_postgresql_url_gets_the_driver_that_is_installed() -> None:
    """A URL that names another driver of PostgreSQL is served by psycopg, which is the one that there is."""
    assert Store("postgresql+psycopg2://h/d").engine.url.drivername == "postgresql+psycopg"
    assert Store("postgresql://h/d").engine.url.drivername == "postgresql+psycopg"


@pytest.mark.parametrize(
    ("url", "holds", "shown"),
    [
        ("postgresql://cb:hunter2@db/cb", True, "postgresql://cb:***@db/cb"),
        ("postgresql://cb@db/cb?password=hunter2", True, "postgresql://cb@db/cb"),
        ("postgresql://cb@db/cb?sslpassword=hunter2&host=/run", True, "postgresql://cb@db/cb?host=%2Frun"),
        ("postgresql://cb@db/cb?sslmode=require", False, "postgresql://cb@db/cb"),
        ("sqlite:///var/cb.db", False, "sqlite:///var/cb.db"),
    ],
)
def test_url_is_shown_without_its_passwords(url: str, holds: bool, shown: str) -> None:
    """A password is found before the host and among the parameters, and shown from neither."""
    assert holds_password(make_url(url)) == holds
    assert shown_url(make_url(url)) == shown


def test_failure_to_connect_holds_no_password() -> None:
    """Neither the message nor anything that the exception came from holds the password."""
    with pytest.raises(StoreError, match="cannot be reached") as failed:
        Store("postgresql://cb:hunter2@127.0.0.1:1/cb?application_name=hunter2").check()
    assert "hunter2" not in str(failed.value)
    assert failed.value.__cause__ is None
    assert failed.value.__context__ is None

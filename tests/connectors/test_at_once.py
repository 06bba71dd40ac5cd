"""Two pulls that store at the same time: neither may miss what the other one brings."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select

from connectors.models import Evidence, Identity
from connectors.records import CompletionRecord, CourseRecord, EmployeeRecord, Record, UserRecord
from connectors.storing import Moment, store_records
from plugin.people import Employee
from plugin.store import Store

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
PEOPLE = [EmployeeRecord(Employee(f"E{number}", f"Person {number}")) for number in range(20)]
ACCOUNTS = [UserRecord(user_key=str(number + 1), idnumber=f"E{number}") for number in range(20)]
COURSE = CourseRecord(course_key="2", name="Fire safety", idnumber="CRS-1")
DONE = [CompletionRecord("2", str(number + 1), NOW) for number in range(20)]


def _store(store: Store, source: str, records: list[Record], pause: float = 0) -> Callable[[], None]:
    def run() -> None:
        with store.write() as session:
            store_records(session, source, records, None, Moment(NOW, NOW.date()))
            time.sleep(pause)  # stored, but nobody else can see it yet

    return run


def _at_once(first: Callable[[], None], second: Callable[[], None]) -> None:
    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    time.sleep(0.3)
    threads[1].start()
    for thread in threads:
        thread.join(30)


@pytest.mark.parametrize("roster_first", [True, False])
def test_people_and_accounts_that_come_at_once_are_bound(store: Store, roster_first: bool) -> None:
    """A roster and a site pulled at the same moment: every account is bound to its person, whichever commits first."""
    roster, site = (_store(store, "roster", list(PEOPLE), 0.8), _store(store, "moodle", list(ACCOUNTS), 0.8))
    _at_once(*((roster, site) if roster_first else (site, roster)))
    with store.read() as session:
        assert session.scalar(select(func.count()).select_from(Identity)) == len(PEOPLE)


@pytest.mark.parametrize("roster_first", [True, False])
def test_completions_that_come_while_accounts_are_bound_become_evidence(store: Store, roster_first: bool) -> None:
    """Completions stored while a roster binds their accounts are evidence afterwards, whichever commits first."""
    _store(store, "moodle", [COURSE, *ACCOUNTS])()
    roster, site = (_store(store, "roster", list(PEOPLE), 0.8), _store(store, "moodle", list(DONE), 0.8))
    _at_once(*((roster, site) if roster_first else (site, roster)))
    with store.read() as session:
        assert session.scalar(select(func.count()).select_from(Evidence)) == len(DONE)

"""Many rows at once: ids by the thousand, and texts that a bulk insert must not mistake for its own signs."""

from datetime import UTC, datetime

from sqlalchemy import select
from ulid import ULID

from plugin.models import Event, Person
from plugin.store import Store, insert_rows
from plugin.ulids import ulids

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


def test_ulids_are_of_their_moment_and_rise() -> None:
    """A thousand ids are a thousand, each above the one before, and read by the library as of the moment given."""
    made = [id_ for _, id_ in zip(range(1000), ulids(NOW), strict=False)]
    assert (len(set(made)), sorted(made)) == (1000, made)
    assert {ULID.from_str(id_).datetime for id_ in made} == {NOW}


def test_a_bulk_insert_keeps_every_character(store: Store) -> None:
    """Backslashes, tabs, line ends, quotes and Chinese come back as they went in, in texts and in JSON; so does nothing."""
    odd = "a\\b\tc\nd\re'f\"g \\N 王芳 \\."
    with store.write() as session:
        columns = ("employee_number", "name", "email", "created_at", "changed_at")
        insert_rows(session, Person, columns, [(odd, odd, None, NOW, NOW)])
    with store.write() as session:
        person = session.scalars(select(Person)).one()
        assert (person.employee_number, person.name, person.email, person.created_at) == (odd, odd, None, NOW)
        columns = ("id", "person_id", "sequence", "type", "subject", "occurred_at", "backfill", "data")
        row = (next(ulids(NOW)), person.id, 1, "t", odd, NOW, True, {"text": odd, "list": [1, None]})
        insert_rows(session, Event, columns, [row])
    with store.read() as session:
        event = session.scalars(select(Event)).one()
        assert (event.subject, event.backfill, event.data) == (odd, True, {"text": odd, "list": [1, None]})

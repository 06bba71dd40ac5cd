"""Comparing what a receiver holds with what it was sent, and mending it."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from waitress.server import create_server

from plugin.errors import DeliveryError
from plugin.models import AuditEntry, Event
from webhooks.demo.app import HOOK, Sandbox, create_app
from webhooks.demo.records import Records
from webhooks.digests import digest_of
from webhooks.endpoints import find
from webhooks.models import Message
from webhooks.reconcile import Difference, compare
from webhooks.repair import repair

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def serving(server: Any) -> None:
    """Serve until the socket is closed."""
    with suppress(OSError):
        server.run()


@pytest.fixture
def hr(desk: Any, tmp_path: Path) -> Iterator[tuple[Records, str]]:
    """The sandbox HR system, behind the clock of the installation: its records, and where it listens."""
    records = Records(tmp_path / "hr.db")
    server = create_server(
        create_app(Sandbox(records, (SECRET,), clock=desk.home.clock)), host="127.0.0.1", port=0, threads=4
    )
    thread = threading.Thread(target=serving, args=(server,), daemon=True)
    thread.start()
    yield records, f"http://127.0.0.1:{server.effective_port}{HOOK}"
    server.close()
    thread.join(5)


def told(desk: Any, people: list[int], code: str, status: str = "certified", **data: Any) -> None:
    """Append events as the engine does, with everything that a receiver needs."""
    for person in people:
        desk.event(
            person, code, employee_number=str(person), status=status, valid_from="2026-01-01", valid_until=None,
            reason="earned", backfill=False, **data,
        )  # fmt: skip


def compared(desk: Any, name: str = "hr") -> tuple[list[Difference], Counter[str]]:
    """The differences, and the counts."""
    counts: Counter[str] = Counter()
    return list(compare(desk.courier, name, counts)), counts


def mended(desk: Any, found: list[Difference], name: str = "hr") -> tuple[int, int]:
    """Repair these."""
    with desk.store.write() as session:
        return repair(session, find(session, name), found, "wang", desk.home.clock())


def state(records: Records) -> list[tuple[Any, ...]]:
    """What HR makes of it, without the numbers of messages."""
    names = ("employee_number", "certification", "status", "valid_from", "valid_until", "reason")
    return [tuple(row[name] for name in names) for row in records.state()["certifications"]]


def test_damage_is_found_named_and_mended(desk: Any, hr: Any) -> None:
    """Deleted, altered, set back and made-up records are each found for what they are; a repair restores all but the last."""
    records, url = hr
    people = desk.people(7)
    desk.endpoint(url)
    told(desk, people, "A")
    told(desk, people, "A", "renewal_due")
    told(desk, people[:1], "B")
    assert desk.deliver().delivered == 15
    good = state(records)
    assert compared(desk) == ([], Counter(held=8, same=8, under_way=0))
    with records.unit() as database:
        database.execute("DELETE FROM certification WHERE employee_number = '1'")
        database.execute("UPDATE certification SET status = 'revoked' WHERE employee_number = '2'")
        database.execute("UPDATE certification SET sequence = 1, status = 'certified' WHERE employee_number = '3'")
        database.execute("UPDATE certification SET sequence = 900 WHERE employee_number = '4'")
        database.execute("UPDATE subject SET sequence = 900 WHERE subject = 'certification:4:A'")
        database.execute("UPDATE certification SET event = 'certification.revoked' WHERE employee_number = '5'")
        database.execute("INSERT INTO certification VALUES ('9','A','certified',NULL,NULL,NULL,0,5,'x','{}')")
    found, counts = compared(desk)
    assert {(one.kind, one.subject, one.fields) for one in found} == {
        ("missing", "certification:1:A", ()),
        ("missing", "certification:1:B", ()),
        ("different", "certification:2:A", ("status",)),
        ("stale", "certification:3:A", ()),
        ("different", "certification:4:A", ("sequence",)),
        ("different", "certification:5:A", ("type",)),
        ("unknown", "certification:9:A", ()),
    }
    assert (counts["same"], counts["missing"], counts["different"], counts["stale"], counts["unknown"]) == (
        2,
        2,
        3,
        1,
        1,
    )
    assert mended(desk, found) == (6, 0)
    again, counts = compared(desk)
    assert [one.kind for one in again] == ["unknown"]
    assert counts["under_way"] == 6
    assert mended(desk, again) == (0, 0)
    assert desk.deliver().delivered == 6
    again, counts = compared(desk)
    assert [(one.kind, one.subject) for one in again] == [("unknown", "certification:9:A")]
    assert counts["same"] == 8
    assert [row for row in state(records) if row[0] != "9"] == good
    with desk.store.read() as session:
        [act] = session.scalars(select(AuditEntry).where(AuditEntry.action == "endpoint.reconcile")).all()
    assert (act.actor, act.subject) == ("wang", "endpoint:hr")
    assert act.after == {"sent": {"missing": 2, "different": 3, "stale": 1}}


def test_a_repair_goes_to_the_damaged_endpoint_alone_and_as_backfill(desk: Any, hr: Any, receiver: Any) -> None:
    """No other endpoint hears of it, nobody writes mails about it, and the sequence is new, so that it is taken in."""
    records, url = hr
    desk.people(1)
    desk.endpoint(url)
    desk.endpoint(receiver.url, "other")
    told(desk, [1], "A")
    desk.deliver()
    with records.unit() as database:
        database.execute("DELETE FROM certification")
    assert mended(desk, compared(desk)[0]) == (1, 0)
    desk.deliver()
    assert len(receiver.got) == 1
    [row] = records.state()["certifications"]
    assert (row["sequence"], row["backfill"], row["event"]) == (2, True, "certification.awarded")
    assert compared(desk)[0] == []


def test_an_endpoint_that_came_later_is_given_what_it_never_got(desk: Any, hr: Any) -> None:
    """States from before the endpoint was added are missing there, and a repair brings them, of its types alone."""
    records, url = hr
    desk.people(3)
    told(desk, [1, 2, 3], "A")
    desk.deliver()
    desk.event(1, "B", "certification.revoked", employee_number="1", status="revoked")
    desk.deliver()
    desk.endpoint(url, types=["certification.awarded"])
    found, _ = compared(desk)
    assert [(one.kind, one.subject) for one in found] == [("missing", f"certification:{n}:A") for n in (1, 2, 3)]
    assert mended(desk, found) == (3, 0)
    desk.deliver()
    assert compared(desk)[0] == []
    assert len(records.state()["certifications"]) == 3


def test_what_was_given_up_is_stale_and_mended(desk: Any, hr: Any, tmp_path: Path) -> None:
    """A state that was given up makes the receiver's stale; its repair overtakes the dead letter."""
    records, url = hr
    desk.settings(retry_seconds=[0])
    desk.people(1)
    desk.endpoint(url)
    told(desk, [1], "A")
    desk.deliver()
    told(desk, [1], "A", "revoked", note="x" * 20_000)
    assert desk.deliver().dead == 1
    assert compared(desk)[0] == []  # it can never be sent
    told(desk, [1], "A", "revoked")
    with desk.store.write() as session:
        session.execute(Message.__table__.delete().where(Message.sequence == 3))
    desk.deliver()
    with desk.store.write() as session:
        session.execute(Message.__table__.update().where(Message.sequence == 3).values(state="dead"))
    with records.unit() as database:
        database.execute("UPDATE certification SET sequence = 1, status = 'certified'")
    found, _ = compared(desk)
    assert [(one.kind, one.ours, one.theirs) for one in found] == [("stale", 3, 1)]
    assert mended(desk, found) == (1, 0)
    desk.deliver()
    assert records.state()["certifications"][0]["status"] == "revoked"


def test_a_sequence_far_beyond_ours_is_left_to_people(desk: Any, hr: Any) -> None:
    """A receiver cannot use up the numbers of our persons: what it made up far beyond them is not passed by."""
    records, url = hr
    desk.people(1)
    desk.endpoint(url)
    told(desk, [1], "A")
    desk.deliver()
    with records.unit() as database:
        database.execute("UPDATE certification SET sequence = 4000000000")
    found, _ = compared(desk)
    assert mended(desk, found) == (0, 1)
    with desk.store.read() as session:
        assert session.scalar(select(func.count()).select_from(Event)) == 1


def test_something_newer_makes_a_repair_needless(desk: Any, hr: Any) -> None:
    """A change between comparison and repair goes its own way: nothing older is sent behind it."""
    records, url = hr
    desk.people(1)
    desk.endpoint(url)
    told(desk, [1], "A")
    desk.deliver()
    with records.unit() as database:
        database.execute("DELETE FROM certification")
    found, _ = compared(desk)
    told(desk, [1], "A", "revoked")
    assert mended(desk, found) == (0, 0)
    desk.deliver()
    assert mended(desk, found) == (0, 0)
    assert records.state()["certifications"][0]["status"] == "revoked"


def paged(receiver: Any, pages: dict[Any, Any]) -> None:
    """Let the receiver answer a read back with these pages, by cursor."""

    def answer(got: Any) -> Any:
        body = json.loads(got.body)
        if body["type"] != "endpoint.read_back":
            return 200, {}, b""
        page = pages[body["data"]["cursor"]]
        return 200, {}, page if isinstance(page, bytes) else json.dumps(page).encode()

    receiver.answer = answer


def test_pages_digests_and_malformed_rows(desk: Any, receiver: Any) -> None:
    """Pages are followed by their cursors; a digest stands for the data; a malformed row counts as not held."""
    desk.people(4)
    desk.endpoint(receiver.url)
    told(desk, [1, 2, 3, 4], "A")
    desk.deliver()
    data = [json.loads(got.body)["data"] for got in receiver.got]
    rows = [{"subject": one["subject"], "sequence": one["sequence"], "digest": digest_of(one)} for one in data]
    rows[1]["digest"] = "0" * 64
    rows[2]["sequence"] = "1"
    del rows[3]["digest"]
    paged(receiver, {None: {"held": rows[:2], "next": "b"}, "b": {"held": rows[2:], "next": None}})
    found, counts = compared(desk)
    kinds = {one.subject: (one.kind, one.fields) for one in found}
    assert kinds == {rows[1]["subject"]: ("different", ("digest",)), rows[2]["subject"]: ("missing", ())}
    assert counts["same"] == 2


@pytest.mark.parametrize(
    ("page", "why"),
    [
        (b"thanks", "not the one"),
        ({"held": [], "next": "same"}, "again and again"),
        (b"[" * 9_000_000, "larger than"),
    ],
)
def test_a_receiver_that_cannot_be_read_back_is_said(desk: Any, receiver: Any, page: Any, why: str) -> None:
    """An answer that is none, has no end or no bound is an error with a reason; nothing is taken for missing."""
    desk.people(1)
    desk.endpoint(receiver.url)
    told(desk, [1], "A")
    desk.deliver()
    paged(receiver, {None: page, "same": page})
    with pytest.raises(DeliveryError, match=why):
        compared(desk)


def test_a_redirect_or_a_failure_is_no_answer(desk: Any, receiver: Any) -> None:
    """A read back follows no redirect, and a failing receiver is not one that holds nothing."""
    desk.people(1)
    desk.endpoint(receiver.url)
    for status in (302, 404, 500):
        receiver.answer = lambda _got, status=status: (status, {"Location": "http://169.254.169.254/"}, b"")
        with pytest.raises(DeliveryError, match=f"it answered {status}"):
            compared(desk)


def test_the_command_says_what_it_finds_and_does(desk: Any, hr: Any, run: Any) -> None:
    """`reconcile` lists, counts, mends when told to, and says by its exit status whether something remains to be done."""
    records, url = hr
    desk.people(3)
    desk.endpoint(url)
    told(desk, [1, 2, 3], "A")
    desk.deliver()
    assert run("reconcile", "hr").exit_code == 0
    assert json.loads(run("reconcile", "hr", "--format", "json").output)["differences"] == []
    with records.unit() as database:
        database.execute("DELETE FROM certification WHERE employee_number < '3'")
    found = run("reconcile", "hr")
    assert found.exit_code == 1
    assert "missing    certification:1:A" in found.output
    assert "3 held there" not in found.output
    assert "--repair" in found.output
    answer = run("reconcile", "hr", "--repair", "--format", "json")
    assert answer.exit_code == 0
    said = json.loads(answer.output)
    assert (said["sent_again"], said["counts"]["missing"], len(said["differences"])) == (2, 2, 2)
    assert "2 on their way" in run("reconcile", "hr").output
    assert "2 delivered" in run("deliver", "--once").output
    assert run("reconcile", "hr").exit_code == 0
    assert "no endpoint nobody" in run("reconcile", "nobody").output


def test_an_erased_person_is_not_sent_again(desk: Any, hr: Any) -> None:
    """What was forgotten here and is held there is unknown: said, so that somebody sees to it, and never sent or deleted."""
    records, url = hr
    desk.people(1)
    desk.endpoint(url)
    told(desk, [1], "A")
    desk.deliver()
    with desk.store.write() as session:  # as erasing leaves them
        session.execute(Event.__table__.update().values(subject="erased:1", data={}))
        session.execute(Message.__table__.update().values(subject="erased:1", reason="x"))
    found, _ = compared(desk)
    assert [(one.kind, one.subject) for one in found] == [("unknown", "certification:1:A")]
    assert mended(desk, found) == (0, 0)
    assert len(records.state()["certifications"]) == 1

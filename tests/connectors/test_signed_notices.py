"""Notices as they arrive: verified, stored once, answered by what is wrong with them."""

import base64
import json
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from standardwebhooks import Webhook

from connectors import doors
from connectors.models import SourceNotice
from connectors.notices import KEPT, LARGEST
from plugin.installation import Installation
from plugin.settings import Settings
from plugin.web import create_app
from tests.conftest import START

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
OLDER = "whsec_" + base64.b64encode(b"fedcba9876543210fedcba9876543210").decode()
OTHER = "whsec_" + base64.b64encode(b"x" * 32).decode()
WHERE = "/api/v1/sources/moodle/events"
NOTICE = {"type": "moodle.changes", "timestamp": "2026-11-23T02:00:00Z", "data": {"changes": [{"id": 1}, {"id": 2}]}}


class Sent:
    """Sends notices to an application, and tells which topics were woken."""

    def __init__(self, home: Installation, client: FlaskClient, woken: list[str]) -> None:
        self.home, self.client, self.woken = home, client, woken

    def __call__(
        self,
        body: bytes | None = None,
        *,
        name: str = "epoch.1-2",
        secret: str = SECRET,
        at: datetime | None = None,
        off: timedelta = timedelta(0),
        where: str = WHERE,
        **headers: str,
    ) -> Any:
        """Send one, signed now if not told otherwise; a header given as '' is left out."""
        sent = json.dumps(NOTICE).encode() if body is None else body
        moment = (at or START) + off
        signed = {
            "webhook-id": name,
            "webhook-timestamp": str(int(moment.timestamp())),
            "webhook-signature": Webhook(secret).sign(name, moment, sent.decode("utf-8", "replace")),
        } | {header.replace("_", "-"): value for header, value in headers.items()}
        return self.client.post(where, data=sent, headers={key: value for key, value in signed.items() if value})

    @property
    def rows(self) -> list[SourceNotice]:
        """What is stored."""
        with self.home.store.read() as session:
            return list(session.scalars(select(SourceNotice).order_by(SourceNotice.id)))


@pytest.fixture
def send(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sent]:
    """An application with a source that signs, being in the middle of changing its secret, and one that does not."""
    monkeypatch.setenv("NOTICE_SECRET", SECRET)
    monkeypatch.setenv("OLDER_SECRET", OLDER)
    secrets = [{"env": "NOTICE_SECRET"}, {"env": "OLDER_SECRET"}]
    values = installation.settings.model_dump()
    values["sources"] = {
        "moodle": {"connector": "connectors.moodle", "webhook_secrets": secrets},
        "silent": {"connector": "connectors.moodle"},
    }
    settings = Settings.model_validate(values)
    settings._folder = installation.settings.folder
    installation.settings = settings
    woken: list[str] = []
    installation.wake = woken.append
    yield Sent(installation, create_app(installation).test_client(), woken)


def test_a_signed_notice_is_stored_and_wakes(send: Sent) -> None:
    """A notice with the right signature is stored with its id, type and number of changes, answered 202, and wakes."""
    answer = send()
    assert (answer.status_code, answer.get_json(), send.woken) == (202, {"status": "accepted"}, ["source_notices"])
    (row,) = send.rows
    assert (row.source, row.message_id, row.type, row.changes) == ("moodle", "epoch.1-2", "moodle.changes", 2)
    assert (row.received_at, row.worked_at) == (START, None)


def test_a_repeated_notice_is_known(send: Sent) -> None:
    """The same notice sent again is answered 200, stored once, and wakes nobody again."""
    send()
    assert (send().status_code, len(send.rows), send.woken) == (200, 1, ["source_notices"])


def test_while_the_secret_changes_both_are_good(send: Sent) -> None:
    """A notice signed with the secret before the present one is taken as long as that stands in the settings."""
    assert send(secret=OLDER).status_code == 202


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"secret": OTHER}, 401),
        ({"webhook_signature": "v1,AAAA"}, 401),
        ({"webhook_signature": "v1"}, 401),
        ({"webhook_signature": "v1,%%%"}, 401),
        ({"webhook_signature": "v2,AAAA"}, 401),
        ({"webhook_signature": ""}, 400),
        ({"webhook_id": ""}, 400),
        ({"webhook_timestamp": ""}, 400),
        ({"webhook_timestamp": "yesterday"}, 400),
        ({"webhook_timestamp": "99999999999999999999"}, 400),
        ({"off": timedelta(minutes=-30)}, 400),
        ({"off": timedelta(minutes=30)}, 400),
        ({"name": "x" * 201}, 400),
        ({"name": "x.1{"}, 400),
        ({"webhook_signature": "v1,AAAA  v1,AAAA"}, 401),
        ({"body": b'{"type": "x", "type": "y"}'}, 400),
        ({"body": b'{"type": "x", "data": NaN}'}, 400),
        ({"where": "/api/v1/sources/other/events"}, 404),
        ({"where": "/api/v1/sources/silent/events"}, 404),
        ({"body": b"{}"}, 422),
        ({"body": b"[1]"}, 422),
        ({"body": b"no json"}, 400),
        ({"body": b'{"type": "", "data": {}}'}, 422),
        ({"body": b'{"type": 5, "data": {}}'}, 422),
        ({"body": b'{"type": "x", "data": 5}'}, 422),
        ({"body": b'{"type": "x", "data": {"changes": 5}}'}, 422),
        ({"body": b"[" * 100_000}, 400),
        ({"body": b"\xff\xfe"}, 401),
        ({"body": b" " * (LARGEST + 1)}, 413),
    ],
)
def test_what_is_wrong_is_refused_and_not_stored(send: Sent, given: dict[str, Any], status: int) -> None:
    """Each kind of wrong notice is answered by its own status in JSON, and nothing is stored."""
    answer = send(**given)
    assert (answer.status_code, "detail" in answer.get_json(), send.rows, send.woken) == (status, True, [], [])


def test_a_changed_body_is_refused(send: Sent) -> None:
    """A signature covers every byte: one blank more, and the notice is not the source's."""
    moment = START
    signature = Webhook(SECRET).sign("epoch.1-2", moment, json.dumps(NOTICE))
    assert send(json.dumps(NOTICE).encode() + b" ", webhook_signature=signature, at=moment).status_code == 401


def test_a_secret_that_cannot_be_read_is_said_in_the_log_only(
    send: Sent, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without its secret a notice is answered 503, to be sent again; where the secret should be, only the log says."""
    monkeypatch.delenv("NOTICE_SECRET")
    caplog.set_level(logging.INFO)
    answer = send()
    assert (answer.status_code, "NOTICE_SECRET" in answer.get_data(as_text=True)) == (503, False)
    assert "NOTICE_SECRET" in caplog.text


def test_neither_secret_nor_body_is_in_the_log(send: Sent, caplog: pytest.LogCaptureFixture) -> None:
    """Good and refused notices leave neither a secret nor what they say in the log."""
    caplog.set_level(logging.DEBUG)
    send()
    send(secret=OTHER)
    for text in (SECRET, OLDER, OTHER, "moodle.changes"):
        assert text not in caplog.text


def test_what_comes_is_counted_by_how_it_ended(send: Sent) -> None:
    """Taken, known and refused notices are counted by source and reason; one that is taken ends a row of refusals."""
    for given in ({}, {}, {"secret": OTHER}, {"secret": OTHER}, {"off": timedelta(minutes=-6)}, {"body": b"no json"}):
        send(**given)
    send(where="/api/v1/sources/other/events")
    assert counted(send.home) == {
        ("moodle", "known"): (1, 0),
        ("moodle", "malformed"): (1, 1),
        ("moodle", "signature"): (2, 2),
        ("moodle", "stale"): (1, 1),
        ("moodle", "taken"): (1, 0),
        ("", "unknown"): (1, 1),
    }
    send(name="another")
    assert {row for _, row in counted(send.home).values()} == {0, 1}


def counted(home: Installation) -> dict[tuple[str, str], tuple[int, int]]:
    """How often, and how often in a row, by name and outcome."""
    with home.store.read() as session:
        return {(row.name, row.outcome): (row.times, row.in_a_row) for row in doors.counts(session, doors.NOTICES)}


def test_refusals_without_end_are_told(send: Sent) -> None:
    """Five refusals in a row are an alert and a finding that says why; what a stranger sends is a finding only."""
    for _ in range(4):
        send(secret=OTHER)
    assert list(doors.troubles((doors.NOTICES,))(send.home)) == []
    send(secret=OTHER)
    for _ in range(5):
        send(where="/api/v1/sources/other/events")
    (trouble,) = doors.troubles((doors.NOTICES,))(send.home)
    assert (trouble.kind, trouble.name, trouble.count, trouble.since) == ("inbound", "notices: moodle", 5, START)
    assert "secret" in trouble.reason
    assert {finding.subject for finding in doors.findings(send.home, (doors.NOTICES,))} == {"moodle", "notices"}
    send()
    assert list(doors.troubles((doors.NOTICES,))(send.home)) == []


def test_a_source_without_good_secrets_is_said_in_the_log_only(
    send: Sent, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Secrets that are none are the operator's fault: 503, and not a refusal of the source's."""
    monkeypatch.setenv("NOTICE_SECRET", "whsec_%%%")
    monkeypatch.setenv("OLDER_SECRET", "whsec_%%%")
    assert (send().status_code, counted(send.home)) == (503, {})


def test_old_notices_are_forgotten(send: Sent) -> None:
    """A notice that was worked on longer ago than it is kept goes when the next one comes; one that waits stays."""
    for name, worked_at in (("old", START - KEPT - timedelta(days=1)), ("young", START), ("waits", None)):
        send(name=name)
        with send.home.store.write() as session:
            row = session.scalars(select(SourceNotice).where(SourceNotice.message_id == name)).one()
            row.worked_at = worked_at
    send(name="next")
    assert [row.message_id for row in send.rows] == ["young", "waits", "next"]

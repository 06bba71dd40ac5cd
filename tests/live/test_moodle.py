"""The Moodle connector against a real site, when its address and a token are given in the environment.

CERTBRIDGE_LIVE_MOODLE_URL=https://… CERTBRIDGE_LIVE_MOODLE_TOKEN=… pytest -m live tests/live/test_moodle.py
It only reads.
"""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from connectors.conformance import NOW, ZONE, contents, make_store
from connectors.models import Completion, Course, Enrolment, Quarantined, Result, SourceUser
from connectors.moodle.connector import MoodleConnector
from connectors.moodle.settings import MoodleSettings
from connectors.sync import FAILED, sync
from plugin.settings import Settings
from tests.connectors.book import Book

URL, TOKEN = "CERTBRIDGE_LIVE_MOODLE_URL", "CERTBRIDGE_LIVE_MOODLE_TOKEN"

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not {URL, TOKEN} <= set(os.environ), reason=f"{URL} and {TOKEN} say where a real site is"),
]


def connector() -> MoodleConnector:
    """A connector to the real site."""
    settings = MoodleSettings.model_validate({"url": os.environ[URL], "token": {"env": TOKEN}})
    return MoodleConnector("moodle", settings, Settings())


def test_nothing_stands_in_the_way() -> None:
    """The site answers, and the token may call every function."""
    checked = connector()
    assert checked.check() == []
    checked.close()


def test_a_real_site_is_read_whole_and_a_second_time_without_change(tmp_path: Path) -> None:
    """Every stream is read to its end with records of its types, and reading again finds everything as it was."""
    book = Book(make_store(tmp_path), NOW)
    first = connector()
    declared = {stream.name: stream.records for stream in first.streams()}
    assert list(declared) == ["users", "courses", "enrolments", "completions", "results"]
    result = sync(book.store, first, lambda: NOW, ZONE)
    first.close()
    assert result.status != FAILED
    assert result.messages == []
    assert all(counts.created > 0 for counts in result.streams.values())
    for model in (SourceUser, Course, Enrolment, Completion, Result):
        assert book.all(model), model.__tablename__
    assert all(row.reason and row.record for row in book.all(Quarantined))
    before = contents(book.store)
    second = connector()
    again = sync(book.store, second, lambda: NOW + timedelta(hours=1), ZONE)
    second.close()
    assert {name: vars(counts) for name, counts in again.streams.items()} == {
        name: {"created": 0, "updated": 0, "closed": 0} for name in declared
    }
    assert contents(book.store) == before
    assert os.environ[TOKEN].encode() not in (tmp_path / "kit.db").read_bytes()
    book.store.close()

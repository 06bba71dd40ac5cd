"""The Moodle connector against the conformance kit, over real HTTP to the sandbox site."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import ClassVar

import pytest

from connectors.conformance import ConnectorConformance
from connectors.moodle.connector import MoodleConnector
from connectors.moodle.demo.faults import Faults
from connectors.moodle.demo.organisation import Organisation
from connectors.moodle.demo.server import Server, create_app, serve
from connectors.moodle.settings import MoodleSettings
from plugin.settings import Settings

TOKEN = "sandbox-passmarks"


class TestMoodleConformance(ConnectorConformance):
    """Every test of the kit, with a site of 60 people."""

    secrets = (TOKEN,)
    token: ClassVar[str] = TOKEN
    more: ClassVar[dict[str, object]] = {}
    server: Server
    faults: Faults

    @pytest.fixture(autouse=True)
    def _site(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setenv("MOODLE_TOKEN", self.token)
        monkeypatch.setattr("connectors.http.LONGEST_WAIT", 0.0)
        self.faults = Faults()
        app = create_app(Organisation(people=60, seed=1, anchor=datetime(2026, 11, 23, tzinfo=UTC)), self.faults)
        with serve(app, port=0) as self.server:
            yield

    def connector(self) -> MoodleConnector:
        given = {"url": self.server.url, "token": {"env": "MOODLE_TOKEN"}, "tries": 2, **self.more}
        settings = MoodleSettings.model_validate(given)
        return MoodleConnector("moodle", settings, Settings())

    @contextmanager
    def malformed(self) -> Iterator[None]:
        self.faults.add("bad_record", function="core_user_get_users", flaw="missing_key", key="id")
        yield
        self.faults.clear()

    @contextmanager
    def broken(self) -> Iterator[None]:
        self.faults.add("expired_token", times=None)
        yield
        self.faults.clear()


class TestReportConformance(TestMoodleConformance):
    """Every test of the kit by custom reports, with a token that may do nothing else."""

    secrets = ("sandbox-report",)
    token = "sandbox-report"

    @contextmanager
    def malformed(self) -> Iterator[None]:
        """The first row of the report of participants lacks a column."""
        self.faults.add("bad_record", function="core_reportbuilder_retrieve_report", flaw="missing_key")
        yield
        self.faults.clear()


class TestFunctionsConformance(TestMoodleConformance):
    """Every test of the kit by plain functions, with every stream that they can read."""

    more: ClassVar[dict[str, object]] = {
        "streams": ["activity_completions", "attempts", "badges", "competencies", "plans"]
    }

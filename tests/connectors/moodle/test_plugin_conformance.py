"""The companion plugin's way against the conformance kit, over real HTTP to the sandbox site."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from connectors.conformance import ConnectorConformance
from connectors.moodle.connector import MoodleConnector
from connectors.moodle.demo.access import PLUGIN
from connectors.moodle.demo.faults import Faults
from connectors.moodle.demo.organisation import Organisation
from connectors.moodle.demo.server import Server, create_app, serve
from connectors.moodle.settings import MoodleSettings
from plugin.settings import Settings


class TestPluginConformance(ConnectorConformance):
    """Every test of the kit, with a site of 60 people that is read in many small pages."""

    secrets = (PLUGIN.token,)
    server: Server
    faults: Faults

    @pytest.fixture(autouse=True)
    def _site(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setenv("MOODLE_TOKEN", PLUGIN.token)
        monkeypatch.setattr("connectors.http.LONGEST_WAIT", 0.0)
        monkeypatch.setattr("connectors.moodle.plugin.PAGE", 40)
        monkeypatch.setattr("connectors.moodle.plugin_reading.ROWS_AIMED_AT", 100)
        self.faults = Faults()
        app = create_app(Organisation(people=60, seed=1, anchor=datetime(2026, 11, 23, tzinfo=UTC)), self.faults)
        with serve(app, port=0) as self.server:
            yield

    def connector(self) -> MoodleConnector:
        settings = MoodleSettings.model_validate({"url": self.server.url, "token": {"env": "MOODLE_TOKEN"}, "tries": 2})
        return MoodleConnector("moodle", settings, Settings())

    @contextmanager
    def malformed(self) -> Iterator[None]:
        self.faults.add("bad_record", function="local_certbridge_get_users", flaw="missing_key", key="id")
        yield
        self.faults.clear()

    @contextmanager
    def broken(self) -> Iterator[None]:
        self.faults.add("expired_token", times=None)
        yield
        self.faults.clear()

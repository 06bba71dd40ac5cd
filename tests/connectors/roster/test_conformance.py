"""The roster connector against the conformance kit."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.conformance import ConnectorConformance
from connectors.moodle.demo import roster
from connectors.moodle.demo.organisation import Organisation
from connectors.roster.connector import RosterConnector, RosterSettings
from plugin.settings import Settings


class TestRosterConformance(ConnectorConformance):
    """Every test of the kit, with a file of more than two pages of employees."""

    path: Path

    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("connectors.roster.connector.PAGE", 20)
        self.path = tmp_path / "roster.csv"
        roster.write_file(Organisation(people=120, seed=1, anchor=datetime(2026, 11, 23, tzinfo=UTC)), self.path)

    def connector(self) -> RosterConnector:
        return RosterConnector("roster", RosterSettings(path=self.path), Settings())

    @contextmanager
    def malformed(self) -> Iterator[None]:
        whole = self.path.read_text()
        self.path.write_text(whole + "E9999,,,,,,,,\n")
        yield
        self.path.write_text(whole)

    @contextmanager
    def broken(self) -> Iterator[None]:
        whole = self.path.read_text()
        self.path.unlink()
        yield
        self.path.write_text(whole)

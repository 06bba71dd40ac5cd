"""What `sources check` says of the companion plugin."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from connectors.models import SourceNotice
from connectors.moodle.connector import MoodleConnector
from connectors.moodle.demo.access import PLUGIN
from connectors.streams import Finding
from tests.connectors.book import Book, Site, running_site

INFO = "local_certbridge_get_info"


def findings(connector: MoodleConnector, book: Book | None = None) -> list[Finding]:
    """What the check finds."""
    connector.store = book.store if book else None
    try:
        return connector.check()
    finally:
        connector.close()


def whats(found: list[Finding]) -> str:
    """What was found, in one text."""
    return "\n".join(f"{one.level}: {one.what}. {one.mend}" for one in found)


def test_all_is_well(site: Site) -> None:
    """With the plugin's service and right there is nothing to say; the plain functions are not missed."""
    assert findings(site.connector(PLUGIN.token)) == []


def test_a_missing_right_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without local/certbridge:read the check names it, and where to allow it."""
    monkeypatch.setattr("connectors.http.LONGEST_WAIT", 0.0)
    with running_site(tmp_path, PLUGIN.without("noright", "local/certbridge:read")) as site:
        (finding,) = findings(site.connector("noright"))
        assert (finding.level, "local/certbridge:read" in finding.mend) == ("error", True)


def test_missing_functions_are_named_by_their_streams(tmp_path: Path) -> None:
    """A service that lacks some of the plugin's functions leaves the streams that need them to other ways, and it is said."""
    fewer = replace(PLUGIN, token="fewer", functions=PLUGIN.functions - {"local_certbridge_get_grades"})
    with running_site(tmp_path, fewer) as site:
        connector = site.connector("fewer")
        assert connector.choices()["results"].lacking["plugin"] == "missing_function"
        assert "results" in whats(findings(connector))


@pytest.mark.parametrize(("version", "level"), [(2026010100, "error"), (2026112303, None)])
def test_an_old_plugin_is_named(site: Site, monkeypatch: pytest.MonkeyPatch, version: int, level: str | None) -> None:
    """A plugin that is older than what is read here is an error, with how to make the present one."""
    monkeypatch.setattr("connectors.moodle.demo.functions.plugin.VERSION", version)
    found = findings(site.connector(PLUGIN.token))
    assert [one.level for one in found] == ([level] if level else [])
    assert not level or "certbridge moodle plugin build" in found[0].mend


def test_a_log_that_does_not_reach_back_is_named(site: Site, book: Book) -> None:
    """When changes are forgotten before they are pulled, the check says to keep them longer; another log is a hint."""
    book.pull(site.connector(PLUGIN.token, webhook_secrets=[{"env": "X"}]))
    (user,) = list(site.organisation.enrolments[2])[:1]
    for _ in range(3):
        site.organisation.suspend_enrolment(user, 2)
    site.organisation.log.trim(2)
    said = whats(findings(site.connector(PLUGIN.token, webhook_secrets=[{"env": "X"}]), book))
    assert "does not reach back" in said
    site.organisation.log.restart("another")
    said = whats(findings(site.connector(PLUGIN.token, webhook_secrets=[{"env": "X"}]), book))
    assert "another one than at the last pull" in said


def test_notices_that_do_not_come_are_missed(site: Site, book: Book) -> None:
    """Without a secret the check hints at notices; with one it misses them once the site has changed and none has come."""
    assert "notices are not awaited" in whats(findings(site.connector(PLUGIN.token), book))
    connector = {"webhook_secrets": [{"env": "X"}]}
    (user,) = list(site.organisation.enrolments[2])[:1]
    site.organisation.suspend_enrolment(user, 2)
    site.organisation.now += 3600
    assert "no notice has come ever" in whats(findings(site.connector(PLUGIN.token, **connector), book))
    with book.store.write() as session:
        session.add(SourceNotice(source="moodle", message_id="1", type="x", received_at=book.now, changes=1))
    assert findings(site.connector(PLUGIN.token, **connector), book) == []


@pytest.mark.parametrize(("minutes", "says"), [(-90, "90 minutes behind"), (0, ""), (90, "90 minutes ahead of")])
def test_clocks_that_differ_are_named(site: Site, monkeypatch: pytest.MonkeyPatch, minutes: int, says: str) -> None:
    """A site whose clock is far from the one here is a warning that says by how much, and in which direction."""
    shown = datetime.now(UTC) + timedelta(minutes=minutes, seconds=5)
    monkeypatch.setattr("waitress.task.build_http_date", lambda _when: format_datetime(shown, usegmt=True))
    said = whats(findings(site.connector(PLUGIN.token)))
    assert said.startswith(f"warning: The site's clock is {says}" if says else "") and bool(said) == bool(says), said

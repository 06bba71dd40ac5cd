"""The check of custom reports: audience, columns, filters, dates; and who may read them at a time."""

import threading
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from connectors.moodle.demo.access import REPORT
from connectors.moodle.demo.registry import registry
from connectors.moodle.report_lock import alone
from connectors.moodle.report_reading import RETRIEVE, SET_FILTERS
from connectors.streams import Finding
from plugin.store import Store
from tests.connectors.book import Site, running_site
from tests.connectors.moodle.test_reports import change


def findings(site: Site, token: str = REPORT.token, **settings: Any) -> list[Finding]:
    """What the check finds, but for hints."""
    return [one for one in site.connector(token, **settings).check() if one.level != "hint"]


def test_reports_in_order_are_not_mentioned(site: Site) -> None:
    """Reports as docs/moodle.md shows them give nothing to say."""
    assert findings(site) == []


def test_each_drifted_column_is_named(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Column by column: its number, its heading, what belongs there."""

    def drifted(answer: Any, arguments: Any) -> Any:
        if arguments["reportid"] == 11:
            answer["data"]["headers"][1] = "Login"
            answer["data"]["headers"].append("Grade")
        return answer

    change(monkeypatch, RETRIEVE, drifted)
    first, second = findings(site)
    assert "column 2 is headed 'Login'" in first.what
    assert "put 'Username' there" in first.mend
    assert "column 17 is headed 'Grade'" in second.what
    assert "take it away" in second.mend


def test_missing_filters_are_named(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Filters that Moodle takes without a word and does not have are found by their having no effect."""
    function = registry._functions[SET_FILTERS]
    monkeypatch.setitem(registry._functions, SET_FILTERS, replace(function, handler=lambda _call, _arguments: True))
    found = findings(site)
    assert [one.level for one in found] == ["warning"] * 3
    assert "enrolment:timecreated" in found[0].what


def test_a_customised_date_and_a_forced_zone_are_found(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are said with the setting that mends them."""
    written = registry._functions[RETRIEVE]
    with monkeypatch.context() as patch:
        zone = ZoneInfo("Asia/Shanghai")
        patch.setitem(
            registry._functions,
            RETRIEVE,
            replace(written, handler=lambda call, arguments: written.handler(replace(call, zone=zone), arguments)),
        )
        assert any("Force timezone" in one.mend for one in findings(site))
    monkeypatch.setattr(
        "connectors.moodle.demo.functions.agreed_reports.readable",
        lambda moment, zone: datetime.fromtimestamp(moment, zone).strftime("%d.%m.%Y") if moment else "",
    )
    assert any("strftimedaydatetime" in one.mend for one in findings(site))


def test_a_report_without_audience_is_an_error(tmp_path: Path) -> None:
    """A number in the settings that is not shown to the user says which tab mends it."""
    with running_site(tmp_path, replace(REPORT, token="away", in_audience=False)) as site:
        (found,) = (one for one in findings(site, "away", reports={"participants": 11}) if "Audience" in one.mend)
    assert found.level == "error"


def test_one_reader_at_a_time(store: Store) -> None:
    """While somebody reads reports as a user, another one of the same user waits; one of another user does not."""
    seen: list[str] = []
    inside, go_on = threading.Event(), threading.Event()

    def read(user: str) -> None:
        with alone(store, "https://m.example", user):
            seen.append(user)
            inside.set()
            if len(seen) == 1:
                go_on.wait(20)

    first = threading.Thread(target=read, args=("anna",))
    first.start()
    assert inside.wait(20)
    second = threading.Thread(target=read, args=("anna",))
    second.start()
    with alone(store, "https://m.example", "ben"):
        seen.append("ben")
    assert seen == ["anna", "ben"]
    go_on.set()
    first.join(20)
    second.join(20)
    assert seen == ["anna", "ben", "anna"]


def test_without_a_store_nobody_waits() -> None:
    """A connector that was opened without a store reads at once."""
    with alone(None, "a", "b"), alone(None, "a", "b"):
        pass

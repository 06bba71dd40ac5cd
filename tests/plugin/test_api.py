"""What every call of the API shares: problems, tags, what is taken and what is refused, and how often a token may ask."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from pydantic import Field
from sqlalchemy import func, select

from plugin.accounts import create_token
from plugin.api import Moment, Query, answer, read_moment, read_query
from plugin.installation import Installation
from plugin.models import Throttle
from plugin.rates import Rates
from plugin.settings import WebSettings
from plugin.web import create_app, needs_token

Call = Callable[..., Any]


class Asked(Query):
    """What the call of these tests takes."""

    word: str = Field("none", max_length=5)
    at: Moment | None = None


@pytest.fixture
def app(installation: Installation) -> Flask:
    """An application with a call that answers what it was asked, one that fails, and one that sleeps in no one's way."""
    made = create_app(installation)

    @made.route("/api/v1/echo")
    @needs_token("echo:read")
    def echo() -> Any:
        asked = read_query(Asked)
        at = read_moment("at", asked.at, installation.settings.organisation.zone) if asked.at is not None else None
        now = installation.clock()
        return answer({"word": asked.word, "at": at and at.isoformat(), "now": now.isoformat()}, same=asked.word)

    @made.route("/api/v1/broken", methods=["POST"])
    @needs_token("echo:read")
    def broken() -> Any:
        raise ZeroDivisionError(request.get_data(as_text=True))

    return made


@pytest.fixture
def call(app: Flask, installation: Installation) -> Call:
    """A caller with a token that opens the calls."""
    with installation.store.write() as session:
        token = create_token(session, "a system", ["echo:read"], installation.clock())
    client: FlaskClient = app.test_client()

    def call(path: str, method: str = "GET", headers: dict[str, str] | None = None, **more: Any) -> Any:
        return client.open(path, method=method, headers={"Authorization": f"Bearer {token}", **(headers or {})}, **more)

    return call


@pytest.mark.parametrize(
    ("path", "method", "headers", "status"),
    [
        ("/api/v1/echo", "GET", {"Authorization": "Bearer no"}, 401),
        ("/api/v1/certifications", "GET", {}, 403),
        ("/api/v1/nothing", "GET", {}, 404),
        ("/api/v1/people/%00/requirements", "GET", {}, 404),
        ("/api//v1/echo", "GET", {}, 404),
        ("/api/v1/echo", "DELETE", {}, 405),
        ("/api/v1/echo", "GET", {"Accept": "text/html"}, 406),
        ("/api/v1/echo?word=too+long", "GET", {}, 422),
        ("/api/v1/echo?word=%00", "GET", {}, 422),
        ("/api/v1/echo?word=a&word=b", "GET", {}, 422),
        ("/api/v1/echo?other=a", "GET", {}, 422),
        ("/api/v1/echo?at=someday", "GET", {}, 422),
        ("/api/v1/broken", "POST", {}, 500),
    ],
)
def test_every_failure_is_a_problem(call: Call, path: str, method: str, headers: dict[str, str], status: int) -> None:
    """Whatever is wrong is answered as RFC 9457 says, with a sentence, and with what the status needs beside it."""
    made = call(path, method, headers)
    assert (made.status_code, made.content_type) == (status, "application/problem+json")
    assert made.json["status"] == status
    assert made.json["type"] == "about:blank"
    assert made.json["title"]
    assert made.json["detail"]
    assert ("findings" in made.json) == (status == 422 and "%00" not in path)
    assert ("WWW-Authenticate" in made.headers) == (status in (401, 403))
    allowed = set(filter(None, made.headers.get("Allow", "").split(", ")))
    assert allowed == ({"GET", "HEAD", "OPTIONS"} if status == 405 else set())


def test_what_was_not_foreseen_is_not_shown(call: Call) -> None:
    """A defect is one sentence; what the caller sent and what Python says about it are for the log only."""
    made = call("/api/v1/broken", "POST", data="hunter2")
    assert made.status_code == 500
    assert "hunter2" not in made.text
    assert "ZeroDivision" not in made.text


@pytest.mark.parametrize("accept", ["*/*", "application/*", "application/json", "text/html, */*;q=0.1", ""])
def test_json_is_given_to_who_takes_it(call: Call, accept: str) -> None:
    """Whoever takes JSON among others gets it."""
    assert call("/api/v1/echo", headers={"Accept": accept} if accept else None).status_code == 200


def test_an_answer_that_is_held_already_is_not_sent_again(call: Call, installation: Installation) -> None:
    """With the tag of the former answer it is 304 without a body, as long as nothing but the moment of asking differs."""
    first = call("/api/v1/echo?word=a")
    tag = first.headers["ETag"]
    installation.clock.moment += timedelta(hours=1)  # type: ignore[attr-defined]
    again = call("/api/v1/echo?word=a", headers={"If-None-Match": tag})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)
    other = call("/api/v1/echo?word=b", headers={"If-None-Match": tag})
    assert (other.status_code, other.json["word"]) == (200, "b")


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2026-11-23", "2026-11-22T16:00:00+00:00"),
        ("2026-11-23T10:00:00Z", "2026-11-23T10:00:00+00:00"),
        ("0001-01-01T00:00:00%2B23:59", "1980-01-01T00:00:00+00:00"),
        ("9999-12-31T23:59:59.999999-23:59", "2999-12-31T00:00:00+00:00"),
    ],
)
def test_every_moment_can_be_asked_about(call: Call, text: str, read: str) -> None:
    """A moment beside what calendars reach is the first or last one, instead of a failure."""
    assert call(f"/api/v1/echo?at={text}").json["at"] == read


def limited(home: Installation, limit: int) -> Rates:
    """What counts the calls of one process."""
    return Rates(home.store, limit)


def test_a_token_may_ask_so_often_a_minute(installation: Installation, app: Flask, call: Call) -> None:
    """The calls of the minute are counted in the headers; what is too much is 429 with Retry-After, the next minute is new."""
    app.extensions["certbridge_rates"] = limited(installation, 2)
    installation.clock.moment += timedelta(seconds=15)  # type: ignore[attr-defined]
    answers = [call("/api/v1/echo") for _ in range(3)]
    assert [made.status_code for made in answers] == [200, 200, 429]
    assert [made.headers["RateLimit-Remaining"] for made in answers] == ["1", "0", "0"]
    assert {made.headers["RateLimit-Limit"] for made in answers} == {"2"}
    assert {made.headers["RateLimit-Reset"] for made in answers} == {"45"}
    assert answers[2].headers["Retry-After"] == "45"
    installation.clock.moment += timedelta(seconds=45)  # type: ignore[attr-defined]
    assert call("/api/v1/echo").status_code == 200


def test_tokens_are_counted_apart_and_processes_together(installation: Installation) -> None:
    """Two processes on PostgreSQL count the same calls, even at the same moment; one token's calls are not another's."""
    now = installation.clock()
    one = limited(installation, 1000)
    other = one if installation.store.is_sqlite else limited(installation, 1000)
    threads = [
        threading.Thread(target=lambda each=each: [each.count(1, now) for _ in range(25)])  # type: ignore[misc]
        for each in (one, other, one, other)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    last, second = one.count(1, now), one.count(2, now)
    assert last is not None
    assert second is not None
    assert (last.left, second.left) == (1000 - 101, 999)
    later = one.count(1, now + timedelta(minutes=5))
    assert later is not None
    assert later.left == 999
    with installation.store.read() as session:
        kept = session.scalar(select(func.count()).select_from(Throttle))
    assert kept == (0 if installation.store.is_sqlite else 1), "the minutes that are over are forgotten"


def test_no_limit_is_said_by_zero(installation: Installation) -> None:
    """With 0 nothing is counted, and the usual limit is not 0."""
    assert limited(installation, 0).count(1, installation.clock()) is None
    assert WebSettings().requests_a_minute > 0


def test_page_of_the_api_names_every_call(app: Flask) -> None:
    """The page for people has each call with its scope, in English and Chinese, and loads nothing from elsewhere."""
    client = create_app(app.extensions["certbridge"]).test_client()
    made = client.get("/api/v1/openapi.json").json
    for language, word in (("en", "Parameter"), ("zh-CN", "参数")):
        page = client.get("/api", headers={"Accept-Language": language}).text
        assert word in page
        for path, operations in made["paths"].items():
            assert path in page
            assert all(operation["operationId"] in page for operation in operations.values())
        assert "http://" not in page.replace("http://localhost", "")
        assert "https://" not in page

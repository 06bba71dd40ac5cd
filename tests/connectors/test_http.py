"""The HTTP manners, against a real server."""

import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from connectors.http import Answer, AnswerTooLargeError, HttpClient, TryAgainError
from plugin.errors import SourceError
from tests.connectors.book import Got, Little, Reply

TOKEN = "t0ken-of-the-test"


def client(waits: list[float] | None = None, **settings: Any) -> HttpClient:
    """A client that notes how long it would wait, instead of waiting."""
    return HttpClient(**{"timeout": 5, "sleep": (waits if waits is not None else []).append, **settings})


def asking(http: HttpClient, little: Little) -> Callable[[], Answer]:
    """One request."""
    return lambda: http.post_form(f"{little.url}/rest", {"wstoken": TOKEN, "wsfunction": "f"})


def failure(http: HttpClient, little: Little) -> SourceError:
    """How one request fails."""
    with pytest.raises((TryAgainError, AnswerTooLargeError)) as caught:
        asking(http, little)()
    http.close()
    return caught.value


def test_a_good_answer_is_handed_on(little: Little) -> None:
    """Status, type and body of a good answer arrive as they were sent, after one request."""
    little.answer = lambda _got: Reply(b'{"a": 1}', 200, {"X": "y"})
    http = client()
    assert asking(http, little)() == Answer(200, "application/json", b'{"a": 1}')
    assert len(little.got) == 1
    http.close()


def test_who_does_not_answer_is_not_waited_for(little: Little) -> None:
    """A server that says nothing is given up after the time-out, with a message that names it."""
    little.answer = lambda _got: Reply(wait=3)
    error = failure(client(timeout=0.3, largest=50), little)
    assert str(error) == "no answer within 0.3 seconds"


def test_a_body_that_comes_in_drops_is_not_waited_for(little: Little) -> None:
    """The time-out bounds the whole answer, not the wait between two of its bytes."""
    little.answer = lambda _got: Reply([b" "] * 60, between=0.1)
    error = failure(client(timeout=0.5), little)
    assert str(error) == "no answer within 0.5 seconds"


def test_a_body_that_stops_coming_is_a_time_out(little: Little) -> None:
    """A body that stalls half-way is told as a time-out, not as a broken connection."""
    little.answer = lambda _got: Reply([b"{", b"}"], between=2)
    assert str(failure(client(timeout=0.3, largest=50), little)) == "no answer within 0.3 seconds"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_failures_that_may_pass_are_tried_again(little: Little, status: int) -> None:
    """429 and 5xx are tried again, and the good answer counts."""
    little.answer = lambda _got: Reply(status=status) if len(little.got) < 3 else Reply(b"[]")
    waits: list[float] = []
    http = client(waits, tries=4)
    assert http.retrying(asking(http, little)).body == b"[]"
    assert len(little.got) == 3
    assert waits == [1.0, 2.0]
    http.close()


@pytest.mark.parametrize("status", [400, 403, 404, 414])
def test_failures_that_stay_are_not_tried_again(little: Little, status: int) -> None:
    """What will be the same the next time is handed on at once."""
    little.answer = lambda _got: Reply(status=status)
    http = client()
    assert http.retrying(asking(http, little)).status == status
    assert len(little.got) == 1
    http.close()


def test_tries_are_bounded_and_ever_further_apart(little: Little) -> None:
    """After as many tries as are set the last failure is raised, and the waits double up to the bound."""
    little.answer = lambda _got: Reply(status=500)
    waits: list[float] = []
    http = client(waits, tries=9)
    with pytest.raises(TryAgainError, match="HTTP 500"):
        http.retrying(asking(http, little))
    assert len(little.got) == 9
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    http.close()


def retry_after(little: Little, header: str) -> float:
    """How long is waited when the server asks for it so."""
    little.answer = lambda _got: Reply(status=429, headers={"Retry-After": header}) if len(little.got) < 2 else Reply()
    waits: list[float] = []
    http = client(waits)
    http.retrying(asking(http, little))
    http.close()
    (wait,) = waits
    return wait


@pytest.mark.parametrize(
    ("header", "wait"),
    [("7", 7), ("0", 0), (" 12 ", 12), ("86400", 60), ("9" * 400, 60), ("soon", 1), ("-5", 1), ("", 1), ("\u00b2", 1)],
)
def test_retry_after_in_seconds_is_kept_to_within_bounds(little: Little, header: str, wait: float) -> None:
    """The server's own wait is kept to, at most a minute; what is neither seconds nor a date is passed over."""
    assert retry_after(little, header) == wait


@pytest.mark.parametrize(("ahead", "wait"), [(20, 20), (-3600, 0), (7200, 60)])
def test_retry_after_as_a_date_is_kept_to_within_bounds(little: Little, ahead: int, wait: float) -> None:
    """A date is waited for, at most a minute; one that has passed is no wait."""
    date = datetime.now(UTC) + timedelta(seconds=ahead)
    assert retry_after(little, format_datetime(date, usegmt=True)) == pytest.approx(wait, abs=2.5)


def test_retry_after_as_a_date_of_no_zone_is_utc(little: Little) -> None:
    """A date that says -0000 for its zone is read as UTC and breaks nothing."""
    date = datetime.now(UTC).replace(tzinfo=None) + timedelta(seconds=20)
    header = format_datetime(date)
    assert header.endswith("-0000")
    assert retry_after(little, header) == pytest.approx(20, abs=2.5)


def test_a_redirect_is_not_followed(little: Little) -> None:
    """A redirect is handed on as it is: the place that it names is not asked, so that the token does not go there."""
    little.answer = lambda _got: Reply(b"<html>", 303, {"Location": f"{little.url}/elsewhere"})
    http = client()
    answer = http.retrying(asking(http, little))
    assert (answer.status, [got.path for got in little.got]) == (303, ["/rest"])
    http.close()


def test_a_broken_off_body_is_no_answer(little: Little) -> None:
    """A body shorter than announced is never taken for a whole one."""
    little.answer = lambda _got: Reply(b'[{"id": 1}', claim=100)
    assert "broke off in the middle" in str(failure(client(), little))


def test_nobody_there_is_told_without_addresses(little: Little) -> None:
    """When nobody listens the message says so, without the address, and there are as many tries as are set."""
    waits: list[float] = []
    http = client(waits, tries=3)
    with pytest.raises(TryAgainError) as caught:
        http.retrying(lambda: http.post_form("http://127.0.0.1:9/x?y=z", {"wstoken": TOKEN}))
    assert str(caught.value) == "no connection (refused or broken off)"
    assert len(waits) == 2
    http.close()


def test_too_large_an_answer_is_refused(little: Little) -> None:
    """An answer of 100 MB is given up at the bound, once, with the setting's name; one within the bound is taken."""
    megabyte = b" " * 1024 * 1024
    little.answer = lambda _got: Reply([megabyte] * 100)
    http = client(largest=len(megabyte))
    with pytest.raises(AnswerTooLargeError, match=r"larger than 1 MiB.*largest_answer_mib"):
        http.retrying(lambda: http.post_form(little.url, {}))
    assert len(little.got) == 1
    assert len(megabyte) < http.bytes <= 2 * len(megabyte)
    little.answer = lambda _got: Reply(megabyte)
    assert len(asking(http, little)().body) == len(megabyte)
    http.close()


def test_few_connections_however_much_is_asked(little: Little) -> None:
    """Three at a time and no more, over as few connections, also when many rounds are asked; order is kept."""
    little.answer = lambda got: Reply(got.form["n"].encode(), wait=0.01)
    http = client(connections=3)
    for _ in range(5):
        bodies = http.map(lambda n: http.post_form(little.url, {"n": str(n)}).body, list(range(12)))
        assert bodies == [str(n).encode() for n in range(12)]
        http.post_form(little.url, {"n": "alone"})
    assert little.most_at_once == 3
    assert little.connections <= 4  # one for each thread of the pool, and one for who asks alone
    http.close()


def test_one_failure_ends_the_round(little: Little) -> None:
    """When one of many requests fails for good, those not yet begun are not sent, and none is under way any more."""

    def answer(got: Got) -> Reply:
        return Reply(status=500 if got.form["n"] == "0" else 200, wait=0.02)

    little.answer = answer
    http = client(connections=2)
    with pytest.raises(TryAgainError, match="HTTP 500"):
        http.map(lambda n: http.post_form(little.url, {"n": str(n)}), list(range(60)))
    asked = len(little.got)
    time.sleep(0.1)
    assert asked == len(little.got) < 30
    http.close()


@pytest.mark.parametrize("reply", [
    Reply(status=500), Reply(wait=1), Reply(b"[", claim=9), Reply(b" " * 99), Reply(status=429), Reply([b"{", b"}"], between=1),
])  # fmt: skip
def test_no_exception_holds_the_token(little: Little, reply: Reply) -> None:
    """No failure shows the token: not in its text, not in its cause or context, nor in what those carry along."""
    little.answer = lambda _got: reply
    shown = unrolled(failure(client(timeout=0.3, largest=50), little))
    little_gone = HttpClient(tries=1)
    with pytest.raises(TryAgainError) as caught:
        little_gone.post_form("http://127.0.0.1:9/", {"wstoken": TOKEN})
    shown += unrolled(caught.value)
    assert TOKEN in little.got[0].body.decode()
    assert TOKEN not in shown


def unrolled(error: BaseException | None) -> str:
    """Everything that an exception and those behind it carry, but the frames' variables."""
    shown = ""
    while error is not None:
        request = getattr(error, "request", None)
        shown += f"{error} {error!r} {vars(error)} {getattr(request, 'body', '')} {error.args}"
        shown += "".join(traceback.format_exception(error))
        error = error.__cause__ or error.__context__
    return shown


def test_calls_and_bytes_are_counted(little: Little) -> None:
    """The client says how many requests it has sent and how many bytes it has read."""
    little.answer = lambda _got: Reply(b"12345")
    client = HttpClient()
    for _ in range(3):
        client.post_form(little.url, {})
    client.close()
    assert (client.calls, client.bytes) == (3, 15)


def test_no_more_calls_a_second_than_told(little: Little) -> None:
    """With four calls a second each waits until a quarter of a second after the one before it; one that is late, not at all."""
    now, slept = [0.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    client = HttpClient(calls_per_second=4, sleep=sleep, monotonic=lambda: now[0])
    for _ in range(3):
        client.post_form(little.url, {})
    now[0] += 5
    client.post_form(little.url, {})
    client.close()
    assert slept == [0.25, 0.25]


@pytest.mark.parametrize("ahead", [-7200, 0, 7200])
def test_what_the_servers_clock_shows_is_known(little: Little, monkeypatch: pytest.MonkeyPatch, ahead: int) -> None:
    """By the date of an answer it is known how far the server's clock is from the one here."""
    shown = datetime.now(UTC) + timedelta(seconds=ahead)
    monkeypatch.setattr(BaseHTTPRequestHandler, "date_time_string", lambda _self: format_datetime(shown, usegmt=True))
    http = client()
    asking(http, little)()
    http.close()
    assert http.ahead is not None
    assert abs(http.ahead - ahead) < 60

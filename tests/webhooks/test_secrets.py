"""Secrets stand nowhere in clear: not in the store, in logs, in attempts, in exceptions or in a repr."""

import logging
from typing import Any

import pytest
from sqlalchemy import inspect, text

from plugin.errors import CertBridgeError
from webhooks import endpoints
from webhooks.delivery import open_target
from webhooks.target import Destination, kinds

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BARE = SECRET.removeprefix("whsec_")


def whole_store(desk: Any) -> str:
    """Every value of every table, as text."""
    with desk.store.read() as session:
        tables = inspect(session.connection()).get_table_names()
        return "\n".join(repr(session.execute(text(f'SELECT * FROM "{table}"')).all()) for table in tables)


def test_secrets_stand_nowhere_in_clear(desk: Any, receiver: Any, caplog: pytest.LogCaptureFixture) -> None:
    """After successes, failures and an endpoint that repeats the secret, it is in no table and in no line of the log."""
    caplog.set_level(logging.DEBUG)
    desk.endpoint(receiver.url)
    desk.endpoint("http://127.0.0.1:1/path", "broken")
    desk.events(desk.people(2))
    receiver.answer = lambda _got: (500, {}, f"your secret is {SECRET}, or {BARE}".encode())
    desk.deliver()
    everything = whole_store(desk) + caplog.text
    assert "your secret is" in everything
    assert BARE not in everything
    signature = receiver.got[0].headers["webhook-signature"]
    assert signature not in everything


def test_objects_that_hold_a_secret_do_not_show_it(desk: Any, receiver: Any) -> None:
    """The repr of an endpoint, a destination and an opened target leave the secret out."""
    desk.endpoint(receiver.url)
    with desk.store.read() as session:
        endpoint = endpoints.find(session, "hr")
    opened = open_target(desk.courier, endpoint)
    shown = repr(opened) + repr(endpoint) + repr(Destination("hr", "u", SECRET)) + repr(vars(opened)["_signer"])
    opened.close()
    assert BARE not in shown
    assert str(endpoint.secret) not in shown


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("https://hr:hunter2@hr.example/", SECRET),
        ("https://hr.example/?key=hunter2", SECRET),
        ("https://127.0.0.1/", "whsec_hunter2"),
        ("https://10.9.9.9/", SECRET),
    ],
)
def test_exceptions_do_not_repeat_what_was_entered(desk: Any, url: str, secret: str) -> None:
    """An endpoint that cannot be added is refused without its password, key or secret in the message."""
    home = desk.home
    with desk.store.write() as session, pytest.raises(CertBridgeError) as caught:
        endpoints.add_endpoint(
            session, endpoints.Kinds(kinds(home), home.settings, home.keys), name="x", url=url, secret=secret,
            actor="test", now=home.clock(),
        )  # fmt: skip
    assert "hunter2" not in str(caught.value)
    assert BARE not in str(caught.value)

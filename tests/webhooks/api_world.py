"""A small organisation for the tests of the API: people, a rule, duties, promotions, and everything derived."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from metrics import promotion_acts
from metrics.certification.engine import derive_due
from metrics.certification.models import Requirement
from metrics.certification.promotion import Proposal
from metrics.certification.requirements import add_requirement
from metrics.tasks import terms_of
from plugin.accounts import create_token
from plugin.installation import Installation
from plugin.web import create_app, known_scopes
from tests.metrics.certification.test_rule_commands import World, rule

SOURCE = "moodle"


def filled(home: Installation, folder: Path) -> World:
    """E1 holds FIRE and has a record; E2 must hold it; E3 has a record that is blocked."""
    world = World(home, folder)
    assert world("import", world.file(rule())).exit_code == 0
    with home.store.write() as session:
        for one in (
            Requirement(certification="FIRE", kind="duty", starts_on=date(2026, 1, 1), due_on=date(2026, 12, 1)),
            Requirement(certification="FIRE", kind="promotion", position_code="Leader", starts_on=date(2026, 1, 1)),
        ):
            add_requirement(session, one, "a test", home.clock(), ["E2"] if one.kind == "duty" else [])
    world.complete("E1", "CRS-1", 10)
    for number in ("E1", "E3"):
        proposal = Proposal(
            promotion_id=f"PR-{number}", employee_number=number, kind="promotion", effective_date=date(2027, 1, 1),
            from_position=None, to_position="Leader", from_grade=None, to_grade=None,
        )  # fmt: skip
        promotion_acts.propose(home, proposal, "a test")
    derive(world)
    return world


def derive(world: World) -> None:
    """Derive everybody who is due, with links to this installation."""
    derive_due(world.home.store, world.clock, terms_of(world.home))


def token(home: Installation, *scopes: str, name: str = "a system") -> str:
    """A token with these scopes."""
    with home.store.write() as session:
        return create_token(session, name, list(scopes), home.clock())


def token_for_everything(home: Installation, app: Flask) -> str:
    """A token with every scope there is."""
    with app.app_context():
        return token(home, *known_scopes(), name="everything")


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - the name of the parent
        """Say nothing."""


@contextmanager
def serving(home: Installation) -> Iterator[str]:
    """The application on a port of its own; yields its URL."""
    server = make_server("127.0.0.1", 0, create_app(home), threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

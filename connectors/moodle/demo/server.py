"""The sandbox site as a Flask app, and the server that runs it on loopback."""

from collections.abc import Iterable
from threading import Event, Thread
from types import TracebackType
from typing import Any

import waitress
from flask import Flask, Response, request
from waitress import wasyncore

from connectors.moodle.demo.access import DEFAULT_TOKENS, Token
from connectors.moodle.demo.control import controls
from connectors.moodle.demo.endpoint import Site
from connectors.moodle.demo.faults import Faults
from connectors.moodle.demo.notices import Sender
from connectors.moodle.demo.organisation import Organisation
from connectors.moodle.demo.protocol import nest, pairs

REST_PATH = "/webservice/rest/server.php"


def create_app(
    organisation: Organisation,
    faults: Faults | None = None,
    tokens: Iterable[Token] = DEFAULT_TOKENS,
    *,
    max_input_vars: int = 1000,
    sender: Sender | None = None,
) -> Flask:
    """Return the app of a sandbox site. Variables beyond `max_input_vars` are forgotten, as PHP does."""
    site = Site(organisation, Faults() if faults is None else faults, tokens, sender)
    app = Flask(__name__)
    app.register_blueprint(controls(site))

    @app.route(REST_PATH, methods=["GET", "POST"])
    def rest() -> Response:
        """The REST endpoint: reads the query and a form, never a JSON body."""
        given = pairs(request.query_string.decode(), max_input_vars)
        if request.mimetype == "application/x-www-form-urlencoded":
            given += pairs(request.get_data(as_text=True), max_input_vars)
        return site.respond(nest(given), request.host_url.rstrip("/"))

    return app


class Server:
    """A running sandbox on 127.0.0.1; as a context manager it runs in a thread of its own."""

    def __init__(self, app: Flask, port: int = 0) -> None:
        self._map: dict[int, Any] = {}
        self._server = waitress.create_server(app, map=self._map, host="127.0.0.1", port=port, threads=8)
        self._stop = Event()
        self._thread = Thread(target=self.run, daemon=True)
        self.port: int = self._server.effective_port
        self.url = f"http://127.0.0.1:{self.port}"

    def run(self) -> None:
        """Serve until stopped."""
        try:
            while not self._stop.is_set():
                wasyncore.loop(timeout=0.1, map=self._map, count=1)
        finally:
            self._server.task_dispatcher.shutdown(cancel_pending=True, timeout=1)
            wasyncore.close_all(self._map)

    def __enter__(self) -> "Server":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()


def serve(app: Flask, port: int = 0) -> Server:
    """Return a server for the app; 0 takes a free port."""
    return Server(app, port)

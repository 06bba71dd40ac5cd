"""Where statements are sent: /xapi/statements, with HTTP Basic, as xAPI 1.0.3 part three says.

What an LRS offers beside that (documents, queries, OAuth) is not offered; docs/xapi.md has the list.
"""

import json
import logging
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any

from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException

from connectors import doors
from connectors.signed import HEADERS, MALFORMED, MEDIA_TYPE, UNSIGNED, Refusal, parse
from connectors.statement_models import SourceCredential
from connectors.xapi import credentials, receiving
from connectors.xapi.formats import is_uuid
from connectors.xapi.receiving import LARGEST, BadStatements
from plugin.installation import Installation
from plugin.web import for_anybody, installation, signed

log = logging.getLogger(__name__)

VERSION, LATEST = "X-Experience-API-Version", "1.0.3"
TOPIC = "statements_received"

blueprint = Blueprint("xapi", __name__, url_prefix="/xapi")

BLUEPRINTS = [blueprint]


class NotOffered(Exception):  # noqa: N818 - it says what happened
    """Something that the credentials do not open, or that is not there; `status` answers it."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


View = Callable[[Installation, SourceCredential, datetime], Response]


def _opened(view: View) -> Callable[[], Response]:
    """A view for whoever has a credential and says which version they speak; every answer is one of an LRS."""

    @signed
    @wraps(view)
    def guarded() -> Response:
        home = installation()
        now, name = home.clock(), ""
        try:
            with home.store.read() as session:
                credential = credentials.opens(session, request.headers.get("Authorization", ""))
            if credential is None:
                raise Refusal(UNSIGNED, "A name and a password of this installation are needed (HTTP Basic).")
            name = credential.source
            if not _speaks(request.headers.get(VERSION)):
                raise BadStatements(
                    HEADERS, f"The header {VERSION} must say 1.0.3, or another version that begins with 1.0."
                )
            return view(home, credential, now)
        except Refusal as refusal:
            log.warning("Statements of %s were refused: %s", name or "somebody unknown", refusal.code)
            doors.refused(home.store, doors.XAPI, name, refusal, now)
            return _answer({"error": str(refusal), "findings": refusal.findings}, refusal.status)
        except NotOffered as refusal:
            return _answer({"error": str(refusal)}, refusal.status)
        except HTTPException as error:
            return _answer({"error": error.description}, error.code or 500)
        except Exception:
            log.exception("A request to /xapi failed")
            return _answer(
                {"error": "Something went wrong here; it has been written to the log. Send it again later."}, 500
            )

    return guarded


def _speaks(version: str | None) -> bool:
    return version is not None and (version == "1.0" or version.startswith("1.0."))


def _answer(body: Any, status: int = 200) -> Response:
    response = Response(json.dumps(body), status, mimetype="application/json")
    return _marked(response)


def _marked(response: Response) -> Response:
    response.headers[VERSION] = LATEST
    if response.status_code == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="CertBridge xAPI", charset="UTF-8"'
    return response


def _only(*allowed: str) -> None:
    """Refuse parameters that a call does not have."""
    if "method" in request.args:
        raise BadStatements(
            MALFORMED, "The alternate request syntax (method=…) is not offered; send the request itself."
        )
    unknown = sorted(set(request.args) - set(allowed))
    if unknown:
        raise BadStatements(MALFORMED, f"There is no parameter {unknown[0][:50]!r} here.")
    if any(len(request.args.getlist(name)) > 1 for name in request.args):
        raise BadStatements(MALFORMED, "A parameter is given twice.")


def _body() -> Any:
    """The JSON that was sent. Raises Refusal."""
    if request.mimetype == "multipart/mixed":
        raise Refusal(
            MEDIA_TYPE, "Attachments are not kept here; send application/json, with a fileUrl for each of them."
        )
    if request.mimetype != "application/json":
        raise BadStatements(MEDIA_TYPE, "Statements are sent as application/json.")
    return parse(doors.body_of(request, LARGEST))


def _uuid(name: str) -> str:
    value = request.args[name]
    if not is_uuid(value):
        raise BadStatements(MALFORMED, f"{name} is no UUID.")
    return value.lower()


def _store(
    home: Installation, credential: SourceCredential, statements: list[dict[str, Any]], now: datetime
) -> list[str]:
    page = home.settings.web.public_url.rstrip("/")
    with home.store.write() as session:
        credentials.note_use(session, credential, now)
        outcome = receiving.store(session, credential, statements, page, now)
        if outcome.new:
            doors.taken(session, doors.XAPI, credential.source, now, times=outcome.new)
        if known := len(outcome.ids) - outcome.new:
            doors.taken(session, doors.XAPI, credential.source, now, known=True, times=known)
    if outcome.new:
        home.wake(TOPIC)
    return outcome.ids


@blueprint.route("/statements", methods=["POST"], endpoint="post")
@_opened
def post(home: Installation, credential: SourceCredential, now: datetime) -> Response:
    """Store one statement or many: 200 and their ids."""
    _only()
    return _answer(_store(home, credential, receiving.check(_body()), now))


@blueprint.route("/statements", methods=["PUT"], endpoint="put")
@_opened
def put(home: Installation, credential: SourceCredential, now: datetime) -> Response:
    """Store one statement under the id in the query: 204."""
    _only("statementId")
    if "statementId" not in request.args:
        raise BadStatements(MALFORMED, "PUT needs the parameter statementId.")
    id_ = _uuid("statementId")
    body = _body()
    if isinstance(body, list):
        raise BadStatements(MALFORMED, "PUT takes one statement; many are sent with POST.")
    [statement] = receiving.check(body, one=True)
    if statement.get("id", id_).lower() != id_:
        raise BadStatements(MALFORMED, "The statement has another id than the parameter statementId.")
    _store(home, credential, [{**statement, "id": id_}], now)
    return _marked(Response(status=204))


@blueprint.route("/statements", methods=["GET"], endpoint="get")
@_opened
def get(home: Installation, credential: SourceCredential, _now: datetime) -> Response:
    """The statement of one id, as it is held."""
    asked = [name for name in ("statementId", "voidedStatementId") if name in request.args]
    if not asked:
        raise NotOffered(
            403, "These credentials send statements; they may ask for one by statementId, and not for lists."
        )
    _only("statementId", "voidedStatementId", "format", "attachments")
    if len(asked) > 1:
        raise BadStatements(MALFORMED, "Either statementId or voidedStatementId can be asked for.")
    if request.args.get("attachments", "false") != "false" or request.args.get("format", "exact") != "exact":
        raise BadStatements(MALFORMED, "Statements are answered as they came (format=exact), without attachments.")
    with home.store.read() as session:
        found = receiving.find(session, credential.source, _uuid(asked[0]), voided=asked[0] == "voidedStatementId")
    if found is None:
        raise NotOffered(404, "There is no such statement.")
    response = _marked(Response(found, 200, mimetype="application/json"))
    statement = json.loads(found)
    response.headers["X-Experience-API-Consistent-Through"] = f"{_now:%Y-%m-%dT%H:%M:%S}.{_now.microsecond // 1000:03}Z"
    response.headers["Last-Modified"] = _http_date(statement["stored"])
    return response


def _http_date(stored: str) -> str:
    moment = datetime.fromisoformat(stored)
    return moment.strftime("%a, %d %b %Y %H:%M:%S GMT")


@blueprint.route("/about", methods=["GET"], endpoint="about")
@for_anybody
def about() -> Response:
    """Which versions are spoken; for anybody."""
    return _answer({"version": [LATEST, "1.0.2", "1.0.1", "1.0.0"], "extensions": {}})


ALL_METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH"]


@blueprint.route("/", methods=ALL_METHODS, endpoint="root", defaults={"_path": ""})
@blueprint.route("/<path:_path>", methods=ALL_METHODS, endpoint="nothing")
@signed
def nothing(_path: str) -> Response:
    """Everything else of an LRS is not here: 404, or 405 where another method is."""
    allowed = {"statements": "GET, POST, PUT", "about": "GET"}.get(_path)
    if allowed is None:
        return _answer({"error": "This takes statements at /xapi/statements; it is no whole LRS."}, 404)
    response = _answer({"error": f"Here is {allowed} and nothing else."}, 405)
    response.headers["Allow"] = allowed
    return response

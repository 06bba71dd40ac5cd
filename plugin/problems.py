"""The failures of the API as problems (RFC 9457): application/problem+json with type, title, status and detail.

`findings` stands beside them where fields are at fault: each has `field` and `problem`.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast

from flask import Response, current_app, g
from werkzeug.exceptions import HTTPException

from plugin.errors import CertBridgeError

MEDIA_TYPE = "application/problem+json"
HEADERS = ("Allow", "Retry-After", "WWW-Authenticate")  # what a failure may say beside its body

SCHEMA = {
    "type": "object",
    "description": "A failure, after RFC 9457.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "about:blank: the status says it all."},
        "title": {"type": "string", "description": "The status in words."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "What happened, and what to do next."},
        "findings": {
            "type": "array",
            "description": "The fields at fault.",
            "items": {
                "type": "object",
                "required": ["field", "problem"],
                "properties": {"field": {"type": "string"}, "problem": {"type": "string"}},
            },
        },
    },
}


def problem(error: Exception, status: int, detail: str, challenge: str) -> Response:
    """The answer to a failed call; `challenge` is how a caller proves who it is, for a 401 that does not say it itself."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    findings = getattr(error, "findings", None) if isinstance(error, CertBridgeError) else None
    if findings:
        body["findings"] = findings
    response = cast(Response, current_app.json.response(body))
    response.status_code = status
    response.content_type = MEDIA_TYPE
    response.headers.update(_headers(error))
    if status == 401:
        response.headers.setdefault("WWW-Authenticate", challenge)
    if status == 403 and (scope := g.get("lacks_scope")):
        response.headers["WWW-Authenticate"] = f'Bearer realm="CertBridge", error="insufficient_scope", scope="{scope}"'
    return response


def _headers(error: Exception) -> Mapping[str, str]:
    if not isinstance(error, HTTPException):
        return {}
    said = error.get_response().headers
    return {name: said[name] for name in HEADERS if name in said}

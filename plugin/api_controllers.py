"""Where the API is described: the OpenAPI document for programs, and a page made of it for people."""

from typing import Any, cast

from flask import Blueprint, current_app, render_template
from flask.typing import ResponseReturnValue

from plugin.api import N_, answer, described, no_query
from plugin.api_document import SAYS, document
from plugin.web import for_anybody

blueprint = Blueprint("api", __name__)

DOCUMENT = {
    "type": "object",
    "required": ["openapi", "info", "paths"],
    "properties": {"openapi": {"type": "string"}, "info": {"type": "object"}, "paths": {"type": "object"}},
}


@blueprint.route("/api/v1/openapi.json")
@for_anybody
@described(N_("This description of the API (OpenAPI 3.1)"), {200: DOCUMENT}, cached=True)
def openapi() -> ResponseReturnValue:
    """The OpenAPI document; it holds nobody's data."""
    no_query()
    return answer(_document())


@blueprint.route("/api")
@for_anybody
def page() -> ResponseReturnValue:
    """The calls of the API, for people."""
    made = _document()
    calls = [
        {"method": method.upper(), "path": path, **operation}
        for path, operations in made["paths"].items()
        for method, operation in operations.items()
    ]
    groups: dict[str, list[dict[str, Any]]] = {}
    for call in calls:
        groups.setdefault(call["tags"][0], []).append(call)
    return render_template("api.html", groups=groups, schemas=made["components"]["schemas"], says=SAYS)


def _document() -> dict[str, Any]:
    """The document, made once for each application."""
    if "certbridge_api" not in current_app.extensions:
        current_app.extensions["certbridge_api"] = document(current_app)
    return cast(dict[str, Any], current_app.extensions["certbridge_api"])

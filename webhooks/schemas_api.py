"""Where the JSON Schemas of events are published: without a token, as they hold nobody's data."""

from typing import Annotated, Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field
from werkzeug.exceptions import NotFound

from plugin.api import N_, answer, described, no_query
from plugin.web import for_anybody, installation
from webhooks import schemas

blueprint = Blueprint("schemas_api", __name__, url_prefix="/api/v1/schemas")

A_SCHEMA = {
    "type": "object",
    "description": "A JSON Schema (draft 2020-12).",
    "required": ["$schema", "$id", "type", "properties"],
}
TYPE = {"type": "string", "enum": schemas.types(), "description": "The type of event."}
NUMBER = {"type": "integer", "enum": [int(number) for number in schemas.NUMBERS], "description": "The schema number."}


class Published(BaseModel):
    """The schema of one type of event."""

    type: str
    number: Annotated[str, Field(description="The schema number.")]
    href: str


class PublishedList(BaseModel):
    """Every schema there is."""

    schemas: list[Published]


@blueprint.route("")
@for_anybody
@described(N_("The JSON Schemas of the events that HR is told"), {200: PublishedList}, cached=True)
def several() -> ResponseReturnValue:
    """Every type and schema number, and where its schema is."""
    no_query()
    found = [
        {"type": name, "number": number, "href": schemas.path(name, number)}
        for number in schemas.NUMBERS
        for name in schemas.types(number)
    ]
    return answer({"schemas": found})


@blueprint.route("/<type>.json")
@for_anybody
@described(
    N_("The newest JSON Schema of one type of event"),
    {200: A_SCHEMA},
    path={"type": TYPE},
    cached=True,
)
def newest(type: str) -> ResponseReturnValue:  # noqa: A002 - the name in the address
    """The schema of a type of event under the newest number; 404 for an unknown type."""
    return _one(type, schemas.NUMBERS[-1])


@blueprint.route("/<int:number>/<type>.json")
@for_anybody
@described(
    N_("The JSON Schema of one type of event under a schema number"),
    {200: A_SCHEMA},
    path={"type": TYPE, "number": NUMBER},
    cached=True,
)
def one(number: int, type: str) -> ResponseReturnValue:  # noqa: A002 - the name in the address
    """The schema of a type of event; 404 for an unknown type or number."""
    return _one(type, str(number))


def _one(type_: str, number: str) -> ResponseReturnValue:
    no_query()
    found: dict[str, Any] | None = schemas.schema(type_, number, installation().settings.web.public_url)
    if found is None:
        raise NotFound(f"There is no schema {number} of a type of event {type_!r}; /api/v1/schemas lists them.")
    return answer(found)

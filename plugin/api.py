"""What every call of the API shares: how it is described, and how it reads what it was given.

A view below /api/v1 says with `described` what it takes and answers; from that and its pydantic models the OpenAPI document
is made (plugin.api_document), which /api/v1/openapi.json serves and the page /api shows. A test fails for a call without it:

    @blueprint.route("/<number>/things")
    @needs_token("things:read")
    @described(N_("The things of a person"), {200: Things}, query=ThingsQuery, path={"number": NUMBER}, problems=[404])
    def things(number: str) -> ResponseReturnValue:
        asked = read_query(ThingsQuery)
        ...
        return answer({"things": [...]})

What is malformed is refused with 422 and a finding for each field, what does not fit what stands here with 409; every
failure is a problem (plugin.problems). Who the caller is, and how often a token may ask, is the business of plugin.web.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar, cast
from zoneinfo import ZoneInfo

from flask import Response, current_app, request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from plugin.errors import RefusedError
from plugin.moments import parse_moment

DESCRIBED = "certbridge_described"
LARGEST_BODY = 64 * 1024  # bytes; a view that takes more says so itself
LONGEST_LIST = 500
LARGEST_NUMBER = 2**63 - 1

# Text without control characters, which no database and no log likes.
TEXT = r"^[^\x00-\x1f\x7f-\x9f]+$"
NUMBER = {"type": "string", "minLength": 1, "maxLength": 100, "description": "The employee number."}
CODE = {"type": "string", "minLength": 1, "maxLength": 100, "description": "The certification's code."}

Model = TypeVar("Model", bound=BaseModel)
View = TypeVar("View", bound=Callable[..., Any])


def N_(sentence: str) -> str:  # noqa: N802 - the name by which gettext's tools find texts that are translated elsewhere
    """Mark a sentence for the catalogues."""
    return sentence


@dataclass(frozen=True)
class Described:
    """What a call takes and answers.

    `answers` has the model, the JSON Schema or None (no body) of each success. `query` and `body` are models; `path` and
    `headers` are JSON Schemas by name, a header with `"required": True` if it must be there. `problems` are the failures
    beside those that every call of its kind has. `cached` says that it answers If-None-Match.
    """

    summary: str
    answers: Mapping[int, type[BaseModel] | Mapping[str, Any] | None]
    text: str = ""
    query: type[BaseModel] | None = None
    body: type[BaseModel] | Mapping[str, Any] | None = None
    path: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    headers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    problems: Sequence[int] = ()
    cached: bool = False


def described(
    summary: str, answers: Mapping[int, type[BaseModel] | Mapping[str, Any] | None], **more: Any
) -> Callable[[View], View]:
    """Say what a call takes and answers; the arguments are those of `Described`."""

    def decorate(view: View) -> View:
        setattr(view, DESCRIBED, Described(summary, answers, **more))
        return view

    return decorate


def description_of(endpoint: str) -> Described | None:
    """What the view of this endpoint says of itself."""
    return cast("Described | None", getattr(current_app.view_functions[endpoint], DESCRIBED, None))


class MalformedError(RefusedError):
    """What was given is not of the shape that the call takes; `findings` names each field and its problem."""

    def __init__(self, sentence: str, findings: Sequence[Mapping[str, str]]) -> None:
        super().__init__(sentence)
        self.findings = list(findings)


# What is given ------------------------------------------------------------------------------------------------------------


class Query(BaseModel):
    """The base of what stands behind the question mark: nothing unknown, nothing twice."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _digits(value: object) -> int:
    """A whole number in plain digits: by itself pydantic takes `1.0` and `1_0` as well."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,19}", value, re.ASCII):
        return int(value)
    raise ValueError("a whole number is written in digits")


Whole = BeforeValidator(_digits)  # stands after the bounds: what stands before it is said in the document
Limit = Annotated[int, Field(ge=1, le=LONGEST_LIST, description="How many at most."), Whole]
Moment = Annotated[
    str,
    Field(max_length=60),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


def read_query(model: type[Model]) -> Model:
    """The query of the request. Raises MalformedError."""
    given = request.args.to_dict(flat=False)
    twice = [{"field": name[:100], "problem": "it is given twice"} for name, values in given.items() if len(values) > 1]
    if twice:
        raise MalformedError("The query cannot be used as it is.", twice)
    try:
        return model.model_validate({name: values[0] for name, values in given.items()})
    except ValidationError as error:
        raise MalformedError("The query cannot be used as it is.", _findings(error)) from None


def no_query() -> None:
    """Refuse a query where a call takes none. Raises MalformedError."""
    read_query(Query)


def read_body(model: type[Model], sentence: str = "The body cannot be used as it is.") -> Model:
    """The JSON of the request's body. Raises UnsupportedMediaType, BadRequest for what is no JSON, MalformedError."""
    if request.mimetype not in ("", "application/json"):
        raise UnsupportedMediaType("The body is sent as application/json; say so in the header Content-Type.")
    try:
        return model.model_validate_json(request.get_data(cache=False))
    except ValidationError as error:
        if any(finding["type"] == "json_invalid" for finding in error.errors(include_input=False)):
            raise BadRequest("The body is not JSON.") from None
        raise MalformedError(sentence, _findings(error)) from None


def _findings(error: ValidationError) -> list[dict[str, str]]:
    """A line per field; what was sent is not repeated."""
    found = error.errors(include_input=False, include_url=False, include_context=False)
    return [{"field": ".".join(map(str, each["loc"]))[:200], "problem": each["msg"]} for each in found]


def read_moment(name: str, text: str, zone: ZoneInfo) -> datetime:
    """A moment of the query; one that the organisation's calendar does not reach is its first or last. Raises MalformedError."""
    try:
        found = parse_moment(text, zone)
    except ValueError as error:
        edge = _edge(text)
        if edge is None:
            problem = f"{error} (in an address a + is written %2B)"
            raise MalformedError(f"{name}: {problem}", [{"field": name, "problem": problem}]) from None
        return edge
    return min(max(found, EARLIEST), LATEST)


EARLIEST, LATEST = datetime(1980, 1, 1, tzinfo=UTC), datetime(2999, 12, 31, tzinfo=UTC)


def _edge(text: str) -> datetime | None:
    """The first or last moment, where a well-formed one lies beside the years 1 to 9999 once its offset is applied."""
    try:
        read = datetime.fromisoformat(text.strip().upper())
    except ValueError:
        return None
    if read.year not in (1, 9999) or not re.match(r"[0-9]{4}-", text.strip()):
        return None
    return EARLIEST if read.year == 1 else LATEST


# What is answered ---------------------------------------------------------------------------------------------------------


def answer(body: Mapping[str, Any], status: int = 200, *, same: Any = None) -> Response:
    """The answer as JSON, with an ETag: 304 without a body where the caller holds the same already (If-None-Match).

    `same` is what the tag is made of, where the body also says what only depends on the moment of asking.
    """
    response = cast(Response, current_app.json.response(body))
    response.status_code = status
    basis = body if same is None else same
    digest = hashlib.sha256(json.dumps(basis, sort_keys=True, default=str).encode()).hexdigest()
    response.set_etag(digest[:32], weak=True)
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Authorization"
    return cast(Response, response.make_conditional(request))

"""What HR may tell: the types of events and the fields of each, as models from which the JSON Schemas are made."""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from connectors.signed import INVALID, UNKNOWN_TYPE, Refusal

_PRINTED = r"^[^\x00-\x1f\x7f]*$"
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")


def _day(value: object) -> date:
    """A day as YYYY-MM-DD and nothing else: pydantic by itself would take numbers and moments too."""
    if not isinstance(value, str) or re.fullmatch(r"\d{4}-\d{2}-\d{2}", value) is None:
        raise ValueError("a day is written YYYY-MM-DD")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError("there is no such day") from None


def _moment(value: object) -> datetime:
    if not isinstance(value, str) or _MOMENT.fullmatch(value) is None:
        raise ValueError("a moment is written as 2026-11-23T10:00:00+08:00 or 2026-11-23T02:00:00Z")
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("there is no such moment") from None


Day = Annotated[date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]
Moment = Annotated[datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]
Number = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=_PRINTED)]
Unit = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=_PRINTED)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300, pattern=_PRINTED)]
Email = Annotated[str, StringConstraints(max_length=320, pattern=r"^[^\s@]+@[^\s@]+$")]
PromotionId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@-]*$", max_length=100)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class _Manager(_Model):
    @model_validator(mode="after")
    def _not_their_own(self) -> Any:
        number, manager = getattr(self, "employee_number", None), getattr(self, "manager", None)
        if manager is not None and manager == number:
            raise ValueError("they cannot be their own manager")
        return self


class Hired(_Manager):
    """Somebody joins, or joins again, on `effective_date`."""

    employee_number: Number
    effective_date: Day
    name: Name
    email: Email | None = None
    department: Unit | None = None
    position: Unit | None = None
    grade: Unit | None = None
    manager: Annotated[Number | None, Field(description="An employee number.")] = None


class Moved(_Manager):
    """From `effective_date` on somebody stands elsewhere. What is left out stays as it is; null takes it away."""

    employee_number: Number
    effective_date: Day
    name: Name | None = None
    email: Email | None = None
    department: Unit | None = None
    position: Unit | None = None
    grade: Unit | None = None
    manager: Annotated[Number | None, Field(description="An employee number.")] = None

    @model_validator(mode="after")
    def _says_something(self) -> "Moved":
        if self.model_fields_set <= {"employee_number", "effective_date"}:
            raise ValueError("nothing of name, email, department, position, grade and manager is said")
        if "name" in self.model_fields_set and self.name is None:
            raise ValueError("a name cannot be taken away")
        return self


class Left(_Model):
    """`effective_date` is the first day on which somebody is not with the organisation any more."""

    employee_number: Number
    effective_date: Day


class Proposed(_Model):
    """Somebody is proposed for a post, a grade or a pay step; the same fields as in `POST /api/v1/promotions`."""

    promotion_id: PromotionId
    employee_number: Number
    kind: Literal["promotion", "pay"] = "promotion"
    from_position: Unit | None = None
    to_position: Unit | None = None
    from_grade: Unit | None = None
    to_grade: Unit | None = None
    effective_date: Day


class Closed(_Model):
    """HR has decided about a promotion record."""

    promotion_id: PromotionId


Data = Hired | Moved | Left | Proposed | Closed

TYPES: dict[str, type[Data]] = {
    "employee.hired": Hired,
    "employee.moved": Moved,
    "employee.left": Left,
    "promotion.proposed": Proposed,
    "promotion.closed": Closed,
}


class Envelope(_Model):
    """Every event: `timestamp` is when it came to be, `schema` the number of the contract."""

    type: str
    timestamp: Moment
    schema_: Annotated[Literal["1"], Field(alias="schema")] = "1"
    data: dict[str, Any]


class Received:
    """A well-formed event."""

    def __init__(self, envelope: Envelope, data: Data) -> None:
        self.type, self.occurred_at, self.data = envelope.type, envelope.timestamp, data

    @property
    def employee_number(self) -> str | None:
        """Whom it is about, where it says so."""
        return getattr(self.data, "employee_number", None)

    @property
    def subject(self) -> str:
        """What it is about: `person:NUMBER` or `promotion:ID`."""
        promotion = getattr(self.data, "promotion_id", None)
        return f"promotion:{promotion}" if promotion is not None else f"person:{self.employee_number}"

    @property
    def effective_on(self) -> date | None:
        """From which day on it holds."""
        return getattr(self.data, "effective_date", None)


def read(value: Any) -> Received:
    """The event in a parsed body. Raises Refusal with a finding for each field that is wrong; values are not repeated."""
    envelope: Envelope = _validated(Envelope, value, "")
    if envelope.type not in TYPES:
        raise Refusal(UNKNOWN_TYPE, f"There is no such type of event; there are: {', '.join(TYPES)}.")
    return Received(envelope, _validated(TYPES[envelope.type], envelope.data, "data."))


def _validated(model: Any, value: Any, where: str) -> Any:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        lines = error.errors(include_input=False, include_url=False, include_context=False)
        findings = [
            {"field": (where + ".".join(map(str, line["loc"]))).rstrip(".") or "body", "problem": line["msg"]}
            for line in lines
        ]
        raise Refusal(INVALID, "The event is not as its schema says.", findings) from None


def schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema of each type of event, by the type."""
    found = {}
    for name, model in TYPES.items():
        schema = Envelope.model_json_schema()
        schema["title"] = name
        schema["properties"]["type"] = {"const": name}
        schema["properties"]["data"] = model.model_json_schema()
        found[name] = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return found

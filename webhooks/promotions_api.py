"""The API by which HR proposes people for a post, a grade or a pay step, and asks how they stand."""

import re
from datetime import date
from typing import Annotated, Any, Literal

from flask import Blueprint, g
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema
from sqlalchemy import or_, select
from werkzeug.exceptions import Conflict

from metrics import promotion_acts
from metrics.api_models import Iso, StatusName
from metrics.certification import promotion
from metrics.certification.models import Promotion
from plugin.api import N_, NUMBER, Limit, Moment, Query, answer, described, read_body, read_moment, read_query
from plugin.errors import NotFoundError, RefusedError
from plugin.models import Person
from plugin.web import installation, needs_token

blueprint = Blueprint("promotions_api", __name__, url_prefix="/api/v1")

READ, WRITE = "promotions:read", "promotions:write"

# Printable, without the slashes and controls that would not survive a URL or a log.
ID = r"^[A-Za-z0-9][A-Za-z0-9._:@-]*$"
Id = Annotated[str, StringConstraints(pattern=ID, max_length=100)]
# No control characters, and something beside spaces, which are taken off at both ends.
_ANY, _SEEN = r"[^\x00-\x1f\x7f-\x9f]", r"[^\x00-\x20\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
SAYS_SOMETHING = f"^{_ANY}*{_SEEN}{_ANY}*$"
Code = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=SAYS_SOMETHING)]
Number = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=SAYS_SOMETHING)]
ID_IN_PATH = {"type": "string", "minLength": 1, "maxLength": 100, "pattern": ID, "description": "HR's own id."}


def _iso_day(value: object) -> date:
    """A day as YYYY-MM-DD and nothing else: pydantic by itself would take numbers and moments too."""
    if not isinstance(value, str) or re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII) is None:
        raise ValueError("a day is written YYYY-MM-DD")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError("there is no such day") from None


Day = Annotated[date, BeforeValidator(_iso_day), WithJsonSchema({"type": "string", "format": "date"})]


class ProposalBody(BaseModel):
    """What HR sends: who is proposed for which position or grade, and from which day it is to hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    promotion_id: Annotated[Id, Field(description="HR's own id.")]
    employee_number: Number
    kind: Literal["promotion", "pay"] = "promotion"
    from_position: Code | None = None
    to_position: Code | None = None
    from_grade: Code | None = None
    to_grade: Code | None = None
    effective_date: Annotated[Day, Field(description="The day from which it is to hold.")]


class Outcome(BaseModel):
    """What became of a call about a record."""

    promotion_id: str
    outcome: Literal["created", "updated", "unchanged", "closed"]


class Line(BaseModel):
    """One certification that the new post, grade or pay step asks for."""

    certification: str
    status: StatusName
    held_until: Iso | None
    missing: list[str]
    earliest: Annotated[Iso | None, Field(description="From when on what is missing can be earned.")]


class To(BaseModel):
    """What the person is proposed for."""

    position: str | None
    grade: str | None


class Record(BaseModel):
    """A promotion or pay record with the answer as it stands; `decided` is there when it is closed."""

    promotion_id: str
    employee_number: str
    kind: Literal["promotion", "pay"]
    to: To
    effective_date: Annotated[str, Field(json_schema_extra={"format": "date"})]
    eligibility: Annotated[
        Literal["eligible", "conditional", "blocked"] | None, Field(description="null: it is being derived.")
    ]
    requirements: list[Line]
    note: str | None
    closed: bool
    decided: Annotated[
        dict[str, Any] | None, Field(description="The answer at closing, with the awards and evidence behind it.")
    ] = None


class Records(BaseModel):
    """A part of the list of records."""

    promotions: list[Record]
    next: Annotated[
        str | None, Field(description="What to give as `after` for the part that follows; null: this is the last.")
    ]


class RecordsQuery(Query):
    """Which part of the list of records."""

    employee_number: Annotated[str, Field(pattern=SAYS_SOMETHING, max_length=100)] | None = None
    eligibility: Literal["eligible", "conditional", "blocked"] | None = None
    state: Annotated[Literal["open", "closed", "all"], Field(description="Open ones, unless said otherwise.")] = "open"
    changed_since: Annotated[
        Moment | None, Field(description="Only those proposed, answered or closed since this moment.")
    ] = None
    after: Annotated[str, Field(pattern=ID, max_length=100, description="`next` of the part before.")] | None = None
    limit: Limit = 100


@blueprint.route("/promotions", methods=["POST"])
@needs_token(WRITE)
@described(
    N_("Propose a promotion or pay step, or change what was proposed"),
    {201: Outcome, 200: Outcome}, body=ProposalBody, problems=[409],
    text=N_(
        "201 when the record is new, 200 when it was changed or is the same already. 409: there is no such employee, "
    "they are not with the organisation on the effective date, or the record is closed or another employee's."
    ),
)  # fmt: skip
def propose() -> ResponseReturnValue:
    """Create or change a promotion record: 201 when it is new, else 200; 409 when it does not fit what stands here."""
    body = read_body(ProposalBody, "The proposal cannot be accepted as it is.")
    try:
        outcome = promotion_acts.propose(
            installation(), promotion.Proposal(**body.model_dump()), f"token {g.token_name}"
        )
    except RefusedError as refused:
        raise Conflict(str(refused)) from None
    return {"promotion_id": body.promotion_id, "outcome": outcome}, 201 if outcome == "created" else 200


@blueprint.route("/promotions/<promotion_id>/close", methods=["POST"])
@needs_token(WRITE)
@described(
    N_("Close a record: HR has decided, and hears no more of it"),
    {200: Outcome}, path={"promotion_id": ID_IN_PATH},
)  # fmt: skip
def close(promotion_id: str) -> ResponseReturnValue:
    """End a promotion record: HR has decided, and hears no more of it. 404 when there is none of this id."""
    promotion_acts.close(installation(), promotion_id, f"token {g.token_name}")
    return {"promotion_id": promotion_id, "outcome": "closed"}


@blueprint.route("/promotions/<promotion_id>")
@needs_token(READ, WRITE)
@described(
    N_("How a person stands against what the new post asks for"),
    {200: Record}, path={"promotion_id": ID_IN_PATH}, cached=True,
)  # fmt: skip
def one(promotion_id: str) -> ResponseReturnValue:
    """How the person stands against what the new post asks for. 404 when there is no record of this id."""
    with installation().store.read() as session:
        said = promotion.answer(session, promotion_id)
    return answer(_current(said), same=said)


@blueprint.route("/promotions")
@needs_token(READ, WRITE)
@described(
    N_("Promotion and pay records with their answers, in parts"),
    {200: Records}, query=RecordsQuery, cached=True,
)  # fmt: skip
def several() -> ResponseReturnValue:
    """A part of the records by id; those of erased persons are not among them."""
    return _listed(read_query(RecordsQuery))


class OfPersonQuery(Query):
    """Which of a person's records."""

    state: Annotated[Literal["open", "closed", "all"], Field(description="All of them, unless said otherwise.")] = "all"
    after: Annotated[str, Field(pattern=ID, max_length=100, description="`next` of the part before.")] | None = None
    limit: Limit = 100


@blueprint.route("/people/<number>/promotions")
@needs_token(READ, WRITE)
@described(
    N_("The promotion and pay records of one person: whether they are eligible, and what is missing"),
    {200: Records}, query=OfPersonQuery, path={"number": NUMBER}, cached=True,
)  # fmt: skip
def of_person(number: str) -> ResponseReturnValue:
    """A person's records; 404 for an unknown employee."""
    asked = read_query(OfPersonQuery)
    with installation().store.read() as session:
        known = session.scalar(select(Person.id).where(Person.employee_number == number, Person.erased_at.is_(None)))
    if known is None:
        raise NotFoundError(f"There is no employee {number!r}.")
    return _listed(RecordsQuery(state=asked.state, after=asked.after, limit=asked.limit), known)


def _listed(asked: RecordsQuery, person_id: int | None = None) -> ResponseReturnValue:
    zone = installation().settings.organisation.zone
    query = select(Promotion, Person.employee_number).join(Person, Person.id == Promotion.person_id)
    query = query.where(Person.erased_at.is_(None))
    if person_id is not None:
        query = query.where(Promotion.person_id == person_id)
    if asked.employee_number is not None:
        query = query.where(Person.employee_number == asked.employee_number)
    if asked.eligibility is not None:
        query = query.where(Promotion.eligibility == asked.eligibility)
    if asked.state != "all":
        query = query.where(Promotion.closed_at.is_(None) == (asked.state == "open"))
    if asked.changed_since is not None:
        since = read_moment("changed_since", asked.changed_since, zone)
        moments = (Promotion.proposed_at, Promotion.answered_at, Promotion.closed_at)
        query = query.where(or_(*(column >= since for column in moments)))
    if asked.after is not None:
        query = query.where(Promotion.promotion_id > asked.after)
    with installation().store.read() as session:
        rows = session.execute(query.order_by(Promotion.promotion_id).limit(asked.limit + 1)).all()
        found = [promotion.shown(record, number) for record, number in rows[: asked.limit]]
    following = found[-1]["promotion_id"] if len(rows) > asked.limit else None
    return answer({"promotions": [_current(each) for each in found], "next": following}, same=[found, following])


def _current(said: dict[str, Any]) -> dict[str, Any]:
    """A record as it is read now: where what is missing could be earned from a day that has passed, it is from now on."""
    home, lines = installation(), said.get("requirements")
    if not lines or said["closed"]:
        return said
    return {**said, "requirements": promotion.from_now_on(lines, home.clock(), home.settings.organisation.zone)}

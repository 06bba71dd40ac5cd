"""The API of events, for systems that would rather pull: every event after a place, in an order that never changes."""

from typing import Annotated, Any, Literal

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from plugin.api import LARGEST_NUMBER, N_, Limit, Query, Whole, answer, described, read_query
from plugin.event_places import place, waits
from plugin.models import Event, Person
from plugin.privacy.subject import ERASED_EVENT
from plugin.web import installation, needs_token
from webhooks import schemas
from webhooks.endpoints import TYPES
from webhooks.payload import Content, message

blueprint = Blueprint("events_api", __name__, url_prefix="/api/v1/events")

TypeName = Literal[TYPES]  # type: ignore[valid-type]


class Told(BaseModel):
    """One event: what a message says, with its id and its place."""

    id: Annotated[str, Field(description="The webhook-id of its messages.")]
    position: Annotated[int, Field(description="Its place among all events.")]
    type: TypeName
    timestamp: Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    schema_: Annotated[Literal[schemas.NUMBERS], Field(alias="schema")]  # type: ignore[valid-type]
    data: Annotated[dict[str, Any], Field(description="As the JSON Schema of the type says (/api/v1/schemas).")]


class ToldList(BaseModel):
    """Events in their order."""

    events: list[Told]
    next: Annotated[int, Field(description="How far this reaches: what to give as `after` the next time.")]
    more: Annotated[bool, Field(description="Whether more are there already.")]


class EventsQuery(Query):
    """Which events."""

    after: Annotated[
        int, Field(ge=0, le=LARGEST_NUMBER, description="`next` of the answer before; 0: from the beginning."), Whole
    ] = 0
    type: Annotated[TypeName, Field(description="Only this type.")] | None = None
    backfill: Annotated[
        Literal["all", "none"], Field(description="none: without what lies in the past, such as a first load.")
    ] = "all"
    limit: Limit = 100


@blueprint.route("")
@needs_token("events:read")
@described(
    N_("The events after a place, in an order that never changes"),
    {200: ToldList}, query=EventsQuery, cached=True,
    text=N_(
        "Keep `next` with what you stored, and give it as `after` the next time: nothing is missed and nothing comes twice. "
    "The events of one person come in the order of their sequence."
    ),
)  # fmt: skip
def events() -> ResponseReturnValue:
    """The events after a place. What is not placed yet is placed first, so that a reader is never overtaken."""
    asked, store = read_query(EventsQuery), installation().store
    with store.read() as session:
        found = _after(session, asked)
        behind = waits(session)
    if behind and len(found["events"]) < asked.limit:
        with store.write() as session:
            place(session)
        with store.read() as session:
            found = _after(session, asked)
    return answer(found)


def _after(session: Session, asked: EventsQuery) -> dict[str, Any]:
    upto = session.scalar(select(func.max(Event.position))) or 0
    query = (
        select(Event)
        .join(Person, Person.id == Event.person_id)
        .where(Event.position > asked.after, Event.position <= upto)
        # Of somebody who was erased only that is told, as long as it is known who it was.
        .where(or_(Person.erased_at.is_(None), (Event.type == ERASED_EVENT) & (Event.subject != "")))
    )
    if asked.type is not None:
        query = query.where(Event.type == asked.type)
    if asked.backfill == "none":
        query = query.where(Event.backfill.is_(False))
    rows = session.scalars(query.order_by(Event.position).limit(asked.limit + 1)).all()
    shown = rows[: asked.limit]
    full = len(rows) > asked.limit
    return {
        "events": [{"id": row.id, "position": row.position, **_said(row)} for row in shown],
        "next": shown[-1].position if full else max(asked.after, upto),
        "more": full or waits(session),
    }


def _said(row: Event) -> dict[str, Any]:
    content = Content(row.type, row.occurred_at, row.sequence, row.subject, row.backfill, row.data)
    return message(content, full=False)

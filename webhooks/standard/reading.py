"""Reading back over HTTP: the signed question `endpoint.read_back`, asked page by page at the endpoint's own address.

It is a message as any other, so a receiver verifies it as it does the others; docs/webhooks.md has the contract of the
answer.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ulid import ULID

from plugin.errors import DeliveryError
from webhooks.payload import Content, build
from webhooks.target import Held, Parcel

TYPE = "endpoint.read_back"
PAGE = 500  # rows that are asked for; a receiver may give fewer
LARGEST = 8 * 1024 * 1024  # bytes of one answer
MOST_PAGES = 100_000

# a parcel, the moment, how many bytes are read -> status and body; raises DeliveryError when no answer comes
Ask = Callable[[Parcel, datetime, int], tuple[int, bytes]]


class Row(BaseModel):
    """One row of an answer. What else a receiver says of a subject is let through."""

    model_config = ConfigDict(extra="ignore", strict=True)

    subject: Annotated[str, Field(min_length=1, max_length=400)]
    sequence: Annotated[int, Field(ge=0, lt=2**63)]
    data: dict[str, Any] | None = None
    digest: Annotated[str, Field(max_length=100)] | None = None
    type: Annotated[str, Field(max_length=100)] | None = None


class Page(BaseModel):
    """One answer: rows, checked one by one, and the cursor of the next page; null ends it."""

    model_config = ConfigDict(extra="ignore", strict=True)

    held: list[Any]
    next: Annotated[str, Field(min_length=1, max_length=2000)] | None = None


def read_back(name: str, ask: Ask, now: datetime) -> Iterator[Sequence[Held]]:
    """Every page that the endpoint `name` gives. A row that is malformed is left out, as if the receiver had it not.

    Raises DeliveryError when the endpoint cannot be read back.
    """
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        page = _page(name, *ask(_question(name, cursor, now), now, LARGEST))
        yield [held for row in page.held if (held := _held(row)) is not None]
        if page.next is None:
            return
        if page.next == cursor:
            raise DeliveryError(f"The endpoint {name} gives the same page again and again; its read back does not end.")
        cursor = page.next
    raise DeliveryError(f"The endpoint {name} gives more than {MOST_PAGES:,} pages; its read back does not end.")


def _question(name: str, cursor: str | None, now: datetime) -> Parcel:
    data = {"cursor": cursor, "limit": PAGE}
    body = build(Content(TYPE, now, 0, f"endpoint:{name}", backfill=False, data=data), full=False)
    assert body is not None
    return Parcel(str(ULID.from_datetime(now)), body)


def _page(name: str, status: int, body: bytes) -> Page:
    if status == 200 and len(body) < LARGEST:
        try:
            return Page.model_validate_json(body)
        except ValidationError:
            why = "its answer is not the one that docs/webhooks.md describes"
    elif status == 200:
        why = f"its answer is larger than {LARGEST:,} bytes; it may give fewer rows than were asked for"
    else:
        why = f"it answered {status}"
    raise DeliveryError(
        f"The endpoint {name} cannot be read back: {why}. A receiver that is to be compared answers {TYPE}, as "
        "docs/webhooks.md says under 'Compare and mend'."
    )


def _held(row: Any) -> Held | None:
    try:
        found = Row.model_validate(row)
    except ValidationError:
        return None
    return Held(found.subject, found.sequence, found.data, found.digest, found.type)

"""What a connector is: a few streams, each pulled page by page from a cursor, each raw item parsed into a record.

A cursor is a tuple of numbers and texts that only grows (compared as tuples are). It is stored with the rows of
the page that it stands on; pulling again from it brings what comes after that page. A stream that can only be
read whole counts its passes in the cursor's first place; `(2,)` is 'before the first page of pass 2'.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, ClassVar

from pydantic import BaseModel
from sqlalchemy.orm import Session

from connectors.records import Record
from plugin.settings import StrictModel
from plugin.store import Store

Cursor = tuple[int | str, ...]


@dataclass(frozen=True)
class Raw:
    """One item as the source gave it, with everything that `Stream.parse` needs, and a key that names it."""

    key: str
    value: Mapping[str, Any]


@dataclass(frozen=True)
class In:
    """Within a scope lie the rows whose `columns` hold one of `values` (`course_key` serves for every kind in a course)."""

    columns: tuple[str, ...]
    values: frozenset[tuple[str, ...]]

    @classmethod
    def courses(cls, course_keys: Iterable[str]) -> "In":
        """The rows of these courses."""
        return cls(("course_key",), frozenset((key,) for key in course_keys))


@dataclass(frozen=True)
class Between:
    """Within a scope lie the rows whose `column`, read as a number, is above `after` and not above `upto` (None: no end).

    From 0 on, the rows belong to it whose column is empty: they were read another way.
    """

    column: str
    after: int
    upto: int | None


@dataclass(frozen=True)
class Scope:
    """What a page shows whole: what stands in the store within it and not on the page has gone missing.

    `records` are the types of record, `within` which rows of them, None for all of the source. `certain` says that the
    source itself told of every change within: what is missing is gone at once, and not only when missing twice. Rows of
    the accounts that are `spared` are not taken for gone: something of theirs on the page could not be used.
    """

    records: tuple[type, ...]
    within: In | Between | None = None
    certain: bool = False
    spared: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Failure:
    """A request that brought nothing usable, when the rest can go on without it."""

    key: str
    request: Mapping[str, Any]
    reason: str


@dataclass(frozen=True)
class Page:
    """What one step of a pull brought. `cursor` is where the next one begins; all of it is committed together.

    `key` names the step, so that a later success of the same step resolves its failure. `ends_pass` says that everything
    that the source has was read since the pass began. `then` is called in the transaction that commits the page.
    """

    cursor: Cursor
    raws: Sequence[Raw] = ()
    scope: Scope | None = None
    failure: Failure | None = None
    key: str | None = None
    ends_pass: bool = False
    then: Callable[[Session], None] | None = None


@dataclass(frozen=True)
class Choice:
    """The way by which a stream is read, and what speaks about it: codes that `connectors.words` puts into words.

    `hidden` is what this way does not show. `lacking` says of each better way why it was not taken. `fresh` is how
    soon a change can show: `at_once`, `each_pull` or `compared`.
    """

    way: str
    fresh: str = "each_pull"
    hidden: tuple[str, ...] = ()
    lacking: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Usage:
    """What asking a source has cost since its connector was made."""

    calls: int = 0
    bytes: int = 0


class Stream(ABC):
    """One kind of record of a source, read in one way.

    An `incremental` stream reads what changed since its cursor; when everything is to be compared, it is pulled from a
    cursor that holds only a number, and reads everything once. Others are read whole at every pull.
    """

    name: ClassVar[str]
    records: ClassVar[tuple[type, ...]]
    incremental: ClassVar[bool] = False
    way: str = ""

    @abstractmethod
    def pull(self, cursor: Cursor | None) -> Iterator[Page]:
        """The pages after `cursor`, to the end of what there is now; from the beginning for None.

        Raises SourceUnavailableError or SourceRefusedError when nothing more can be read.
        """

    @abstractmethod
    def parse(self, raw: Mapping[str, Any]) -> Record:
        """The record in a raw item; raises RecordRefusedError that says what is wrong with which field."""

    def account_of(self, raw: Mapping[str, Any]) -> str | None:
        """The account whose record a refused item would be; None where that cannot be told from it."""
        return None


@dataclass(frozen=True)
class Finding:
    """Something that a check of a source found: what it is, what it breaks, what mends it."""

    level: str
    what: str
    breaks: str
    mend: str


@dataclass(frozen=True)
class Occasion:
    """What a source is pulled for: into which store, when, on which day of the organisation; `full`: everything is compared;
    `dry`: nothing is stored.
    """

    store: Store
    now: datetime
    today: date
    full: bool = False
    dry: bool = False


class Connector(ABC):
    """A configured source of one kind of system."""

    settings_model: ClassVar[type[BaseModel]] = StrictModel
    store: Store | None = None  # for locks that must hold for every process; set by who opens the connector or pulls
    occasion: Occasion | None = None  # what it is pulled for; set by who pulls

    def __init__(self, source: str) -> None:
        self.source = source

    @abstractmethod
    def streams(self) -> Sequence[Stream]:
        """The streams, in the order in which they are pulled."""

    @abstractmethod
    def check(self) -> list[Finding]:
        """What stands in the way of pulling, most serious first; empty when all is well."""

    def choices(self) -> Mapping[str, Choice]:
        """By stream: the way it is read, and what that way does not show; also of streams that no way shows (way '')."""
        return {}

    def token_until(self) -> datetime | None:
        """When the token ends, where that is known."""
        return None

    def usage(self) -> Usage:
        """How many requests were sent and how many bytes were read."""
        return Usage()

    def about(self) -> str:
        """What the source says of itself, in a few words for the operator; empty where it says nothing."""
        return ""

    def close(self) -> None:  # noqa: B027 - not every connector holds something
        """Give connections back."""


def pass_number(cursor: Cursor | None) -> int:
    """The pass that a cursor of a stream that is read whole stands in."""
    return int(cursor[0]) if cursor else 1

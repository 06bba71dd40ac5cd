"""What a connector is: a few streams, each pulled page by page from a cursor, each raw item parsed into a record.

A cursor is a tuple of numbers and texts that only grows (compared as tuples are). It is stored with the rows of
the page that it stands on; pulling again from it brings what comes after that page. A stream that can only be
read whole counts its passes in the cursor's first place; `(2,)` is 'before the first page of pass 2'.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import BaseModel

from connectors.records import Record
from plugin.settings import StrictModel

Cursor = tuple[int | str, ...]


@dataclass(frozen=True)
class Raw:
    """One item as the source gave it, with everything that `Stream.parse` needs, and a key that names it."""

    key: str
    value: Mapping[str, Any]


@dataclass(frozen=True)
class Scope:
    """What a page shows whole: what stands in the store within it and not on the page has gone missing.

    `records` are the types of record, `course_key` the course that they belong to, None for all of the source.
    """

    records: tuple[type, ...]
    course_key: str | None = None


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
    that the source has was read since the pass began.
    """

    cursor: Cursor
    raws: Sequence[Raw] = ()
    scope: Scope | None = None
    failure: Failure | None = None
    key: str | None = None
    ends_pass: bool = False


class Stream(ABC):
    """One kind of record of a source."""

    name: ClassVar[str]
    records: ClassVar[tuple[type, ...]]

    @abstractmethod
    def pull(self, cursor: Cursor | None) -> Iterator[Page]:
        """The pages after `cursor`, to the end of what there is now; from the beginning for None.

        Raises SourceUnavailableError or SourceRefusedError when nothing more can be read.
        """

    @abstractmethod
    def parse(self, raw: Mapping[str, Any]) -> Record:
        """The record in a raw item; raises RecordRefusedError that says what is wrong with which field."""


@dataclass(frozen=True)
class Finding:
    """Something that a check of a source found: what it is, what it breaks, what mends it."""

    level: str
    what: str
    breaks: str
    mend: str


class Connector(ABC):
    """A configured source of one kind of system."""

    settings_model: ClassVar[type[BaseModel]] = StrictModel

    def __init__(self, source: str) -> None:
        self.source = source

    @abstractmethod
    def streams(self) -> Sequence[Stream]:
        """The streams, in the order in which they are pulled."""

    @abstractmethod
    def check(self) -> list[Finding]:
        """What stands in the way of pulling, most serious first; empty when all is well."""

    def about(self) -> str:
        """What the source says of itself, in a few words for the operator; empty where it says nothing."""
        return ""

    def close(self) -> None:  # noqa: B027 - not every connector holds something
        """Give connections back."""


def pass_number(cursor: Cursor | None) -> int:
    """The pass that a cursor of a stream that is read whole stands in."""
    return int(cursor[0]) if cursor else 1

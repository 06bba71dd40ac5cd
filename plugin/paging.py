"""Long lists in pages of fifty, with the page's number in the URL."""

from dataclasses import dataclass

from flask import request

SIZE = 50


@dataclass(frozen=True)
class Paging:
    """Where the reader is in a list of `total` rows; `number` counts from 1."""

    number: int
    total: int
    size: int = SIZE

    @classmethod
    def of(cls, total: int) -> "Paging":
        """The page that the request asks for (`?page=2`), or the nearest one that there is."""
        asked = request.args.get("page", 1, type=int)
        last = max(1, -(-total // SIZE))
        return cls(min(max(1, asked), last), total)

    @property
    def pages(self) -> int:
        """How many pages there are; at least one."""
        return max(1, -(-self.total // self.size))

    @property
    def offset(self) -> int:
        """How many rows stand on the pages before."""
        return (self.number - 1) * self.size

    @property
    def first(self) -> int:
        """The number of the first row shown; 0 when there is none."""
        return min(self.offset + 1, self.total)

    @property
    def last(self) -> int:
        """The number of the last row shown."""
        return min(self.offset + self.size, self.total)

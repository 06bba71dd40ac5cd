"""What a spreadsheet's row is as it stands in the file, be that a workbook or CSV: texts, and marks for what is no text."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from plugin.errors import RefusedInWordsError

LONGEST_CELL = 32_767  # characters; what Excel itself takes


class Mark(StrEnum):
    """What a cell is that is no plain text."""

    NUMBER = "number"
    DAY = "day"
    TRUTH = "truth"
    ERROR = "error"
    FORMULA = "formula"  # the value is what the formula gave when the file was saved
    UNCOMPUTED = "uncomputed"  # a formula without a value that can be relied on
    LONG = "long"
    IMPRECISE = "imprecise"  # a number with more digits than a spreadsheet keeps


class Record(NamedTuple):
    """One row: its line (the spreadsheet's row), its cells from the first column on, the marks by place, a fault of it all."""

    line: int
    cells: list[str]
    marks: Mapping[int, Mark]
    fault: RefusedInWordsError | None = None


NO_MARKS: Mapping[int, Mark] = {}

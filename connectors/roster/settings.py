"""The settings of a roster source: where its files are, and how they are read."""

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from connectors.roster.cells import Ways
from connectors.roster.fields import KINDS
from plugin.settings import StrictModel

File = Annotated[Path | None, BeforeValidator(lambda value: value or None)]  # "" names none


class RosterSettings(StrictModel):
    """`[sources.NAME]` of a roster. Without any path, files come by `certbridge roster import` and the page only."""

    path: File = None
    departments: File = None
    positions: File = None
    grades: File = None
    managers: File = None
    leavers: File = None
    sheet: str = ""
    encoding: str = "auto"
    delimiter: Annotated[str, Field(pattern=r"^(auto|[^\w\s\"]|\t)$")] = "auto"
    day_order: Annotated[str, Field(pattern="^(dmy|mdy)?$")] = ""
    serial_days: Annotated[str, Field(pattern="^(1900|1904)?$")] = ""
    number_width: Annotated[int, Field(ge=0, le=100)] = 0
    absent: Annotated[str, Field(pattern="^(end|keep)$")] = "end"
    hold_above: Annotated[float, Field(ge=0, le=100)] = 5.0
    largest_mb: Annotated[int, Field(ge=1, le=4096)] = 200
    columns: dict[str, tuple[str, ...]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _known_fields(self) -> "RosterSettings":
        known = {field.name for kind in KINDS.values() for field in kind.fields}
        for name in self.columns:
            if name not in known:
                raise ValueError(f"columns: there is no field {name!r}; the fields are {', '.join(sorted(known))}")
        return self

    @property
    def ways(self) -> Ways:
        """How days are written."""
        return Ways(self.day_order, self.serial_days)

    def path_of(self, kind: str) -> Path | None:
        """Where the file of a kind is."""
        found: Path | None = self.path if kind == "employees" else getattr(self, kind, None)
        return found

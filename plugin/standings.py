"""Where persons stand, as the addons that derive something say: the manifests' key `standings`.

A page compares two answers to show what an act would change, before somebody confirms it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from plugin.installation import Installation


@dataclass(frozen=True)
class Standing:
    """Where a person stands with one thing: its name in the reader's language, a status and its badge, until when.

    The status is a text of the addon's catalogues.
    """

    name: str
    status: str
    tone: str = "mute"
    until: datetime | None = None


# (installation, session, person ids, now, language) -> by person and code. It may write: the caller takes all of it back.
StandingsFunction = Callable[[Installation, Session, Sequence[int], datetime, str], Mapping[tuple[int, str], Standing]]


def of(
    home: Installation, session: Session, person_ids: Sequence[int], now: datetime, language: str
) -> dict[tuple[int, str], Standing]:
    """Where these persons stand by the store as this transaction sees it. The caller takes the transaction back."""
    functions: dict[str, StandingsFunction] = home.provided("standings")
    found: dict[tuple[int, str], Standing] = {}
    for function in functions.values():
        found.update(function(home, session, person_ids, now, language))
    return found

"""What a page shows of a rule that is tried on the people there are."""

from collections.abc import Mapping

from flask_babel import lazy_gettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from metrics.certification.preview import GAINS, LOSES, MOVES, Preview
from plugin.models import Person
from plugin.store import chunks
from plugin.web import about

TRIED = 2000  # people at whom a page looks at most; the command looks at everybody
NAMED = 20

trial_words: Mapping[str, object] = {
    GAINS: lazy_gettext("would gain it"),
    LOSES: lazy_gettext("would lose it"),
    MOVES: lazy_gettext("would have another status or other dates"),
}


def named(session: Session, found: Preview) -> dict[int, str]:
    """The names of those who would change, as far as the reader may see them."""
    names: dict[int, str] = {}
    for ids in chunks(each.person_id for each in found.differences):
        query = select(Person.id, Person.name).where(Person.id.in_(ids), about("people.see"))
        names.update(session.execute(query).all())
    return names

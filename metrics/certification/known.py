"""What a rule names that the store does not know: courses, activities, badges, competencies, other certifications.

Known is what was ever pulled, closed or not, from the source that the leaf names, or from any. An LRS has no list of its
activities and an assessment is known by its entries alone, so those of `statement` and `assessed` are not looked for.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute, Session

from connectors.models import Activity, Badge, Competency, Course
from metrics.certification import rule_refusals as why
from metrics.certification.models import CertificationRule
from metrics.certification.rule import Leaf
from metrics.certification.rule_refusals import RuleRefused
from metrics.certification.rule_text import located_leaves

Place = InstrumentedAttribute[Any]  # a column of names

_GRADED = (Activity.object, Course.object)  # the total of a course is graded under the course's name

# Where the names are looked for that a leaf of a kind gives under a key.
_PLACES: dict[tuple[str, str], tuple[Place, ...]] = {
    ("completed", "course"): (Course.object,),
    ("passed", "course"): _GRADED,
    ("passed", "activity"): _GRADED,
    ("score", "course"): _GRADED,
    ("score", "activity"): _GRADED,
    ("badge", "badge"): (Badge.object,),
    ("competency", "competency"): (Competency.object,),
}


def unknown_names(session: Session, text: str, besides: Collection[str] = ()) -> list[RuleRefused]:
    """A refusal, with its line, for each name in the rule that the store does not know; none where all are known.

    `besides` are codes of certifications that are about to be stored. Raises RuleRefused for what is no rule.
    """
    return list(_unknown(session, located_leaves(text), besides))


def refuse_unknown(session: Session, text: str, besides: Collection[str] = ()) -> None:
    """Raise RuleRefused for the first name in the rule that the store does not know."""
    for refusal in unknown_names(session, text, besides):
        raise refusal


def _unknown(session: Session, located: Iterable[tuple[Leaf, int]], besides: Collection[str]) -> Iterator[RuleRefused]:
    for leaf, line in located:
        if leaf.kind == "certification":
            yield from _certification(session, leaf, line, besides)
        elif leaf.kind == "hours":
            for what, names, column in (
                ("course", leaf.courses, Course.object),
                ("category", leaf.categories, Course.category),
            ):
                for name in names:
                    if not _is_there(session, leaf.source, name, (column,)):
                        yield _refusal(line, what, name, leaf.source)
        else:
            places = _PLACES.get((leaf.kind, leaf.object_key))
            if places and not _is_there(session, leaf.source, leaf.object, places):
                yield _refusal(line, leaf.object_key, leaf.object, leaf.source)


def _certification(session: Session, leaf: Leaf, line: int, besides: Collection[str]) -> Iterator[RuleRefused]:
    stored = select(CertificationRule.id).where(CertificationRule.code == leaf.object).limit(1)
    if leaf.object not in besides and session.scalar(stored) is None:
        yield _refusal(line, "certification", leaf.object, None)
    elif leaf.source is not None:
        yield RuleRefused(line, why.HELD_HERE, name=repr(leaf.object), source=repr(leaf.source))


def _is_there(session: Session, source: str | None, name: str, places: Iterable[Place]) -> bool:
    for column in places:
        query = select(column).where(column == name).limit(1)
        if source is not None:
            query = query.where(column.class_.source == source)
        if session.scalar(query) is not None:
            return True
    return False


def _refusal(line: int, what: str, name: str, source: str | None) -> RuleRefused:
    sentence = why.UNKNOWN_NAME_IN if source else why.UNKNOWN_NAME
    return RuleRefused(line, sentence, what=why.WHATS[what], name=repr(name), source=source)

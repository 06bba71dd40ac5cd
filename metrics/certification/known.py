"""What a rule names that the store does not know: courses, activities, badges, competencies, other certifications.

Known is what was ever pulled, closed or not, from the source that the leaf names, or from any. An LRS has no list of its
activities and an assessment is known by its entries alone, so those of `statement` and `assessed` are not looked for.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute, Session

from connectors.models import Activity, Badge, Competency, Course
from metrics.certification.models import CertificationRule
from metrics.certification.rule import Leaf
from metrics.certification.rule_text import RuleRefused, located_leaves

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
        where = f" in {leaf.source}" if leaf.source else ""
        if leaf.kind == "certification":
            yield from _certification(session, leaf, line, besides)
        elif leaf.kind == "hours":
            for what, names, column in (
                ("course", leaf.courses, Course.object),
                ("category", leaf.categories, Course.category),
            ):
                for name in names:
                    if not _is_there(session, leaf.source, name, (column,)):
                        yield _refusal(line, f"the {what} {name!r}", where)
        else:
            places = _PLACES.get((leaf.kind, leaf.object_key))
            if places and not _is_there(session, leaf.source, leaf.object, places):
                yield _refusal(line, f"the {leaf.object_key} {leaf.object!r}", where)


def _certification(session: Session, leaf: Leaf, line: int, besides: Collection[str]) -> Iterator[RuleRefused]:
    stored = select(CertificationRule.id).where(CertificationRule.code == leaf.object).limit(1)
    if leaf.object not in besides and session.scalar(stored) is None:
        yield _refusal(line, f"the certification {leaf.object!r}", "")
    elif leaf.source is not None:
        yield RuleRefused(
            line, f"the certification {leaf.object!r} is held here and not in {leaf.source!r}; leave its source out"
        )


def _is_there(session: Session, source: str | None, name: str, places: Iterable[Place]) -> bool:
    for column in places:
        query = select(column).where(column == name).limit(1)
        if source is not None:
            query = query.where(column.class_.source == source)
        if session.scalar(query) is not None:
            return True
    return False


def _refusal(line: int, what: str, where: str) -> RuleRefused:
    return RuleRefused(
        line, f"{what} is not known{where}: nothing of this name was pulled; mend the name, or pull it first"
    )

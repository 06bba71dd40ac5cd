"""A rule in words of the reader's language, made from the rule itself; outside a request in English.

The same words describe a leaf here and in an explanation (`metrics.explained`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from flask_babel import gettext, lazy_gettext

from metrics import explained
from metrics.certification.explanation import asks
from metrics.certification.rule import AllOf, AnyOf, Criterion, Leaf, NOf, Rule, Section, Validity, leaves

MEANS = {
    "achieved": lazy_gettext("A renewed one holds from the day on which it was renewed."),
    "previous_expiry": lazy_gettext("A renewed one goes on from the end of the one before."),
}


@dataclass(frozen=True)
class Line:
    """A line of the description: how deep it stands below its heading (0: a heading), and what it says."""

    depth: int
    text: str


def rule_in_words(rule: Rule, titles: Mapping[str, str] | None = None) -> list[Line]:
    """What the rule asks and for how long it holds; `titles` are what courses and certifications are called."""
    return [*_asked(rule, titles or {}), *_holds(rule)]


def _asked(rule: Rule, titles: Mapping[str, str]) -> Iterator[Line]:
    if rule.effective_from is not None:
        day = rule.effective_from.isoformat()
        yield Line(0, gettext("This version decides what is achieved from %(day)s on.", day=day))
    same = rule.renew is rule.earn or rule.renew == rule.earn
    renews = rule.validity.lasts is not None or rule.validity.basis == "fixed"
    if same and renews:
        yield Line(0, gettext("To earn it, and to renew it:"))
    else:
        yield Line(0, gettext("To earn it:"))
    yield from _section(rule.earn, titles)
    if not same and renews:
        yield Line(0, gettext("To renew it (what earns it renews it too):"))
        yield from _section(rule.renew, titles)


def _section(section: Section, titles: Mapping[str, str]) -> Iterator[Line]:
    yield from _criterion(section.criterion, titles, 1)
    if section.within is not None:
        length = explained.duration(str(section.within))
        yield Line(1, gettext("What is used for it lies no further apart than %(duration)s.", duration=length))


def _criterion(criterion: Criterion, titles: Mapping[str, str], depth: int) -> Iterator[Line]:
    if isinstance(criterion, Leaf):
        yield Line(depth, leaf_in_words(criterion, titles))
        return
    yield Line(depth, gettext("%(how_many)s:", how_many=_how_many(criterion)))
    for child in criterion.of:
        yield from _criterion(child, titles, depth + 1)


def _how_many(criterion: AllOf | AnyOf | NOf) -> str:
    kind = "all_of" if isinstance(criterion, AllOf) else "any_of" if isinstance(criterion, AnyOf) else "n_of"
    return explained.composite({"criterion": kind, "n": criterion.n if isinstance(criterion, NOf) else None})


def leaf_in_words(leaf: Leaf, titles: Mapping[str, str]) -> str:
    """What one leaf asks."""
    return explained.leaf({"criterion": leaf.kind, "asks": asks(leaf)}, titles)


def _holds(rule: Rule) -> Iterator[Line]:
    validity = rule.validity
    yield Line(0, gettext("How long it holds:"))
    if validity.basis == "fixed":
        yield from _fixed(validity)
    elif validity.lasts is None:
        yield Line(1, gettext("For ever."))
        return
    else:
        yield Line(1, gettext("For %(duration)s.", duration=explained.duration(str(validity.lasts))))
        yield Line(1, str(MEANS[validity.basis]))
    yield from _renewal(rule)


def _fixed(validity: Validity) -> Iterator[Line]:
    anchor = "{:02}-{:02}".format(*(validity.anchor or (12, 31)))
    if validity.at_least is None:
        yield Line(1, gettext("To the end of the next %(anchor)s (month and day).", anchor=anchor))
        return
    length = explained.duration(str(validity.at_least))
    yield Line(
        1,
        gettext(
            "To the end of the next %(anchor)s (month and day) that is at least %(duration)s away.",
            anchor=anchor,
            duration=length,
        ),
    )


def _renewal(rule: Rule) -> Iterator[Line]:
    validity = rule.validity
    if validity.window.is_zero:
        yield Line(1, gettext("It can be renewed once it has ended, and not before."))
    else:
        length = explained.duration(str(validity.window))
        yield Line(1, gettext("It can be renewed from %(duration)s before its end on.", duration=length))
    if validity.grace.is_zero:
        yield Line(1, gettext("There is no grace: when it ends, it has lapsed."))
    else:
        length = explained.duration(str(validity.grace))
        yield Line(
            1, gettext("After its end it still counts as held for %(duration)s, marked as in grace.", duration=length)
        )
    if validity.after_lapse == "renew":
        yield Line(1, gettext("After that, what renews it is asked to get it again."))
    else:
        yield Line(1, gettext("After that it has to be earned again."))
    if validity.remind:
        lengths = gettext(", ").join(explained.duration(str(before)) for before in validity.remind)
        yield Line(1, gettext("Employees are reminded %(durations)s before its end.", durations=lengths))


def objects_in(rule: Rule) -> set[str]:
    """The courses, activities and other things that the rule names."""
    found = [*leaves(rule.earn.criterion), *leaves(rule.renew.criterion)]
    return {name for leaf in found for name in (leaf.object, *leaf.courses, *leaf.categories) if name}

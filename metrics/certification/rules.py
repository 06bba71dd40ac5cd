"""The rules in the store: importing a version, and making all of them ready for deriving."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from metrics.certification.chain import Rulebook
from metrics.certification.evidence import IMPORTED
from metrics.certification.models import CertificationRule
from metrics.certification.regrades import RULES, load_regrades
from metrics.certification.rule import Leaf, Rule, leaves
from metrics.certification.rule_text import check_circles, needs, parse_rule
from plugin import people
from plugin.audit import record_act
from plugin.errors import NotFoundError
from plugin.store import hold


@dataclass(frozen=True)
class Imported:
    """What importing a rule did: `created` a first version, `changed` it to a new one, or left it `unchanged`."""

    code: str
    version: int
    outcome: str


def import_rule(session: Session, text: str, actor: str, now: datetime) -> Imported:
    """Store the rule in `text` as a new version, unless it says just what the newest one says.

    Raises RuleRefused with the line and the reason; nothing is half saved. Everybody is derived again. What the rule names
    is not looked for: `metrics.certification.known` does that.
    """
    rule = parse_rule(text)
    hold(session, RULES)
    newest = newest_version(session, rule.code)
    if newest is not None and newest.text == text:
        return Imported(rule.code, newest.version, "unchanged")
    refuse_circles(load_rules(session), text)
    version = newest.version + 1 if newest else 1
    session.add(
        CertificationRule(
            code=rule.code,
            version=version,
            effective_from=rule.effective_from,
            text=text,
            created_at=now,
            created_by=actor,
        )
    )
    before = {"version": newest.version, "text": newest.text} if newest else None
    record_act(
        session, actor, "certification.import", rule.code, now, before=before, after={"version": version, "text": text}
    )
    people.touch_all(session)
    return Imported(rule.code, version, "changed" if newest else "created")


def newest_version(session: Session, code: str) -> CertificationRule | None:
    """The newest version of a certification's rule; None where there is none."""
    versions = versions_of(session, code)
    return versions[-1] if versions else None


def versions_of(session: Session, code: str) -> Sequence[CertificationRule]:
    """The versions of a certification's rule, oldest first."""
    query = select(CertificationRule).where(CertificationRule.code == code).order_by(CertificationRule.version)
    return session.scalars(query).all()


def replaced(versions: Iterable[CertificationRule]) -> dict[tuple[str, int], int]:
    """Which of these versions decide nothing any more because a newer one decides from the same day, and which that is."""
    newest: dict[tuple[str, date | None], int] = {}
    rows = sorted(versions, key=lambda row: row.version)
    for row in rows:
        newest[row.code, row.effective_from] = row.version
    found = {(row.code, row.version): newest[row.code, row.effective_from] for row in rows}
    return {key: version for key, version in found.items() if key[1] != version}


def stored_text(session: Session, code: str, version: int | None = None) -> str:
    """A version's TOML (None: the newest's), letter by letter as it was stored. Raises NotFoundError."""
    found = {row.version: row.text for row in versions_of(session, code)}
    if not found:
        raise NotFoundError(f"There is no certification {code!r}; 'certbridge certification list' names them.")
    if version is not None and version not in found:
        raise NotFoundError(f"{code} has no version {version}; it has {', '.join(map(str, found))}.")
    return found[version if version is not None else max(found)]


def refuse_circles(rules: Mapping[str, Sequence[Rule]], text: str) -> None:
    """Raise RuleRefused where with the rule in `text` a certification would need itself, by whichever versions."""
    check_circles({code: versions[-1] for code, versions in rules.items()}, text, rules)


def load_rules(session: Session) -> dict[str, list[Rule]]:
    """Every certification's versions, oldest first, by code."""
    rules: dict[str, list[Rule]] = {}
    for row in session.scalars(select(CertificationRule).order_by(CertificationRule.code, CertificationRule.version)):
        rules.setdefault(row.code, []).append(replace(parse_rule(row.text), version=row.version))
    return rules


def load_books(session: Session, zone: ZoneInfo) -> dict[str, Rulebook]:
    """Every certification's rulebook, each after those that it needs."""
    return books_of(load_rules(session), load_learnt(session), load_regrades(session), zone)


def load_learnt(session: Session) -> dict[str, dict[int, datetime]]:
    """When each version came to be, by the certification's code."""
    rows = session.execute(select(CertificationRule.code, CertificationRule.version, CertificationRule.created_at))
    learnt: dict[str, dict[int, datetime]] = {}
    for code, version, created_at in rows:
        learnt.setdefault(code, {})[version] = created_at
    return learnt


def books_of(
    rules: Mapping[str, Sequence[Rule]],
    learnt: Mapping[str, Mapping[int, datetime]],
    regraded: Mapping[str, Sequence[tuple[datetime, int]]],
    zone: ZoneInfo,
) -> dict[str, Rulebook]:
    """The rulebooks of these rules, each after those that it needs."""
    return {
        code: Rulebook(rules[code], zone, learnt.get(code), regraded.get(code, ())) for code in in_order_of_need(rules)
    }


def in_order_of_need(rules: Mapping[str, Iterable[Rule]]) -> list[str]:
    """The codes, each after the certifications that any of its versions needs; there are no circles in the store."""
    order: list[str] = []

    def visit(code: str) -> None:
        if code in order or code not in rules:
            return
        for other in sorted({needed for rule in rules[code] for needed in needs(rule)}):
            visit(other)
        order.append(code)

    for code in sorted(rules):
        visit(code)
    return order


def objects_of(book: Rulebook) -> set[tuple[str, str]]:
    """What the rule's leaves look at, as (kind, object); for hours the courses and categories."""
    found = {(IMPORTED, rule.code) for rule in book.versions}
    for rule in book.by_version.values():
        for section in (rule.earn, rule.renew):
            for leaf in leaves(section.criterion):
                found |= {(leaf.kind, name) for name in _objects(leaf)}
    return found


def _objects(leaf: Leaf) -> Iterable[str]:
    return (*leaf.courses, *leaf.categories) if leaf.kind == "hours" else (leaf.object,)

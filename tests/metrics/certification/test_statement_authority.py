"""Who stands behind an xAPI statement: a rule may ask for it, in the store as for a single person."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from connectors.models import Evidence
from metrics.certification.chain import derive
from metrics.certification.explain import explain
from metrics.certification.telling import in_words
from plugin import people
from plugin.models import Person
from tests.metrics.certification.kit import book, day, piece
from tests.metrics.certification.kit import rule as kit_rule
from tests.metrics.certification.test_rule_commands import World, rule, run

__all__ = ["run"]
OURS = "https://lrs.example/accounts/moodle"
LEAF = f'statement = {{ verb = "passed", activity = "https://lms.example/a", authority = "{OURS}" }}'
ANYBODY = 'statement = { verb = "passed", activity = "https://lms.example/a" }'


@pytest.mark.parametrize(
    ("leaf", "authority", "met"),
    [
        (LEAF, OURS, True),
        (LEAF, OURS.upper(), False),
        (LEAF, "mailto:somebody@example.com", False),
        (LEAF, None, False),
        (ANYBODY, OURS, True),
        (ANYBODY, None, True),
    ],
)
def test_a_statement_counts_by_who_stated_it(leaf: str, authority: str | None, met: bool) -> None:
    """Where the leaf names an authority, the same text is asked; where it names none, anybody's statement counts."""
    said = replace(piece(1, 10, kind="statement", object="https://lms.example/a"), verb="passed", authority=authority)
    assert bool(derive(book(kit_rule(leaf)), [said], day(20))) is met


def test_two_statements_that_differ_in_their_authority_are_two() -> None:
    """Rows alike in all but who stated them are not one piece: the one that was asked for counts."""
    said = replace(piece(1, 10, kind="statement", object="https://lms.example/a"), verb="passed")
    awards = derive(book(kit_rule(ANYBODY)), [said, replace(said, id=2, authority=OURS, voided_at=day(15))], day(20))
    assert [(award.used, award.revoked_at) for award in awards] == [((1,), None)]


def test_the_store_keeps_who_stated_it(run: World) -> None:
    """A statement of the named authority earns, another's does not; the explanation says what is missing, and what met it."""
    run("import", run.file(rule(f"{{ {LEAF} }}")))
    now = run.clock()
    with run.home.store.write() as session:
        ids = dict(session.execute(select(Person.employee_number, Person.id)).all())
        for number, authority in (("E1", OURS), ("E2", "mailto:somebody@example.com")):
            session.add(
                Evidence(
                    person_id=ids[number], origin=number, source="lrs", user_key="u", kind="statement", verb="passed",
                    object="https://lms.example/a", authority=authority, recorded_at=now,
                    achieved_at=now - timedelta(days=1),
                )
            )  # fmt: skip
        people.touch_all(session)
    assert run.derive() == [("E1", "certification.awarded", "earned")]
    zone = run.home.settings.organisation.zone
    with run.home.store.read() as session:
        mine, other = (explain(session, number, "FIRE", now, zone) for number in ("E1", "E2"))
    assert mine["because"]["criteria"]["of"][0]["evidence"][0]["authority"] == OURS
    assert other["status"] == "not_started"
    assert f"stated by {OURS}" in other["next"]["sections"][0]["criteria"]["of"][0]["missing"]
    assert f"authority {OURS}" in in_words(other)

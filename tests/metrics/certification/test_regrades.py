"""A newer version applied to awards that an older one had granted: what becomes of them, and what was known before."""

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.certification.chain import EARLIEST, Award, Rulebook, advance, derive
from metrics.certification.evidence import Piece
from metrics.certification.rule import Rule
from metrics.certification.rule_text import parse_rule
from metrics.certification.status import Status, standing
from plugin.moments import start_of_day
from tests.metrics.certification.kit import SHANGHAI, day, piece, rule
from tests.metrics.certification.test_properties import RULES, evidence

FIRST = rule(validity='lasts = "P365D"')
LONGER = rule(validity='lasts = "P730D"')
HARDER = rule('all_of = [ { completed = { course = "C" } }, { completed = { course = "D" } } ]')
SCORE = 'score = { activity = "Q", at_least = 80 }'


def versions(*texts: str, begins: int | None = None) -> list[Rule]:
    """Versions of a rule, in their order; the later ones decide from the day `begins`, or all from the beginning."""
    effective = day(begins).date() if begins is not None else None
    return [
        replace(parse_rule(text), version=number, effective_from=effective if number > 1 else None)
        for number, text in enumerate(texts, 1)
    ]


def book(*texts: str, learnt: int = 100, regraded: int | None = None, begins: int | None = None) -> Rulebook:
    """Versions of which the second was stored on the day `learnt`, and applied to older awards on the day `regraded`."""
    applied = [(day(regraded), 2)] if regraded is not None else []
    return Rulebook(versions(*texts, begins=begins), SHANGHAI, {1: day(0), 2: day(learnt), 3: day(learnt + 1)}, applied)


def short(awards: list[Award]) -> list[tuple[int, int, datetime | None, bool]]:
    """Of each award its number, its version, its end, and whether it was revoked."""
    return [(each.number, each.rule_version, each.valid_until, each.revoked_at is not None) for each in awards]


def test_an_award_moves_when_a_version_is_applied_and_not_before() -> None:
    """A new version leaves a granted award; applied to it, the award keeps its number and gets the new dates."""
    pieces = [piece(1, 50)]
    old, new = (1, 1, day(50 + 365), False), (1, 2, day(50 + 730), False)
    assert short(derive(book(FIRST, LONGER), pieces, day(300))) == [old]
    applied = book(FIRST, LONGER, regraded=200)
    for at, expected in ((99, old), (100, old), (199, old), (200, new), (300, new)):
        assert short(derive(applied, pieces, day(at))) == [expected]
        assert short(derive(applied.known(day(at)), pieces, day(at))) == [expected]


def test_an_award_that_the_version_does_not_grant_is_revoked_then() -> None:
    """Who lacks what the new version asks loses the award at the moment it is applied; who has it keeps it."""
    applied = book(FIRST, HARDER, regraded=200)
    lacking, having = [piece(1, 50)], [piece(1, 50), piece(2, 60, object="D")]
    (gone,) = derive(applied, lacking, day(300))
    assert (gone.revoked_at, gone.valid_until, gone.rule_version) == (day(200), day(200), 1)
    assert standing(applied, [gone], lacking, day(300)).status is Status.REVOKED
    (kept,) = derive(applied, having, day(300))
    assert (kept.number, kept.rule_version, kept.achieved_at, kept.revoked_at) == (1, 2, day(60), None)


def test_a_version_that_asks_less_grants_from_the_day_of_the_evidence() -> None:
    """Applied, a version decides from the beginning: evidence from before its own first day earns where it lies."""
    easier = rule(SCORE.replace("80", "70"))
    pieces = [piece(1, 30, kind="score", object="Q", percent=75)]
    plain = book(rule(SCORE), easier, begins=150)
    (late,) = derive(plain, pieces, day(300))
    assert late.achieved_at == start_of_day(day(150).date(), SHANGHAI)
    (award,) = derive(book(rule(SCORE), easier, begins=150, regraded=200), pieces, day(300))
    assert (award.number, award.achieved_at) == (1, day(30))


def test_what_began_under_the_new_version_is_known_before_it_is_applied() -> None:
    """The step at which a version began to decide is not forgotten once the version was applied to older awards."""
    easier = rule(SCORE.replace("80", "70"))
    pieces = [piece(1, 30, kind="score", object="Q", percent=75, voided=170)]
    awards = derive(book(rule(SCORE), easier, begins=150, regraded=200), pieces, day(300))
    assert [(each.rule_version, each.revoked_at) for each in awards] == [(2, day(170))]


def test_later_versions_go_on_from_their_days() -> None:
    """A version after the applied one still decides what is achieved from its day on, and only that."""
    rules = versions(FIRST, LONGER, rule(validity='lasts = "P3Y"'))
    rules[2] = replace(rules[2], effective_from=day(400).date())
    applied = Rulebook(rules, SHANGHAI, {1: day(0), 2: day(10), 3: day(20)}, [(day(200), 2)])
    assert short(derive(applied, [piece(1, 50)], day(300))) == [(1, 2, day(50 + 730), False)]
    assert [each.rule_version for each in derive(applied, [piece(1, 450)], day(500))] == [3]


def test_between_two_imports_older_awards_stand() -> None:
    """Asked as of a moment between the second and the third version, an award of the first is the first's."""
    three = book(FIRST, LONGER, rule(validity='lasts = "P3Y"'), learnt=100)
    between = day(100).replace(hour=12)
    assert short(derive(three.known(between), [piece(1, 50)], between)) == [(1, 1, day(50 + 365), False)]


def test_of_versions_of_one_day_the_newest_decides() -> None:
    """Two versions effective on the same day: the newer one grants what is achieved from then on."""
    rules = versions(FIRST, LONGER, rule(validity='lasts = "P3Y"'), begins=150)
    both = Rulebook(rules, SHANGHAI)
    assert [each.rule_version for each in derive(both, [piece(1, 160)], day(300))] == [3]
    assert [each.rule_version for each in derive(both, [piece(1, 140)], day(300))] == [1]


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(RULES),
    st.sampled_from(RULES),
    evidence(),
    st.integers(0, 200),
    st.one_of(st.none(), st.integers(0, 300)),
    st.lists(st.integers(0, 150), min_size=1, max_size=2),
    st.integers(0, 500),
)
def test_step_by_step_is_from_scratch_across_regrades(
    first: str, second: str, pieces: list[Piece], learnt: int, begins: int | None, applied: list[int], as_of: int
) -> None:
    """Whoever keeps the awards and steps at every moment at which anything may change holds what a derivation finds."""
    third = second.replace("'P60D'", "'P45D'")
    rules = versions(first, second, third, begins=begins)
    known = {1: day(0), 2: day(learnt), 3: day(learnt)}
    regraded = [(day(learnt + sum(applied[:n]) + 1), n + 1) for n in range(1, len(applied) + 1)]
    rulebook = Rulebook(rules, SHANGHAI, known, regraded)
    moments = {start_of_day(each.effective_from, SHANGHAI) for each in rules if each.effective_from is not None}
    moments |= {*known.values(), *(at for at, _ in regraded)}
    moments |= {at for p in pieces for at in (p.achieved_at, p.recorded_at, p.voided_at) if at is not None}
    awards: list[Award] = []
    for moment in sorted(at for at in moments if at <= day(as_of)):
        listed = [p for p in pieces if p.recorded_at <= moment]
        awards = advance(rulebook.known(moment), awards, listed, moment)
    assert awards == derive(rulebook, pieces, day(as_of))
    assert awards == derive(rulebook.known(day(as_of)), pieces, day(as_of))


def test_without_a_version_there_is_no_book() -> None:
    """A rulebook of nothing is refused."""
    with pytest.raises(ValueError, match="at least one version"):
        Rulebook([], SHANGHAI)
    assert book(rule()).known(EARLIEST).versions[0].version == 1

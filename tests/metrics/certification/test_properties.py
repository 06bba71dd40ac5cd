"""What holds for whatever evidence, in whatever order it arrives."""

import random
from dataclasses import replace
from datetime import datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.certification.chain import Award, Rulebook, advance, derive, knowledge_moments
from metrics.certification.evidence import Piece
from metrics.certification.rule_text import parse_rule
from metrics.certification.status import standing
from tests.metrics.certification.kit import SHANGHAI, book, day, piece, rule
from tests.metrics.certification.peer import peer

TWO = "{ completed = { course = 'C' } }, { score = { activity = 'Q', at_least = 80 } }"
THREE = TWO + ", { hours = { courses = ['H'], at_least = 5 } }"
NEWER = "{ completed = { course = 'C', newer_than = 'P20D' } }, { score = { activity = 'Q', at_least = 80 } }"
OTHER = "{ certification = { code = 'Z' } }, " + TWO
TERMS = "window = 'P20D'\ngrace = 'P10D'"
LASTS = "lasts = 'P60D'"
RULES = [
    rule(validity=LASTS, terms=TERMS),
    rule(validity="from = 'previous_expiry'\nlasts = 'P2M'", terms=TERMS),
    rule(validity="from = 'fixed'\nanchor = '02-29'\nat_least = 'P1M'", terms=TERMS),
    rule(validity="lasts = 'forever'", terms=TERMS),
    rule(validity="lasts = 'P30D'", terms="window = 'P30D'\ngrace = 'P30D'"),
    rule(f"all_of = [{TWO}]", LASTS, terms=TERMS),
    rule(f"within = 'P25D'\nall_of = [{TWO}]", LASTS, terms=TERMS),
    rule(f"within = 'P1M'\nn_of = {{ n = 2, of = [{THREE}] }}", LASTS, f"any_of = [{TWO}]", terms=TERMS),
    rule(
        f"n_of = {{ n = 2, of = [{THREE}] }}", LASTS, "completed = { course = 'C' }", TERMS + "\nafter_lapse = 'renew'"
    ),
    rule("hours = { courses = ['H'], at_least = 5 }", LASTS, terms=TERMS),
    rule("within = 'P25D'\nhours = { courses = ['H'], at_least = 5 }", LASTS, terms=TERMS),
    rule(f"all_of = [{NEWER}]", LASTS, terms=TERMS),
    rule(f"within = 'P40D'\nall_of = [{NEWER}, {{ hours = {{ courses = ['H'], at_least = 5 }} }}]", LASTS, terms=TERMS),
    rule(f"all_of = [{OTHER}]", LASTS, f"n_of = {{ n = 2, of = [{OTHER}] }}", TERMS),
    rule(f"any_of = [{OTHER}]", LASTS, terms="window = 'P60D'"),
    rule(f"within = 'P25D'\nn_of = {{ n = 2, of = [{OTHER}] }}", LASTS, f"any_of = [{NEWER}]", TERMS),
]
OBJECTS = {"completed": "C", "score": "Q", "hours": "H", "certification": "Z"}


@st.composite
def evidence(draw: st.DrawFn, longest: int = 8) -> list[Piece]:
    """Pieces of the kinds that the rules look at, some late, some voided, some equal; ids in the order of arrival."""
    made = []
    for _ in range(draw(st.integers(0, longest))):
        kind = draw(st.sampled_from(["completed", "completed", "score", "score", "hours", "certification"]))
        achieved = draw(st.integers(0, 250))
        recorded = achieved + draw(st.sampled_from([0, 0, 0, 1, 30, 100, -5]))
        voided = draw(st.sampled_from([None, None, None, 1, 40, 150]))
        made.append(
            piece(
                0, achieved, recorded, None if voided is None else recorded + voided,
                kind=kind, object=OBJECTS[kind], percent=draw(st.sampled_from([75, 85])), hours=draw(st.integers(1, 6)),
            )
        )  # fmt: skip
    made += draw(st.lists(st.sampled_from(made), max_size=2)) if made else []
    return [replace(each, id=number) for number, each in enumerate(sorted(made, key=lambda p: p.recorded_at), 1)]


books = st.sampled_from(RULES).map(book)


def one_by_one(rules: Rulebook, pieces: list[Piece], as_of: datetime) -> list[Award]:
    """What a store holds that keeps the awards and takes one step at each moment of new knowledge."""
    awards: list[Award] = []
    for moment in knowledge_moments(rules, pieces, as_of):
        awards = advance(rules, awards, [p for p in pieces if p.recorded_at <= moment], moment)
    return awards


@settings(max_examples=1500, deadline=None)
@given(st.sampled_from(RULES), evidence(), st.integers(0, 500))
def test_brute_force_agrees(text: str, pieces: list[Piece], as_of: int) -> None:
    """A peer that looks at everything again each time, in the plainest way, finds the same awards."""
    mine = derive(book(text), pieces, day(as_of))
    theirs = peer(parse_rule(text), pieces, day(as_of), SHANGHAI)
    assert _plain(mine) == sorted(
        (a.achieved_at, a.valid_from, str(a.valid_until), a.basis, sorted(a.used), str(a.revoked_at)) for a in theirs
    )


def _plain(awards: list[Award]) -> list[tuple[object, ...]]:
    return sorted(
        (a.achieved_at, a.valid_from, str(a.valid_until), a.basis, sorted(a.used), str(a.revoked_at)) for a in awards
    )


@settings(max_examples=1000, deadline=None)
@given(books, evidence(), st.integers(0, 500))
def test_one_by_one_is_from_scratch(rules: Rulebook, pieces: list[Piece], as_of: int) -> None:
    """Steps taken one at a time on kept awards end where a derivation of everything does, numbers and all."""
    assert one_by_one(rules, pieces, day(as_of)) == derive(rules, pieces, day(as_of))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(RULES), evidence(), st.integers(0, 500))
def test_one_by_one_is_from_scratch_across_versions(text: str, pieces: list[Piece], as_of: int) -> None:
    """The same with a second version of the rule that decides from a day in the middle."""
    second = text.replace("at_least = 80", "at_least = 70").replace("'P60D'", "'P45D'")
    rules = Rulebook(
        [
            parse_rule(text),
            replace(parse_rule(second), version=2, effective_from=day(100).date()),
        ],
        SHANGHAI,
    )
    assert one_by_one(rules, pieces, day(as_of)) == derive(rules, pieces, day(as_of))


@settings(max_examples=300, deadline=None)
@given(books, evidence(), st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter(rules: Rulebook, pieces: list[Piece], chance: random.Random) -> None:
    """The order in which pieces are handed over changes nothing."""
    shuffled = list(pieces)
    chance.shuffle(shuffled)
    assert derive(rules, shuffled, day(500)) == derive(rules, pieces, day(500))


@settings(max_examples=300, deadline=None)
@given(books, evidence(), st.integers(0, 400))
def test_the_past_is_not_touched(rules: Rulebook, pieces: list[Piece], as_of: int) -> None:
    """Awards and status as of T are the same whether or not the rows recorded or voided after T are there."""
    known = [
        replace(p, voided_at=None) if p.voided_at and p.voided_at > day(as_of) else p
        for p in pieces
        if p.recorded_at <= day(as_of)
    ]
    then, now = derive(rules, known, day(as_of)), derive(rules, pieces, day(as_of))
    assert then == now
    assert standing(rules, then, known, day(as_of)) == standing(rules, now, pieces, day(as_of))


@settings(max_examples=300, deadline=None)
@given(books, evidence(), evidence())
def test_irrelevant_evidence_changes_nothing(rules: Rulebook, pieces: list[Piece], others: list[Piece]) -> None:
    """Evidence of other objects leaves every award as it is."""
    foreign = [replace(p, object="elsewhere", id=p.id + 1000) for p in others]
    assert derive(rules, pieces + foreign, day(500)) == derive(rules, pieces, day(500))


@settings(max_examples=300, deadline=None)
@given(books, evidence(), st.integers(0, 400))
def test_next_change_is_the_next(rules: Rulebook, pieces: list[Piece], as_of: int) -> None:
    """With nothing more recorded, the status stays until next_change_at and differs from then on."""
    known = [
        replace(p, voided_at=None) if p.voided_at and p.voided_at > day(as_of) else p
        for p in pieces
        if p.recorded_at <= day(as_of) and p.achieved_at <= day(as_of)
    ]
    awards = derive(rules, known, day(as_of))
    here = standing(rules, awards, known, day(as_of))
    for later in range(as_of + 1, as_of + 800, 7):
        there = standing(rules, awards, known, day(later))
        if here.next_change_at is None or day(later) < here.next_change_at:
            assert there.status == here.status
    if here.next_change_at is not None:
        assert standing(rules, awards, known, here.next_change_at).status != here.status

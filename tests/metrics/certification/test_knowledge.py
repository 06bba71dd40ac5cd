"""What becomes of awards as evidence arrives late, is voided, corrected or said twice, and as rules change."""

from dataclasses import replace
from datetime import date

import pytest

from metrics.certification.chain import Award, Rulebook, advance, derive, knowledge_moments
from metrics.certification.rule_text import parse_rule
from metrics.certification.simulate import simulate
from tests.metrics.certification.kit import HEADER, SHANGHAI, asked, book, day, done, periods, piece, row, rule

SCORE = 'score = { activity = "Q", at_least = 80 }'


def score(achieved: str, percent: str, **cells: str) -> str:
    """A result of the quiz."""
    return row("score", achieved, "Q", percent=percent, **cells)


def test_late_evidence_moves_an_end_earlier() -> None:
    """An earlier completion that arrives later takes the award's place; nothing is revoked."""
    rows = [done("2024-05-01"), done("2024-03-01", recorded_at="2024-06-01")]
    assert periods(asked(rule(), rows, "2024-05-31")) == ["2024-05-01 > 2025-05-01 achieved"]
    assert periods(asked(rule(), rows, "2024-06-01")) == ["2024-03-01 > 2025-03-01 achieved"]


def test_late_evidence_undoes_a_lapse() -> None:
    """A renewal recorded after the lapse joins the awards, and takes the place of the one that followed the lapse."""
    rows = [done("2024-03-01"), done("2025-06-01"), done("2025-02-20", recorded_at="2025-08-01")]
    first = "2024-03-01 > 2025-03-01 achieved"
    assert periods(asked(rule(), rows, "2025-07-31")) == [first, "2025-06-01 > 2026-06-01 achieved"]
    assert periods(asked(rule(), rows, "2025-08-01")) == [first, "2025-02-20 > 2026-02-20 achieved"]


def test_as_of_earlier() -> None:
    """As of the past the answer is what was known then, whatever came since."""
    rows = [done("2024-03-01", recorded_at="2024-04-01", voided_at="2024-05-01")]
    assert asked(rule(), rows, "2024-03-15")["status"] == "not_started"
    assert asked(rule(), rows, "2024-04-01")["status"] == "certified"
    assert asked(rule(), rows, "2024-05-01")["status"] == "revoked"


def test_evidence_from_the_future() -> None:
    """A row recorded before it is achieved counts from its achievement."""
    rows = [done("2024-03-01", recorded_at="2024-01-01")]
    assert asked(rule(), rows, "2024-02-29")["status"] == "not_started"
    assert asked(rule(), rows, "2024-03-01")["status"] == "certified"


def test_voided_with_other_evidence_left() -> None:
    """Where other evidence stands in the voided one's place, the award is put on it, and none is revoked."""
    rows = [score("2024-03-05", "85", voided_at="2024-06-01"), score("2024-03-20", "90")]
    assert periods(asked(rule(SCORE), rows, "2024-06-01")) == ["2024-03-20 > 2025-03-20 achieved"]


def test_corrected() -> None:
    """A mark corrected to another that suffices amends the award; to one that does not, revokes it."""
    first = score("2024-03-05", "85", voided_at="2024-06-01")
    better = asked(rule(SCORE), [first, score("2024-03-05", "88", recorded_at="2024-06-01")], "2024-06-02")
    assert periods(better) == ["2024-03-05 > 2025-03-05 achieved"]
    worse = asked(rule(SCORE), [first, score("2024-03-05", "75", recorded_at="2024-06-01")], "2024-06-02")
    assert periods(worse) == ["2024-03-05 > 2024-06-01 achieved revoked 2024-06-01"]
    assert (worse["status"], worse["achieved_at"], worse["next_change_at"]) == ("revoked", None, None)


def test_renewal_revoked() -> None:
    """The evidence of a renewal is voided: it is revoked, and the award before it still decides while it holds."""
    rows = [done("2024-03-01"), done("2025-02-01", voided_at="2025-02-10")]
    answer = asked(rule(), rows, "2025-02-15")
    assert periods(answer) == [
        "2024-03-01 > 2025-03-01 achieved",
        "2025-02-01 > 2025-02-10 achieved revoked 2025-02-10",
    ]
    assert (answer["status"], answer["achieved_at"], answer["next_change_at"]) == (
        "renewal_due",
        "2024-03-01",
        "2025-03-01",
    )
    assert asked(rule(), rows, "2025-03-01")["status"] == "revoked"


def test_first_award_revoked_below_a_renewal() -> None:
    """The first award's evidence is voided: the renewal, whose evidence stands, is put in order; the first is revoked."""
    rows = [done("2024-03-01", voided_at="2025-06-01"), done("2025-02-01")]
    text = rule(validity='from = "previous_expiry"\nlasts = "P1Y"')
    answer = asked(text, rows, "2025-06-01")
    assert periods(answer) == [
        "2024-03-01 > 2025-03-01 achieved revoked 2025-06-01",
        "2025-02-01 > 2026-02-01 achieved",
    ]
    assert answer["status"] == "certified"


def test_revoked_awards_stay() -> None:
    """A revoked award stays in the list when the certification is earned anew."""
    rows = [done("2024-03-01", voided_at="2024-04-01"), done("2024-05-01")]
    assert periods(asked(rule(), rows, "2024-06-01")) == [
        "2024-03-01 > 2024-04-01 achieved revoked 2024-04-01",
        "2024-05-01 > 2025-05-01 achieved",
    ]


def test_forever_revoked() -> None:
    """An award without an end ends when it is revoked."""
    answer = asked(rule(validity='lasts = "forever"'), [done("2024-03-01", voided_at="2024-04-01")], "2024-06-01")
    assert periods(answer) == ["2024-03-01 > 2024-04-01 achieved revoked 2024-04-01"]


def test_a_part_of_the_evidence_replaced() -> None:
    """An award that keeps a part of its evidence is re-based, though it moves."""
    text = rule(f'all_of = [{{ completed = {{ course = "C" }} }}, {{ {SCORE} }}]')
    rows = [done("2024-03-01"), score("2024-03-05", "85", voided_at="2024-06-01"), score("2024-04-05", "85")]
    assert periods(asked(text, rows, "2024-06-02")) == ["2024-04-05 > 2025-04-05 achieved"]


def test_equal_rows_are_one() -> None:
    """Rows equal but for recorded_at and voided_at renew nothing, sum up to nothing, and count while one of them does."""
    twice = [done("2024-03-01"), done("2024-03-01", recorded_at="2024-03-09")]
    assert len(asked(rule(terms='window = "P1Y"'), twice, "2024-04-01")["awards"]) == 1
    hours = [row("hours", "2024-03-01", hours="3"), row("hours", "2024-03-01", hours="3.0", recorded_at="2024-03-09")]
    text = rule('hours = { courses = ["C"], at_least = 5 }')
    assert asked(text, hours, "2024-04-01")["status"] == "not_started"
    voided = [done("2024-03-01", voided_at="2024-03-20"), done("2024-03-01", recorded_at="2024-03-09")]
    assert periods(asked(rule(), voided, "2024-04-01")) == ["2024-03-01 > 2025-03-01 achieved"]


def test_awards_keep_their_numbers() -> None:
    """A re-based award keeps its number; the incremental use and the derivation from scratch agree on it."""
    pieces = [piece(1, 100), piece(2, 440), piece(3, 50, 500)]
    awards: list[Award] = []
    for moment in knowledge_moments(book(rule()), pieces, day(600)):
        awards = advance(book(rule()), awards, pieces, moment)
    assert [(award.number, award.used) for award in awards] == [(1, (3,)), (2, (2,))]
    assert awards == derive(book(rule()), pieces, day(600))


def versions(*rules: tuple[str, date | None]) -> Rulebook:
    """A certification's versions, each with the day from which it decides."""
    made = [replace(parse_rule(text), version=n, effective_from=at) for n, (text, at) in enumerate(rules, 1)]
    return Rulebook(made, SHANGHAI)


JUNE = date(2024, 6, 1)


def test_version_by_the_day_of_achievement() -> None:
    """The version in force on the organisation's day of the achievement decides; before the first, the first."""
    two = versions((rule(), date(2024, 5, 1)), (rule(validity='lasts = "P2Y"'), JUNE))
    for achieved, version in [(30, 1), (150, 1), (152, 2)]:
        assert derive(two, [piece(1, achieved)], day(300))[0].rule_version == version
    last_evening = replace(piece(1, 150), achieved_at=day(151).replace(hour=16), recorded_at=day(151).replace(hour=16))
    assert derive(two, [last_evening], day(300))[0].rule_version == 2


def test_a_new_version_bounds_no_evidence() -> None:
    """Evidence from before a version counts for it; where it already suffices, the award begins with the version."""
    two = versions((rule(SCORE), None), (rule(SCORE.replace("80", "70")), JUNE))
    pieces = [piece(1, 30, kind="score", object="Q", percent=75)]
    assert derive(two, pieces, day(150)) == []
    (award,) = derive(two, pieces, day(200))
    assert (award.achieved_at.isoformat(), award.rule_version) == ("2024-05-31T16:00:00+00:00", 2)


def test_granted_awards_keep_their_version() -> None:
    """A version added later, deciding from a day in the past, leaves what was granted as it is; a renewal obeys it."""
    pieces = [piece(1, 160), piece(2, 500)]
    granted = derive(versions((rule(), None)), pieces, day(200))
    two = versions((rule(), None), (rule(validity='lasts = "P2Y"'), JUNE))
    after = advance(two, granted, pieces, day(510))
    assert [(award.rule_version, award.valid_until) for award in after] == [(1, day(160 + 365)), (2, day(500 + 730))]


@pytest.mark.parametrize("second", ["2024-03-01", "2024-05-01"])
def test_nothing_of_others(second: str) -> None:
    """One person's evidence is no other's."""
    other = done(second).replace("E1,", "E2,", 1)
    answer = simulate(rule(), "\n".join([HEADER, done("2024-04-01"), other]), "2024-06-01", "Asia/Shanghai")
    assert [len(person["awards"]) for person in answer["people"].values()] == [1, 1]

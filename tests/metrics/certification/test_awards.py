"""The table of awards, row by row, and the moments between which each row applies."""

import pytest

from tests.metrics.certification.kit import COURSE, asked, done, periods, row, rule

PREVIOUS = 'from = "previous_expiry"\nlasts = "P1Y"'
FIXED = 'from = "fixed"\nanchor = "12-31"'
FIRST = "2024-03-10 > 2025-03-10 achieved"  # W 2025-01-09, G 2025-04-09


def test_first() -> None:
    """The first award runs from its achievement for as long as it lasts."""
    assert periods(asked(rule(), [done("2024-03-10")], "2024-03-10")) == [FIRST]


@pytest.mark.parametrize(
    ("again", "award"),
    [
        ("2025-01-08T23:59", None),
        ("2025-01-09", "2025-01-09 > 2026-01-09 achieved"),
        ("2025-03-10", "2025-03-10 > 2026-03-10 achieved"),
        ("2025-04-08T23:59", "2025-04-08T23:59 > 2026-04-08T23:59 achieved"),
        ("2025-04-09", "2025-04-09 > 2026-04-09 achieved"),
    ],
)
def test_renewed_from_achieved(again: str, award: str | None) -> None:
    """From W on evidence renews from its own achievement; before W it does not count."""
    answer = asked(rule(), [done("2024-03-10"), done(again)], "2025-06-01")
    assert periods(answer) == [FIRST, award] if award else [FIRST]


@pytest.mark.parametrize(
    ("again", "award"),
    [
        ("2025-01-09", "2025-01-09 > 2026-03-10 previous_expiry"),
        ("2025-03-10", "2025-03-10 > 2026-03-10 previous_expiry"),
        ("2025-04-08", "2025-03-10 > 2026-03-10 previous_expiry"),
        ("2025-04-09", "2025-04-09 > 2026-04-09 achieved"),
    ],
)
def test_renewed_from_previous_expiry(again: str, award: str) -> None:
    """The end is counted from the old end; in the grace the period is joined to the old one; from G it is a first."""
    assert periods(asked(rule(validity=PREVIOUS), [done("2024-03-10"), done(again)], "2025-06-01")) == [FIRST, award]


def test_chained_on_a_clamped_day() -> None:
    """A period chained on an end that was clamped goes on from the clamped day."""
    text = rule(validity='from = "previous_expiry"\nlasts = "P1M"', terms='window = "P20D"')
    rows = [done("2025-01-31"), done("2025-02-20"), done("2025-03-20")]
    assert periods(asked(text, rows, "2025-04-01")) == [
        "2025-01-31 > 2025-02-28 achieved",
        "2025-02-20 > 2025-03-28 previous_expiry",
        "2025-03-20 > 2025-04-28 previous_expiry",
    ]


@pytest.mark.parametrize(
    ("validity", "achieved", "until"),
    [
        (FIXED, "2026-08-15", "2027-01-01"),
        (FIXED, "2026-12-31T23:59", "2027-01-01"),
        (FIXED, "2027-01-01", "2028-01-01"),
        (FIXED + '\nat_least = "P6M"', "2026-07-01", "2027-01-01"),
        (FIXED + '\nat_least = "P6M"', "2026-07-01T00:01", "2028-01-01"),
        ('from = "fixed"\nanchor = "02-29"', "2027-01-05", "2027-03-01"),
        ('from = "fixed"\nanchor = "02-29"', "2028-01-05", "2028-03-01"),
    ],
)
def test_fixed_first(validity: str, achieved: str, until: str) -> None:
    """A fixed award ends with the first anchor day after its achievement that is far enough."""
    assert periods(asked(rule(validity=validity), [done(achieved)], "2028-02-01"))[0] == f"{achieved} > {until} fixed"


@pytest.mark.parametrize("again", ["2026-12-01", "2027-01-20"])
def test_fixed_renewed(again: str) -> None:
    """A fixed award is renewed from R, before or after the end, to the next anchor after the old end."""
    answer = asked(rule(validity=FIXED), [done("2026-03-01"), done(again)], "2027-03-01")
    assert periods(answer) == ["2026-03-01 > 2027-01-01 fixed", f"{again} > 2028-01-01 fixed"]


def test_fixed_renewed_with_at_least() -> None:
    """at_least counts from R on a renewal too."""
    text = rule(validity=FIXED + '\nat_least = "P12M"')
    answer = asked(text, [done("2025-12-01"), done("2027-01-20")], "2027-03-01")
    assert periods(answer) == ["2025-12-01 > 2027-01-01 fixed", "2027-01-20 > 2029-01-01 fixed"]


def test_fixed_lapsed() -> None:
    """After the grace a fixed award starts as the first did."""
    answer = asked(rule(validity=FIXED), [done("2026-03-01"), done("2027-05-01")], "2027-06-01")
    assert periods(answer)[1] == "2027-05-01 > 2028-01-01 fixed"


def test_forever() -> None:
    """Forever has no end; a second completion adds nothing."""
    answer = asked(rule(validity='lasts = "forever"'), [done("2024-03-10"), done("2025-03-10")], "2030-01-01")
    assert periods(answer) == ["2024-03-10 > None achieved"]
    assert (answer["status"], answer["next_change_at"]) == ("certified", None)


def test_renewal_by_either_section() -> None:
    """Before the lapse [renew] and [earn] both renew, whichever is satisfied first."""
    text = rule(renew='completed = { course = "R" }')
    rows = [done("2024-03-10"), done("2025-02-01"), row("completed", "2025-02-10", "R")]
    assert periods(asked(text, rows, "2025-03-01"))[1] == "2025-02-01 > 2026-02-01 achieved"
    assert periods(asked(text, [rows[0], rows[2]], "2025-03-01"))[1] == "2025-02-10 > 2026-02-10 achieved"


@pytest.mark.parametrize(("after_lapse", "award"), [("earn", "2025-06-01"), ("renew", "2025-05-01")])
def test_after_lapse(after_lapse: str, award: str) -> None:
    """After the lapse only the section that after_lapse names counts."""
    text = rule(
        renew='completed = { course = "R" }', terms=f'window = "P60D"\ngrace = "P30D"\nafter_lapse = "{after_lapse}"'
    )
    rows = [done("2024-03-10"), row("completed", "2025-05-01", "R"), done("2025-06-01")]
    answer = asked(text, rows, "2025-07-01")
    assert periods(answer) == [FIRST, f"{award} > {award.replace('2025', '2026')} achieved"]


def test_half_of_it_before_the_lapse() -> None:
    """What was achieved in the window counts with what follows the lapse."""
    text = rule('all_of = [{ completed = { course = "C" } }, { completed = { course = "D" } }]')
    rows = [
        done("2024-03-10"),
        row("completed", "2024-03-10", "D"),
        done("2025-02-01"),
        row("completed", "2025-08-01", "D"),
    ]
    assert periods(asked(text, rows, "2025-09-01")) == [FIRST, "2025-08-01 > 2026-08-01 achieved"]


def test_used_evidence_renews_nothing() -> None:
    """A piece that an award used renews none, even where the window is as long as the validity."""
    text = rule(terms='window = "P1Y"')
    assert periods(asked(text, [done("2024-03-10")], "2025-03-01")) == [FIRST]
    again = [done("2024-03-10"), done("2024-03-10", source="other")]
    assert len(periods(asked(text, again, "2025-03-01"))) == 2


def test_not_before_the_achievement() -> None:
    """With W before A, evidence from before A renews nothing."""
    text = rule('all_of = [{ completed = { course = "C" } }, { completed = { course = "D" } }]', terms='window = "P1Y"')
    rows = [
        done("2024-01-01"),
        done("2024-02-01"),
        row("completed", "2024-03-10", "D"),
        row("completed", "2024-04-01", "D"),
    ]
    assert periods(asked(text, rows, "2024-05-01")) == [FIRST]


def test_clock_changes() -> None:
    """A year keeps the wall clock across a change of offset; a time in the gap is moved on, hours are exact."""
    answer = asked(rule(), [done("2024-03-30T02:30")], "2024-04-01", "Europe/Berlin")
    assert periods(answer) == ["2024-03-30T02:30:00+01 > 2025-03-30T03:30:00+02 achieved"]
    answer = asked(
        rule(validity='lasts = "PT24H"', terms=""), [done("2025-03-29T12:00")], "2025-03-30", "Europe/Berlin"
    )
    assert periods(answer) == ["2025-03-29T12:00:00+01 > 2025-03-30T13:00:00+02 achieved"]


def test_beyond_the_calendar() -> None:
    """An end later than any calendar's is no end."""
    assert periods(asked(rule(COURSE, 'lasts = "P9000Y"'), [done("2024-03-10")], "2024-04-01")) == [
        "2024-03-10 > None achieved"
    ]

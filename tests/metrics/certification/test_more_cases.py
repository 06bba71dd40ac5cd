"""More cases of dates and orders, each worked out by hand from the specification: calendars, edges, ties, voids, refusals."""

import pytest

from metrics.certification.chain import derive
from metrics.certification.explanation import explain_standing
from metrics.certification.rule_text import RuleRefused, parse_rule
from metrics.certification.simulate import simulate
from tests.metrics.certification.kit import COURSE, HEADER, asked, book, day, done, periods, piece, row, rule

NONE = ""  # no window and no grace
ALL_OF = 'all_of = [{ completed = { course = "C" } }, { score = { activity = "Q", at_least = 80 } }]'
BERLIN = "Europe/Berlin"


def score(achieved: str, percent: str = "85", **cells: str) -> str:
    """A score in the activity Q."""
    return row("score", achieved, "Q", percent=percent, **cells)


def held(begins: str, ends: str = "") -> str:
    """The other certification OTHER, from when until when."""
    return row("certification", begins, "OTHER", voided_at=ends)


@pytest.mark.parametrize(
    ("lasts", "achieved", "until"),
    [
        ("P1M1D", "2026-01-30", "2026-03-01"),  # February's last day first, then the day
        ("P1M1D", "2024-01-30", "2024-03-01"),
        ("P1Y1M", "2024-01-31T10:00", "2025-02-28T10:00"),
        ("P13M", "2024-01-31T10:00", "2025-02-28T10:00"),
        ("P12M", "2024-02-29T10:00", "2025-02-28T10:00"),
        ("P4Y", "2024-02-29T10:00", "2028-02-29T10:00"),
        ("P1M", "2025-12-31T23:59:59", "2026-01-31T23:59:59"),
        ("P52W", "2024-02-29", "2025-02-27"),
        ("P1Y1D", "2024-02-28", "2025-03-01"),
        ("P1Y1D", "2024-02-29", "2025-03-01"),
        ("PT36H", "2026-01-01T12:00", "2026-01-03"),
    ],
)
def test_ends_by_the_calendar(lasts: str, achieved: str, until: str) -> None:
    """Years and months first, kept within the month; then weeks and days; then hours."""
    answer = asked(rule(validity=f'lasts = "{lasts}"', terms=NONE), [done(achieved)], achieved)
    assert periods(answer) == [f"{achieved} > {until} achieved"]


def berlin(lasts: str, achieved: str, as_of: str, terms: str = NONE, timezone: str = BERLIN) -> tuple[str, str, str]:
    """The beginning, the end and the next change of one award in another time zone, with their offsets."""
    text = rule(validity=f'lasts = "{lasts}"', terms=terms)
    person = simulate(text, f"{HEADER}\n{done(achieved)}", as_of, timezone)["people"]["E1"]
    [award] = person["awards"]
    return award["valid_from"], award["valid_until"], person["next_change_at"]


@pytest.mark.parametrize(
    ("lasts", "achieved", "begins", "ends"),
    [
        # achieved at a time that the clock skipped, on 30 March 2025
        ("P1Y", "2025-03-30T02:30", "2025-03-30T03:30:00+02:00", "2026-03-30T03:30:00+02:00"),
        # ends at a time that the clock skips
        ("P1Y", "2025-03-29T02:30", "2025-03-29T02:30:00+01:00", "2026-03-29T03:30:00+02:00"),
        # ends at a time that occurs twice: the first
        ("P1D", "2025-10-25T02:30", "2025-10-25T02:30:00+02:00", "2025-10-26T02:30:00+02:00"),
        # achieved at the second of the two; a day later there is only one
        ("P1D", "2025-10-26T02:30+01:00", "2025-10-26T02:30:00+01:00", "2025-10-27T02:30:00+01:00"),
        ("PT24H", "2026-03-28T12:00", "2026-03-28T12:00:00+01:00", "2026-03-29T13:00:00+02:00"),
        ("P1D", "2026-03-28T12:00", "2026-03-28T12:00:00+01:00", "2026-03-29T12:00:00+02:00"),
        ("P1DT12H", "2026-03-28T20:00", "2026-03-28T20:00:00+01:00", "2026-03-30T08:00:00+02:00"),
        ("P1M", "2025-02-28T02:30", "2025-02-28T02:30:00+01:00", "2025-03-28T02:30:00+01:00"),
        ("P1MT1H", "2025-09-26T02:30", "2025-09-26T02:30:00+02:00", "2025-10-26T02:30:00+01:00"),
    ],
)
def test_changes_of_clocks(lasts: str, achieved: str, begins: str, ends: str) -> None:
    """A skipped time moves on by the gap, one that occurs twice is the first; hours are exact, days are the wall clock's."""
    assert berlin(lasts, achieved, achieved)[:2] == (begins, ends)


def test_window_and_grace_across_changes_of_clocks() -> None:
    """W is counted on the wall clock from the end as it came to be; so is G."""
    terms = 'window = "P1D"\ngrace = "P1D"'
    said = berlin("P1Y", "2025-03-29T02:30", "2025-03-29T12:00", terms)
    assert said[1:] == ("2026-03-29T03:30:00+02:00", "2026-03-28T03:30:00+01:00")
    assert berlin("P1Y", "2025-03-29T02:30", "2026-03-29T05:00", terms)[2] == "2026-03-30T03:30:00+02:00"


def test_a_gap_of_half_an_hour() -> None:
    """Lord Howe's clock skips half an hour: 02:15 on 5 October 2025 is 02:45."""
    said = berlin("P1Y", "2024-10-05T02:15", "2024-10-06", timezone="Australia/Lord_Howe")
    assert said[1] == "2025-10-05T02:45:00+11:00"


@pytest.mark.parametrize(
    ("anchor", "at_least", "achieved", "until"),
    [
        ("02-29", "", "2027-02-28T09:00", "2027-03-01"),
        ("02-29", "", "2028-02-28T09:00", "2028-03-01"),
        ("02-29", "", "2027-03-01", "2028-03-01"),  # at the anchor's end itself: the next
        ("02-29", "P1Y", "2027-03-01", "2028-03-01"),
        ("02-29", "P1Y", "2027-03-01T00:00:01", "2029-03-01"),
        ("02-29", "P1Y", "2024-02-29", "2025-03-01"),  # at least until 2025-02-28
        ("12-31", "P6M", "2026-07-01", "2027-01-01"),  # equal is enough
        ("12-31", "P6M", "2026-07-01T00:01", "2028-01-01"),
        ("12-31", "P2Y", "2026-07-01", "2029-01-01"),
        ("01-31", "P1M", "2026-12-31", "2027-02-01"),
        ("01-31", "P32D", "2026-12-31", "2027-02-01"),
        ("01-31", "P33D", "2026-12-31", "2028-02-01"),
    ],
)
def test_anchors(anchor: str, at_least: str, achieved: str, until: str) -> None:
    """The first end of an anchor day strictly after the achievement and not before at_least has passed."""
    validity = f'from = "fixed"\nanchor = "{anchor}"' + (f'\nat_least = "{at_least}"' if at_least else "")
    answer = asked(rule(validity=validity, terms=NONE), [done(achieved)], achieved)
    assert periods(answer) == [f"{achieved} > {until} fixed"]


@pytest.mark.parametrize(
    ("again", "at_least", "second"),
    [
        ("2026-11-01T23:59:59", "P6M", None),
        ("2026-11-02", "P6M", "2026-11-02 > 2028-01-01 fixed"),
        ("2026-12-31T23:59:59", "P6M", "2026-12-31T23:59:59 > 2028-01-01 fixed"),
        ("2027-01-01", "P6M", "2027-01-01 > 2028-01-01 fixed"),
        ("2027-01-10", "P1Y", "2027-01-10 > 2029-01-01 fixed"),
        ("2027-01-30T23:59:59", "P6M", "2027-01-30T23:59:59 > 2028-01-01 fixed"),
        ("2027-01-31", "P6M", "2027-01-31 > 2028-01-01 fixed"),  # lapsed: as the first time
        ("2026-11-02", "P14M", "2026-11-02 > 2029-01-01 fixed"),  # 2028-01-02 is after the first anchor
    ],
)
def test_fixed_renewed_at_the_edges(again: str, at_least: str, second: str | None) -> None:
    """From W on it is renewed to the first anchor after U, not before at_least from the renewal has passed."""
    validity = f'from = "fixed"\nanchor = "12-31"\nat_least = "{at_least}"'
    first = "2025-10-01" if at_least == "P14M" else "2026-01-01" if at_least == "P1Y" else "2026-05-01"
    answer = asked(rule(validity=validity), [done(first), done(again)], again)
    assert periods(answer) == [f"{first} > 2027-01-01 fixed", *([second] if second else [])]


@pytest.mark.parametrize(
    ("again", "second", "status"),
    [
        ("2024-12-30T09:59:59", None, "certified"),
        ("2024-12-30T10:00", "2024-12-30T10:00 > 2026-02-28T10:00 previous_expiry", "certified"),
        ("2025-02-28T10:00", "2025-02-28T10:00 > 2026-02-28T10:00 previous_expiry", "certified"),
        ("2025-03-30T09:59:59", "2025-02-28T10:00 > 2026-02-28T10:00 previous_expiry", "certified"),
        ("2025-03-30T10:00", "2025-03-30T10:00 > 2026-03-30T10:00 achieved", "certified"),
    ],
)
def test_previous_expiry_at_the_edges(again: str, second: str | None, status: str) -> None:
    """Renewed at W, U or just before G it goes on from U, also backwards; at G it has lapsed and begins anew."""
    text = rule(validity='from = "previous_expiry"\nlasts = "P1Y"')
    answer = asked(text, [done("2024-02-29T10:00"), done(again)], again)
    assert periods(answer)[1:] == ([second] if second else [])
    assert answer["status"] == status


def test_previous_expiry_keeps_the_clamped_day() -> None:
    """31 August and six months is 28 February; from there it goes on to 28 August, though 31 were possible."""
    text = rule(validity='from = "previous_expiry"\nlasts = "P6M"')
    rows = [done("2024-08-31"), done("2025-02-01"), done("2025-08-01"), done("2026-02-10")]
    assert periods(asked(text, rows, "2026-02-11")) == [
        "2024-08-31 > 2025-02-28 achieved",
        "2025-02-01 > 2025-08-28 previous_expiry",
        "2025-08-01 > 2026-02-28 previous_expiry",
        "2026-02-10 > 2026-08-28 previous_expiry",
    ]


@pytest.mark.parametrize(
    ("again", "validity", "awards"),
    [
        ("2026-01-01", 'lasts = "P1Y"', ["2026-01-01 > 2027-01-01 achieved"]),
        ("2026-01-01", 'from = "previous_expiry"\nlasts = "P1Y"', ["2026-01-01 > 2027-01-01 achieved"]),
        ("2025-12-31T23:59", 'lasts = "P1Y"', []),
    ],
)
def test_without_window_and_grace(again: str, validity: str, awards: list[str]) -> None:
    """W, U and G are one moment: what is achieved then comes after the lapse and begins anew."""
    answer = asked(rule(validity=validity, terms=NONE), [done("2025-01-01"), done(again)], "2026-01-01")
    assert periods(answer) == ["2025-01-01 > 2026-01-01 achieved", *awards]
    assert answer["status"] == ("certified" if awards else "expired")
    assert answer["next_change_at"] == ("2027-01-01" if awards else None)


def test_a_window_as_long_as_the_validity() -> None:
    """W is A: the next completion renews on the same day, and the day after that again."""
    text = rule(terms='window = "P1Y"')
    rows = [done("2025-01-01T09:00"), done("2025-01-01T10:00"), done("2025-01-02")]
    assert periods(asked(text, rows, "2025-01-03")) == [
        "2025-01-01T09:00 > 2026-01-01T09:00 achieved",
        "2025-01-01T10:00 > 2026-01-01T10:00 achieved",
        "2025-01-02 > 2026-01-02 achieved",
    ]


@pytest.mark.parametrize(
    ("as_of", "status", "next_change"),
    [
        ("2026-01-30T23:59:59", "certified", "2026-01-31"),
        ("2026-01-31", "renewal_due", "2026-02-28"),
        ("2026-02-28", "grace", "2026-03-28"),
        ("2026-03-27T23:59:59", "grace", "2026-03-28"),
        ("2026-03-28", "expired", None),
    ],
)
def test_window_and_grace_of_a_month_around_february(as_of: str, status: str, next_change: str | None) -> None:
    """From an end on 28 February a month back is 28 January with four weeks, 31 January only where the end says so."""
    answer = asked(rule(validity='lasts = "P1Y"', terms='window = "P28D"\ngrace = "P1M"'), [done("2025-02-28")], as_of)
    assert (answer["status"], answer["next_change_at"]) == (status, next_change)


def test_a_month_before_the_31st() -> None:
    """A month before 31 March is 28 February, a month after it 30 April."""
    text = rule(terms='window = "P1M"\ngrace = "P1M"')
    assert asked(text, [done("2025-03-31")], "2026-02-27")["next_change_at"] == "2026-02-28"
    assert asked(text, [done("2025-03-31")], "2026-03-31")["next_change_at"] == "2026-04-30"


# Criteria -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("second", "met"),
    [("2026-02-28T00:00", True), ("2026-02-28T00:00:01", False), ("2025-12-31", True), ("2025-12-30T23:59", False)],
)
def test_the_edge_of_within(second: str, met: bool) -> None:
    """31 January and a month is 28 February: equal is near enough, a second more is not; in either order."""
    rows = [done("2026-01-31"), score(second)]
    answer = asked(rule(f'within = "P1M"\n{ALL_OF}'), rows, "2026-03-02")
    assert (answer["status"] == "certified") is met


def test_within_takes_the_child_that_lies_near_enough() -> None:
    """Of any_of the later child is used where the earlier one lies too far from the rest."""
    earn = (
        'within = "P1M"\nall_of = [{ completed = { course = "C" } }, '
        '{ any_of = [{ score = { activity = "Q", at_least = 80 } }, { badge = { badge = "B" } }] }]'
    )
    rows = [score("2026-01-01"), done("2026-03-01"), row("badge", "2026-03-10", "B")]
    assert periods(asked(rule(earn), rows, "2026-03-11")) == ["2026-03-10 > 2027-03-10 achieved"]


def test_within_of_n_of_uses_the_n_that_lie_together() -> None:
    """Two of three: those of March, not the one of January with one of March."""
    earn = (
        'within = "P10D"\nn_of = { n = 2, of = [{ completed = { course = "C" } }, '
        '{ score = { activity = "Q", at_least = 80 } }, { badge = { badge = "B" } }] }'
    )
    rows = [done("2026-01-01"), score("2026-03-01"), row("badge", "2026-03-11", "B")]
    assert periods(asked(rule(earn), rows, "2026-03-12")) == ["2026-03-11 > 2027-03-11 achieved"]


@pytest.mark.parametrize(("second", "met"), [("2026-01-10", True), ("2026-01-10T00:00:01", False)])
def test_the_edge_of_newer_than(second: str, met: bool) -> None:
    """A completion of just a year ago still counts when the score comes, a second older it does not."""
    earn = (
        'all_of = [{ completed = { course = "C", newer_than = "P1Y" } }, { score = { activity = "Q", at_least = 80 } }]'
    )
    answer = asked(rule(earn), [done("2025-01-10"), score(second)], "2026-01-11")
    assert answer["status"] == ("certified" if met else "in_progress")
    assert answer["achieved_at"] == ("2026-01-10" if met else None)


def test_newer_than_waits_for_a_newer_one() -> None:
    """What has grown too old is replaced by the next completion, which then decides the moment."""
    earn = (
        'all_of = [{ completed = { course = "C", newer_than = "P1Y" } }, { score = { activity = "Q", at_least = 80 } }]'
    )
    rows = [done("2024-01-10"), score("2026-01-10"), done("2026-02-01")]
    assert periods(asked(rule(earn), rows, "2026-02-02")) == ["2026-02-01 > 2027-02-01 achieved"]


@pytest.mark.parametrize(
    ("hours", "achieved"),
    [
        (["6", "4"], "2026-01-02"),
        (["6", "3.99"], None),
        (["6", "", "4"], "2026-01-03"),
        (["6", "0", "4"], "2026-01-03"),
        (["10"], "2026-01-01"),
        (["3.3", "3.3", "3.4"], "2026-01-03"),
        (["0.1"] * 3 + ["9.7"], "2026-01-04"),
    ],
)
def test_sums_of_hours(hours: list[str], achieved: str | None) -> None:
    """Hours are added exactly, and met at the moment that reaches the sum."""
    rows = [row("hours", f"2026-01-{place + 1:02}", "C", hours=each) for place, each in enumerate(hours)]
    answer = asked(rule('hours = { courses = ["C"], at_least = 10 }'), rows, "2026-02-01")
    assert answer["achieved_at"] == achieved


def test_hours_of_courses_and_categories_add_up_once() -> None:
    """Courses and categories are added together; a course that is not named adds nothing."""
    text = rule('hours = { courses = ["C", "D"], categories = ["K"], at_least = 10 }')
    rows = [row("hours", f"2026-01-0{day}", name, hours="4") for day, name in ((1, "C"), (2, "E"), (3, "K"), (4, "D"))]
    assert asked(text, rows, "2026-02-01")["achieved_at"] == "2026-01-04"


@pytest.mark.parametrize(
    ("order", "awards"),
    [
        ("CQB", ["2026-01-01 > 2027-01-01 achieved", "2026-01-01 > 2027-01-01 achieved"]),
        ("BCQ", ["2026-01-01 > 2027-01-01 achieved"]),
        ("CBQ", ["2026-01-01 > 2027-01-01 achieved"]),
    ],
)
def test_ties_of_n_of_fall_in_the_rules_order(order: str, awards: list[str]) -> None:
    """Of three of one moment the first two of the rule are used; the badge, where it is the third, is left to renew."""
    leaves = {
        "C": '{ completed = { course = "C" } }',
        "Q": '{ score = { activity = "Q", at_least = 80 } }',
        "B": '{ badge = { badge = "B" } }',
    }
    earn = f"n_of = {{ n = 2, of = [{', '.join(leaves[each] for each in order)}] }}"
    text = rule(earn, renew='badge = { badge = "B" }', terms='window = "P1Y"')
    rows = [done("2026-01-01"), score("2026-01-01"), row("badge", "2026-01-01", "B")]
    assert periods(asked(text, rows, "2026-01-02")) == awards


@pytest.mark.parametrize(
    ("spans", "completed", "achieved"),
    [
        ([("2026-01-01", "2026-02-01")], "2026-01-15", "2026-01-15"),
        ([("2026-01-20", "")], "2026-01-15", "2026-01-20"),
        ([("2026-01-01", "2026-02-01")], "2026-02-01", None),  # held until just before
        ([("2026-01-01", "2026-02-01")], "2026-01-31T23:59:59", "2026-01-31T23:59:59"),
        ([("2026-01-01", "2026-02-01"), ("2026-03-01", "")], "2026-02-10", "2026-03-01"),
        ([("2026-01-01", "2026-02-01"), ("2026-02-01", "")], "2026-02-01", "2026-02-01"),
    ],
)
def test_another_certification_is_a_state(spans: list[tuple[str, str]], completed: str, achieved: str | None) -> None:
    """The other certification must be held at the very moment at which the rest is there."""
    earn = 'all_of = [{ certification = { code = "OTHER" } }, { completed = { course = "C" } }]'
    answer = asked(rule(earn), [*(held(*span) for span in spans), done(completed)], "2026-04-01")
    assert answer["achieved_at"] == achieved


def test_another_certification_lies_outside_within_and_w() -> None:
    """Held since 2020, it serves an award of 2026 within a day, and its renewal too, unlike evidence from before W."""
    earn = 'within = "P1D"\nall_of = [{ certification = { code = "OTHER" } }, { completed = { course = "C" } }]'
    rows = [held("2020-01-01"), done("2025-03-01"), done("2026-02-01")]
    assert periods(asked(rule(earn), rows, "2026-02-02")) == [
        "2025-03-01 > 2026-03-01 achieved",
        "2026-02-01 > 2027-02-01 achieved",
    ]


@pytest.mark.parametrize(
    ("leaf", "line", "met"),
    [
        ('passed = { course = "C" }', row("passed", "2026-01-01", success=""), True),
        ('passed = { course = "C", at_least = 60 }', row("passed", "2026-01-01", success="true"), False),
        ('passed = { course = "C", at_least = 60 }', row("passed", "2026-01-01", success="false", percent="99"), False),
        ('passed = { course = "C", at_least = 60 }', row("passed", "2026-01-01", percent="60"), True),
        ('score = { course = "C", at_least = 60 }', row("score", "2026-01-01", success="false", percent="60.0"), True),
        ('score = { course = "C", at_least = 0 }', row("score", "2026-01-01", percent=""), False),
        ('score = { course = "C", at_least = 0 }', row("score", "2026-01-01", percent="0"), True),
        ('score = { course = "C", at_least = 60 }', row("score", "2026-01-01", percent="59.999"), False),
        (
            'competency = { framework = "F", competency = "K", at_least = 2 }',
            row("competency", "2026-01-01", "F/K", level=""),
            False,
        ),
        ('competency = { framework = "F", competency = "K" }', row("competency", "2026-01-01", "F/K"), True),
        ('assessed = { assessment = "A" }', row("assessed", "2026-01-01", "A", success="0"), False),
        ('assessed = { assessment = "A" }', row("assessed", "2026-01-01", "A", success="1"), True),
        ('statement = { verb = "passed", activity = "S" }', row("statement", "2026-01-01", "S", verb="passed"), True),
        (
            'statement = { verb = "https://w3id.org/xapi/passed", activity = "S" }',
            row("statement", "2026-01-01", "S", verb="http://adlnet.gov/expapi/verbs/passed"),
            True,
        ),
        (
            'statement = { verb = "passed", activity = "S" }',
            row("statement", "2026-01-01", "S", verb="http://adlnet.gov/expapi/verbs/surpassed"),
            False,
        ),
        ('statement = { verb = "passed", activity = "S" }', row("statement", "2026-01-01", "S"), False),
        (
            'statement = { verb = "passed", activity = "S" }',
            row("statement", "2026-01-01", "S", verb="passed", success="false"),
            False,
        ),
        (
            'statement = { verb = "failed", activity = "S", success = false }',
            row("statement", "2026-01-01", "S", verb="x/failed", success="false"),
            True,
        ),
        (
            'statement = { verb = "passed", activity = "S", at_least = 50 }',
            row("statement", "2026-01-01", "S", verb="passed"),
            False,
        ),
        ('completed = { course = "C", source = "n" }', done("2026-01-01"), False),
        ('completed = { course = "C" }', row("completed", "2026-01-01", "c"), False),
    ],
)
def test_what_satisfies_a_leaf(leaf: str, line: str, met: bool) -> None:
    """A missing percent or level reaches no at_least, a missing success blocks nothing, equal is enough."""
    assert (asked(rule(leaf), [line], "2026-01-02")["status"] == "certified") is met


# What was known when --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("percent", "as_of", "status", "awards"),
    [
        ("90", "2026-03-09T23:59:59", "certified", ["2026-03-05 > 2027-03-05 achieved"]),
        ("90", "2026-03-10", "certified", ["2026-03-05 > 2027-03-05 achieved"]),
        ("70", "2026-03-09T23:59:59", "certified", ["2026-03-05 > 2027-03-05 achieved"]),
        ("70", "2026-03-10", "revoked", ["2026-03-05 > 2026-03-10 achieved revoked 2026-03-10"]),
    ],
)
def test_superseded_at_one_instant(percent: str, as_of: str, status: str, awards: list[str]) -> None:
    """The old mark is voided at the moment the new one is recorded: one that passes too leaves no gap, one that fails revokes."""
    text = rule('score = { activity = "Q", at_least = 80 }')
    rows = [
        score("2026-03-05", voided_at="2026-03-10"),
        score("2026-03-05", percent=percent, recorded_at="2026-03-10"),
    ]
    answer = asked(text, rows, as_of)
    assert (answer["status"], periods(answer)) == (status, awards)


def test_voided_long_after_its_end() -> None:
    """An award that has expired is revoked all the same; it keeps its own end, which is the earlier."""
    answer = asked(rule(), [done("2024-01-01", voided_at="2025-06-01")], "2025-06-02")
    assert periods(answer) == ["2024-01-01 > 2025-01-01 achieved revoked 2025-06-01"]
    assert (answer["status"], answer["achieved_at"], answer["next_change_at"]) == ("revoked", None, None)


def test_earned_again_after_the_revocation() -> None:
    """The revoked award stays, the new one decides; its evidence needs no W."""
    rows = [done("2026-01-01", voided_at="2026-02-01"), done("2026-02-10")]
    answer = asked(rule(), rows, "2026-02-11")
    assert periods(answer) == [
        "2026-01-01 > 2026-02-01 achieved revoked 2026-02-01",
        "2026-02-10 > 2027-02-10 achieved",
    ]
    assert (answer["status"], answer["achieved_at"]) == ("certified", "2026-02-10")


@pytest.mark.parametrize(
    "cells",
    [
        {"voided_at": "2026-01-01"},
        {"recorded_at": "2026-02-01", "voided_at": "2026-02-01"},
        {"recorded_at": "2026-02-01", "voided_at": "2026-01-15"},
        {"recorded_at": "2025-12-01", "voided_at": "2025-12-15"},
    ],
)
def test_voided_before_it_could_count(cells: dict[str, str]) -> None:
    """Voided at or before the moment at which it would begin to count: there was never an award."""
    answer = asked(rule(), [done("2026-01-01", **cells)], "2026-03-01")
    assert (answer["status"], answer["awards"], answer["achieved_at"]) == ("not_started", [], None)


def test_the_same_row_twice_is_one() -> None:
    """Rows that differ only in when they were recorded and voided count while either does, and renew nothing together."""
    rows = [done("2026-03-01", voided_at="2026-04-01"), done("2026-03-01", recorded_at="2026-03-20")]
    answer = asked(rule(terms='window = "P1Y"'), rows, "2026-04-02")
    assert periods(answer) == ["2026-03-01 > 2027-03-01 achieved"]


def test_evidence_of_a_day_to_come() -> None:
    """What is dated in the future counts from then on, and is no change to come: something else may be recorded."""
    rows = [done("2026-06-01", recorded_at="2026-05-01")]
    before = asked(rule(), rows, "2026-05-31T23:59:59")
    assert (before["status"], before["next_change_at"], before["awards"]) == ("not_started", None, [])
    assert asked(rule(), rows, "2026-06-01")["status"] == "certified"


@pytest.mark.parametrize(
    ("as_of", "awards"),
    [
        ("2025-06-30", ["2025-06-01 > 2026-06-01 achieved"]),
        ("2025-07-01", ["2025-05-20 > 2026-05-20 achieved"]),
    ],
)
def test_late_evidence_from_before(as_of: str, awards: list[str]) -> None:
    """An earlier completion that becomes known later moves the award, and its end, earlier."""
    rows = [done("2025-06-01"), done("2025-05-20", recorded_at="2025-07-01")]
    assert periods(asked(rule(), rows, as_of)) == awards


def test_late_evidence_makes_a_renewal_of_what_was_a_new_beginning() -> None:
    """A completion in the window, known only afterwards, undoes the lapse; what came after it is too early to renew again."""
    rows = [done("2024-01-01"), done("2025-03-01"), done("2024-12-20", recorded_at="2025-04-01")]
    assert periods(asked(rule(), rows, "2025-03-31")) == [
        "2024-01-01 > 2025-01-01 achieved",
        "2025-03-01 > 2026-03-01 achieved",
    ]
    assert periods(asked(rule(), rows, "2025-04-01")) == [
        "2024-01-01 > 2025-01-01 achieved",
        "2024-12-20 > 2025-12-20 achieved",
    ]


def test_the_latest_of_two_that_hold_decides() -> None:
    """After an early renewal the dates are those of the new award, while the old one still holds."""
    rows = [done("2024-02-29T10:00"), done("2025-02-01T09:00")]
    answer = asked(rule(), rows, "2025-02-10")
    assert (answer["status"], answer["next_change_at"]) == ("certified", "2025-12-03T09:00")


def test_half_in_the_window_and_half_after_the_lapse() -> None:
    """After the lapse what was achieved in the window counts still, what was achieved before it does not."""
    rows = [done("2024-01-01"), score("2024-01-01"), done("2024-10-01"), score("2024-12-15"), done("2025-03-01")]
    assert periods(asked(rule(ALL_OF), rows, "2025-03-02")) == [
        "2024-01-01 > 2025-01-01 achieved",
        "2025-03-01 > 2026-03-01 achieved",
    ]


def test_what_made_an_award_that_was_revoked_with_the_one_before_it() -> None:
    """The explanation names [renew], which made it after the lapse, though the lapsed award is revoked as well."""
    text = rule('badge = { badge = "B" }', 'lasts = "P1Y"\nafter_lapse = "renew"', COURSE)
    pieces = [piece(1, 0, voided=500, kind="badge", object="B"), piece(2, 420)]
    awards = derive(book(text), pieces, day(501))
    assert [award.revoked_at for award in awards] == [day(500), day(500)]
    because = explain_standing(book(text), awards, pieces, day(501))["because"]
    assert (because["award"], because["section"], because["criteria"]["satisfied"]) == (2, "renew", True)


# Refusals -------------------------------------------------------------------------------------------------------------

VALID = '[validity]\nlasts = "P1Y"\n'


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ('name = "X"\n[earn]\nbadge = { badge = "B" }\n' + VALID, 1),
        ('code = "X"\n' + VALID, 1),
        ('code = "X"\n[earn]\nbadge = { badge = "B" }\n', 1),
        ('code = "X"\n[earn]\nbadge = { badge = "B" }\n[validity]\nwindow = "P1D"\n', 4),
        ('code = "X"\n[earn]\nbadge = { badge = "B" }\n\n[validity]\nfrom = "fixed"\n', 5),
        ('code = "X"\n[earn]\nwithin = "P1D"\n' + VALID, 2),
        ('code = "X"\n[earn]\nbadge = { badge = "B" }\ncompleted = { course = "C" }\n' + VALID, 4),
        ('code = "X"\n[earn]\nall_of = [\n  { badge = { badge = "B" } },\n  { any_of = [] },\n]\n' + VALID, 5),
        ('code = "X"\n[earn]\nn_of = { n = 0, of = [{ badge = { badge = "B" } }] }\n' + VALID, 3),
        ('code = "X"\n[earn]\nn_of = { n = 2, of = [{ badge = { badge = "B" } }] }\n' + VALID, 3),
        ('code = "X"\n[earn]\nall_of = [\n  { badge = { badge = "B", within = "P1D" } },\n]\n' + VALID, 4),
        ('code = "X"\n[earn]\nscore = { activity = "Q", at_least = 100.5 }\n' + VALID, 3),
        ('code = "X"\n[earn]\nscore = { activity = "Q", at_least = -1 }\n' + VALID, 3),
        ('code = "X"\n[earn]\nbadge = { badge = "B", newer_than = "-P1D" }\n' + VALID, 3),
        ('code = "X"\n[earn]\nbadge = { badge = "B" }\n[validity]\nlasts = "P0D"\n', 5),
        ('code = "X"\n[earn]\nbadge = { badge = "B" }\n[validity]\nlasts = "PT0S"\n', 5),
        ('code = "X"\n[earn]\nbadge = { badge = "B" }\n' + VALID + 'window = "P366D"\n', 6),
        ('code = "X"\n[earn]\nbadge = { badge = "B" }\n' + VALID + 'window = "P1D"\ngrace = "P13M"\n', 7),
        ('code = "X"\n[earn]\nbadge = { badge = "B" }\n' + VALID + 'anchor = "12-31"\n', 6),
        ('code = "X"\n[earn]\nbadge = { badge = "B" }\n' + VALID + 'at_least = "P1M"\n', 6),
        (
            'code = "X"\n[earn]\nbadge = { badge = "B" }\n[validity]\nfrom = "fixed"\nlasts = "forever"\nanchor = "12-31"\n',
            6,
        ),
        ('code = "X"\n[earn]\nbadge = { badge = "B" }\n[validity]\nfrom = "fixed"\nanchor = "02-30"\n', 6),
        (
            'code = "X"\n[earn]\nbadge = { badge = "B" }\n[validity]\nfrom = "fixed"\nanchor = "12-31"\ngrace = "P366D"\n',
            7,
        ),
        (
            'code = "X"\n[earn]\nbadge = { badge = "B" }\n[renew]\nany_of = [{ certification = { code = "Y" } }]\n'
            + VALID,
            5,
        ),
        ('code = "X"\n[earn]\nbadge = { badge = "B" }\n[renew]\ncertification = { code = "Y" }\n' + VALID, 5),
        (
            'code = "X"\n[earn]\nall_of = [\n{ badge = { badge = "B" } },\n{ certification = { code = "X" } }]\n'
            + VALID,
            5,
        ),
        ('code = "X"\n[earn]\nbadge = { badge = "B" }\n' + VALID + 'after_lapse = "again"\n', 6),
        ('code = "X"\ncolour = "red"\n[earn]\nbadge = { badge = "B" }\n' + VALID, 2),
        ('code = "X"\n[earn]\nbadge = { badge = "B"\n' + VALID, 3),
        ('code = "X"\ncode = "Y"\n[earn]\nbadge = { badge = "B" }\n' + VALID, 2),
        ('code = "X"\n[earn]\ncompleted = {}\n' + VALID, 3),
        ('code = "X"\n[earn]\nhours = { courses = ["C"] }\n' + VALID, 3),
        ('code = "X"\n[earn]\nhours = { at_least = 3 }\n' + VALID, 3),
        ('code = "X"\n[earn]\nscore = { activity = "Q" }\n' + VALID, 3),
        ('code = "X"\n[earn]\nbadge = { badge = "B" }\n[renew]\nwithin = "P1D"\n' + VALID, 4),
        ('code = "X"\n[earn]\nbadge = { badge = "B" }\n[validity]\nlasts = "P1Y2"\n', 5),
    ],
)
def test_refused_with_the_line(text: str, line: int) -> None:
    """A rule that cannot be used is refused with the line of the offending key, its table's header, or 1."""
    with pytest.raises(RuleRefused) as refused:
        parse_rule(text)
    assert refused.value.line == line


@pytest.mark.parametrize(
    "terms",
    ['window = "P1Y"', 'window = "P12M"', 'window = "P365D"', 'window = "P52W"', 'grace = "P1Y"', 'grace = "P12M"'],
)
def test_as_long_as_the_validity_is_allowed(terms: str) -> None:
    """A window or grace of the same mean length as the validity is no longer than it."""
    assert parse_rule(rule(terms=terms)).code == "X"

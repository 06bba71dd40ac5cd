"""When a section is satisfied: each leaf, composites, within, newer_than, hours, other certifications."""

import pytest

from metrics.certification.chain import derive
from tests.metrics.certification.kit import asked, book, day, done, piece, row, rule

BOTH = '{ completed = { course = "C" } }, { score = { activity = "Q", at_least = 80 } }'
DAY = "2024-05-01"


def achieved(earn: str, rows: list[str], as_of: str = "2024-12-01") -> str | None:
    """When the first award was achieved."""
    awards = asked(rule(earn), rows, as_of)["awards"]
    return awards[0]["valid_from"] if awards else None


@pytest.mark.parametrize(
    ("earn", "line", "met"),
    [
        ('completed = { course = "C" }', row("completed", DAY), True),
        ('completed = { course = "C" }', row("completed", DAY, success="true"), True),
        ('completed = { course = "C" }', row("completed", DAY, success="0"), False),
        ('completed = { course = "C" }', row("passed", DAY), False),
        ('completed = { course = "C" }', row("completed", DAY, "D"), False),
        ('completed = { course = "C", source = "m" }', row("completed", DAY), True),
        ('completed = { course = "C", source = "n" }', row("completed", DAY), False),
        ('passed = { activity = "Q" }', row("passed", DAY, "Q"), True),
        ('passed = { activity = "Q" }', row("passed", DAY, "Q", success="false"), False),
        ('passed = { course = "Q", at_least = 70 }', row("passed", DAY, "Q", percent="70"), True),
        ('passed = { course = "Q", at_least = 70 }', row("passed", DAY, "Q", percent="69.99"), False),
        ('passed = { course = "Q", at_least = 70 }', row("passed", DAY, "Q"), False),
        ('score = { activity = "Q", at_least = 80 }', row("score", DAY, "Q", percent="80"), True),
        ('score = { activity = "Q", at_least = 80 }', row("score", DAY, "Q", percent="80", success="false"), True),
        ('score = { activity = "Q", at_least = 80 }', row("score", DAY, "Q", percent="79.9"), False),
        ('score = { activity = "Q", at_least = 0 }', row("score", DAY, "Q"), False),
        (
            'statement = { verb = "passed", activity = "a" }',
            row("statement", DAY, "a", verb="http://x/verbs/passed"),
            True,
        ),
        ('statement = { verb = "http://y/passed/", activity = "a" }', row("statement", DAY, "a", verb="passed"), True),
        ('statement = { verb = "passed", activity = "a" }', row("statement", DAY, "a", verb="failed"), False),
        ('statement = { verb = "passed", activity = "a" }', row("statement", DAY, "a"), False),
        (
            'statement = { verb = "did", activity = "a" }',
            row("statement", DAY, "a", verb="did", success="false"),
            False,
        ),
        (
            'statement = { verb = "did", activity = "a", success = false }',
            row("statement", DAY, "a", verb="did", success="false"),
            True,
        ),
        (
            'statement = { verb = "did", activity = "a", success = false }',
            row("statement", DAY, "a", verb="did", success="true"),
            False,
        ),
        ('statement = { verb = "did", activity = "a", success = true }', row("statement", DAY, "a", verb="did"), True),
        (
            'statement = { verb = "did", activity = "a", at_least = 50 }',
            row("statement", DAY, "a", verb="did", percent="49"),
            False,
        ),
        (
            'statement = { verb = "did", activity = "a", authority = "x" }',
            row("statement", DAY, "a", verb="did"),
            False,
        ),
        ('badge = { badge = "B" }', row("badge", DAY, "B"), True),
        ('badge = { badge = "B" }', row("badge", DAY, "b"), False),
        ('competency = { framework = "F", competency = "K" }', row("competency", DAY, "F/K"), True),
        ('competency = { framework = "F", competency = "K" }', row("competency", DAY, "G/K"), False),
        (
            'competency = { framework = "F", competency = "K", at_least = 3 }',
            row("competency", DAY, "F/K", level="3"),
            True,
        ),
        ('competency = { framework = "F", competency = "K", at_least = 3 }', row("competency", DAY, "F/K"), False),
        ('hours = { courses = ["C", "D"], at_least = 2 }', row("hours", DAY, "D", hours="2"), True),
        ('hours = { categories = ["S"], at_least = 2 }', row("hours", DAY, "S", hours="2"), True),
        ('hours = { courses = ["C"], at_least = 2 }', row("hours", DAY, "C", hours="1.5"), False),
        ('hours = { courses = ["C"], at_least = 2 }', row("hours", DAY, "C"), False),
        ('assessed = { assessment = "A" }', row("assessed", DAY, "A"), True),
        ('assessed = { assessment = "A" }', row("assessed", DAY, "A", success="false"), False),
    ],
)
def test_leaf(earn: str, line: str, met: bool) -> None:
    """A leaf is satisfied by what its row of the table names, and by nothing else."""
    assert achieved(earn, [line]) == (DAY if met else None)


def test_composites() -> None:
    """all_of is met at the latest of its children, any_of at the earliest, n_of at the n-th earliest."""
    rows = [row("badge", f"2024-05-0{number}", name) for number, name in enumerate("zabc", 1)]
    of = ", ".join(f'{{ badge = {{ badge = "{name}" }} }}' for name in "cab")
    assert achieved(f"all_of = [{of}]", rows) == "2024-05-04"
    assert achieved(f"any_of = [{of}]", rows) == "2024-05-02"
    assert achieved(f"n_of = {{ n = 2, of = [{of}] }}", rows) == "2024-05-03"
    assert achieved(f"n_of = {{ n = 2, of = [{{ all_of = [{of}] }}, {of}] }}", rows) == "2024-05-03"


def test_what_is_used() -> None:
    """any_of and n_of use the children met earliest, ties in the rule's order; a leaf the earliest, then by arrival."""
    of = ", ".join(f'{{ badge = {{ badge = "{name}" }} }}' for name in "cab")
    pieces = [piece(number, 5, kind="badge", object=name) for number, name in enumerate("abc", 1)]
    assert derive(book(rule(f"any_of = [{of}]")), pieces, day(9))[0].used == (3,)
    assert derive(book(rule(f"n_of = {{ n = 2, of = [{of}] }}")), pieces, day(9))[0].used == (1, 3)
    arrivals = [piece(1, 5, 8, source="late"), piece(2, 5, 6, source="early"), piece(3, 6)]
    assert derive(book(rule()), arrivals, day(9))[0].used == (2,)


def test_one_piece_for_two_leaves() -> None:
    """One piece may satisfy two leaves, and is used once."""
    text = rule('all_of = [{ completed = { course = "C" } }, { completed = { course = "C", source = "m" } }]')
    assert derive(book(text), [piece(1, 5)], day(9))[0].used == (1,)


def test_unused_evidence_renews() -> None:
    """What any_of left aside in the window may renew later, what it used may not."""
    text = rule('any_of = [{ badge = { badge = "a" } }, { badge = { badge = "b" } }]', terms='window = "P1Y"')
    pieces = [piece(1, 5, kind="badge", object="a"), piece(2, 6, kind="badge", object="b")]
    assert [award.used for award in derive(book(text), pieces, day(9))] == [(1,), (2,)]


def test_within_overrides_the_earliest() -> None:
    """The first moment at which near evidence exists decides, though each leaf was met earlier; equal is near enough."""
    earn = f'within = "P30D"\nall_of = [{BOTH}]'
    score = row("score", "2024-05-31", "Q", percent="85")
    assert achieved(earn, [done("2024-05-01"), score]) == "2024-05-31"
    assert achieved(earn, [done("2024-04-30"), score]) is None
    assert achieved(earn, [done("2024-04-30"), done("2024-05-20"), score]) == "2024-05-31"


def test_within_counts_only_what_is_used() -> None:
    """Evidence of the tree that is not used may lie anywhere."""
    earn = f'within = "P10D"\nn_of = {{ n = 2, of = [{BOTH}, {{ badge = {{ badge = "B" }} }}] }}'
    rows = [done("2024-01-01"), row("score", "2024-05-01", "Q", percent="90"), row("badge", "2024-05-08", "B")]
    assert achieved(earn, rows) == "2024-05-08"


def test_within_uses_the_earliest_in_reach() -> None:
    """Of what lies within the duration the earliest is used."""
    text = rule(f'within = "P30D"\nall_of = [{BOTH}]')
    pieces = [piece(1, 0), piece(2, 40), piece(3, 50), piece(4, 60, kind="score", object="Q", percent=85)]
    assert derive(book(text), pieces, day(99))[0].used == (2, 4)


def test_within_is_renewals_too() -> None:
    """A renewal left out has the within of [earn]; one that is written has its own."""
    earn = f'within = "P10D"\nall_of = [{BOTH}]'
    pieces = [piece(1, 0), piece(2, 0, kind="score", object="Q", percent=85)]
    pieces += [piece(3, 320), piece(4, 350, kind="score", object="Q", percent=85)]
    assert len(derive(book(rule(earn)), pieces, day(400))) == 1
    assert len(derive(book(rule(earn, renew=f"all_of = [{BOTH}]")), pieces, day(400))) == 2


def test_newer_than() -> None:
    """A leaf must still be fresh when the whole is satisfied; equal is fresh enough, and a later piece refreshes it."""
    earn = 'all_of = [{ completed = { course = "C", newer_than = "P30D" } }, { badge = { badge = "B" } }]'
    badge = row("badge", "2024-05-31", "B")
    assert achieved(earn, [done("2024-05-01"), badge]) == "2024-05-31"
    assert achieved(earn, [done("2024-04-30"), badge]) is None
    assert achieved(earn, [done("2024-04-30"), badge, done("2024-06-20")]) == "2024-06-20"


def test_newer_than_does_not_fade_an_award() -> None:
    """An award once held stays, however old its evidence grows."""
    text = rule('completed = { course = "C", newer_than = "P30D" }')
    assert asked(text, [done("2024-05-01")], "2024-10-01")["status"] == "certified"


def test_hours_are_summed() -> None:
    """Hours are summed by achievement up to the moment that reaches them; later ones stay unused."""
    text = rule('hours = { courses = ["H"], at_least = 5 }', terms='window = "P1Y"')
    pieces = [piece(number, number * 10, kind="hours", object="H", hours=2) for number in range(1, 8)]
    awards = derive(book(text), pieces, day(99))
    assert [(award.achieved_at, award.used) for award in awards] == [(day(30), (1, 2, 3)), (day(60), (4, 5, 6))]


def test_hours_within() -> None:
    """With within, hours too old are left behind."""
    text = rule('within = "P20D"\nhours = { courses = ["H"], at_least = 5 }')
    pieces = [piece(n, n * 15, kind="hours", object="H", hours=hours) for n, hours in enumerate([4, 1, 1, 4], 1)]
    assert [award.used for award in derive(book(text), pieces[:1] + pieces[2:], day(99))] == [(3, 4)]


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        (row("certification", "2020-01-01", "Z"), "2024-05-01"),
        (row("certification", "2024-06-01", "Z"), "2024-06-01"),
        (row("certification", "2020-01-01", "Z", voided_at="2024-05-01"), None),
        (row("certification", "2020-01-01", "Z", voided_at="2024-05-02"), "2024-05-01"),
        (row("certification", "2020-01-01", "Y"), None),
        (row("certification", "2020-01-01", "Z", recorded_at="2024-07-01"), "2024-05-01"),
        (row("certification", "2020-01-01", "Z", recorded_at="2025-07-01"), None),
    ],
)
def test_another_certification(held: str, expected: str | None) -> None:
    """Another certification must be held at the moment itself; within does not bound it."""
    earn = 'within = "P1D"\nall_of = [{ certification = { code = "Z" } }, { completed = { course = "C" } }]'
    assert achieved(earn, [done("2024-05-01"), held]) == expected


def test_another_certification_is_exempt() -> None:
    """One that began before W counts beside the evidence that renews, again and again, but renews nothing alone."""
    both = 'all_of = [{ certification = { code = "Z" } }, { completed = { course = "C" } }]'
    held = row("certification", "2020-01-01", "Z")
    rows = [held, done("2024-01-10"), done("2025-01-05"), done("2026-01-02")]
    assert len(asked(rule(both), rows, "2026-02-01")["awards"]) == 3
    either = 'any_of = [{ certification = { code = "Z" } }, { completed = { course = "C" } }]'
    assert len(asked(rule(either), [held], "2026-02-01")["awards"]) == 1
    assert len(asked(rule(either), [held, done("2020-12-15")], "2021-02-01")["awards"]) == 2


def test_holdings_from_the_store() -> None:
    """What other certifications are held may be given as intervals instead."""
    text = rule('all_of = [{ certification = { code = "Z" } }, { completed = { course = "C" } }]')
    assert derive(book(text), [piece(1, 5)], day(9), {"Z": [(day(7), None)]})[0].achieved_at == day(7)
    assert derive(book(text), [piece(1, 5)], day(9), {"Z": [(day(1), day(5))]}) == []

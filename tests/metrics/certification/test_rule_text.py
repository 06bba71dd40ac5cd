"""Rules as TOML: what is read, what is refused and on which line, and what is written back."""

import tomllib
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from metrics.certification.rule import AllOf, AnyOf, Criterion, Leaf, NOf, Rule, Section, Validity, leaves
from metrics.certification.rule_text import (
    RuleRefused,
    check_circles,
    located_leaves,
    needs,
    parse_rule,
    rule_to_toml,
)
from metrics.certification.toml_lines import Path, key_lines
from plugin.errors import RefusedError
from plugin.moments import Duration

FORKLIFT = """\
code = "FORKLIFT"
name = { en = "Forklift operator", zh_CN = "叉车操作证" }
effective_from = 2026-01-01             # which version decides

[earn]                                  # the first time
within = "P12M"
all_of = [
  { completed = { source = "moodle", course = "CRS-12" } },
  { score = { source = "moodle", activity = "quiz-12", at_least = 80 } },
]

[renew]                                 # afterwards
any_of = [
  { completed = { source = "moodle", course = "CRS-13" } },
  { statement = { source = "lrs", verb = "passed", activity = "https://lms.example/xapi/forklift-refresher" } },
]

[validity]
from = "achieved"
lasts = "P2Y"
window = "P60D"
grace = "P30D"
remind = ["P30D", "P15D", "P7D"]
after_lapse = "earn"
"""


def refusal(text: str) -> RuleRefused:
    """The refusal that `text` meets."""
    with pytest.raises(RuleRefused) as caught:
        parse_rule(text)
    return caught.value


def with_earn(lines: str) -> str:
    """A rule of which [earn] stands on line 2 and `lines` begin on line 3."""
    return f'code = "A"\n[earn]\n{lines}\n[validity]\nlasts = "P1Y"\n'


def with_validity(lines: str) -> str:
    """A rule of which [validity] stands on line 4 and `lines` begin on line 5."""
    return f'code = "A"\n[earn]\nbadge = {{ badge = "B" }}\n[validity]\n{lines}\n'


def test_the_whole_example_is_read() -> None:
    """Every key of a full rule arrives where the engine looks for it."""
    assert parse_rule(FORKLIFT) == Rule(
        code="FORKLIFT",
        name={"en": "Forklift operator", "zh_CN": "叉车操作证"},
        effective_from=date(2026, 1, 1),
        earn=Section(
            AllOf(
                (
                    Leaf("completed", "CRS-12", "course", source="moodle"),
                    Leaf("score", "quiz-12", "activity", source="moodle", at_least=Decimal(80)),
                )
            ),
            within=Duration(months=12),
        ),
        renew=Section(
            AnyOf(
                (
                    Leaf("completed", "CRS-13", "course", source="moodle"),
                    Leaf(
                        "statement",
                        "https://lms.example/xapi/forklift-refresher",
                        "activity",
                        source="lrs",
                        verb="passed",
                    ),
                )
            )
        ),
        validity=Validity(
            basis="achieved",
            lasts=Duration(years=2),
            window=Duration(days=60),
            grace=Duration(days=30),
            remind=(Duration(days=30), Duration(days=15), Duration(days=7)),
        ),
    )


@pytest.mark.parametrize(
    ("line", "leaf"),
    [
        ('completed = { course = "C" }', Leaf("completed", "C", "course")),
        ('passed = { course = "C" }', Leaf("passed", "C", "course")),
        (
            'passed = { activity = "Q", at_least = 79.5 }',
            Leaf("passed", "Q", "activity", at_least=Decimal("79.5")),
        ),
        ('score = { course = "C", at_least = 0 }', Leaf("score", "C", "course", at_least=Decimal(0))),
        ('score = { activity = "Q", at_least = 100.0 }', Leaf("score", "Q", "activity", at_least=Decimal(100))),
        (
            'statement = { verb = "passed", activity = "u", success = false, at_least = 50, authority = "x" }',
            Leaf("statement", "u", "activity", verb="passed", success=False, at_least=Decimal(50), authority="x"),
        ),
        ('badge = { badge = "B", newer_than = "P3Y" }', Leaf("badge", "B", "badge", newer_than=Duration(years=3))),
        (
            'competency = { framework = "F", competency = "K", at_least = 250 }',
            Leaf("competency", "F/K", "competency", at_least=Decimal(250)),
        ),
        (
            'hours = { courses = ["C", "D"], categories = ["K"], at_least = 0.5 }',
            Leaf("hours", at_least=Decimal("0.5"), courses=("C", "D"), categories=("K",)),
        ),
        (
            'assessed = { assessment = "S", source = "desk" }',
            Leaf("assessed", "S", "assessment", source="desk"),
        ),
    ],
)
def test_leaves_are_read(line: str, leaf: Leaf) -> None:
    """A section may be one leaf, of every kind, with the keys that its kind has."""
    rule = parse_rule(with_earn(line))
    assert rule.earn == Section(leaf)
    assert parse_rule(rule_to_toml(rule)) == rule


def test_criteria_nest() -> None:
    """Groups stand in groups at will, and a leaf below them in its place."""
    text = with_earn(
        """n_of = { n = 1, of = [
          { all_of = [ { badge = { badge = "B" } }, { any_of = [ { certification = { code = "C" } } ] } ] },
          { n_of = { n = 1, of = [ { assessed = { assessment = "S" } } ] } },
        ] }"""
    )
    badge, certification = Leaf("badge", "B", "badge"), Leaf("certification", "C", "code")
    assessed = Leaf("assessed", "S", "assessment")
    assert parse_rule(text).earn.criterion == NOf(1, (AllOf((badge, AnyOf((certification,)))), NOf(1, (assessed,))))


def test_tables_may_be_written_in_any_way_that_toml_has() -> None:
    """Headers, dotted keys and arrays of tables say the same as inline tables."""
    rule = parse_rule(
        'code = "A"\nname.en = "N"\nvalidity.lasts = "P1Y"\n'
        '[[earn.all_of]]\nbadge.badge = "B"\n[[earn.all_of]]\n[earn.all_of.score]\ncourse = "C"\nat_least = 1\n'
    )
    assert rule.name == {"en": "N"}
    assert [leaf.kind for leaf in leaves(rule.earn.criterion)] == ["badge", "score"]


def test_what_is_left_out_has_its_default() -> None:
    """Without [renew] it is earn itself; the name is the code; the validity counts from the achievement."""
    rule = parse_rule(with_earn('badge = { badge = "B" }'))
    assert rule.renew is rule.earn
    assert rule.name == {"": "A"}
    assert rule.effective_from is None
    assert rule.validity == Validity("achieved", Duration(years=1))


def test_a_name_without_a_language() -> None:
    """A name given as a text stands under the empty language, for every reader."""
    assert parse_rule('name = "N"\n' + with_earn('badge = { badge = "B" }')).name == {"": "N"}


@pytest.mark.parametrize(
    ("lines", "validity"),
    [
        ('lasts = "forever"', Validity()),
        ('lasts = "forever"\nwindow = "P900Y"\ngrace = "P900Y"', Validity(window=Duration(900), grace=Duration(900))),
        ('from = "previous_expiry"\nlasts = "P1Y"', Validity("previous_expiry", Duration(1))),
        ('from = "fixed"\nanchor = "02-29"', Validity("fixed", anchor=(2, 29))),
        (
            'from = "fixed"\nanchor = "12-31"\nat_least = "P6M"\nwindow = "P1Y"\ngrace = "P365D"',
            Validity(
                "fixed", anchor=(12, 31), at_least=Duration(months=6), window=Duration(1), grace=Duration(days=365)
            ),
        ),
        ('lasts = "P1Y"\nwindow = "P12M"', Validity(lasts=Duration(1), window=Duration(months=12))),
        ('lasts = "PT1S"\nafter_lapse = "renew"', Validity(lasts=Duration(seconds=1), after_lapse="renew")),
        ('lasts = "P1Y"\nremind = []', Validity(lasts=Duration(1))),
    ],
)
def test_validities_are_read(lines: str, validity: Validity) -> None:
    """Every form of validity that the rules allow, up to a window exactly as long as the validity."""
    assert parse_rule(with_validity(lines)).validity == validity


LEAF = 'badge = { badge = "B" }'


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", 1, "code"),
        ('[earn]\nbadge = { badge = "B" }\n[validity]\nlasts = "P1Y"', 1, "lacks 'code'"),
        ('code = "A"\n\n[validity]\nlasts = "P1Y"', 1, "[earn]"),
        (f'code = "A"\n\n[earn]\n{LEAF}', 1, "[validity]"),
        ('\n\ncode = 5\n[earn]\n[validity]\nlasts = "P1Y"', 3, "text in quotes"),
        ('\ncode = " "\n[earn]\n[validity]\nlasts = "P1Y"', 2, "empty"),
        (f'\ncode = "{"A" * 101}"\n[earn]\n[validity]', 2, "at most 100"),
        ('code = "A"\nearn = 5\n[validity]\nlasts = "P1Y"', 2, "table"),
        ('code = "A"\n[[earn]]\nbadge = { badge = "B" }\n[validity]\nlasts = "P1Y"', 2, "table"),
        (f"titel = 5\n{with_earn(LEAF)}", 1, "'titel'"),
        (f"# a note\n'' = 5\n{with_earn(LEAF)}", 2, "''"),
        (f"name = 5\n{with_earn(LEAF)}", 1, "'name'"),
        (f"name = {{}}\n{with_earn(LEAF)}", 1, "no language"),
        (f"name = {{ en = 5 }}\n{with_earn(LEAF)}", 1, "'en'"),
        (f'{with_earn(LEAF)}[name]\nen = "N"\n"in English" = "N"', 8, "not a language"),
        (f'effective_from = "2026-01-01"\n{with_earn(LEAF)}', 1, "without quotes"),
        (f"effective_from = 2026-01-01T00:00:00Z\n{with_earn(LEAF)}", 1, "a date"),
        (with_earn(LEAF) + "[notes]\nx = 1", 6, "'notes'"),
    ],
)
def test_the_top_is_refused(text: str, line: int, says: str) -> None:
    """A missing code or table is told on line 1, what is wrong at the top on its own line."""
    refused = refusal(text)
    assert (refused.line, says in refused.reason) == (line, True), refused


@pytest.mark.parametrize(
    ("lines", "line", "says"),
    [
        ("", 2, "no criterion"),
        ('within = "P1M"', 2, "no criterion"),
        (f"{LEAF}\nwithin = 5", 4, "'within'"),
        (f'{LEAF}\nwithin = "1 month"', 4, "not an ISO 8601 duration"),
        (f'{LEAF}\nwithin = "-P1M"', 4, "negative"),
        (f'{LEAF}\n\nassessed = {{ assessment = "S" }}', 5, "more than one criterion"),
        (f"{LEAF}\n[earn.completed]\ncourse = 5", 4, "more than one criterion"),
        (f"{LEAF}\nlasts = 5", 4, "'lasts'"),
        ("complete = {}", 3, "'complete'"),
        # groups
        ("all_of = []", 3, "empty"),
        ("any_of = [ # nothing\n]", 3, "empty"),
        ("all_of = 5", 3, "list"),
        ("all_of = {}", 3, "list"),
        ("any_of = [\n  5,\n]", 4, "braces"),
        ("any_of = [\n\n  {},\n]", 5, "no criterion"),
        (f"any_of = [\n  {{ {LEAF} }},\n  {{ {LEAF}, all_of = [] }},\n]", 5, "more than one criterion"),
        (f"any_of = [\n  {{ {LEAF} }},\n  {{ {LEAF}, course = 5 }},\n]", 5, "'course'"),
        (f'any_of = [\n  {{ {LEAF} }},\n  {{ {LEAF}, within = "P1M" }},\n]', 5, "only at the top"),
        (f"any_of = [\n  {{ all_of = [\n {{ {LEAF} }}, {{ all_of = [\n] }},\n] }},\n]", 5, "empty"),
        ("n_of = 5", 3, "table"),
        ("n_of = {}", 3, "lacks 'n'"),
        ("n_of = { n = 1 }", 3, "lacks 'of'"),
        (f"[earn.n_of]\nof = [ {{ {LEAF} }} ]", 3, "lacks 'n'"),
        ("[earn.n_of]\nn = 1\nof = []", 5, "empty"),
        (f"[earn.n_of]\nof = [ {{ {LEAF} }} ]\nn = 0", 5, "from 1 to 1"),
        (f"[earn.n_of]\nof = [\n {{ {LEAF} }},\n {{ {LEAF} }},\n]\nn = 3", 8, "from 1 to 2"),
        (f"n_of = {{ n = 0x{'f' * 5000}, of = [ {{ {LEAF} }} ] }}", 3, "from 1 to 1"),
        (f"n_of = {{ n = -1, of = [ {{ {LEAF} }} ] }}", 3, "from 1 to 1"),
        (f"n_of = {{ n = 1.0, of = [ {{ {LEAF} }} ] }}", 3, "whole number"),
        (f"n_of = {{ n = true, of = [ {{ {LEAF} }} ] }}", 3, "whole number"),
        (f'n_of = {{ n = "1", of = [ {{ {LEAF} }} ] }}', 3, "whole number"),
        (f"[earn.n_of]\nn = 1\nof = [ {{ {LEAF} }} ]\nwithin = 'P1M'", 6, "only at the top"),
        # leaves
        ("completed = 5", 3, "table"),
        ("completed = {}", 3, "lacks 'course'"),
        ("completed = { course = 12 }", 3, "text in quotes"),
        ('completed = { course = "" }', 3, "empty"),
        ('[earn.completed]\ncourse = "C"\nat_least = 5', 5, "'at_least'"),
        ('[earn.completed]\ncourse = "C"\nwithin = "P1M"', 5, "only at the top"),
        ('[earn.completed]\ncourse = "C"\nsource = ["moodle"]', 5, "'source'"),
        ('[earn.completed]\ncourse = "C"\nnewer_than = 365', 5, "a duration in quotes"),
        ('[earn.completed]\ncourse = "C"\nnewer_than = "P0.5Y"', 5, "fraction"),
        ("passed = { at_least = 5 }", 3, "'course' or 'activity'"),
        ('[earn.passed]\ncourse = "C"\nactivity = "Q"', 5, "only one of them"),
        ('[earn.passed]\ncourse = "C"\nat_least = 101', 5, "from 0 to 100"),
        ('score = { activity = "Q" }', 3, "lacks 'at_least'"),
        ("score = { at_least = 80 }", 3, "'course' or 'activity'"),
        ('[earn.score]\nactivity = "Q"\nat_least = 100.01', 5, "from 0 to 100"),
        ('[earn.score]\nactivity = "Q"\nat_least = -0.1', 5, "from 0 to 100"),
        ('[earn.score]\nactivity = "Q"\nat_least = "80"', 5, "without quotes"),
        ('[earn.score]\nactivity = "Q"\nat_least = true', 5, "a number"),
        ('[earn.score]\nactivity = "Q"\nat_least = nan', 5, "a number"),
        ('[earn.score]\nactivity = "Q"\nat_least = inf', 5, "a number"),
        ('[earn.score]\nactivity = "Q"\nat_least = 1e99999999999999999999', 5, "a number"),
        ('[earn.score]\nactivity = "Q"\nat_least = 80\nsuccess = true', 6, "'success'"),
        ('statement = { verb = "passed" }', 3, "lacks 'activity'"),
        ('statement = { activity = "u" }', 3, "lacks 'verb'"),
        ('[earn.statement]\nverb = "v"\nactivity = "u"\nat_least = 120', 6, "from 0 to 100"),
        ('[earn.statement]\nverb = "v"\nactivity = "u"\nsuccess = "yes"', 6, "true or false"),
        ('[earn.statement]\nverb = "v"\nactivity = "u"\nauthority = 5', 6, "'authority'"),
        ("badge = {}", 3, "lacks 'badge'"),
        ('competency = { framework = "F" }', 3, "lacks 'competency'"),
        ('competency = { competency = "K" }', 3, "lacks 'framework'"),
        ('[earn.competency]\nframework = "F"\ncompetency = "K"\nat_least = "high"', 6, "a number"),
        ("hours = { at_least = 8 }", 3, "'courses' and 'categories'"),
        ('hours = { courses = ["C"] }', 3, "lacks 'at_least'"),
        ("[earn.hours]\nat_least = 8\ncourses = []", 5, "empty"),
        ('[earn.hours]\nat_least = 8\ncourses = "C"', 5, "list"),
        ('[earn.hours]\nat_least = 8\ncategories = [\n  "C",\n  5,\n]', 7, "text in quotes"),
        ('[earn.hours]\ncourses = ["C"]\nat_least = 0', 5, "above 0"),
        ("assessed = {}", 3, "lacks 'assessment'"),
        ("certification = {}", 3, "lacks 'code'"),
        # certifications
        ('certification = { code = "A" }', 3, "needs itself"),
        (f'any_of = [\n  {{ {LEAF} }},\n  {{ certification = {{ code = "A" }} }},\n]', 5, "needs itself"),
        ('certification = { code = "B" }', 3, "certifications alone"),
    ],
)
def test_a_section_is_refused(lines: str, line: int, says: str) -> None:
    """What is wrong in [earn] is told on the line of the very key, what is missing on its table's."""
    refused = refusal(with_earn(lines))
    assert (refused.line, says in refused.reason) == (line, True), refused


@pytest.mark.parametrize(
    ("lines", "line", "says"),
    [
        ("", 4, "lacks 'lasts'"),
        ('from = "previous_expiry"', 4, "lacks 'lasts'"),
        ('last = "P1Y"', 5, "'last'"),
        ("lasts = 2", 5, "a duration in quotes"),
        ('lasts = "P0D"', 5, "zero"),
        ('lasts = "PT0S"', 5, "zero"),
        ('lasts = "-P1Y"', 5, "negative"),
        ('lasts = "2 years"', 5, "not an ISO 8601 duration"),
        ('lasts = "Forever"', 5, "not an ISO 8601 duration"),
        ('lasts = "P1Y"\nwindow = "P366D"', 6, "longer than the validity"),
        ('lasts = "P1Y"\ngrace = "P13M"', 6, "longer than the validity"),
        ('lasts = "P30D"\nwindow = "P1M"', 6, "longer than the validity"),
        ('grace = "P366D"\nfrom = "fixed"\nanchor = "12-31"', 5, "longer than a year"),
        ('window = "P366D"\nfrom = "fixed"\nanchor = "12-31"', 5, "longer than a year"),
        ('lasts = "P1Y"\nwindow = "-P1D"', 6, "negative"),
        ('lasts = "P1Y"\ngrace = 30', 6, "a duration in quotes"),
        ('lasts = "P1Y"\nremind = "P30D"', 6, "list"),
        ('lasts = "P1Y"\nremind = [\n  "P30D",\n  "15 days",\n]', 8, "not an ISO 8601 duration"),
        ('lasts = "P1Y"\nremind = ["P30D", 15]', 6, "a duration in quotes"),
        ('lasts = "P1Y"\nanchor = "12-31"', 6, 'only for from = "fixed"'),
        ('lasts = "forever"\nat_least = "P6M"', 6, 'only for from = "fixed"'),
        ('lasts = "P1Y"\nfrom = "today"', 6, "achieved, previous_expiry, fixed"),
        ('lasts = "P1Y"\nfrom = 5', 6, "text in quotes"),
        ('lasts = "P1Y"\nafter_lapse = "never"', 6, "earn, renew"),
        ('lasts = "P1Y"\nwithin = "P1M"', 6, "only at the top"),
        ('from = "fixed"', 4, "lacks 'anchor'"),
        ('from = "fixed"\nanchor = "12-31"\nlasts = "forever"', 7, "not for from"),
        ('from = "fixed"\nlasts = "P1Y"\nanchor = "12-31"', 6, "not for from"),
        ('from = "fixed"\nanchor = "02-30"', 6, "no year has"),
        ('from = "fixed"\nanchor = "13-01"', 6, "no year has"),
        ('from = "fixed"\nanchor = "00-10"', 6, "no year has"),
        ('from = "fixed"\nanchor = "04-31"', 6, "no year has"),
        ('from = "fixed"\nanchor = "31.12."', 6, "not a month and day"),
        ('from = "fixed"\nanchor = 12-31', 6, "not TOML"),
        ('from = "fixed"\nanchor = 1231', 6, "text in quotes"),
        ('from = "fixed"\nanchor = "12-31"\nat_least = "soon"', 7, "not an ISO 8601 duration"),
    ],
)
def test_the_validity_is_refused(lines: str, line: int, says: str) -> None:
    """What is wrong in [validity] is told on the key's line, a missing key on the header's."""
    refused = refusal(with_validity(lines))
    assert (refused.line, says in refused.reason) == (line, True), refused


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('code = "A', 1),
        ('code = "A"\nname =\n[earn]', 2),
        ('code = "A"\n[earn\nbadge = 5', 2),
        ('code = "A"\r\n\r\nname == "N"\r\n', 3),
        ('code = "A"\n[earn]\nall_of = [\n  { badge = { badge = "B" } },\n\n', 4),
        ('code = "A"\nname = """\nN\n', 3),
        ('code = "A"\n[earn]\n[validity]\n[earn]\n', 4),
        ('code = "A"\ncode = "B"\n[earn]\n', 2),
        ('code = "A"\n[earn]\nany_of = []\nany_of = [\n  5,\n]\n[validity]', 4),
        ('code = "A"\n[earn]\nbadge = { badge = "B" }\nbadge.badge = """\nC\n"""', 4),
        ('code = "A"\n[earn]\nn_of = { n = 1,\n of = [] }', 3),
        ("code = 2024-02-30", 1),
        ('code = "A"\nname = "\x00"', 2),
        ("\ufeff\ufeffcode = 5", 1),
        ("code = " + "9" * 5000, 1),
        ("code = " + "[" * 5000, 1),
    ],
)
def test_what_is_not_toml_is_refused(text: str, line: int) -> None:
    """A mistake in the TOML itself is told on its own line; a key written twice on the second one's."""
    assert refusal(text).line == line


def test_a_refusal_speaks() -> None:
    """A refusal is one of the project's own errors, and its text holds the line and one sentence."""
    refused = refusal(with_validity('lasts = "P0D"'))
    assert isinstance(refused, RefusedError)
    assert str(refused) == ("line 5: 'lasts' is zero; write how long the certification holds, or \"forever\"")


def with_renew(earn: str, renew: str, lasts: str = "P1Y") -> str:
    """A rule of which [earn]'s criterion stands on line 3, [renew]'s on line 6."""
    return f'code = "A"\n[earn]\n{earn}\n[renew]\nwithin = "P1Y"\n{renew}\n[validity]\nlasts = "{lasts}"\n'


ALONE = 'all_of = [ { certification = { code = "B" } }, { any_of = [ { certification = { code = "C" } } ] } ]'


def test_a_renewal_needs_evidence() -> None:
    """Certifications alone, however grouped, renew nothing; to earn they will do."""
    assert refusal(with_renew(LEAF, ALONE)).line == 6
    assert refusal(with_renew(LEAF, ALONE, "forever")).line == 6
    assert parse_rule(with_renew(ALONE, LEAF)).renew.criterion == Leaf("badge", "B", "badge")


def test_what_never_ends_need_not_be_renewed() -> None:
    """Without [renew], certifications alone earn one that lasts for ever; one that ends is refused at what also renews."""
    text = f'code = "A"\n[earn]\n{ALONE}\n[validity]\n'
    assert parse_rule(text + 'lasts = "forever"').validity.lasts is None
    assert refusal(text + 'lasts = "P1Y"').line == 3
    assert refusal(text + 'from = "fixed"\nanchor = "12-31"').line == 3


def test_a_renewal_must_not_need_its_own_certification() -> None:
    """Needing itself is refused in [renew] as in [earn], on the leaf's line."""
    itself = '{ certification = { code = "A" } }'
    refused = refusal(with_renew(LEAF, f"any_of = [\n  {{ {LEAF} }},\n  {itself},\n]"))
    assert (refused.line, "needs itself" in refused.reason) == (8, True)


TRICKY = '''\
# code = "no" [earn] {
"code" = "A"   # = [
name = { "en" = "a = [1, 2", 'zh_CN' = '} # ] "' }
[ earn ]   # [renew]
all_of = [   # { completed = { course = "x" } }
  { badge = { badge = """two
lines ]""" } }, # a comment, with ] and }

  { "badge" = { badge = \'\'\'it's
]\'\'\' } }, { hours = { courses = [
    "C = \\"[\\"",
    "D" ], at_least = 1_0.5 } },
  {assessed={assessment="""a\\"""b"""""}},
  { score = { activity = "Q", at_least = 500 } },
]
[validity] # lasts = "P1Y"
lasts = "P1Y"
'''


@pytest.mark.parametrize("text", [TRICKY, TRICKY.replace("\n", "\r\n"), f"\ufeff{TRICKY}"])
def test_lines_hold_where_text_looks_like_toml(text: str) -> None:
    """Brackets and equals signs in comments and strings, strings over lines, CRLF and a BOM leave the lines right."""
    assert refusal(text).line == 14
    mended = text.replace("500", "50")
    assert [(leaf.kind, line) for leaf, line in located_leaves(mended)] == [
        ("badge", 6),
        ("badge", 9),
        ("hours", 10),
        ("assessed", 13),
        ("score", 14),
    ]
    assert leaves(parse_rule(mended).earn.criterion)[3].object == 'a"""b""'
    assert refusal(mended.replace('lasts = "P1Y"', 'lasts = "P0Y"', 2)).line == 17


# What TOML may look like: generated texts whose every key's line is known beforehand

values = st.sampled_from(
    [
        *("1", "-1_0.5e3", "true", "2026-01-01", "2026-01-01 10:00:00", "[]", "{}"),
        *('"a # [b"', "'{'", '""', "''", '"\\""'),
        '"""\n"a""b\\\\\n"""',
        "'''\n'']\n'''''",
        "[ # ]\n 1,\n\n [2, '''\n''' ],\n]",
        "{ a.b = 1, 'c d' = [\n{ e = 2 } ] }",
    ]
)
names = st.sampled_from(["a", "b-1", '"x.y"', "'[z]'", '"q\\"u=e"', "a . b", "' '.c"])


def paths_of(value: Any, path: Path = ()) -> Iterator[Path]:
    """The path of every key and element that `tomllib` found."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in pairs:
        yield (*path, key)
        yield from paths_of(below, (*path, key))


@given(
    st.lists(st.tuples(st.sampled_from(["", "[", "[["]), names, values, st.sampled_from(["\n", " # [x\n", "\r\n\n"])))
)
def test_the_scanner_finds_what_tomllib_finds(statements: list[tuple[str, str, str, str]]) -> None:
    """For TOML of every form the scanner names the very keys that `tomllib` reads, on lines that hold their text."""
    text = ""
    for opening, name, value, end in statements:
        closing = opening.replace("[", "]")
        longer = text + (f"{opening}{name}{closing}{end}" if opening else f"{name} = {value}{end}")
        try:
            tomllib.loads(longer)
        except tomllib.TOMLDecodeError:  # the name is taken; leave the statement out
            continue
        text = longer
    lines = key_lines(text)
    assert set(lines) == set(paths_of(tomllib.loads(text)))
    rows = text.split("\n")
    for path, line in lines.items():
        if isinstance(path[-1], str):
            assert path[-1].replace('"', '\\"') in rows[line - 1]


@given(
    st.sampled_from([FORKLIFT, TRICKY]),
    st.integers(0, 700),
    st.integers(0, 20),
    st.text("[]{}=,.\"'#\n\\ e1-", max_size=3),
)
def test_a_damaged_rule_is_read_or_refused(text: str, at: int, removed: int, put: str) -> None:
    """Whatever is cut out of a rule and put in its place, it is read or refused on one of its lines, and never breaks."""
    damaged = text[:at] + put + text[at + removed :]
    try:
        parse_rule(damaged)
    except RuleRefused as refused:
        assert 1 <= refused.line <= damaged.count("\n") + 1
        assert refused.reason


# Rules of every form

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8).filter(
    lambda text: bool(text.strip())
)
durations = st.builds(Duration, *[st.integers(0, 3)] * 7)
percentages = st.integers(0, 100).map(Decimal) | st.decimals(0, 100, places=2)
numbers = st.decimals(allow_nan=False, allow_infinity=False)


def leaf_of(kind: str, key: str, **more: st.SearchStrategy[Any]) -> st.SearchStrategy[Leaf]:
    """Leaves of one kind, each with or without what every leaf may say."""
    fields: dict[str, st.SearchStrategy[Any]] = {"object": texts, **more}
    return st.builds(
        Leaf,
        kind=st.just(kind),
        object_key=st.just(key),
        source=st.none() | texts,
        newer_than=st.none() | durations,
        **fields,
    )


some = st.lists(texts, min_size=1, max_size=3).map(tuple)
hours_of = {"object": st.just(""), "at_least": numbers.filter(lambda number: number > 0)}
evidence_leaves = st.one_of(
    leaf_of("completed", "course"),
    leaf_of("passed", "course", at_least=st.none() | percentages),
    leaf_of("score", "activity", at_least=percentages),
    leaf_of(
        "statement",
        "activity",
        verb=texts,
        success=st.none() | st.booleans(),
        at_least=st.none() | percentages,
        authority=st.none() | texts,
    ),
    leaf_of("badge", "badge"),
    leaf_of("competency", "competency", object=st.tuples(texts, texts).map("/".join), at_least=st.none() | numbers),
    leaf_of("hours", "", courses=some, **hours_of),
    leaf_of("hours", "", categories=some, courses=some, **hours_of),
    leaf_of("assessed", "assessment"),
)
certification_leaves = leaf_of("certification", "code", object=texts.map(lambda text: f"other {text}"))


def groups(children: st.SearchStrategy[Criterion]) -> st.SearchStrategy[Criterion]:
    """All three kinds of group over `children`."""
    some_children = st.lists(children, min_size=1, max_size=3).map(tuple)
    n_of = some_children.flatmap(lambda of: st.builds(NOf, st.integers(1, len(of)), st.just(of)))
    return st.builds(AllOf, some_children) | st.builds(AnyOf, some_children) | n_of


criteria = st.recursive(evidence_leaves | certification_leaves, groups, max_leaves=8)
sections = st.builds(Section, criteria, st.none() | durations)
renewals = sections.filter(lambda section: any(leaf.kind != "certification" for leaf in leaves(section.criterion)))
periods = {"window": durations, "grace": durations, "remind": st.lists(durations, max_size=3).map(tuple)}
lapses = st.sampled_from(["earn", "renew"])
validities = st.one_of(
    st.builds(Validity, st.sampled_from(["achieved", "previous_expiry"]), st.none(), after_lapse=lapses, **periods),
    st.builds(
        Validity, st.sampled_from(["achieved", "previous_expiry"]), st.just(Duration(99)), after_lapse=lapses, **periods
    ),
    st.builds(
        Validity,
        st.just("fixed"),
        anchor=st.dates(date(2024, 1, 1), date(2024, 12, 31)).map(lambda day: (day.month, day.day)),
        at_least=st.none() | durations,
        window=st.integers(0, 365).map(lambda days: Duration(days=days)),
        after_lapse=lapses,
    ),
)
languages = st.sampled_from(["en", "zh_CN", "zh-Hans-CN", "de"])
rule_names = st.dictionaries(languages, texts, min_size=1) | texts.map(lambda text: {"": text})
rules = st.builds(
    Rule, st.just("CODE"), rule_names, sections, renewals, validities, st.none() | st.dates(), version=st.just(1)
)


FRAMEWORK_OF_STROKES = parse_rule(
    """code = "CODE"
name = "0"
[earn]
competency = { framework = "/", competency = "a/b" }
[validity]
from = "achieved"
lasts = "P1Y"
"""
)


@given(rules)
@example(FRAMEWORK_OF_STROKES)
def test_a_rule_is_written_and_read_back(rule: Rule) -> None:
    """Whatever a rule holds, its text reads back to an equal rule, and writing that gives the same text."""
    text = rule_to_toml(rule)
    assert parse_rule(text) == rule
    assert rule_to_toml(parse_rule(text)) == text


def test_the_written_text_is_for_people() -> None:
    """A rule is written as one would write it: sections apart, a criterion's children on a line each, no defaults."""
    assert rule_to_toml(parse_rule(FORKLIFT)) == (
        'code = "FORKLIFT"\n'
        'name = { en = "Forklift operator", zh_CN = "叉车操作证" }\n'
        "effective_from = 2026-01-01\n"
        "\n"
        "[earn]\n"
        'within = "P12M"\n'
        "all_of = [\n"
        '  { completed = { source = "moodle", course = "CRS-12" } },\n'
        '  { score = { source = "moodle", activity = "quiz-12", at_least = 80 } },\n'
        "]\n"
        "\n"
        "[renew]\n"
        "any_of = [\n"
        '  { completed = { source = "moodle", course = "CRS-13" } },\n'
        '  { statement = { source = "lrs", verb = "passed", activity = "https://lms.example/xapi/forklift-refresher" } },\n'
        "]\n"
        "\n"
        "[validity]\n"
        'from = "achieved"\n'
        'lasts = "P2Y"\n'
        'window = "P60D"\n'
        'grace = "P30D"\n'
        'remind = ["P30D", "P15D", "P7D"]\n'
    )


def rule_that_needs(code: str, *needed: str) -> str:
    """The text of a rule; the first certification that it needs stands on line 5."""
    wanted = "".join(f'  {{ certification = {{ code = "{other}" }} }},\n' for other in needed)
    return (
        f'code = "{code}"\n[earn]\nall_of = [\n  {{ badge = {{ badge = "B" }} }},\n{wanted}]\n'
        f'[renew]\nbadge = {{ badge = "B" }}\n[validity]\nlasts = "P1Y"\n'
    )


def ruleset(**needed: str) -> dict[str, Rule]:
    """Rules by code, each needing the certifications that its letters name."""
    return {code: parse_rule(rule_that_needs(code, *others)) for code, others in needed.items()}


def test_needs() -> None:
    """What a rule needs is every certification below its earn and its renew."""
    mixed = f'any_of = [ {{ {LEAF} }}, {{ certification = {{ code = "D" }} }} ]'
    assert needs(parse_rule(with_renew(ALONE, mixed))) == {"B", "C", "D"}
    assert needs(parse_rule(with_earn(LEAF))) == set()


def test_rules_without_a_circle_pass() -> None:
    """Needing one certification by two ways is no circle, nor is needing one that has no rule."""
    check_circles({})
    check_circles(ruleset(A="BC", B="D", C="D", D="X"))


def test_a_circle_is_refused_by_name() -> None:
    """A certification that needs itself through others is refused with the whole way round."""
    with pytest.raises(RuleRefused, match="B needs D, which needs C, which needs B: a circle") as caught:
        check_circles(ruleset(A="B", B="D", C="B", D="C"))
    assert caught.value.line == 1


def test_a_circle_is_told_from_the_rule_that_closes_it() -> None:
    """With the text about to be saved, the circle starts there and the line is that of its leaf on the way round."""
    stored = ruleset(A="B", B="C", C="")
    text = rule_that_needs("C", "X", "A")
    with pytest.raises(RuleRefused, match="C needs A, which needs B, which needs C") as caught:
        check_circles(stored, text)
    assert caught.value.line == 6
    check_circles({**stored, "C": parse_rule(text)}, rule_that_needs("C", "X"))


def test_long_chains_of_needs_are_walked() -> None:
    """Thousands of certifications, each needing the next, neither overflow the stack nor hide the circle at the end."""
    step = parse_rule(rule_that_needs("A", "B"))
    leaf = Leaf("certification", "", "code")

    def needing(code: str, other: str) -> Rule:
        section = Section(Leaf(leaf.kind, other, leaf.object_key))
        return Rule(code, {}, section, step.renew, step.validity)

    chain = {f"C{number}": needing(f"C{number}", f"C{number + 1}") for number in range(3000)}
    check_circles(chain)
    with pytest.raises(RuleRefused, match="C0 needs C1"):
        check_circles({**chain, "C3000": needing("C3000", "C0")})

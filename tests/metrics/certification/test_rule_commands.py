"""`certbridge certification import|list|export|preview|regrade`, on SQLite and on PostgreSQL."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import func, select

from connectors.models import Activity, Badge, Competency, Course, Evidence
from metrics.certification import preview, rules
from metrics.certification.commands import certification
from metrics.certification.engine import Terms, derive_due
from metrics.certification.explain import explain
from metrics.certification.models import Award, AwardChange, CertificationRegrade, CertificationRule, Holding
from metrics.certification.rule_commands import file_name, register
from metrics.certification.telling import in_words
from plugin import people
from plugin.cli import Command, Context
from plugin.installation import Installation
from plugin.models import AuditEntry, Event, Person
from plugin.moments import Duration

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
RULE = """\
# kept as it is
code = "FIRE"
name = {{ en = "Fire officer", zh_CN = "消防员" }}

[earn]
all_of = [
  {leaf},
]

[validity]
lasts = "{lasts}"
window = "P60D"
grace = "P30D"
"""
COURSE = '{ completed = { source = "moodle", course = "CRS-1" } }'
BOTH = COURSE + ',\n  { completed = { source = "moodle", course = "CRS-2" } }'


def rule(leaf: str = COURSE, lasts: str = "P365D", **changes: str) -> str:
    """The rule FIRE, with other leaves or another duration; `changes` are replacements of its code and the like."""
    text = RULE.format(leaf=leaf, lasts=lasts)
    for old, new in changes.items():
        text = text.replace(f'{old} = "FIRE"', f'{old} = "{new}"', 1)
    return text


class World:
    """An installation with three employees and what was pulled, and short ways to say what happens."""

    def __init__(self, home: Installation, folder: Path) -> None:
        self.home, self.folder = home, folder
        self.clock: Any = home.clock
        with home.store.write() as session:
            staff = [people.Employee(f"E{n}", f"Person {n}", joined_on=date(2020, 1, 1)) for n in (1, 2, 3)]
            people.record_employees(session, staff, NOW.date(), NOW)
            for n in (1, 2):
                session.add(
                    Course(source="moodle", course_key=str(n), object=f"CRS-{n}", name=f"Course {n}", category="SAFETY")
                )
            session.add(
                Activity(
                    source="moodle",
                    activity_key="7",
                    course_key="1",
                    object="quiz-1",
                    kind="quiz",
                    minimum=0,
                    maximum=10,
                )
            )
            session.add(
                Badge(
                    source="moodle",
                    badge_key="1",
                    user_key="u",
                    object="BDG",
                    name="Badge",
                    issued_at=NOW,
                    first_seen_at=NOW,
                )
            )
            session.add(Competency(source="moodle", competency_key="1", object="FW/C-1", name="Competency"))

    def __call__(self, *arguments: str, answer: str | None = None) -> Result:
        """What `certbridge certification` prints."""
        context = Context(Path("unread"))
        context.__dict__["installation"] = self.home

        @click.group(cls=Command)
        def root() -> None:
            """The root."""

        register(certification)
        root.add_command(certification)
        return CliRunner().invoke(root, ["certification", *arguments], obj=context, input=answer)

    def file(self, text: str, name: str = "rule.toml") -> str:
        """A file with these letters and no others."""
        path = self.folder / name
        path.write_bytes(text.encode("utf-8"))
        return str(path)

    def complete(self, number: str, course: str, days_ago: int) -> None:
        """The person completed the course so many days ago; it was recorded then."""
        then = self.clock() - timedelta(days=days_ago)
        with self.home.store.write() as session:
            person_id = session.scalars(select(Person.id).where(Person.employee_number == number)).one()
            session.add(
                Evidence(
                    person_id=person_id, origin=f"{course}:{days_ago}", source="moodle", user_key="u", kind="completed",
                    object=course, course=course, achieved_at=then, recorded_at=then,
                )
            )  # fmt: skip
            people.touch(session, [person_id])

    def derive(self) -> list[tuple[str, str, str]]:
        """Derive what is due; the new events as (employee, type, reason)."""
        with self.home.store.read() as session:
            seen = set(session.scalars(select(Event.id)))
        derive_due(self.home.store, self.clock, Terms(self.home.settings.organisation.zone, Duration(days=30)))
        with self.home.store.read() as session:
            rows = session.scalars(select(Event).order_by(Event.person_id, Event.sequence)).all()
        return [(row.data["employee_number"], row.type, row.data["reason"]) for row in rows if row.id not in seen]

    def later(self, **span: int) -> None:
        """Let time pass."""
        self.clock.moment += timedelta(**span)


@pytest.fixture
def run(installation: Installation, tmp_path: Path) -> World:
    """A world on each database, whose clock tests move."""
    return World(installation, tmp_path)


def stored(run: World, what: Any) -> int:
    """How many rows of a table there are."""
    with run.home.store.read() as session:
        return session.scalar(select(func.count()).select_from(what)) or 0


@pytest.mark.parametrize(
    ("leaf", "line", "name"),
    [
        ('{ completed = { course = "CRS-9" } }', 7, "CRS-9"),
        ('{ completed = { source = "other", course = "CRS-1" } }', 7, "CRS-1"),
        ('{ passed = { activity = "quiz-9" } }', 7, "quiz-9"),
        (COURSE + ',\n  { score = { activity = "quiz-9", at_least = 80 } }', 8, "quiz-9"),
        ('{ badge = { badge = "BDG-9" } }', 7, "BDG-9"),
        ('{ competency = { framework = "FW", competency = "C-9" } }', 7, "FW/C-9"),
        (COURSE + ',\n  { certification = { code = "NONE" } }', 8, "NONE"),
        ('{ hours = { courses = ["CRS-1", "CRS-9"], at_least = 8 } }', 7, "CRS-9"),
        ('{ hours = { categories = ["NONE"], at_least = 8 } }', 7, "NONE"),
    ],
)
def test_what_was_never_pulled_is_refused_by_line(run: World, leaf: str, line: int, name: str) -> None:
    """A rule that names what the store does not know is refused with the line and the name, and nothing is stored."""
    for command in ("import", "preview"):
        result = run(command, run.file(rule(leaf)))
        assert result.exit_code == 1, result.output
        assert f"line {line}: " in result.output
        assert repr(name) in result.output
        assert "--allow-unknown" in result.output
    assert stored(run, CertificationRule) == 0
    allowed = run("import", run.file(rule(leaf)), "--allow-unknown")
    assert allowed.exit_code == 0
    assert f"warning: line {line}: " in allowed.output
    assert stored(run, CertificationRule) == 1


def test_what_was_pulled_or_has_no_list_is_accepted(run: World) -> None:
    """Everything pulled is known, from the source named or from any; statements and assessments have no list to be in."""
    leaves = [
        COURSE, '{ passed = { course = "CRS-2" } }', '{ score = { activity = "quiz-1", at_least = 80 } }',
        '{ badge = { source = "moodle", badge = "BDG" } }', '{ competency = { framework = "FW", competency = "C-1" } }',
        '{ hours = { courses = ["CRS-1"], categories = ["SAFETY"], at_least = 8 } }',
        '{ statement = { verb = "passed", activity = "https://lms.example/a" } }', '{ assessed = { assessment = "A" } }',
    ]  # fmt: skip
    result = run("import", run.file(rule(",\n  ".join(leaves))))
    assert result.exit_code == 0, result.output
    assert "warning" not in result.output


def test_files_that_need_one_another_are_stored_in_the_order_of_need(run: World) -> None:
    """A file may name a certification of another file of the same command, whichever comes first; a circle is refused."""
    needs = '{ completed = { course = "CRS-1" } },\n  { certification = { code = "BASE" } }'
    first, second = run.file(rule(needs), "a.toml"), run.file(rule(code="BASE"), "b.toml")
    assert run("import", first, second).output.splitlines() == [
        "BASE: version 1 created",
        "FIRE: version 1 created",
    ]
    circle = run("import", run.file(rule(needs.replace("BASE", "FIRE"), code="BASE"), "b.toml"))
    assert circle.exit_code == 1
    assert "line 8: BASE needs FIRE, which needs BASE: a circle" in circle.output


def test_a_circle_through_an_older_version_is_refused(run: World) -> None:
    """What an older version needed counts for its awards, so another rule must not close a circle through it."""
    needs = COURSE + ',\n  { certification = { code = "BASE" } }'
    run("import", run.file(rule(code="BASE"), "b.toml"))
    run("import", run.file(rule(needs)))
    assert "version 2 changed" in run("import", run.file(rule())).output
    refused = run("import", run.file(rule(needs.replace("BASE", "FIRE"), code="BASE"), "b.toml"))
    assert refused.exit_code == 1
    assert "a circle" in refused.output


@pytest.mark.parametrize("text", [rule(), rule().replace("\n", "\r\n"), "\ufeff" + rule(), rule().rstrip("\n")])
def test_what_was_imported_is_exported_byte_by_byte(run: World, text: str) -> None:
    """Comments, line ends and a byte order mark come back as they were; importing that again changes nothing."""
    assert run("import", run.file(text)).exit_code == 0
    assert run("export", "FIRE").stdout_bytes == text.encode("utf-8")
    assert "version 1 unchanged" in run("import", run.file(text)).output
    names = run.home.store
    with names.read() as session:
        assert rules.stored_text(session, "FIRE") == text


def test_versions_are_exported_one_by_one_or_all_to_a_folder(run: World) -> None:
    """The newest version unless one is named; a folder gets every version, from which an empty store can be filled."""
    texts = [rule(), rule(BOTH), rule(BOTH, "P100D")]
    for text in texts:
        run("import", run.file(text))
    run("import", run.file(rule(code="A/B")))
    assert run("export", "FIRE", "--version", "1").stdout_bytes.decode() == texts[0]
    assert run("export", "FIRE").stdout_bytes.decode() == texts[2]
    folder = run.folder / "out"
    assert "Wrote 4 versions of 2 certifications" in run("export", "--folder", str(folder)).output
    assert sorted(path.name for path in folder.iterdir()) == [
        "A%2FB-v001.toml", "FIRE-v001.toml", "FIRE-v002.toml", "FIRE-v003.toml",
    ]  # fmt: skip
    assert (folder / file_name("FIRE", 2)).read_bytes().decode() == texts[1]
    for arguments, exit_code, said in [
        (("export",), 2, "Name a certification"),
        (("export", "NONE"), 1, "There is no certification 'NONE'"),
        (("export", "FIRE", "--version", "9"), 1, "it has 1, 2, 3"),
        (("export", "NONE", "--folder", str(folder)), 1, "There is no certification 'NONE'"),
        (("export", "FIRE", "--folder", str(folder), "--version", "1"), 2, "leave --version out"),
    ]:
        result = run(*arguments)
        assert (result.exit_code, said in result.output) == (exit_code, True), result.output


def test_preview_of_a_first_rule_says_who_would_gain_it(run: World) -> None:
    """Before a rule is stored it says who would hold it, by status and by name, and stores nothing."""
    run.complete("E1", "CRS-1", 10)
    run.complete("E2", "CRS-1", 350)
    answer = json.loads(run("preview", run.file(rule()), "--format", "json").output)
    assert (answer["code"], answer["version"], answer["outcome"], answer["people"]) == ("FIRE", 1, "created", 2)
    assert answer["statuses"] == {"certified": {"before": 0, "after": 1}, "renewal_due": {"before": 0, "after": 1}}
    assert (answer["gains"], answer["loses"], answer["moves"]) == (2, 0, 0)
    assert [each["employee_number"] for each in answer["differences"]] == ["E1", "E2"]
    assert answer["differences"][0]["after"]["valid_until"] == "2027-11-13T10:00:00+08:00"
    said = run("preview", run.file(rule()), "--limit", "1").output
    assert "course completed: CRS-1, from moodle" in said
    assert "Of 2 people 2 would gain it, 0 would lose it, 0 would move." in said
    assert "and 1 more" in said
    assert (stored(run, CertificationRule), stored(run, Holding), stored(run, AuditEntry)) == (0, 0, 0)


def test_preview_agrees_with_what_importing_then_does(run: World) -> None:
    """A version that asks less, from a later day: the preview as of that day says what deriving on it then finds."""
    run("import", run.file(rule(BOTH)))
    run.complete("E1", "CRS-1", 10)
    run.complete("E2", "CRS-1", 10)
    run.complete("E2", "CRS-2", 9)
    run.later(days=1)
    run.derive()
    later = rule().replace("[earn]", "effective_from = 2026-12-01\n[earn]", 1)
    now = json.loads(run("preview", run.file(later), "--as-of", "2026-11-30", "--format", "json").output)
    assert (now["gains"], now["loses"], now["moves"]) == (0, 0, 0)
    answer = json.loads(run("preview", run.file(later), "--format", "json").output)
    assert answer["as_of"] == "2026-12-01T00:00:00+08:00"
    assert answer["statuses"] == {"certified": {"before": 1, "after": 2}, "in_progress": {"before": 1, "after": 0}}
    assert [(d["employee_number"], d["change"]) for d in answer["differences"]] == [("E1", "gains")]
    run("import", run.file(later))
    run.derive()
    run.clock.moment = datetime(2026, 11, 30, 16, 0, tzinfo=UTC)
    with run.home.store.write() as session:
        people.touch_all(session)
    run.derive()
    with run.home.store.read() as session:
        found = dict(session.execute(select(Holding.status, func.count()).group_by(Holding.status)).all())
    assert found == {"certified": 2}


def test_preview_counts_those_whose_other_certifications_move(run: World) -> None:
    """Where another rule needs the certification, the people who would stand elsewhere there are counted."""
    run("import", run.file(rule('{ completed = { course = "CRS-2" } }')))
    needs = COURSE + ',\n  { certification = { code = "FIRE" } }'
    run("import", run.file(rule(needs, code="MORE")))
    run.complete("E1", "CRS-1", 10)
    run.later(hours=1)
    run.derive()
    easier = rule().replace("[earn]", "effective_from = 2026-11-01\n[earn]", 1)
    answer = json.loads(run("preview", run.file(easier), "--format", "json").output)
    assert (answer["gains"], answer["others"]) == (1, {"MORE": 1})


@pytest.mark.parametrize("arguments", [("--as-of", "yesterday"), ("--as-of", "2020-01-01")])
def test_preview_looks_ahead_only(run: World, arguments: tuple[str, ...]) -> None:
    """A moment that is none, or lies in the past, is refused."""
    result = run("preview", run.file(rule()), *arguments)
    assert result.exit_code == 1
    assert "--as-of" in result.output


def test_a_rule_that_cannot_be_read_is_refused_with_its_file_and_line(run: World) -> None:
    """Import and preview name the file and the line; of several files none is stored."""
    bad = run.file(rule().replace("lasts", "last"), "bad.toml")
    for command in (("import", run.file(rule()), bad), ("preview", bad)):
        result = run(*command)
        assert result.exit_code == 1
        assert "bad.toml: line " in result.output
    (run.folder / "gbk.toml").write_bytes(rule().encode("gbk"))
    assert "line 3: this is not UTF-8" in run("import", str(run.folder / "gbk.toml")).output
    assert stored(run, CertificationRule) == 0


def _regradable(run: World) -> None:
    """E1 and E2 hold FIRE by the first version, E2 has what the second asks, E3 what neither does."""
    run("import", run.file(rule()))
    for number, course, ago in (("E1", "CRS-1", 20), ("E2", "CRS-1", 20), ("E2", "CRS-2", 10), ("E3", "CRS-2", 5)):
        run.complete(number, course, ago)
    run.derive()
    run.later(hours=1)
    run("import", run.file(rule(BOTH, "P100D")))
    assert run.derive() == []  # what was granted stands


def test_regrade_previews_asks_and_does(run: World) -> None:
    """The preview says who loses and who moves; only confirmed, with a reason, it is done, kept and audited."""
    _regradable(run)
    run.later(hours=1)
    assert "Say why with --reason" in run("regrade", "FIRE").output
    tried = json.loads(run("regrade", "FIRE", "--dry-run", "--format", "json").output)
    assert (tried["outcome"], tried["gains"], tried["loses"], tried["moves"]) == ("regraded", 0, 1, 1)
    assert [(d["employee_number"], d["after"]["status"]) for d in tried["differences"]] == [
        ("E1", "revoked"),
        ("E2", "certified"),
    ]
    declined = run("regrade", "FIRE", "--reason", "new law", answer="n\n")
    assert declined.exit_code == 1
    assert stored(run, CertificationRegrade) == 0
    assert run("regrade", "FIRE", "--reason", "new law", answer="y\n").exit_code == 0
    run.later(seconds=1)
    assert run.derive() == [
        ("E1", "certification.revoked", "regraded"),
        ("E2", "certification.amended", "regraded"),
    ]
    with run.home.store.read() as session:
        (row,) = session.scalars(select(CertificationRegrade)).all()
        assert (row.version, row.reason) == (2, "new law")
        act = session.scalars(select(AuditEntry).where(AuditEntry.action == "certification.regrade")).one()
        assert (act.subject, act.reason, act.after) == ("FIRE", "new law", {"version": 2})
        changes = session.scalars(select(AwardChange).where(AwardChange.reason == "regraded")).all()
        assert sorted(change.change for change in changes) == ["amended", "revoked"]
    assert "applied to older awards 2026-11-23" in run("list").output
    assert json.loads(run("list", "--format", "json").output)[1]["regraded_at"].startswith("2026-11-23T12:00:00")


def test_after_a_regrade_the_store_is_what_a_fresh_derivation_finds(run: World) -> None:
    """Everybody derived anew changes nothing, and as of before the regrade the answer is what it was then."""
    _regradable(run)
    before = run.clock()
    run.later(hours=1)
    run("regrade", "FIRE", "--reason", "new law", "--yes")
    run.later(seconds=1)
    run.derive()
    with run.home.store.write() as session:
        rows = [(a.person_id, a.number, a.valid_until, a.rule_version) for a in session.scalars(select(Award))]
        people.touch_all(session)
    assert run.derive() == []
    zone = run.home.settings.organisation.zone
    with run.home.store.read() as session:
        assert rows == [(a.person_id, a.number, a.valid_until, a.rule_version) for a in session.scalars(select(Award))]
        then = explain(session, "E1", "FIRE", before, zone)
        now = explain(session, "E1", "FIRE", run.clock(), zone)
    assert (then["status"], then["version"], [line["change"] for line in then["history"]]) == (
        "certified", 1, ["awarded"],
    )  # fmt: skip
    assert (now["status"], now["version"]) == ("revoked", 1)
    assert [line["change"] for line in now["history"]] == ["awarded", "regrade", "revoked"]
    assert "regrade to version 2, decided by" in in_words(now)


def test_a_version_that_asks_less_grants_when_it_is_applied(run: World) -> None:
    """Who had what the new version asks before it was stored gets the award when it is applied; HR hears why, as news."""
    run("import", run.file(rule(BOTH)))
    run.complete("E1", "CRS-1", 200)
    run.derive()
    run.later(hours=1)
    run("import", run.file(rule().replace("[earn]", "effective_from = 2027-01-01\n[earn]", 1)))
    run.derive()
    run.later(hours=1)
    tried = json.loads(run("regrade", "FIRE", "--dry-run", "--format", "json").output)
    assert (tried["gains"], tried["statuses"]["certified"]) == (1, {"before": 0, "after": 1})
    run("regrade", "FIRE", "--reason", "agreed", "--yes")
    run.later(seconds=1)
    assert run.derive() == [("E1", "certification.awarded", "regraded")]
    with run.home.store.read() as session:
        assert session.scalars(select(Event)).one().data["backfill"] is False


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("NONE",), "There is no certification 'NONE'"),
        (("FIRE", "--to", "9"), "FIRE has no version 9; it has 1, 2."),
        (("FIRE", "--to", "1"), "Version 1 of FIRE is its first"),
    ],
)
def test_a_regrade_to_nothing_newer_is_refused(run: World, arguments: tuple[str, ...], said: str) -> None:
    """An unknown certification or version, the first version, and one applied already are refused in words."""
    _regradable(run)
    assert said in run("regrade", *arguments, "--reason", "x", "--yes").output
    run.later(hours=1)
    assert run("regrade", "FIRE", "--reason", "x", "--yes").exit_code == 0
    again = run("regrade", "FIRE", "--reason", "x", "--yes")
    assert again.exit_code == 1
    assert "was applied to older awards already" in again.output


def test_only_so_many_are_looked_at(run: World) -> None:
    """A preview with a limit looks at that many people and says how many there are."""
    run.complete("E1", "CRS-1", 10)
    run.complete("E2", "CRS-1", 10)
    zone = run.home.settings.organisation.zone
    with run.home.store.read() as session:
        found = preview.preview_import(session, rule(), NOW, zone, preview.Limits(looked_at=1))
    assert (found.concerned, found.looked_at, found.changes["gains"]) == (2, 1, 1)

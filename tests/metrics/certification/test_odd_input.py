"""What odd input does on the store: each has one defined outcome (docs/certification.md, 'What odd input does')."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from connectors.models import Evidence
from metrics.certification.history import import_history
from metrics.certification.models import Award, AwardChange, Holding
from metrics.certification.rules import import_rule
from plugin import people
from plugin.store import Store
from tests.metrics.test_engine import FIRE, NOW, SHANGHAI, Scene

DAY = timedelta(days=1)


@pytest.fixture
def scene(store: Store) -> Scene:
    """A store with the rule FIRE and two employees, on each database."""
    return Scene(store)


def awards(scene: Scene, code: str = "FIRE") -> list[Award]:
    """The awards of one certification, by their beginning."""
    with scene.store.read() as session:
        query = select(Award).where(Award.certification == code).order_by(Award.valid_from, Award.number)
        return list(session.scalars(query))


def test_evidence_from_the_future_counts_from_then_on(scene: Scene) -> None:
    """What is dated later than now awards nothing yet, is known as the next change, and awards at its own moment."""
    scene.earn(NOW + 10 * DAY)
    assert scene.derive() == []
    assert (scene.holding().status, scene.holding().next_change_at) == ("not_started", NOW + 10 * DAY)
    scene.now = NOW + 10 * DAY - timedelta.resolution
    assert scene.derive() == []
    scene.now = NOW + 10 * DAY
    assert [type_ for type_, _ in scene.derive()] == ["certification.awarded"]
    assert awards(scene)[0].achieved_at == NOW + 10 * DAY


def test_evidence_from_the_future_in_parts_is_told_by_part(scene: Scene) -> None:
    """The first piece to come makes in progress, the second one awards: each moment is the next change before it."""
    scene.evidence("completed", "CRS-1", NOW + 5 * DAY)
    scene.evidence("score", "quiz-1", NOW + 9 * DAY, percent=90)
    scene.derive()
    moments = []
    for _ in range(2):
        moment = scene.holding().next_change_at
        assert moment is not None
        scene.now = moment
        scene.derive()
        moments.append((moment - NOW, scene.holding().status))
    assert moments == [(5 * DAY, "in_progress"), (9 * DAY, "certified")]


def test_a_renewal_from_the_future_is_the_next_change(scene: Scene) -> None:
    """Somebody certified, whose next completion is dated in the window to come, is looked at again at just that moment."""
    scene.earn(NOW - 330 * DAY)
    scene.derive()
    scene.earn(NOW + 3 * DAY)
    assert scene.derive() == []
    assert (scene.holding().status, scene.holding().next_change_at) == ("renewal_due", NOW + 3 * DAY)
    scene.now = NOW + 3 * DAY
    assert [type_ for type_, _ in scene.derive()] == ["certification.renewed"]


def test_evidence_from_the_future_that_is_voided_before_never_counts(scene: Scene) -> None:
    """A piece that is voided before its own moment awards nothing when that moment comes."""
    completed, _ = scene.earn(NOW + 10 * DAY)
    scene.derive()
    scene.now = NOW + DAY
    scene.void(completed)
    scene.derive()
    scene.now = NOW + 20 * DAY
    assert scene.derive() == []
    assert awards(scene) == []


def test_evidence_from_before_somebody_joined_counts(scene: Scene) -> None:
    """What a person learned before they joined (on 2020-01-01) is an award at its own date, long expired by now."""
    scene.earn(datetime(2019, 3, 1, tzinfo=UTC))
    events = scene.derive()
    assert [(type_, data["backfill"]) for type_, data in events] == [
        ("certification.awarded", True),
        ("certification.expired", True),
    ]
    assert awards(scene)[0].valid_from == datetime(2019, 3, 1, tzinfo=UTC)


def test_overlapping_imported_awards_are_refused_by_line(scene: Scene, tmp_path: Path) -> None:
    """Of two imported awards that overlap the first by date is accepted, the other refused with its line and the reason."""
    path = tmp_path / "history.csv"
    path.write_text(
        "employee_number,certification,valid_from,valid_until\n"
        "E1,FIRE,2025-06-01,2026-06-01\n"
        "E1,FIRE,2025-01-01,2025-12-31\n"
    )
    with scene.store.write() as session:
        outcome = import_history(session, path, SHANGHAI, "test", NOW)
    assert outcome.accepted == 1
    assert [(each.line, each.column) for each in outcome.refused] == [(2, "valid_from")]
    assert "from 2025-01-01 until 2025-12-31" in outcome.refused[0].reason
    scene.derive()
    assert [award.basis for award in awards(scene)] == ["imported"]


def test_an_imported_award_within_an_earned_one_follows_it(scene: Scene, tmp_path: Path) -> None:
    """An imported award that begins while an earned one holds keeps its dates, and decides from its beginning on."""
    scene.earn(NOW - 300 * DAY)
    scene.derive()
    path = tmp_path / "history.csv"
    path.write_text("employee_number,certification,valid_from,valid_until\nE1,FIRE,2026-06-01,2026-09-01\n")
    with scene.store.write() as session:
        import_history(session, path, SHANGHAI, "test", NOW)
    scene.derive()
    assert [award.basis for award in awards(scene)] == ["achieved", "imported"]
    holding = scene.holding()  # the imported one is over; the earned one still holds
    assert (holding.status, holding.valid_from) == ("certified", NOW - 300 * DAY)


@pytest.mark.parametrize("first", ["P2Y", "P3Y"])
def test_of_two_versions_of_one_day_the_newer_decides(scene: Scene, first: str) -> None:
    """Two versions effective on the same day: what is earned from then on lasts as the one stored last says."""
    second = {"P2Y": "P3Y", "P3Y": "P2Y"}[first]
    with scene.store.write() as session:
        for place, lasts in enumerate((first, second)):
            text = f"effective_from = 2026-12-01{FIRE.replace('P1Y', lasts)}"
            import_rule(session, text, "test", NOW + timedelta(minutes=place))
    scene.now = datetime(2026, 12, 5, tzinfo=UTC)
    scene.earn(scene.now)
    scene.derive()
    [award] = awards(scene)
    assert (award.rule_version, award.valid_until) == (3, datetime(2026 + int(second[1]), 12, 5, tzinfo=UTC))


def test_a_version_to_come_awards_by_the_clock(scene: Scene) -> None:
    """Who meets only a version that begins to decide later is awarded as its day begins, though nobody touches them."""
    scene.evidence("completed", "CRS-1", NOW - 5 * DAY)
    with scene.store.write() as session:
        easier = 'code = "FIRE"\neffective_from = 2026-12-01\n[earn]\ncompleted = { course = "CRS-1" }\n[validity]\nlasts = "P1Y"\n'
        import_rule(session, easier, "test", NOW)
    scene.derive()
    begins = datetime(2026, 11, 30, 16, 0, tzinfo=UTC)  # 1 December in Shanghai
    assert (scene.holding().status, scene.holding().next_change_at) == ("in_progress", begins)
    scene.now = begins
    assert [type_ for type_, _ in scene.derive()] == ["certification.awarded"]
    assert (awards(scene)[0].achieved_at, awards(scene)[0].rule_version) == (begins, 2)


def test_a_rule_that_cannot_be_satisfied_awards_nobody(scene: Scene) -> None:
    """A rule that asks for more hours than there are, and one that needs it, award nothing and leave the others alone."""
    never = '[earn]\nhours = { courses = ["CRS-1"], at_least = 100000 }\n[validity]\nlasts = "P1Y"\n'
    after = '[earn]\nall_of = [{ certification = { code = "NEVER" } }, { completed = { course = "CRS-1" } }]\n'
    with scene.store.write() as session:
        import_rule(session, f'code = "NEVER"\n{never}', "test", NOW)
        import_rule(session, f'code = "AFTER"\n{after}[validity]\nlasts = "P1Y"\n', "test", NOW)
    scene.evidence("hours", "CRS-1", NOW - DAY, hours=8)
    scene.earn(NOW - DAY)
    scene.derive()
    with scene.store.read() as session:
        rows = session.execute(select(Holding.certification, Holding.status, Holding.next_change_at)).all()
    found = {row.certification: (row.status, row.next_change_at) for row in rows}
    assert found["NEVER"] == ("not_started", None)
    assert found["AFTER"] == ("in_progress", None)
    assert found["FIRE"][0] == "certified"


def test_by_another_certification_alone(scene: Scene) -> None:
    """A rule that looks at nothing but another certification awards whoever holds that one."""
    with scene.store.write() as session:
        text = 'code = "BOTH"\n[earn]\ncertification = { code = "FIRE" }\n[renew]\ncompleted = { course = "CRS-9" }\n'
        import_rule(session, f'{text}[validity]\nlasts = "forever"\n', "test", NOW)
    scene.earn(NOW - DAY)
    scene.derive()
    assert [award.achieved_at for award in awards(scene, "BOTH")] == [NOW - DAY]


def test_what_was_earned_by_another_certification_follows_when_that_one_moves(scene: Scene) -> None:
    """Evidence of another certification is voided: what stood on holding it then is revoked when that becomes known."""
    with scene.store.write() as session:
        both = '{ certification = { code = "FIRE" } }, { completed = { course = "CREW", newer_than = "P5D" } }'
        text = f'code = "CREW"\n[earn]\nall_of = [{both}]\n'
        import_rule(session, f'{text}[validity]\nlasts = "P5Y"\n', "test", NOW - 200 * DAY)
    scene.now = NOW - 100 * DAY
    first, _ = scene.earn(NOW - 100 * DAY)
    scene.derive()
    scene.now = NOW - 90 * DAY
    scene.evidence("completed", "CREW", NOW - 90 * DAY)
    scene.derive()
    assert [award.revoked_at for award in awards(scene, "CREW")] == [None]
    scene.now = NOW - 50 * DAY
    scene.evidence("completed", "CRS-1", NOW - 60 * DAY)  # the same course once more, later than CREW
    scene.void(first)
    scene.derive()
    assert awards(scene)[0].achieved_at == NOW - 60 * DAY  # FIRE is held by it now, from later on
    assert [award.revoked_at for award in awards(scene, "CREW")] == [NOW - 50 * DAY]


def test_what_never_was_is_taken_out_and_its_history_stays(scene: Scene) -> None:
    """A piece with an earlier date of recording shows that the second award never was: its row goes, its history stays."""
    first, _ = scene.earn(NOW - 20 * DAY)
    scene.derive()
    scene.now = NOW + DAY
    scene.void(first)
    scene.derive()
    scene.now = NOW + 2 * DAY
    scene.evidence("completed", "CRS-1", NOW + 2 * DAY)
    scene.derive()
    assert [award.number for award in awards(scene)] == [1, 2]
    scene.now = NOW + timedelta(hours=1)  # recorded by somebody whose transaction ended only now
    scene.evidence("completed", "CRS-1", NOW - 19 * DAY)
    scene.now = NOW + 3 * DAY
    assert [type_ for type_, _ in scene.derive()] == ["certification.amended"]
    assert [(award.number, award.achieved_at, award.revoked_at) for award in awards(scene)] == [
        (1, NOW - 19 * DAY, None)
    ]
    with scene.store.read() as session:
        changes = session.scalars(select(AwardChange).order_by(AwardChange.id)).all()
    assert [(each.change, each.after is None) for each in changes][-2:] == [("amended", False), ("revoked", True)]


def test_a_piece_voided_at_the_moment_of_its_recording_never_counted(scene: Scene) -> None:
    """An award that was told before its evidence was voided, at the same moment, is gone, and HR is told that it is."""
    completed, _ = scene.earn(NOW - DAY)
    scene.derive()
    scene.void(completed)
    [(type_, data)] = scene.derive()
    assert (type_, data["status"], data["award_id"]) == ("certification.revoked", "in_progress", None)
    assert awards(scene) == []


def test_a_clock_put_back_takes_nothing_away(scene: Scene) -> None:
    """Somebody certified at a moment that the clock has yet to reach again stays so, and HR hears nothing."""
    scene.earn(NOW - DAY)
    scene.derive()
    scene.now = NOW - timedelta(minutes=5)
    with scene.store.write() as session:
        people.touch_all(session)
    assert scene.derive() == []
    assert scene.holding().status == "certified"


def test_evidence_that_no_rule_looks_at_leaves_nothing(scene: Scene) -> None:
    """Evidence about things that no rule looks at leaves no holding behind."""
    scene.evidence("completed", "ELSEWHERE", NOW - DAY)
    assert scene.derive() == []
    with scene.store.read() as session:
        assert session.scalars(select(Holding)).all() == []
        assert len(session.scalars(select(Evidence)).all()) == 1

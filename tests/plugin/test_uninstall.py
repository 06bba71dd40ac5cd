"""Uninstalling addons: what goes, what stays, what is refused, and that it is said before."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, inspect, select, text

from connectors.models import Evidence, StreamState
from metrics.certification.models import Award, Holding, Requirement
from plugin.errors import AddonError, StoreError
from plugin.installation import Installation
from plugin.lifecycle import install
from plugin.migrate import load_models, pending
from plugin.models import Assignment, AuditEntry, InstalledAddon, LoadedRecord, Person, Position, Schedule
from plugin.uninstall import plan, uninstall

MakeAddon = Callable[..., Path]
ME = "command:me"

STEP = """
from alembic import op
import sqlalchemy as sa
revision = "0001"
down_revision = None

def upgrade():
    op.create_table("{name}_b", sa.Column("id", sa.Integer(), primary_key=True))
    op.create_table(
        "{name}_a",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("b_id", sa.Integer(), sa.ForeignKey("{name}_b.id")),
        sa.Column("position_id", sa.Integer(), sa.ForeignKey("position.id")),
    )
"""
POSITION = "data/position.csv"
FILES = {"migrations/0001_two.py": STEP.format(name="own"), POSITION: "id,code,name\nw,W,Welder\nx,X,Fitter\n"}
KEYS: dict[str, Any] = {
    "depends": ["plugin"],
    "data": [POSITION],
    "schedules": {"own.do": {"task": "own.do", "every": "P1D"}},
}


def tables(home: Installation) -> set[str]:
    """The names of the tables that there are."""
    with home.store.read() as session:
        return set(inspect(session.connection()).get_table_names())


def count(home: Installation, model: Any) -> int:
    """How many rows there are."""
    with home.store.read() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def fill(home: Installation) -> None:
    """Put rows into the addon's tables, one that refers to what its data file brought."""
    with home.store.write() as session:
        place = session.scalars(select(Position.id).where(Position.code == "W")).one()
        session.execute(text("INSERT INTO own_b (id) VALUES (1)"))
        session.execute(text("INSERT INTO own_a (id, b_id, position_id) VALUES (1, 1, :place)"), {"place": place})
        session.add(Schedule(name="own.more", task="own.do", every_seconds=60, due_at=home.clock()))


def test_everything_of_an_addon_goes(opened: Any, make_addon: MakeAddon) -> None:
    """Its tables, what its files brought, its schedules and its record go, after a plan that named them; others stay."""
    before = opened()
    install(before, ["plugin"])
    bare, kernel_schedules = tables(before), count(before, Schedule)
    make_addon("own", {**FILES, "tasks.py": "TASKS = {'own.do': print}"}, **KEYS)
    home = opened()
    install(home, ["own"])
    fill(home)
    [removal] = plan(home, "own")
    assert removal.dropped == {"own_a": 1, "own_b": 1}
    assert (removal.emptied, removal.kept, removal.loaded) == ({}, {}, {"position": 2})
    assert removal.schedules == ["own.do", "own.more"]
    assert removal.addon is not None
    done, stayed = uninstall(home, "own", ME)
    assert (done, stayed) == ([removal], [])
    assert tables(home) == bare
    assert (count(home, Position), count(home, LoadedRecord), count(home, Schedule)) == (0, 0, kernel_schedules)
    assert [addon.name for addon in home.installed] == ["plugin"]
    with home.store.read() as session:
        act = session.scalars(select(AuditEntry).where(AuditEntry.action == "addon.uninstall")).one()
    assert (act.actor, act.subject, act.at) == (ME, "addon:own", home.clock())
    assert act.before == {
        "version": "1.0", "dropped": {"own_a": 1, "own_b": 1}, "emptied": {}, "kept": {}, "loaded": {"position": 2},
    }  # fmt: skip
    assert install(home, ["own"])[-1].outcome == "installed"
    assert count(home, Position) == 2


def test_record_that_somebody_needs_stays_and_is_taken_up_again(
    opened: Any, make_addon: MakeAddon, hire: Callable[..., list[int]]
) -> None:
    """A loaded row that another table refers to stays, which is said; installing again takes it up, and makes no other."""
    make_addon("own", FILES, **KEYS)
    home = opened()
    install(home, ["own"])
    [person] = hire(home, 1)
    with home.store.write() as session:
        place = session.scalars(select(Position.id).where(Position.code == "W")).one()
        session.add(Assignment(person_id=person, valid_from=home.clock().date(), position_id=place))
    _, stayed = uninstall(home, "own", ME)
    assert stayed == ["position w stays: rows of assignment refer to it"]
    assert count(home, Position) == 1
    install(home, ["own"])
    assert (count(home, Position), count(home, LoadedRecord)) == (2, 2)


def test_kernel_and_unknown_addons_are_refused(opened: Any) -> None:
    """The kernel, an addon that is not installed, and an empty store are refused by name."""
    home = opened()
    with pytest.raises(StoreError, match="The store is empty"):
        plan(home, "metrics")
    install(home, ["plugin"])
    for look in (plan, lambda *which: uninstall(*which, ME)):
        with pytest.raises(AddonError, match="The addon plugin is the kernel"):
            look(home, "plugin")
        with pytest.raises(AddonError, match="The addon metrics is not installed; 'certbridge addons list'"):
            look(home, "metrics")


def test_dependants_are_named_or_go_first(opened: Any, make_addon: MakeAddon) -> None:
    """An addon that others stand on is refused with their names; with them it goes after them."""
    make_addon("own", FILES, **KEYS)
    make_addon("upper", {"migrations/0001_two.py": STEP.format(name="upper")}, depends=["own"])
    make_addon("top", depends=["upper"])
    make_addon("beside", depends=["plugin"])
    home = opened()
    install(home, ["top", "beside"])
    with pytest.raises(AddonError, match=r"own cannot be uninstalled: top, upper depend on it .*--with-dependants"):
        uninstall(home, "own", ME)
    done, _ = uninstall(home, "own", ME, with_dependants=True)
    assert [one.name for one in done] == ["top", "upper", "own"]
    assert [addon.name for addon in home.installed] == ["plugin", "beside"]
    assert not {"own_a", "upper_a", "own_version", "upper_version"} & tables(home)


def test_table_that_another_one_needs_stops_it(opened: Any, make_addon: MakeAddon) -> None:
    """When a table that stays refers to one that would be dropped, nothing is changed, and both are named."""
    make_addon("own", FILES, **KEYS)
    home = opened()
    install(home, ["own"])
    with home.store.write() as session:
        session.execute(text("CREATE TABLE stranger (a_id INTEGER REFERENCES own_a (id))"))
    with pytest.raises(
        AddonError, match=r"own cannot be uninstalled: the table stranger, which stays, refers to .* own_a"
    ):
        uninstall(home, "own", ME)
    assert "own_a" in tables(home)
    assert count(home, Position) == 2


def test_kept_tables_keep_their_rows_and_their_migrations(opened: Any, make_addon: MakeAddon) -> None:
    """With `keeps` all tables stay, the rows of the others go, and installing again runs no migration twice."""
    make_addon("own", FILES, **KEYS, keeps=["own_b"])
    home = opened()
    install(home, ["own"])
    fill(home)
    [removal] = plan(home, "own")
    assert (removal.dropped, removal.emptied, removal.kept) == ({}, {"own_a": 1}, {"own_b": 1})
    uninstall(home, "own", ME)
    assert {"own_a", "own_b", "own_version"} <= tables(home)
    with home.store.read() as session:
        assert session.execute(text("SELECT (SELECT count(*) FROM own_a), (SELECT count(*) FROM own_b)")).one() == (
            0,
            1,
        )
    [*_, done] = install(home, ["own"])
    assert (done.outcome, done.migrations) == ("installed", [])


@pytest.mark.parametrize("folder_is_back", [True, False])
def test_vanished_addon_can_be_uninstalled(opened: Any, make_addon: MakeAddon, folder_is_back: bool) -> None:
    """What an addon left is known without its folder: its tables, records and schedules go; its hook cannot be called."""
    folder = make_addon("own", {**FILES, "tasks.py": "TASKS = {'own.do': print}"}, **KEYS, uninstall_hook="never")
    (folder / "own" / "__init__.py").write_text("def never(env):\n    raise RuntimeError\n")
    make_addon("upper", depends=["own"])
    home = opened()
    install(home, ["upper"])
    fill(home)
    shutil.move(folder / "own", folder.parent / "away")
    gone = opened()
    with pytest.raises(AddonError, match="upper depend on it"):
        plan(gone, "own")
    removals = plan(gone, "own", with_dependants=True)
    assert [(one.name, one.addon) for one in removals] == [("upper", None), ("own", None)]
    assert removals[1].dropped == {"own_a": 1, "own_b": 1}
    uninstall(gone, "own", ME, with_dependants=True)
    assert not {"own_a", "own_version"} & tables(gone)
    assert (count(gone, Position), count(gone, InstalledAddon)) == (0, 1)
    assert "own.do" not in {removal for one in removals for removal in one.kept}
    if folder_is_back:
        shutil.move(folder.parent / "away", folder / "own")
        (folder / "own" / "__init__.py").write_text("def never(env):\n    pass\n")
        assert install(opened(), ["own"])[-1].outcome == "installed"


def test_vanished_addon_of_an_earlier_store_must_come_back_first(opened: Any, make_addon: MakeAddon) -> None:
    """One whose tables were never written down is not guessed at: its folder must be put back and upgraded."""
    folder = make_addon("own", FILES, **KEYS)
    home = opened()
    install(home, ["own"])
    with home.store.write() as session:
        session.execute(text("UPDATE installed_addon SET footprint = NULL"))
    (folder / "own" / "__manifest__.py").rename(folder / "own" / "away")
    with pytest.raises(AddonError, match="What the addon own left in the store is not known"):
        uninstall(opened(), "own", ME)


def test_evidence_and_awards_outlive_their_addons(installation: Installation, make_addon: MakeAddon) -> None:
    """Uninstalling everything but the kernel keeps evidence, awards and rules; installing again goes on from there."""
    now = installation.clock()
    with installation.store.write() as session:
        person = Person(employee_number="N1", name="A person", created_at=now, changed_at=now)
        session.add(person)
        session.flush()
        session.add(
            Evidence(
                person_id=person.id, origin="completion:1", source="moodle", user_key="7", kind="completed",
                object="CRS-1", achieved_at=now, recorded_at=now,
            )
        )  # fmt: skip
        session.add(
            Award(
                id="01", person_id=person.id, certification="FORKLIFT", number=1, achieved_at=now, valid_from=now,
                basis="earned", rule_version=1, evidence=[1], recorded_at=now,
            )
        )  # fmt: skip
        session.add(Holding(person_id=person.id, certification="FORKLIFT", status="valid", required=False))
        session.add(Requirement(certification="FORKLIFT", kind="duty", position_code="W", starts_on=now.date()))
        session.add(StreamState(source="moodle", stream="users", cursor=[1], changed_at=now))
    done, _ = uninstall(installation, "connectors", ME, with_dependants=True)
    assert [one.name for one in done][-2:] == ["metrics", "connectors"]
    assert [addon.name for addon in installation.installed] == ["plugin"]
    kept = {model: count(installation, model) for model in (Evidence, Award, Requirement, Holding, StreamState)}
    assert kept == {Evidence: 1, Award: 1, Requirement: 1, Holding: 0, StreamState: 0}
    assert not {"endpoint", "message", "webhooks_version"} & tables(installation)
    again = {one.addon: one for one in install(installation)}
    assert (again["metrics"].outcome, again["metrics"].migrations) == ("installed", [])
    assert again["webhooks"].migrations[0] == "0001"
    with installation.store.read() as session:
        assert not any(pending(session.connection(), addon) for addon in installation.addons.values())
    assert count(installation, Evidence) == count(installation, Award) == 1


def test_every_kept_table_is_there(installation: Installation) -> None:
    """Each table that an addon of this program keeps is one of its own, and what refers to a dropped table is not kept."""
    load_models(installation.addons)
    for addon in installation.addons.values():
        with installation.store.read() as session:
            record = session.get(InstalledAddon, addon.name)
        assert record is not None
        assert record.footprint is not None
        assert set(record.footprint["keeps"]) <= set(record.footprint["tables"]), addon.name

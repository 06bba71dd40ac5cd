"""Installing addons and migrating their tables: whole or not at all, in order, and never backwards."""

import json
import logging
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, select, text

from plugin import lifecycle
from plugin.addon_states import addon_states
from plugin.errors import AddonError, DependencyError, StoreError
from plugin.installation import PACKAGES, Installation, load_object
from plugin.lifecycle import install, is_set_up, lagging
from plugin.lifecycle import upgrade as upgrade_addons
from plugin.manifests import check_external, discover, in_order, is_older
from plugin.migrate import differences, load_models, tables_of, upgrade, version_table
from plugin.models import InstalledAddon, Schedule

MOMENT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)

STEP = """
import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {before!r}


def upgrade() -> None:
    {body}


def downgrade() -> None:
    pass
"""

MakeAddon = Callable[..., Path]


def step(number: int, body: str) -> dict[str, str]:
    """The file of an addon's migration of this number."""
    before = f"{number - 1:04d}" if number > 1 else None
    content = STEP.format(revision=f"{number:04d}", before=before, body=body)
    return {f"migrations/{number:04d}_step.py": content}


def create(table: str) -> str:
    """The statement of a migration that creates a table."""
    return f'op.create_table("{table}", sa.Column("id", sa.Integer(), primary_key=True))'


def tables(home: Installation) -> set[str]:
    """The names of the tables that there are."""
    with home.store.read() as session:
        return set(inspect(session.connection()).get_table_names())


def records(home: Installation) -> dict[str, str]:
    """The installed addons and their versions."""
    with home.store.read() as session:
        return dict(session.execute(select(InstalledAddon.name, InstalledAddon.version)).all())


def test_migrated_tables_are_the_models(installation: Installation) -> None:
    """Each addon's migrations make exactly the tables that its models declare, on both databases."""
    with installation.store.read() as session:
        found = {
            name: differences(session.connection(), addon, installation.addons)
            for name, addon in installation.addons.items()
        }
    assert {name: gap for name, gap in found.items() if gap} == {}
    owned = [tables_of(addon, installation.addons) for addon in installation.addons.values()]
    assert tables(installation) >= set().union(*owned)
    assert sum(map(len, owned)) == len(set().union(*owned))


@pytest.mark.parametrize(
    ("change", "finds"),
    [
        ("ALTER TABLE department ADD COLUMN colour VARCHAR(10)", "remove_column"),
        ("DROP INDEX ix_person_email", "add_index"),
        ("DROP TABLE api_token", "add_table"),
    ],
)
def test_difference_between_tables_and_models_is_seen(kernel: Installation, change: str, finds: str) -> None:
    """The comparison that the test above relies on reports a column too much, a missing index and a missing table."""
    with kernel.store.write() as session:
        session.execute(text(change))
        found = differences(session.connection(), kernel.addons["plugin"], kernel.addons)
        session.rollback()
    assert found[0][0] == finds


def test_next_migration_is_written_from_the_models(
    child: Callable[..., subprocess.Popen[str]], make_addon: MakeAddon
) -> None:
    """From new models a migration is written that makes their tables, and a second one only when something changed."""
    models = """
from datetime import datetime
from decimal import Decimal
from typing import Any
from sqlalchemy.orm import Mapped, mapped_column
from plugin.store import Base, Exact

class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    amount: Mapped[Decimal] = mapped_column(Exact(9, 2))
    data: Mapped[dict[str, Any]]
"""
    folder = make_addon("made", {"models.py": models}, depends=["plugin"])
    script = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(folder)!r})
from plugin.manifests import discover
from plugin.migrate import differences, load_models, upgrade, write_next
from plugin.store import Store
addons = discover([Path({str(folder)!r})], ["plugin"])
load_models(addons)
print(write_next(addons["made"], addons, "Things: the first").name)
store = Store("sqlite://")
with store.write() as session:
    upgrade(session.connection(), addons["made"])
    print(differences(session.connection(), addons["made"], addons))
print(write_next(addons["made"], addons, "nothing"))
"""
    said, wrong = child("-c", script).communicate(timeout=60)
    assert said.splitlines() == ["0001_things_the_first.py", "[]", "None"], wrong


def test_addons_are_installed_in_order_with_their_versions(opened: Any) -> None:
    """All addons are installed, each after its dependencies, and their versions and the moment are recorded."""
    home = opened()
    assert not is_set_up(home)
    done = install(home)
    assert [one.addon for one in done] == [addon.name for addon in in_order(home.addons)]
    assert {one.outcome for one in done} == {"installed"}
    assert done[0].migrations[0] == "0001"
    assert records(home) == {name: addon.version for name, addon in home.addons.items()}
    assert is_set_up(home)
    assert [addon.name for addon in home.installed] == [one.addon for one in done]
    with home.store.read() as session:
        assert set(session.scalars(select(InstalledAddon.installed_at))) == {MOMENT}
        schedules = {row.name: (row.task, row.due_at) for row in session.scalars(select(Schedule))}
    named = {name: one for addon in home.addons.values() for name, one in addon.manifest.get("schedules", {}).items()}
    assert len(named) >= 2
    assert schedules == {name: (one["task"], MOMENT) for name, one in named.items()}


def test_second_install_changes_nothing(opened: Any) -> None:
    """Installing again runs no migration, keeps the records and leaves a schedule's due moment alone."""
    home = opened()
    install(home)
    with home.store.write() as session:
        session.get_one(Schedule, "metrics.derive").due_at = MOMENT + timedelta(days=1)
    home = opened()
    assert {(one.outcome, tuple(one.migrations)) for one in install(home)} == {("unchanged", ())}
    with home.store.read() as session:
        assert set(session.scalars(select(InstalledAddon.upgraded_at))) == {None}
        assert session.get_one(Schedule, "metrics.derive").due_at == MOMENT + timedelta(days=1)


def test_wanted_addon_comes_with_its_dependencies_only(opened: Any) -> None:
    """Naming an addon installs what it stands on, and nothing else."""
    home = opened()
    assert [one.addon for one in install(home, ["connectors.roster"])] == ["plugin", "connectors", "connectors.roster"]
    assert set(records(home)) == {"plugin", "connectors", "connectors.roster"}


def test_upgrade_runs_the_missing_steps_once(opened: Any, make_addon: MakeAddon) -> None:
    """A new version with a new migration runs that one, is recorded with its moment, and says so before and after."""
    make_addon("own", step(1, create("own_a")), depends=["plugin"], schedules={"own": {"task": "own", "every": "PT5M"}})
    home = opened()
    assert install(home, ["own"])[-1].migrations == ["0001"]
    make_addon(
        "own", {**step(2, create("own_b")), **step(3, create("own_c"))}, depends=["plugin"], version="1.1",
        schedules={"own": {"task": "own", "every": "PT1H"}},
    )  # fmt: skip
    home = opened()
    assert lagging(home) == ["own"]
    assert install(home, ["own"])[-1] == lifecycle.Installed("own", "upgraded", ["0002", "0003"])
    assert lagging(home) == []
    assert install(home, ["own"])[-1] == lifecycle.Installed("own", "unchanged", [])
    assert {"own_a", "own_b", "own_c"} <= tables(home)
    with home.store.read() as session:
        record = session.get_one(InstalledAddon, "own")
        assert (record.version, record.upgraded_at) == ("1.1", MOMENT)
        assert session.get_one(Schedule, "own").every_seconds == 3600


def test_upgrade_of_every_addon_twice_does_nothing_the_second_time(installation: Installation) -> None:
    """Upgrading what has been upgraded runs no step, on both databases."""
    with installation.store.write() as session:
        done = [upgrade(session.connection(), addon) for addon in in_order(installation.addons)]
    assert done == [[] for _ in installation.addons]


def test_database_newer_than_the_program_is_refused(opened: Any, make_addon: MakeAddon) -> None:
    """Tables at a step that this version does not know are refused, and nothing of that addon is changed."""
    folder = make_addon("own", {**step(1, create("own_a")), **step(2, create("own_b"))}, depends=["plugin"])
    install(opened(), ["own"])
    (folder / "own" / "migrations" / "0002_step.py").unlink()
    home = opened()
    with pytest.raises(
        StoreError, match="addon own are at step 0002, which this version does not know: the database is newer"
    ):
        install(home, ["own"])
    assert records(home)["own"] == "1.0"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (create("own_b") + "\n    op.execute('INSERT INTO no_such_table VALUES (1)')", "no_such_table"),
        (create("own_b") + "\n    raise ValueError('the data does not fit')", "the data does not fit"),
    ],
)
def test_addon_that_fails_leaves_nothing_behind(opened: Any, make_addon: MakeAddon, body: str, says: str) -> None:
    """A migration that fails half way takes back its tables, its version and its record; what came before stands."""
    make_addon("own", {**step(1, create("own_a")), **step(2, body)}, depends=["plugin"])
    home = opened()
    with pytest.raises(AddonError, match=rf"(?s)The addon own was not installed: .*{says}.*Nothing of it was changed"):
        install(home, ["own"])
    assert set(records(home)) == {"plugin"}
    assert not {"own_a", "own_b", version_table(home.addons["own"])} & tables(home)
    assert "own" not in {addon.name for addon in home.installed}


def test_schedule_with_a_bad_interval_takes_the_addon_back(opened: Any, make_addon: MakeAddon) -> None:
    """An interval that cannot be read is refused with the addon's name, and its tables are not there either."""
    make_addon("own", step(1, create("own_a")), depends=["plugin"], schedules={"own": {"task": "own", "every": "P5M"}})
    home = opened()
    with pytest.raises(AddonError, match="The addon own was not installed: ValueError: 'P5M' is no interval"):
        install(home, ["own"])
    assert "own_a" not in tables(home)


def test_missing_library_is_found_before_anything_is_changed(opened: Any, make_addon: MakeAddon) -> None:
    """What an addon needs and is not there is refused before the first table is made."""
    make_addon("own", depends=["plugin"], external_dependencies={"python": ["no_such_library"]})
    home = opened()
    with pytest.raises(DependencyError, match="no_such_library"):
        install(home)
    assert tables(home) == set()
    with pytest.raises(DependencyError):
        check_external(home.addons["own"])


def test_vanished_addon_is_reported_and_stops_nothing(
    opened: Any, make_addon: MakeAddon, caplog: pytest.LogCaptureFixture
) -> None:
    """An installed addon whose folder has gone is reported, with what stands on it; the rest runs and is upgraded."""
    folder = make_addon("own", depends=["plugin"])
    make_addon("on_top", depends=["own"])
    make_addon("beside", depends=["plugin"])
    install(opened())
    (folder / "own" / "__manifest__.py").unlink()
    home = opened()
    load_models(home.addons)
    with caplog.at_level(logging.WARNING):
        names = {addon.name for addon in home.installed}
    assert names == {*discover([], PACKAGES), "beside"}
    assert [record.getMessage() for record in caplog.records] == [
        "The installed addon on_top cannot run: it needs one that is not there; put that one back.",
        "The installed addon own has vanished: its folder is not there any more; put it back, or take out what it left with "
        "'certbridge addons uninstall'.",
    ]
    assert lagging(home) == []
    assert {one.outcome for one in install(home, ["beside"])} == {"unchanged"}
    with pytest.raises(DependencyError, match=r"The addon own \(needed by on_top\) is not there"):
        install(home, ["on_top"])


def test_empty_store_says_what_to_do(opened: Any) -> None:
    """Asking for the installed addons of an empty store names the command that fills it."""
    with pytest.raises(StoreError, match="run 'certbridge addons install' first"):
        _ = opened().installed


def test_installation_is_opened_from_its_settings(tmp_path: Path, make_addon: MakeAddon) -> None:
    """Opening reads config.toml, finds the addons of its folders, and puts the store and key file beside the file."""
    make_addon("own", {"tasks.py": "TASKS = {'own': print}"}, depends=["plugin"], summaries="own.tasks:TASKS")
    (tmp_path / "config.toml").write_text('[addons]\npath = ["own"]\n[own]\n', encoding="utf-8")
    home = Installation.open(tmp_path / "config.toml")
    install(home, ["own"])
    assert [addon.name for addon in home.installed] == ["plugin", "own"]
    assert (tmp_path / "var" / "certbridge.db").is_file()
    assert home.key_file == tmp_path / "var" / "secret.key"
    tasks = home.room(home.addons["own"], "tasks").TASKS
    assert tasks == {"own": print}
    assert home.room(home.addons["own"], "commands") is None
    assert home.provided("summaries")["own"] == {"own": print}
    home.store.close()
    (tmp_path / "config.toml").write_text('[addons]\npath = ["gone"]\n', encoding="utf-8")
    home = Installation.open(tmp_path / "config.toml")
    assert [addon.name for addon in home.installed] == ["plugin"]
    assert home.broken[str(tmp_path / "gone")].endswith("/gone is not a folder; create it or take it out.")
    home.store.close()


@pytest.mark.parametrize("place", ["no.such.module:thing", "plugin.roles:THING"])
def test_place_that_cannot_be_loaded_is_named(place: str) -> None:
    """A manifest that names a module or an attribute that is not there gives an AddonError with the place."""
    with pytest.raises(AddonError, match=f"A manifest names {place}, which cannot be loaded"):
        load_object(place)


def test_waking_nobody_is_the_default(kernel: Installation) -> None:
    """Without a worker a wake-up call does nothing: the next schedule finds the work."""
    replace(kernel).wake("people_touched")


@pytest.mark.parametrize(
    ("version", "than", "older"),
    [
        ("1.0", "1.1", True),
        ("1.9", "1.10", True),
        ("1.0", "1.0.1", True),
        ("1.0", "1.0.0", False),
        ("2.0", "1.9.9", False),
        ("17.0.1.0.0", "18.0.0.1", True),
        ("17.0.1.0", "1.1", True),
        ("1.2", "17.0.1.1", False),
    ],
)
def test_versions_are_compared_as_numbers(version: str, than: str, older: bool) -> None:
    """10 comes after 9; a missing part is 0; a series counts only where both have one."""
    assert is_older(version, than) is older


def test_downgrade_is_refused(opened: Any, make_addon: MakeAddon) -> None:
    """An addon whose folder holds an older version than what is installed is refused with both, and stays as it is."""
    make_addon("own", step(1, create("own_a")), depends=["plugin"], version="1.10")
    install(opened(), ["own"])
    make_addon("own", step(1, create("own_a")), depends=["plugin"], version="1.9")
    home = opened()
    with pytest.raises(
        AddonError, match=r"own is installed at version 1\.10, and its manifest says version 1\.9: there is no"
    ):
        install(home, ["own"])
    assert records(home)["own"] == "1.10"
    [one] = [one for one in addon_states(home) if one.name == "own"]
    assert (one.state, one.installed, one.available) == ("cannot run", "1.10", "1.9")
    assert "older than what is installed" in one.reason


def test_upgrade_takes_what_is_installed_and_no_more(opened: Any, make_addon: MakeAddon) -> None:
    """Upgrading takes the installed addons with what they newly depend on; one that is not installed is refused."""
    make_addon("own", depends=["plugin"])
    make_addon("other", depends=["plugin"])
    home = opened()
    with pytest.raises(StoreError, match="The store is empty"):
        upgrade_addons(home)
    install(home, ["own"])
    make_addon("own", depends=["needed"], version="1.1")
    make_addon("needed", depends=["plugin"])
    home = opened()
    assert {one.name: one.state for one in addon_states(home)}["own"] == "to upgrade"
    assert [(one.addon, one.outcome) for one in upgrade_addons(home)] == [
        ("plugin", "unchanged"), ("needed", "installed"), ("own", "upgraded"),
    ]  # fmt: skip
    with pytest.raises(AddonError, match="The addon other is not installed; run 'certbridge addons install other'"):
        upgrade_addons(home, ["other"])


def test_schedule_that_the_manifest_drops_goes(opened: Any, make_addon: MakeAddon) -> None:
    """An upgrade takes out a schedule that the manifest names no more."""
    make_addon("own", depends=["plugin"], schedules={"own.a": {"task": "own.a", "every": "P1D"}})
    install(opened(), ["own"])
    make_addon("own", depends=["plugin"], version="1.1", schedules={"own.b": {"task": "own.b", "every": "P1D"}})
    home = opened()
    install(home, ["own"])
    with home.store.read() as session:
        names = set(session.scalars(select(Schedule.name)))
    assert "own.b" in names
    assert "own.a" not in names


def test_two_installs_at_once_end_well(
    store_url: str, tmp_path: Path, child: Callable[..., subprocess.Popen[str]]
) -> None:
    """Of processes that install everything into one empty store at once, each addon is installed by exactly one."""
    config = tmp_path / "config.toml"
    config.write_text(f'[store]\nurl = "{store_url}"\n')
    processes = [child("-m", "plugin", "--config", str(config), "addons", "install") for _ in range(3)]
    said = [(process.communicate(timeout=120), process.returncode) for process in processes]
    assert [(wrong, status) for (_, wrong), status in said] == [("", 0)] * 3
    lines = [line.partition(" (")[0] for (out, _), _ in said for line in out.splitlines()]
    for name in discover([], PACKAGES):
        assert sorted(line for line in lines if line.startswith(f"{name}: ")) == [
            f"{name}: installed", *[f"{name}: unchanged"] * 2,
        ]  # fmt: skip


def migrate_to(home: Installation, heads: dict[str, str]) -> None:
    """Migrate the addons' tables as far as an earlier version of this program did."""
    with home.store.write() as session:
        for addon in in_order(home.addons):
            if addon.name not in heads:
                continue
            scripts = ScriptDirectory(str(addon.path), version_locations=[str(addon.path / "migrations")])
            context = MigrationContext.configure(session.connection(), opts={"version_table": version_table(addon)})
            with Operations.context(context):
                for script in reversed(list(scripts.walk_revisions())):
                    if script.revision <= heads[addon.name]:
                        script.module.upgrade()
                        context.stamp(scripts, script.revision)


@pytest.mark.parametrize("kernel_head", ["0001", "0004"])
def test_store_of_an_earlier_version_is_upgraded(
    opened: Any, store_url: str, tmp_path: Path, child: Callable[..., subprocess.Popen[str]], kernel_head: str
) -> None:
    """`addons upgrade` brings an older store to this version with its rows as they were, and knows then what is whose."""
    home = opened()
    migrate_to(home, {"plugin": kernel_head, "connectors": "0001", "metrics": "0001", "webhooks": "0001"})
    at = "2026-01-31 08:00:00.000000"
    with home.store.write() as session:
        for name in discover([], PACKAGES):
            row = {"name": name, "at": at}
            session.execute(
                text("INSERT INTO installed_addon (name, version, installed_at) VALUES (:name, '0.1.0', :at)"), row
            )
        for statement in (
            "INSERT INTO person (id, employee_number, name, event_sequence, created_at, changed_at) "
            "VALUES (7, 'N7', 'A person', 0, :at, :at)",
            "INSERT INTO evidence (person_id, origin, source, user_key, kind, object, achieved_at, recorded_at) "
            "VALUES (7, 'completion:1', 'moodle', '3', 'completed', 'CRS-1', :at, :at)",
            "INSERT INTO certification_rule (code, version, text, created_at, created_by) VALUES ('F', 1, '-', :at, 'me')",
            "INSERT INTO requirement (certification, kind, position_code, starts_on, due_within) "
            "VALUES ('F', 'duty', 'Operator', '2026-01-01', 'P90D')",
            "INSERT INTO promotion (promotion_id, person_id, kind, effective_on, proposed_at, closed_at, requirements) "
            "VALUES ('PR-1', 7, 'pay', '2026-02-01', :at, :at, '[]')",
        ):
            session.execute(text(statement), {"at": at})
    config = tmp_path / "config.toml"
    config.write_text(f'[store]\nurl = "{store_url}"\n')

    def certbridge(*arguments: str) -> tuple[int, str, str]:
        process = child("-m", "plugin", "--config", str(config), *arguments)
        said, wrong = process.communicate(timeout=120)
        return process.returncode, said, wrong

    status, said, _ = certbridge("addons", "list")
    assert status == 0
    assert re.search(r"^plugin +0\.1\.0 +to upgrade", said, re.MULTILINE)
    status, said, wrong = certbridge("addons", "upgrade")
    assert (status, wrong) == (0, "")
    assert f"plugin: upgraded (migrations {int(kernel_head) + 1:04d}" in said
    _, said, _ = certbridge("addons", "list", "--format", "json")
    assert {one["state"] for one in json.loads(said)} == {"installed"}
    with home.store.read() as session:
        person = session.execute(text("SELECT employee_number, name FROM person")).one()
        evidence = session.execute(text("SELECT person_id, origin, object FROM evidence")).one()
        rules = session.execute(text("SELECT code, version, created_by FROM certification_rule")).all()
        required = session.execute(
            text(
                "SELECT certification, kind, position_code, grade_code, tag, due_within, with_children FROM requirement"
            )
        ).one()
        decided = session.execute(text("SELECT promotion_id, kind, decided FROM promotion")).one()
        session.execute(
            text(
                "INSERT INTO requirement (certification, kind, tag, starts_on) VALUES ('F', 'duty', 'night', '2026-01-01')"
            )
        )
        prints = dict(session.execute(select(InstalledAddon.name, InstalledAddon.footprint)).all())
        gaps = [differences(session.connection(), addon, home.addons) for addon in home.addons.values()]
    assert tuple(person) == ("N7", "A person")
    assert tuple(evidence) == (7, "completion:1", "CRS-1")
    assert [tuple(rule) for rule in rules] == [("F", 1, "me")]
    assert tuple(required) == ("F", "duty", "Operator", None, None, "P90D", False)
    assert tuple(decided) == ("PR-1", "pay", None)
    assert "evidence" in prints["connectors"]["tables"]
    assert not any(gaps)

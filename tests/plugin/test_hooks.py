"""Hooks of addons: when they run, what they are handed, and that one that fails takes everything back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, select, text

from plugin.errors import AddonError
from plugin.installation import Installation
from plugin.lifecycle import install
from plugin.models import AuditEntry, InstalledAddon, LoadedRecord, Position, Schedule
from plugin.uninstall import uninstall

MakeAddon = Callable[..., Path]

HOOKS = """
from sqlalchemy import inspect, select
from plugin.models import Position, Schedule

def note(env, word):
    tables = inspect(env.session.connection()).get_table_names()
    codes = env.session.scalars(select(Position.code).order_by(Position.id)).all()
    due = env.session.get(Schedule, "own.do")
    seen = f"{word}: table {'own_a' in tables}, data {'DATA' in codes}, schedule {due is not None}"
    env.session.add(Position(code=word, name=f"{seen}, {env.now:%H}, {env.settings.organisation.name}"))

def before(env):
    note(env, "before")

def after(env):
    note(env, "after")

def at_the_end(env):
    note(env, "end")
"""
STEP = """
from alembic import op
import sqlalchemy as sa
revision = "0001"
down_revision = None

def upgrade():
    op.create_table("own_a", sa.Column("id", sa.Integer(), primary_key=True))
"""
FILES = {"hooks.py": HOOKS, "migrations/0001_a.py": STEP, "data/position.csv": "id,code,name\nd,DATA,Data\n"}
KEYS: dict[str, Any] = {
    "depends": ["plugin"],
    "data": ["data/position.csv"],
    "schedules": {"own.do": {"task": "own.do", "every": "P1D"}},
    "pre_init_hook": "own.hooks:before",
    "post_init_hook": "own.hooks:after",
    "uninstall_hook": "own.hooks:at_the_end",
}


def noted(home: Installation) -> dict[str, str]:
    """What the hooks saw."""
    with home.store.read() as session:
        rows = session.execute(select(Position.code, Position.name).order_by(Position.id))
        return {code: name for code, name in rows if code != "DATA"}


def state(home: Installation) -> dict[str, Any]:
    """Everything that an addon changes in the store."""
    with home.store.read() as session:
        return {
            "tables": set(inspect(session.connection()).get_table_names()),
            "positions": session.scalars(select(Position.code)).all(),
            "addons": session.execute(select(InstalledAddon.name, InstalledAddon.version)).all(),
            "records": session.scalars(select(LoadedRecord.name)).all(),
            "schedules": session.scalars(select(Schedule.name).order_by(Schedule.name)).all(),
            "acts": session.scalars(select(AuditEntry.action)).all(),
        }


def test_hooks_run_in_odoos_order(opened: Any, make_addon: MakeAddon) -> None:
    """pre_init sees no tables, post_init tables, data and schedules, the uninstall hook all of it; upgrades call none."""
    make_addon("own", FILES, **KEYS)
    home = opened()
    install(home, ["own"])
    assert noted(home) == {
        "before": "before: table False, data False, schedule False, 02, My organisation",
        "after": "after: table True, data True, schedule True, 02, My organisation",
    }
    make_addon("own", FILES, **KEYS, version="2.0")
    home = opened()
    assert install(home, ["own"])[-1].outcome == "upgraded"
    assert set(noted(home)) == {"before", "after"}
    uninstall(home, "own", "command:me")
    assert noted(home)["end"] == "end: table True, data True, schedule True, 02, My organisation"
    with home.store.read() as session:
        assert "own_a" not in inspect(session.connection()).get_table_names()


def test_hook_may_stand_in_the_package_itself(opened: Any, make_addon: MakeAddon) -> None:
    """A hook named by itself is a function of the addon's package, as in Odoo."""
    folder = make_addon("own", FILES, depends=["plugin"], post_init_hook="fill")
    code = (
        'from plugin.models import Position\n\ndef fill(env):\n    env.session.add(Position(code="F", name="filled"))\n'
    )
    (folder / "own" / "__init__.py").write_text(code)
    home = opened()
    install(home, ["own"])
    assert noted(home) == {"F": "filled"}


@pytest.mark.parametrize("key", ["pre_init_hook", "post_init_hook"])
@pytest.mark.parametrize(
    ("body", "says"),
    [
        ('raise KeyError("colour")', "KeyError: 'colour'"),
        ('env.session.execute(text("SELECT * FROM no_such_table"))', "no_such_table"),
        ("env.session.add(Position(code=None, name='x'))", "IntegrityError"),
        ("env.session.add(Position(code='X', name='x')); env.session.commit()", "a hook must not commit"),
        ("env.session.rollback()", "a hook must not roll back"),
    ],
)
def test_failing_hook_takes_everything_back(opened: Any, make_addon: MakeAddon, key: str, body: str, says: str) -> None:
    """A hook that raises, fails in the database, commits or rolls back leaves nothing of the addon, and is named."""
    code = f"from sqlalchemy import text\nfrom plugin.models import Position\n\n\ndef fail(env):\n    {body}\n"
    make_addon("own", {**FILES, "failing.py": code}, **{**KEYS, key: "own.failing:fail"})
    home = opened()
    install(home, ["plugin"])
    before = state(home)
    with pytest.raises(AddonError) as refused:
        install(home, ["own"])
    assert says in str(refused.value)
    assert "The addon own" in str(refused.value)
    assert f"its {key} 'own.failing:fail' failed" in str(refused.value)
    assert ("failing.py, line 6: " in str(refused.value)) == (
        says not in {"IntegrityError", "a hook must not roll back"}
    )
    assert "Nothing of the addon was changed; mend the hook" in str(refused.value)
    assert state(home) == before


def test_failing_uninstall_hook_keeps_the_addon(opened: Any, make_addon: MakeAddon) -> None:
    """When the uninstall hook fails the addon stays installed as it was, and the hook is named with its line."""
    code = "def fail(env):\n    raise ValueError('not yet')\n"
    make_addon("own", {**FILES, "failing.py": code}, **{**KEYS, "uninstall_hook": "own.failing:fail"})
    home = opened()
    install(home, ["own"])
    before = state(home)
    with pytest.raises(
        AddonError, match=r"own: its uninstall_hook 'own.failing:fail' failed in .*failing.py, line 2: .*not yet"
    ):
        uninstall(home, "own", "command:me")
    assert state(home) == before


@pytest.mark.parametrize("key", ["pre_init_hook", "post_init_hook", "uninstall_hook"])
@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("gone", "has no attribute 'gone'"),
        ("own.nowhere:gone", "No module named 'own.nowhere'"),
        ("own.hooks:Position.x", "must be the name of a function"),
        ("own.broken:x", "ZeroDivisionError"),
        ("own.hooks:NAME", "is no function"),
    ],
)
def test_hook_that_cannot_be_imported_is_found_before_anything_is_changed(
    opened: Any, make_addon: MakeAddon, key: str, place: str, says: str
) -> None:
    """A hook that is not there, does not load or is no function is refused by addon and key before the first table."""
    files = {"hooks.py": f"{HOOKS}\nNAME = 1\n", "broken.py": "1 / 0\n"}
    make_addon("own", files, depends=["plugin"], **{key: place})
    with pytest.raises(AddonError, match=says) as refused:
        install(opened(), ["own"])
    assert key in str(refused.value)
    assert "own" in str(refused.value)
    make_addon("own", files, depends=["plugin"])
    home = opened()
    with home.store.read() as session:
        assert inspect(session.connection()).get_table_names() == []
        assert session.scalar(text("SELECT 1")) == 1

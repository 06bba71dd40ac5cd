"""Data files of addons: what they bring, what an upgrade makes of them, and every way in which one is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, select, text, update

from plugin.errors import AddonError
from plugin.installation import Installation
from plugin.lifecycle import install
from plugin.models import Assignment, Department, LoadedRecord, Person, Position, Touched

MakeAddon = Callable[..., Path]

MODELS = """
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from sqlalchemy import Date, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column
from plugin.store import Base, BigId, Exact

class Thing(Base):
    __tablename__ = "own_thing"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(String(10))
    count: Mapped[int] = mapped_column(default=7)
    weight: Mapped[Decimal | None] = mapped_column(Exact(9, 2))
    at: Mapped[datetime | None]
    day: Mapped[date | None] = mapped_column(Date)
    usable: Mapped[bool | None]
    more: Mapped[dict[str, Any] | None]
    secret: Mapped[str | None] = mapped_column(String(100))
    position_id: Mapped[int | None] = mapped_column(ForeignKey("position.id"))

class Kind(Base):
    __tablename__ = "own_kind"
    code: Mapped[str] = mapped_column(String(20), primary_key=True)
    name: Mapped[str | None] = mapped_column(String(20))
    parent_code: Mapped[str | None] = mapped_column(ForeignKey("own_kind.code"))
"""
MIGRATION = """
import sqlalchemy as sa
from alembic import op
from plugin.store import Base

revision = "0001"
down_revision = None

def upgrade():
    tables = [Base.metadata.tables[name] for name in ("own_thing", "own_kind")]
    Base.metadata.create_all(op.get_bind(), tables=tables)
"""
POSITION, THING = "data/position.csv", "data/own_thing.csv"
TABLES = {"models.py": MODELS, "migrations/0001_things.py": MIGRATION}


def rows(home: Installation, query: Any) -> list[Any]:
    """What the query finds."""
    with home.store.read() as session:
        return [tuple(row) for row in session.execute(query)]


def positions(home: Installation) -> dict[str, str]:
    """The names of the positions, by code."""
    return dict(rows(home, select(Position.code, Position.name)))


@pytest.fixture
def give(opened: Any, make_addon: MakeAddon) -> Callable[..., Installation]:
    """Writes the addon `own` with these data files, as listed, and installs or upgrades it."""

    def made(files: dict[str, str], *, more: dict[str, str] | None = None, demo: bool = False, **keys: Any) -> Any:
        keys = {"depends": ["plugin"], "data": list(files), "demo": keys.pop("demo_files", []), **keys}
        make_addon("own", {**files, **(more or {})}, **keys)
        home = opened()
        install(home, ["own"], demo=demo)
        return home

    return made


def test_rows_come_with_their_references(give: Callable[..., Installation]) -> None:
    """Rows are inserted in the listed order; a reference finds rows of the file, wherever they stand in it."""
    home = give(
        {
            "data/department.csv": (
                "\ufeffid,code,name,parent_id:id,valid_from\r\n"
                "sub,D2,Welding,top,2026-01-31\r\n"
                '\r\n"top",D1,"Work\nshop",,\r\n'
                "low,D3,\u7126,own.sub,\r\n"
            ),
            "data/position.csv": "id,code,name\nwelder,W,Welder\n",
        }
    )
    found = rows(home, select(Department.code, Department.name, Department.parent_id, Department.id))
    by_code = {code: (name, parent, number) for code, name, parent, number in found}
    assert by_code["D1"][:2] == ("Work\nshop", None)
    assert by_code["D2"][:2] == ("Welding", by_code["D1"][2])
    assert by_code["D3"][:2] == ("\u7126", by_code["D2"][2])
    assert positions(home) == {"W": "Welder"}
    known = rows(home, select(LoadedRecord.addon, LoadedRecord.name, LoadedRecord.table_name))
    assert sorted(known) == [
        ("own", "low", "department"),
        ("own", "sub", "department"),
        ("own", "top", "department"),
        ("own", "welder", "position"),
    ]


def test_every_kind_of_value_is_read(give: Callable[..., Installation]) -> None:
    """Numbers, truth values, moments, dates, JSON and defaults reach the addon's own tables as what they are."""
    home = give(
        {
            "data/position.csv": "id,code,name\nwelder,W,Welder\n",
            "data/own_thing.csv": (
                "id,name,weight,at,day,usable,more,position_id:id\n"
                'one,One,12.34,2026-01-31T08:00:00+08:00,2026-01-31,true,"{""a"": [1]}",welder\n'
                "two,Two,,,,,,\n"
            ),
            "data/own_kind.csv": "id,code,name,parent_code:id\nchild,C,Child,root\nroot,R,Root,\n",
            "data/own_kind-more.csv": "id,code,parent_code\nplain,P,R\n",
        },
        more=TABLES,
    )
    thing = rows(home, text("SELECT name, count, usable, position_id FROM own_thing ORDER BY name"))
    place = rows(home, select(Position.id))[0][0]
    assert [tuple(row) for row in thing] == [("One", 7, True, place), ("Two", 7, None, None)]
    models = __import__("own.models", fromlist=["Thing"])
    [(weight, at, day, more)] = rows(
        home,
        select(models.Thing.weight, models.Thing.at, models.Thing.day, models.Thing.more).where(
            models.Thing.name == "One"
        ),
    )
    assert (str(weight), at.isoformat(), day.isoformat(), more) == (
        "12.34", "2026-01-31T00:00:00+00:00", "2026-01-31", {"a": [1]},
    )  # fmt: skip
    kinds = rows(home, text("SELECT code, parent_code FROM own_kind ORDER BY code"))
    assert kinds == [("C", "R"), ("P", "R"), ("R", None)]


def test_upgrade_changes_rows_and_leaves_what_people_edited(give: Callable[..., Installation]) -> None:
    """An upgrade sets rows as the file has them, leaves noupdate ones, adds new ones, and makes nothing twice."""
    header = "id,code,name,noupdate\n"
    home = give({"data/position.csv": f"{header}a,A,First,\nb,B,Second,true\n"})
    with home.store.write() as session:
        session.execute(update(Position).values(name="edited"))
    assert install(home, ["own"])[-1].outcome == "unchanged"
    assert positions(home) == {"A": "edited", "B": "edited"}
    home = give({"data/position.csv": f"{header}a,AA,First,\nb,BB,Second,true\nc,C,Third,\n"})
    assert positions(home) == {"AA": "First", "B": "edited", "C": "Third"}
    assert rows(home, select(func.count()).select_from(LoadedRecord)) == [(3,)]


def test_deleted_row_comes_back_unless_people_may_edit_it(give: Callable[..., Installation]) -> None:
    """A row that somebody deleted is made again by the next upgrade; a noupdate one stays away."""
    content = "id,code,name,noupdate\na,A,First,\nb,B,Second,true\n"
    home = give({"data/position.csv": content})
    with home.store.write() as session:
        session.execute(delete(Position))
    home = give({"data/position.csv": content}, version="1.1")
    assert positions(home) == {"A": "First"}


def test_what_is_listed_no_more_goes_unless_somebody_needs_it(
    give: Callable[..., Installation], hire: Callable[..., list[int]]
) -> None:
    """A record that the files list no more is removed; one that is referred to, or noupdate, stays, and that is said."""
    header = "id,code,name,noupdate\n"
    home = give({"data/position.csv": f"{header}a,A,First,\nb,B,Second,\nc,C,Third,true\nd,D,Fourth,\n"})
    [person] = hire(home, 1)
    with home.store.write() as session:
        place = session.scalars(select(Position.id).where(Position.code == "B")).one()
        session.add(Assignment(person_id=person, valid_from=home.clock().date(), position_id=place))
    home = give({"data/position.csv": f"{header}d,D,Fourth,\n"}, version="1.1")
    assert positions(home) == {"B": "Second", "C": "Third", "D": "Fourth"}
    with home.store.write() as session:
        session.execute(delete(Assignment))
    [*_, done] = install(home, ["own"])
    assert (done.outcome, done.notes) == ("unchanged", [])
    home = give({"data/position.csv": f"{header}d,D,Fourth,\n"}, version="1.2")
    assert positions(home) == {"C": "Third", "D": "Fourth"}
    assert sorted(rows(home, select(LoadedRecord.name))) == [("c",), ("d",)]


def test_kept_record_is_named(give: Callable[..., Installation], opened: Any) -> None:
    """The note about a record that stays names it, its table and who refers to it; a tree goes from its leaves up."""
    tree = "id,code,name,parent_id:id\ntop,D1,Top,\nsub,D2,Sub,top\nlow,D3,Low,sub\n"
    home = give({"data/department.csv": tree})
    with home.store.write() as session:
        sub = session.scalars(select(Department.id).where(Department.code == "D2")).one()
        session.add(Department(code="MINE", name="Ours", parent_id=sub))
    (home.addons["own"].path / "data" / "department.csv").write_text("id,code,name\n")
    [*_, done] = install(opened(), ["own"])
    assert done.notes == [
        "department sub stays: rows of department refer to it",
        "department top stays: rows of department refer to it",
    ]
    assert sorted(rows(home, select(Department.code))) == [("D1",), ("D2",), ("MINE",)]


def test_demo_data_comes_only_when_asked_for(give: Callable[..., Installation]) -> None:
    """Demo files are loaded when asked for, and from then on with every upgrade, which does not take them away."""
    files = {POSITION: "id,code,name\na,A,First\n"}
    sample = {"demo/position-sample.csv": "id,code,name\nx,X,Sample\n"}
    keys = {"more": sample, "demo_files": list(sample)}
    assert positions(give(files, **keys)) == {"A": "First"}
    assert positions(give(files, version="1.1", **keys)) == {"A": "First"}
    assert positions(give(files, demo=True, version="1.1", **keys)) == {"A": "First", "X": "Sample"}
    sample["demo/position-sample.csv"] = "id,code,name\nx,X,Other\n"
    assert positions(give(files, version="1.1", **keys)) == {"A": "First", "X": "Other"}


def test_loading_marks_everybody_for_deriving(give: Callable[..., Installation], opened: Any) -> None:
    """What a file brings may concern anybody: all persons are derived again."""
    home = opened()
    install(home, ["plugin"])
    with home.store.write() as session:
        now = home.clock()
        session.add(Person(employee_number="N1", name="A person", created_at=now, changed_at=now))
    give({"data/position.csv": "id,code,name\na,A,First\n"})
    assert rows(home, select(func.count()).select_from(Touched)) == [(1,)]


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (
            {"data/colour.csv": "id\n"},
            "data/colour.csv: there is no table 'colour' in own or in what it depends on",
        ),
        ({"data/award.csv": "id\n"}, "there is no table 'award' in own"),
        ({"data/audit_entry.csv": "id\n"}, "the table audit_entry is a sealed history"),
        ({POSITION: ""}, "line 1: lacks the column id"),
        ({POSITION: "code,name\n"}, "line 1: lacks the column id"),
        ({POSITION: "id,code\n"}, "line 1: lacks the column name, which position needs"),
        ({POSITION: "id,code,name,colour\n"}, "line 1, column colour: position has no such column; it has id, code"),
        ({POSITION: "id,code,name,name\n"}, "line 1, column name: stands there twice"),
        ({POSITION: "id,code,name,code:id\n"}, "line 1, column code:id: code refers to no single record; write code"),
        (
            {THING: "id,name,position_id\n"},
            "column position_id: numbers differ from store to store; write position_id:id",
        ),
        ({THING: "id,name,secret\n"}, "line 1, column secret: it is kept encrypted"),
        ({"data/event.csv": "id,person_id:id\n"}, "column id: the key of the table event is of a kind"),
        ({POSITION: "id,code,name\na,A\n"}, "line 2: has 2 cells, the header 3"),
        ({POSITION: 'id,code,name\na,A,"A\n'}, "line 2: is not CSV"),
        ({POSITION: "id,code,name\na,A,B\x00\n"}, "line 2: holds a NUL character"),
        ({POSITION: "id,code,name\n,A,A\n"}, "line 2, column id: '' is no external id"),
        ({POSITION: "id,code,name\na.b,A,A\n"}, "line 2, column id: 'a.b' is no external id"),
        ({POSITION: "id,code,name\na,A,A\na,B,B\n"}, "line 3, column id: a stands in line 2 already"),
        (
            {POSITION: "id,code,name\na,A,A\n", "data/department.csv": "id,code,name\na,A,A\n"},
            "data/department.csv: line 2, column id: a stands in data/position.csv already",
        ),
        ({POSITION: "id,code,name\na,A,A\nb,A,B\n"}, "line 3, column code: the same stands in line 2"),
        ({POSITION: "id,code,name\na,TAKEN,A\n"}, "line 2, column code: position has a row with this already"),
        ({POSITION: "id,code,name\na,A,\n"}, "line 2, column name: must not be empty"),
        ({POSITION: f"id,code,name\na,A,{'x' * 201}\n"}, "line 2, column name: .* is 201 characters long"),
        ({POSITION: "id,code,name,valid_from\na,A,A,31.1.2026\n"}, "column valid_from: '31.1.2026' is no date"),
        ({POSITION: "id,code,name,noupdate\na,A,A,perhaps\n"}, "column noupdate: 'perhaps' is neither true nor false"),
        ({THING: "id,name,count\na,A,many\n"}, "column count: 'many' is no whole number"),
        ({THING: "id,name,count\na,A,3000000000\n"}, "column count: '3000000000' is too large a number"),
        ({THING: "id,name,weight\na,A,heavy\n"}, "column weight: 'heavy' is no number"),
        ({THING: "id,name,weight\na,A,1e9\n"}, "column weight: '1e9' is too large a number"),
        ({THING: "id,name,usable\na,A,maybe\n"}, "column usable: 'maybe' is neither true nor false"),
        ({THING: "id,name,at\na,A,2026-01-31T08:00:00\n"}, "column at: .* is a moment without a time zone"),
        ({THING: "id,name,at\na,A,yesterday\n"}, "column at: 'yesterday' is no moment"),
        ({THING: "id,name,more\na,A,{\n"}, "column more: '{' is no JSON"),
        ({THING: "id,name,position_id:id\na,A,welder\n"}, "column position_id:id: there is no record own.welder"),
        ({THING: "id,name,position_id:id\na,A,other.welder\n"}, "there is no record other.welder"),
        (
            {"data/department.csv": "id,code,name\na,A,A\n", THING: "id,name,position_id:id\nx,X,a\n"},
            "column position_id:id: own.a is a record of department, not position",
        ),
        (
            {"data/department.csv": "id,code,name,parent_id:id\na,A,A,b\nb,B,B,a\n"},
            "line 2: it and others of the file refer to one another in a circle",
        ),
        ({"data/colour.toml": "a = 1\n"}, "nothing that is installed loads files named 'colour'; the names are: own"),
        ({"data/own.toml": "a = \n"}, "data/own.toml: line 1 says nothing"),
        ({"data/own-x.toml": "boom"}, "data/own-x.toml: KeyError: 'boom'"),
    ],
)
def test_bad_file_is_refused_by_its_place(opened: Any, make_addon: MakeAddon, files: dict[str, str], says: str) -> None:
    """What cannot be used is refused by addon, key, file, line, column and reason, and nothing of the addon is there."""
    loader = """
def load(session, text, actor, now):
    if text == "boom":
        raise KeyError(text)
    raise ValueError("line 1 says nothing")
"""
    make_addon(
        "own", {**TABLES, **files, "loading.py": loader}, depends=["plugin"], data=list(files),
        loads={"own": "own.loading:load"}, encrypted=["own_thing.secret"],
    )  # fmt: skip
    home = opened()
    install(home, ["plugin"])
    with home.store.write() as session:
        session.add(Position(code="TAKEN", name="Taken"))
    with pytest.raises(
        AddonError, match=rf"(?s)The addon own: data: .*{says}.*Nothing of the addon was changed"
    ) as refused:
        install(home, ["own"])
    assert "mend the file" in str(refused.value)
    assert positions(home) == {"TAKEN": "Taken"}
    assert rows(home, select(Department)) == rows(home, select(LoadedRecord)) == []


def test_file_that_is_not_utf8_is_refused(opened: Any, make_addon: MakeAddon) -> None:
    """A file in another encoding is refused with its name and the place."""
    folder = make_addon("own", {POSITION: ""}, depends=["plugin"], data=[POSITION])
    (folder / "own" / POSITION).write_bytes(b"id,code,name\na,A,\xe4\n")
    with pytest.raises(AddonError, match=r"data/position.csv: it is not UTF-8 .* at byte 17"):
        install(opened(), ["own"])


def test_missing_file_is_found_before_anything_is_changed(opened: Any, make_addon: MakeAddon) -> None:
    """A file that the manifest lists and that is not there is refused before the first table is made."""
    make_addon("own", depends=["plugin"], demo=[POSITION])
    home = opened()
    with pytest.raises(AddonError, match=r"The addon own: demo: data/position.csv: it is not in .*own"):
        install(home, ["own"])
    assert rows(home, text("SELECT 1")) == [(1,)]
    with pytest.raises(Exception, match="installed_addon"):
        rows(home, text("SELECT name FROM installed_addon"))


def test_id_cannot_move_to_another_table(give: Callable[..., Installation]) -> None:
    """An external id that was a record of one table is not taken for a record of another one."""
    give({POSITION: "id,code,name\na,A,A\n"})
    with pytest.raises(AddonError, match="line 2, column id: a was a record of position; give this one another id"):
        give({"data/department.csv": "id,code,name\na,A,A\n"}, version="1.1")


def test_whole_file_is_loaded_once_and_again_when_it_changes(give: Callable[..., Installation]) -> None:
    """A TOML file goes to whoever loads its kind, with the addon as actor; unchanged it is not loaded again."""
    loader = """
from plugin.models import Position

def load(session, text, actor, now):
    session.add(Position(code=f"{now:%H}{text.strip()}", name=actor))
"""
    more = {"loading.py": loader}
    keys = {"loads": {"colour": "own.loading:load"}}
    home = give({"data/colour-red.toml": "red\n"}, more=more, **keys)
    assert positions(home) == {"02red": "addon:own"}
    home = give({"data/colour-red.toml": "red\n"}, more=more, version="1.1", **keys)
    home = give({"data/colour-red.toml": "blue\n"}, more=more, version="1.2", **keys)
    assert positions(home) == {"02red": "addon:own", "02blue": "addon:own"}


def test_other_addons_records_can_be_referred_to(
    give: Callable[..., Installation], make_addon: MakeAddon, opened: Any
) -> None:
    """`addon.id` finds what another addon has brought, and loaders of an addon that one depends on can be used."""
    give({POSITION: "id,code,name\nwelder,W,Welder\n"}, more=TABLES)
    make_addon(
        "top.inner", {"things/own_thing.csv": "id,name,position_id:id\nx,X,own.welder\n"},
        depends=["own"], data=["things/own_thing.csv"],
    )  # fmt: skip
    make_addon("top", depends=["own"])
    home = opened()
    install(home, ["top.inner"])
    assert rows(home, text("SELECT name FROM own_thing WHERE position_id IS NOT NULL")) == [("X",)]


def test_many_rows_take_few_statements(
    give: Callable[..., Installation], opened: Any, counted: Callable[..., Any]
) -> None:
    """Thousands of rows are inserted and updated in sets: the statements do not grow with the rows one by one."""
    lines = "".join(f"p{number},P{number},Name {number}\n" for number in range(2000))
    home = give({POSITION: f"id,code,name\n{lines}"})
    (home.addons["own"].path / POSITION).write_text(f"id,code,name\n{lines.replace('Name', 'Post')}")
    again = opened()
    with counted(again) as statements:
        install(again, ["own"])
    assert len(statements) < 80
    assert set(positions(again).values()) == {f"Post {number}" for number in range(2000)}

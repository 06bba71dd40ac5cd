"""The contract with receivers: published schemas are what was promised, and everything that is sent is as they say."""

import copy
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from sqlalchemy import select

from metrics import promotion_acts
from metrics.api_models import Held
from metrics.certification import decisions
from metrics.certification.decisions import By, Wish
from metrics.certification.promotion import Proposal
from metrics.certification.status import Status
from plugin.accounts import create_account
from plugin.installation import Installation
from plugin.models import Event, Person
from plugin.privacy.erasing import erase
from plugin.web import create_app
from tests.webhooks.api_world import derive, filled
from tests.webhooks.contracts import broken, closed
from webhooks import schemas
from webhooks.endpoints import TEST_TYPE, TYPES
from webhooks.full import complete
from webhooks.payload import Content, build
from webhooks.standard.reading import TYPE as READ_BACK

PROMISED = Path(__file__).parent / "contract"
HR = By("hr", "hr")


def families(folder: Path) -> dict[str, Any]:
    """The schema files below a folder, by number and name."""
    return {
        str(path.relative_to(folder)): json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*/*.json"))
    }


def test_what_is_published_is_what_was_promised() -> None:
    """Nothing that a receiver may rely on has changed or gone within a schema number."""
    promised, published = families(PROMISED), families(Path(schemas.__file__).parent)
    assert promised.keys() <= published.keys()
    for name, schema in promised.items():
        assert list(broken(schema, published[name])) == [], name


def _add(data: dict[str, Any]) -> None:
    data["properties"]["grade"] = {"type": "string"}


def _say_otherwise(data: dict[str, Any]) -> None:
    data["properties"]["reason"]["description"] = "In other words."


def _remove(data: dict[str, Any]) -> None:
    del data["properties"]["award_id"]


def _retype(data: dict[str, Any]) -> None:
    data["properties"]["rule_version"]["type"] = ["string", "null"]


def _narrow(data: dict[str, Any]) -> None:
    data["properties"]["status"]["enum"].remove("grace")


def _widen(data: dict[str, Any]) -> None:
    data["properties"]["status"]["enum"].append("suspended")


def _require(data: dict[str, Any]) -> None:
    _add(data)
    data["required"].append("grade")


def _loosen(data: dict[str, Any]) -> None:
    data["required"].remove("valid_until")


def _bound(data: dict[str, Any]) -> None:
    data["properties"]["reason"]["maxLength"] = 10


def _deep(data: dict[str, Any]) -> None:
    del data["properties"]["criteria"]["items"]["properties"]["evidence"]["items"]["properties"]["object"]


@pytest.mark.parametrize(
    ("change", "compatible"),
    [
        (_add, True), (_say_otherwise, True), (_remove, False), (_retype, False), (_narrow, False), (_widen, False),
        (_require, False), (_loosen, False), (_bound, False), (_deep, False),
    ],
)  # fmt: skip
def test_a_change_that_breaks_receivers_is_found(change: Callable[[dict[str, Any]], None], compatible: bool) -> None:
    """An added optional field and other words pass; what is removed, retyped, narrowed, widened or newly required does not."""
    promised = families(PROMISED)["1/certification.json"]
    changed = copy.deepcopy(promised)
    change(changed["properties"]["data"])
    assert (not list(broken(promised, changed))) == compatible


def test_every_type_and_status_has_its_schema() -> None:
    """Every type that can be sent is described once, by a valid schema, and the statuses are those that there are."""
    assert schemas.types() == sorted((*TYPES, TEST_TYPE, READ_BACK))
    for name in schemas.types():
        made = schemas.schema(name)
        assert made is not None
        Draft202012Validator.check_schema(made)
        assert made["properties"]["type"] == {"const": name}
    certification = schemas.schema("certification.awarded") or {}
    assert set(certification["properties"]["data"]["properties"]["status"]["enum"]) == set(Status)
    held = Held.model_json_schema()["properties"]["status"]
    assert set(held["enum"]) == set(Status), "the API names the same"
    assert schemas.schema("certification.forgotten") is None
    assert schemas.schema("certification.awarded", "2") is None


@pytest.fixture
def told(installation: Installation, tmp_path: Path) -> dict[str, list[Content]]:
    """Every event of a history in which everything happens that HR is told, by type."""
    world = filled(installation, tmp_path)
    with installation.store.write() as session:
        create_account(session, "hr", None, ["hr"], installation.clock())

    def decide(kind: str, **more: Any) -> None:
        with installation.store.write() as session:
            decisions.decide(session, Wish(kind, "E2", "FIRE", "a reason", **more), HR, installation.clock())
        derive(world)

    def later(days: int) -> None:
        world.later(days=days)
        derive(world)

    proposal = Proposal(
        promotion_id="PR-E2", employee_number="E2", kind="pay", effective_date=date(2029, 1, 1),
        from_position=None, to_position="Leader", from_grade=None, to_grade="G5",
    )  # fmt: skip
    promotion_acts.propose(installation, proposal, "a test")
    world.complete("E2", "CRS-1", 0)
    derive(world)  # conditional: it ends before the day
    for kind in ("revoke", "reinstate"):
        later(1)
        decide(kind)
    decide("exempt", ends_at=installation.clock() + timedelta(days=5))
    later(6)
    later(300)  # renewal due
    world.complete("E2", "CRS-1", 1)
    derive(world)  # renewed
    later(350)
    later(30)  # grace
    later(60)  # expired
    world.complete("E3", "CRS-1", 0)
    derive(world)
    erase(installation, "E3", "an administrator", "asked for", although_present=True)
    found: dict[str, list[Content]] = {}
    with installation.store.read() as session:
        rows = session.scalars(select(Event).where(Event.data != {}).order_by(Event.person_id, Event.sequence)).all()
        people = {row.id: row.person_id for row in rows}
        contents = {
            row.id: Content(
                row.type, row.occurred_at, row.sequence, row.subject, row.backfill, row.data,
                {"name": "Li Na", "department": None, "position": "Leader"},
            )
            for row in rows
        }  # fmt: skip
        zone = installation.settings.organisation.zone
        for content in complete(session, contents, people, installation.clock(), zone).values():
            found.setdefault(content.type, []).append(content)
    now = datetime(2026, 11, 23, tzinfo=UTC)
    found[TEST_TYPE] = [Content(TEST_TYPE, now, 0, "endpoint:hr", False, {"endpoint": "hr"})]
    found[READ_BACK] = [Content(READ_BACK, now, 0, "endpoint:hr", False, {"cursor": None, "limit": 500})]
    return found


@pytest.mark.parametrize("full", [False, True], ids=["thin", "full"])
def test_everything_that_is_sent_is_as_its_schema_says(told: dict[str, list[Content]], full: bool) -> None:
    """Each type, made by the engine itself, fits its schema, thin and full, and holds no field that the schema does not name."""
    assert set(TYPES) - told.keys() == set(), "the history lacks these"
    for name, contents in told.items():
        made = closed(schemas.schema(name))
        check = Draft202012Validator(made, format_checker=Draft202012Validator.FORMAT_CHECKER)
        for content in contents:
            body = build(content, full=full, public_url="https://certbridge.example")
            assert body is not None
            assert [error.message for error in check.iter_errors(json.loads(body))] == [], name


def test_a_full_payload_says_what_satisfied_each_criterion(told: dict[str, list[Content]]) -> None:
    """An award's evidence stands under its criterion, as of the event; a duty of the person is named with its day."""
    [first] = [each for each in told["certification.awarded"] if each.data["employee_number"] == "E2"]
    [leaf] = first.data["criteria"]
    assert (leaf["criterion"], leaf["asks"]) == ("completed", {"source": "moodle", "course": "CRS-1"})
    assert [(piece["kind"], piece["object"]) for piece in leaf["evidence"]] == [("completed", "CRS-1")]
    assert leaf["evidence"][0]["achieved_at"] == first.data["valid_from"]
    [renewed] = told["certification.renewed"]
    assert renewed.data["criteria"][0]["evidence"][0]["id"] != leaf["evidence"][0]["id"]
    [duty] = first.data["requirements"]
    assert (duty["population"]["kind"], duty["due_at"]) == ("people", "2026-12-01T00:00:00+08:00")
    [other] = [each for each in told["certification.awarded"] if each.data["employee_number"] == "E1"]
    assert other.data["requirements"] == []


def test_nothing_about_somebody_erased_is_told_again(
    installation: Installation, told: dict[str, list[Content]]
) -> None:
    """Of an erased person only that is left to be told."""
    [notice] = told["person.erased"]
    assert notice.data == {"employee_number": "E3"}
    with installation.store.read() as session:
        erased = session.scalars(select(Person.id).where(Person.erased_at.is_not(None))).one()
        kept = session.scalars(select(Event).where(Event.person_id == erased)).all()
    assert [row.data for row in kept if row.type != "person.erased"] == [{}] * (len(kept) - 1)


def test_the_schemas_are_published(installation: Installation) -> None:
    """The list leads to the schema of each type, by number and newest, without a token; there are no others."""
    client = create_app(installation).test_client()
    listed = client.get("/api/v1/schemas").json["schemas"]
    assert [each["type"] for each in listed] == schemas.types()
    for each in listed:
        made = client.get(each["href"]).json
        assert made["$id"].endswith(each["href"])
        assert made == client.get(f"/api/v1/schemas/{each['type']}.json").json
        assert made["properties"]["data"]["required"]
    for path in ("2/certification.awarded.json", "1/nothing.json", "nothing.json", "certification.json"):
        assert client.get(f"/api/v1/schemas/{path}").status_code == 404, path

"""The pages of rules: reading them in words, composing one, trying it, saving it, applying it to older awards."""

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from metrics.certification.models import CertificationRegrade, CertificationRule
from metrics.certification.rule_draft import Node, change, draft_of_form, draft_of_rule, draft_of_text, fits
from metrics.certification.rule_text import parse_rule
from plugin.accounts import create_account
from plugin.models import AuditEntry, Person
from plugin.web import create_app, session_of
from tests.metrics.certification.test_rule_commands import BOTH, COURSE, World, rule, run, stored

__all__ = ["run"]
Visit = Callable[..., FlaskClient]
NESTED = """\
code = "DEEP"
name = { en = "Deep" }

[earn]
within = "P1Y"
n_of = { n = 2, of = [
  { completed = { course = "CRS-1", newer_than = "P2Y" } },
  { any_of = [
    { all_of = [
      { badge = { badge = "BDG" } },
      { hours = { courses = ["CRS-1", "CRS-2"], at_least = 2.5 } },
    ] },
    { competency = { framework = "FW", competency = "C-1", at_least = 3 } },
  ] },
  { statement = { verb = "passed", activity = "https://lms.example/a", success = false, authority = "a/b" } },
] }

[renew]
passed = { source = "moodle", activity = "quiz-1" }

[validity]
from = "fixed"
anchor = "12-31"
at_least = "P6M"
window = "P60D"
remind = ["P30D", "P7D"]
after_lapse = "renew"
"""


@pytest.fixture
def visit(run: World) -> Visit:
    """A browser that is signed in with the given roles, as the given employee, and reads the given language."""
    app = create_app(run.home)
    app.config["WTF_CSRF_ENABLED"] = False

    def signed_in(*roles: str, language: str = "en", employee: str | None = None) -> FlaskClient:
        with run.home.store.write() as session:
            account = create_account(session, "reader", "correct horse battery", roles, run.clock())
            account.person_id = session.scalar(select(Person.id).where(Person.employee_number == employee))
            session.flush()
        client = app.test_client()
        with client.session_transaction() as cookie:
            cookie.update({**session_of(account, run.clock()), "language": language})
        return client

    return signed_in


def shown(page: Any) -> str:
    """A page's text without tags and doubled spaces."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page.text)))


def fields(page: Any) -> dict[str, str]:
    """What a browser would send back of the form on the page, without any button."""
    found: dict[str, str] = {}
    form = page.text.partition('<form class="compose"')[2].partition("</form>")[0]
    for tag in re.findall(r"<input[^>]*>", form):
        given = {name: html.unescape(value) for name, value in re.findall(r'(\w+)="([^"]*)"', tag)}
        if given.get("type") != "checkbox" or " checked" in tag:
            found[given["name"]] = given.get("value", "")
    for name, inner in re.findall(r'<textarea[^>]* name="([^"]+)"[^>]*>(.*?)</textarea>', form, re.S):
        found[name] = html.unescape(inner.removeprefix("\n"))
    for name, inner in re.findall(r'<select[^>]* name="([^"]+)"[^>]*>(.*?)</select>', form, re.S):
        options = re.findall(r'<option value="([^"]*)"( selected)?', inner)
        found[name] = next((value for value, chosen in options if chosen), options[0][0])
    return found


def test_what_the_form_shows_is_the_rule(run: World, visit: Visit) -> None:
    """A rule nested four levels deep, with every field, goes through the form and comes back as it was."""
    run("import", run.file(NESTED))
    client = visit("coordinator")
    page = client.get("/rules/compose?code=DEEP")
    sent = fields(page)
    assert draft_of_form(sent).text() == NESTED
    text = client.post("/rules/compose", data={**sent, "do": "text"})
    assert html.unescape(text.text.partition('class="code">\n')[2].partition("</textarea>")[0]) == NESTED
    back = client.post("/rules/compose", data={**fields(text), "do": "form"})
    assert draft_of_form(fields(back)).text() == NESTED


@pytest.mark.parametrize(("written", "shown_as"), [("", ""), ("remind = []\n", "never"), ('remind = ["P7D"]\n', "P7D")])
def test_reminding_never_is_not_reminding_as_usual(written: str, shown_as: str) -> None:
    """A rule that says nothing about reminders stays apart from one that wants none."""
    text = f'code = "X"\n\n[earn]\nbadge = {{ badge = "B" }}\n\n[validity]\nfrom = "achieved"\nlasts = "P1Y"\n{written}'
    draft = draft_of_text(text)
    assert draft.validity["remind"] == shown_as
    assert draft.text().replace('name = { en = "X" }\n', "") == text


def test_a_rule_is_composed_tried_and_saved(run: World, visit: Visit) -> None:
    """From an empty form: criteria are added, the rule is read, tried on the people there are, and only then saved."""
    run.complete("E1", "CRS-1", 10)
    client = visit("coordinator")
    sent = fields(client.get("/rules/compose"))
    sent |= {"code": "FIRE", "name:en": "Fire officer", "earn.0:course": "CRS-1"}
    page = client.post("/rules/compose", data={**sent, "do": "add:earn"})
    sent = {**fields(page), "earn.1:kind": "score", "earn.1:activity": "quiz-1", "earn.1:at_least": "80"}
    page = client.post("/rules/compose", data={**sent, "do": "group:earn"})
    page = client.post("/rules/compose", data={**fields(page), "do": "remove:earn.2"})
    page = client.post("/rules/compose", data={**fields(page), "do": "remove:earn.1"})
    page = client.post("/rules/compose", data={**fields(page), "do": "read"})
    assert "To earn it, and to renew it: all of" not in shown(page)
    assert "course completed: Course 1 (CRS-1)" in shown(page)
    assert "Save as a new version" not in page.text
    assert client.post("/rules/compose", data={**fields(page), "do": "save"}).status_code == 422
    page = client.post("/rules/compose", data={**fields(page), "do": "try"})
    assert "1 would gain it" in shown(page)
    assert "Person 1" in shown(page)
    changed = {**fields(page), "validity:lasts": "P2Y", "do": "save"}
    assert "Try the rule as it is now" in shown(client.post("/rules/compose", data=changed))
    assert stored(run, CertificationRule) == 0
    saved = client.post("/rules/compose", data={**fields(page), "do": "save"})
    assert saved.headers["Location"] == "/rules/of/FIRE"
    with run.home.store.read() as session:
        row = session.scalars(select(CertificationRule)).one()
        assert (row.version, row.created_by) == (1, "reader")
        assert parse_rule(row.text).name["en"] == "Fire officer"
        assert session.scalars(select(AuditEntry.action).where(AuditEntry.actor == "reader")).all() == [
            "certification.import"
        ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"earn.0:course": ""}, "'completed' lacks 'course'"),
        (
            {"earn.0:kind": "score", "earn.0:course": "", "earn.0:activity": "quiz-1", "earn.0:at_least": "many"},
            "must be a number",
        ),
        ({"code": ""}, "lacks 'code'"),
        ({"validity:lasts": "two years"}, "'lasts' of"),
        ({"validity:window": "P9Y"}, "is longer than the validity"),
        ({"validity:from": "fixed", "validity:anchor": "02-30"}, "a day that no year has"),
        ({"effective_from": "soon"}, "must be a date"),
        ({"earn.0:course": "CRS-9"}, "the course 'CRS-9' is not known"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(run: World, visit: Visit, changes: dict[str, str], said: str) -> None:
    """A refusal stands on the page, and neither trying nor saving goes on."""
    client = visit("coordinator")
    sent = {**fields(client.get("/rules/compose")), "code": "FIRE", "earn.0:course": "CRS-1", **changes}
    for button in ("read", "try", "save"):
        page = client.post("/rules/compose", data={**sent, "do": button})
        assert (page.status_code, said in shown(page)) == (422, True), shown(page)
        assert "would gain it" not in page.text
    assert stored(run, CertificationRule) == 0


def test_the_text_is_refused_by_line_and_saved_letter_by_letter(run: World, visit: Visit) -> None:
    """In the text the refused line is marked with its reason; comments stay; unknown names are accepted when ticked."""
    client = visit("coordinator")
    sent = {"mode": "text", "text": rule().replace("lasts", "last").replace("\n", "\r\n"), "do": "try"}
    page = client.post("/rules/compose", data=sent)
    assert page.status_code == 422
    marked = re.findall(r'<li class="is-marked"><code>(.*?)</code>', page.text)
    assert [html.unescape(line) for line in marked] == ['last = "P365D"']
    unknown = rule('{ completed = { course = "CRS-9" } }')
    page = client.post("/rules/compose", data={"mode": "text", "text": unknown, "do": "try"})
    assert "the course 'CRS-9' is not known" in shown(page)
    page = client.post("/rules/compose", data={"mode": "text", "text": unknown, "allow_unknown": "1", "do": "try"})
    assert client.post("/rules/compose", data={**fields(page), "do": "save"}).status_code == 302
    assert run("export", "FIRE").stdout_bytes.decode() == unknown


def test_a_version_that_somebody_else_stored_meanwhile_is_not_passed_over(run: World, visit: Visit) -> None:
    """Whoever began with an older version is sent to look at the newer one, and nothing is stored."""
    run("import", run.file(rule()))
    client = visit("coordinator")
    page = client.post("/rules/compose", data={**fields(client.get("/rules/compose?code=FIRE")), "do": "try"})
    run("import", run.file(rule(BOTH)))
    late = client.post("/rules/compose", data={**fields(page), "do": "save"}, follow_redirects=True)
    assert "Another version of FIRE is stored" in shown(late)
    assert stored(run, CertificationRule) == 2


def test_a_rule_is_told_in_the_readers_language(run: World, visit: Visit) -> None:
    """The page of a rule says in English and in Chinese what it asks, for how long, and who wrote which version."""
    run("import", run.file(rule(COURSE + ', { certification = { code = "FIRE2" } }')), "--allow-unknown")
    run("import", run.file(NESTED))
    client = visit("auditor")
    page = shown(client.get("/rules/of/DEEP"))
    for words in (
        "To earn it: 2 of these : course completed: Course 1 (CRS-1), no older than 2 years",
        "lies no further apart than 1 year",
        "training hours: Course 1 (CRS-1), Course 2 (CRS-2), at least 2.5 hours",
        "xAPI statement: https://lms.example/a, verb passed, as a failure, stated by a/b",
        "passed: quiz-1, from moodle",
        "To the end of the next 12-31 (month and day) that is at least 6 months away.",
        "Employees are reminded 30 days, 7 days before its end.",
        "After that, what renews it is asked to get it again.",
    ):
        assert words.replace(" :", ":") in page.replace(" :", ":"), page
    page = shown(client.get("/rules/of/FIRE"))
    assert "For 365 days." in page
    assert page.index("To earn it, and to renew it:") < page.index("取得及续证需要：")
    assert "New certification" not in client.get("/rules").text
    with client.session_transaction() as cookie:
        cookie["language"] = "zh_Hans_CN"
    chinese = shown(client.get("/rules/of/FIRE"))
    assert "消防员" in chinese
    assert "365天" in chinese.replace(" ", "")
    assert chinese.index("取得及续证需要：") < chinese.index("To earn it, and to renew it:")


def test_employees_see_the_rules_that_concern_them(run: World, visit: Visit) -> None:
    """An employee finds the certifications that they began, hold or must hold, and no others."""
    run("import", run.file(rule()), run.file(rule(code="OTHER").replace("CRS-1", "CRS-2"), "other.toml"))
    run.complete("E1", "CRS-1", 10)
    run.derive()
    client = visit("employee", employee="E1")
    page = client.get("/rules").text
    assert "/rules/of/FIRE" in page
    assert "/rules/of/OTHER" not in page
    assert client.get("/rules/of/FIRE").status_code == 200
    assert client.get("/rules/of/OTHER").status_code == 404
    assert client.get("/rules/compose").status_code == 403


def test_a_version_is_applied_with_reason_and_confirmation(run: World, visit: Visit) -> None:
    """The page shows who would lose the award; without a reason nothing is done, with it the version is applied once."""
    run("import", run.file(rule()))
    run.complete("E1", "CRS-1", 10)
    run.derive()
    run.later(hours=1)
    run("import", run.file(rule(BOTH)))
    run.later(hours=1)
    client = visit("coordinator")
    assert "/rules/apply/FIRE" in client.get("/rules/of/FIRE").text
    page = client.get("/rules/apply/FIRE")
    assert "1 would lose it" in shown(page)
    assert client.post("/rules/apply/FIRE", data={"version": "2", "confirmed": "1"}).status_code == 422
    assert client.post("/rules/apply/FIRE", data={"version": "2", "reason": "new law"}).status_code == 422
    assert stored(run, CertificationRegrade) == 0
    done = client.post("/rules/apply/FIRE", data={"version": "2", "reason": "new law", "confirmed": "1"})
    assert done.status_code == 302
    assert "new law" in shown(client.get("/rules/of/FIRE"))
    run.later(seconds=1)
    run.derive()
    told = shown(client.get("/people/E1/certifications/FIRE"))
    assert "version 2 of the rule applied to older awards" in told
    assert "newer version of the rule applied" in told
    assert "/rules/apply/FIRE" not in client.get("/rules/of/FIRE").text
    assert client.get("/rules/apply/FIRE").status_code == 422


def test_the_draft_keeps_what_it_can_show_only() -> None:
    """Groups can be added to and taken from; a rule nested too deeply is said not to fit."""
    deep = "{ completed = { course = 'C' } }"
    for _ in range(7):
        deep = f"{{ any_of = [ {deep} ] }}"
    assert not fits(draft_of_rule(parse_rule(f"code = 'X'\n[earn]\nall_of = [ {deep} ]\n[validity]\nlasts = 'P1Y'\n")))
    draft = change(draft_of_form({"earn:kind": "all_of", "earn.0:kind": "badge", "renew_same": "1"}), "group", "earn")
    assert [node.kind for node in draft.earn.of] == ["badge", "any_of"]
    assert [node.path for node in draft.earn.of] == ["earn.0", "earn.1"]
    assert change(draft, "remove", "earn.0").earn.of[0].of == [Node("completed", "earn.0.0")]


@pytest.mark.parametrize(
    ("text", "line", "chinese"),
    [
        ("x = ", 1, "这不是 TOML（此处无法读取）"),
        ('code = "A"\ncode = "B"\n', 2, "同一个表中有重复的键"),
        ('[earn]\nbadge = { badge = "B" }\n[validity]\nlasts = "P1Y"\n', 1, "规则 缺少 'code'"),
        ('code = "A"\n[earn]\nbadge = { badge = "B" }\n', 1, "[validity] 表，说明有效多久"),
        ('code = "A"\n[earn]\nall_of = []\n[validity]\nlasts = "P1Y"\n', 3, "'all_of' 为空"),
        ('code = "A"\n[earn]\nall_of = [{}]\n[validity]\nlasts = "P1Y"\n', 3, "'all_of' 的一项 没有条件"),
        ('code = "A"\n[earn]\npassed = {}\n[validity]\nlasts = "P1Y"\n', 3, "缺少 'course' 或 'activity'"),
        ('code = "A"\n[earn]\nbadge = { badge = "B" }\n[validity]\nlasts = "-P1Y"\n', 5, "不是可用的时长"),
        ('code = "A"\n[earn]\ncertification = { code = "A" }\n[validity]\nlasts = "P1Y"\n', 3, "A 需要它自己"),
        (
            'code = "A"\n[earn]\ncertification = { code = "NOPE" }\n[validity]\nlasts = "forever"\n',
            3,
            "认证 'NOPE' 未知",
        ),
    ],
)
def test_a_refusal_is_said_in_the_reader_s_language(
    run: World, visit: Visit, text: str, line: int, chinese: str
) -> None:
    """On Chinese pages a rule is refused in Chinese at its line, without a word of the English; the command says it in English."""
    sent = {"mode": "text", "text": text, "do": "read"}
    page = shown(visit("coordinator", language="zh_Hans_CN").post("/rules/compose", data=sent))
    assert chinese in page
    said = run("import", run.file(text)).output
    english = said.partition(f"line {line}: ")[2].partition(" (--allow")[0].strip()
    assert english
    assert english not in page
    assert not re.search(r"[\u4e00-\u9fff]", english)

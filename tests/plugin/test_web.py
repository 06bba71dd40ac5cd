import importlib.util
import re
from datetime import timedelta
from pathlib import Path

import pytest
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from plugin.accounts import FAILURES_BEFORE_LOCK, LOCKED_FOR, create_account
from plugin.installation import PACKAGES, Installation
from plugin.models import Account
from plugin.summaries import summarise
from plugin.web import create_app, same_origin_path

PASSWORD = "correct horse battery"
TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
CHINESE = [("Accept-Language", "zh-CN,zh;q=0.9,en;q=0.5")]
ROOTS = [Path(spec.submodule_search_locations[0]) for name in PACKAGES if (spec := importlib.util.find_spec(name))]
STYLESHEET = ROOTS[0] / "static" / "certbridge.css"


@pytest.fixture
def app(installation: Installation) -> Flask:
    """The application, with a coordinator who administers and an employee."""
    with installation.store.write() as session:
        create_account(session, "boss", PASSWORD, ["administrator", "coordinator"], installation.clock())
        create_account(session, "worker", PASSWORD, ["employee"], installation.clock())
    return create_app(installation)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser."""
    return app.test_client()


def token(client: FlaskClient, path: str = "/sign-in") -> str:
    """The token that the forms of a page carry."""
    found = TOKEN.search(client.get(path, follow_redirects=True).text)
    assert found
    return found[1]


def sign_in(
    client: FlaskClient, login: str = "boss", password: str = PASSWORD, target: str = "/sign-in"
) -> TestResponse:
    """Fill in the form and send it."""
    return client.post(target, data={"login": login, "password": password, "csrf_token": token(client, target)})


def test_right_password_opens_the_start_page(client: FlaskClient) -> None:
    """Login and password that fit lead to the start page, which names the account."""
    answer = sign_in(client)
    assert (answer.status_code, answer.location) == (302, "/")
    assert "boss" in client.get("/").text


def test_wrong_password_is_refused_in_words(client: FlaskClient) -> None:
    """A wrong password and an unknown login get the same sentence, and no session."""
    for login in ("boss", "nobody"):
        answer = sign_in(client, login, "wrong")
        assert answer.status_code == 422
        assert "Login and password do not fit" in answer.text
    assert client.get("/").status_code == 302


def test_five_wrong_passwords_lock_the_account_for_a_while(client: FlaskClient, installation: Installation) -> None:
    """After five failures the right password is refused too, until the lock has run out."""
    for _ in range(FAILURES_BEFORE_LOCK):
        assert sign_in(client, password="wrong").status_code == 422
    assert sign_in(client).status_code == 422
    installation.clock.moment += LOCKED_FOR + timedelta(seconds=1)  # type: ignore[attr-defined]
    assert sign_in(client).status_code == 302


def test_signing_out_ends_the_session(client: FlaskClient) -> None:
    """After signing out, the start page asks for signing in again."""
    sign_in(client)
    assert client.post("/sign-out", data={"csrf_token": token(client, "/")}).location == "/sign-in"
    assert client.get("/").status_code == 302


def test_disabled_account_is_out_at_once(client: FlaskClient, installation: Installation) -> None:
    """A session does not outlive its account."""
    sign_in(client)
    with installation.store.write() as session:
        session.query(Account).filter_by(login="boss").one().disabled_at = installation.clock()
    assert client.get("/").status_code == 302


def test_page_asks_for_signing_in_and_comes_back(client: FlaskClient) -> None:
    """Who is not signed in is sent to do so, and afterwards to the page that was asked for."""
    answer = client.get("/people?search=E1")
    assert (answer.status_code, answer.location) == (302, "/sign-in?next=/people?search%3DE1")
    assert sign_in(client, target=answer.location).location == "/people?search=E1"


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/", "/\\evil.example", "evil", "", None])
def test_nobody_is_sent_elsewhere(target: str | None) -> None:
    """Only a path of this site is gone to after signing in or changing the language."""
    assert same_origin_path(target) is None


def test_open_redirect_is_refused_by_the_forms(client: FlaskClient) -> None:
    """Signing in and the language form fall back to the start page when they are told to go elsewhere."""
    assert sign_in(client, target="/sign-in?next=//evil.example/").location == "/"
    data = {"language": "en", "next": "https://evil.example/", "csrf_token": token(client, "/")}
    assert client.post("/language", data=data).location == "/"


def test_page_outside_the_roles_is_refused(client: FlaskClient) -> None:
    """An employee is refused the list of people, and does not find it in the navigation."""
    sign_in(client, "worker")
    answer = client.get("/people")
    assert answer.status_code == 403
    assert "Your roles do not include this page" in answer.text
    assert 'href="/people"' not in answer.text


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/language"])
def test_form_without_its_token_is_refused(client: FlaskClient, path: str) -> None:
    """A form sent without the token of the session changes nothing; the page that says so is the reader's own."""
    sign_in(client)
    answer = client.post(path, data={"login": "boss", "password": PASSWORD, "language": "zh_Hans_CN"})
    assert answer.status_code == 400
    assert "This form is no longer valid" in answer.text
    assert "boss" in answer.text


def test_headers_shut_out_scripts_and_frames(client: FlaskClient) -> None:
    """Every page forbids scripts, inline styles, frames and guessing at types; signed in, it is not stored."""
    policy = client.get("/sign-in").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-inline" not in policy
    sign_in(client)
    headers = client.get("/").headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"


def test_pages_hold_nothing_that_the_policy_forbids(client: FlaskClient) -> None:
    """No page of the navigation carries a script, an inline style or a handler."""
    sign_in(client)
    for path in ["/sign-in", "/nothing", *re.findall(r'<li><a href="(/[^"]*)"', client.get("/").text)]:
        page = client.get(path).text
        assert not re.search(r"<script|<style|\sstyle=|\son[a-z]+=|javascript:", page), path


@pytest.mark.parametrize(
    ("headers", "language", "words"), [([], "en", "Skip to the content"), (CHINESE, "zh-Hans-CN", "跳到正文")]
)
def test_browser_chooses_the_language(client: FlaskClient, headers: list, language: str, words: str) -> None:
    """The browser's preference decides until the reader does; the page says which language it is in."""
    page = client.get("/sign-in", headers=headers).text
    assert f'<html lang="{language}">' in page
    assert words in page


def test_reader_changes_the_language_and_keeps_it(client: FlaskClient, installation: Installation) -> None:
    """The language that a reader chose stays after signing out and in again, on another machine too."""
    sign_in(client)
    data = {"language": "zh_Hans_CN", "next": "/", "csrf_token": token(client, "/")}
    assert client.post("/language", data=data).location == "/"
    assert "概览" in client.get("/").text
    elsewhere = client.application.test_client()
    sign_in(elsewhere)
    assert "概览" in elsewhere.get("/").text


def test_start_page_shows_what_the_roles_open(client: FlaskClient) -> None:
    """The cards of the start page are those whose pages the reader may open."""
    sign_in(client)
    assert "In quarantine" in client.get("/").text
    other = client.application.test_client()
    sign_in(other, "worker")
    assert "There is nothing here for your roles." in other.get("/").text


def test_failures_are_pages_for_people_and_json_for_programs(client: FlaskClient) -> None:
    """An unknown address is explained in the reader's language; below /api/ it is a problem (RFC 9457)."""
    answer = client.get("/nothing", headers=CHINESE)
    assert answer.status_code == 404
    assert "该地址没有对应的页面" in answer.text
    assert client.get("/api/nothing").json.keys() == {"type", "title", "status", "detail"}


def test_unforeseen_failure_shows_no_details(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not foreseen is one sentence; its details are for the log only."""
    client = app.test_client()
    sign_in(client)

    def fail(_installation: Installation) -> None:
        raise ZeroDivisionError("the secret detail")

    monkeypatch.setattr("plugin.controllers.summarise", fail)
    answer = client.get("/")
    assert answer.status_code == 500
    assert "Something went wrong here" in answer.text
    assert "secret" not in answer.text


def test_health_needs_no_account(client: FlaskClient) -> None:
    """A load balancer may ask without signing in."""
    assert client.get("/health").text == "ok\n"


def catalogue(root: Path, language: str) -> dict[str, str]:
    """The texts of an addon and their translations; a plural stands under its singular."""
    place = root / "i18n" / language / "LC_MESSAGES" / "messages.po"
    if not place.is_file():
        return {}
    with place.open("rb") as lines:
        texts = {message.id: message.string for message in read_po(lines, locale=language)}
    return {key if isinstance(key, str) else key[0]: text for key, text in texts.items() if key}


@pytest.mark.parametrize("root", ROOTS, ids=PACKAGES)
def test_every_text_has_a_chinese_translation(root: Path) -> None:
    """Every text that templates and code mark stands in the addon's own catalogues, with a Chinese translation."""
    methods = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
    keywords = {**DEFAULT_KEYWORDS, "lazy_gettext": None, "MenuEntry": (1,), "Summary": (1,)}
    chinese, english = catalogue(root, "zh_Hans_CN"), catalogue(root, "en")
    for file, _line, text, _comments, _context in extract_from_dir(root, methods, keywords=keywords):
        for form in (text,) if isinstance(text, str) else text[:1]:
            translated = chinese.get(form, "")
            assert translated and all(translated), (file, form)
            assert form in english, (file, form)


def test_translations_keep_the_placeholders() -> None:
    """A translation names exactly what its English text names."""
    names = re.compile(r"%\((\w+)\)")
    for root in ROOTS:
        for text, translated in catalogue(root, "zh_Hans_CN").items():
            for form in [translated] if isinstance(translated, str) else translated:
                assert set(names.findall(form)) == set(names.findall(text)), text


def test_counts_of_the_start_page_are_translated(installation: Installation) -> None:
    """Titles of the cards stand in a catalogue, whichever addon counts."""
    known = {text for root in ROOTS for text in catalogue(root, "zh_Hans_CN")}
    assert {summary.title for summary in summarise(installation)} <= known


def luminance(colour: str) -> float:
    """The relative luminance of a colour, as WCAG defines it."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, as WCAG defines it."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_colours_have_the_contrast_of_wcag(scheme: int) -> None:
    """Text has a contrast of at least 4.5 on what it stands on, fields, bars and focus of at least 3."""
    blocks = re.findall(r":root \{(.*?)\}", STYLESHEET.read_text(encoding="utf-8"), re.DOTALL)
    colours = dict(re.findall(r"(--[a-z-]+): (#[0-9a-f]{6});", blocks[scheme]))
    text = [(ink, ground) for ink in ("ink", "muted", "accent") for ground in ("paper", "surface", "sunk")]
    text += [(tone, f"{tone}-back") for tone in ("ok", "warn", "bad", "mute")]
    text += [("on-accent", "accent"), ("ok", "surface"), ("bad", "surface")]
    shapes = [(shape, ground) for shape in ("field", "focus", "bar") for ground in ("paper", "surface")]
    for pairs, least in ((text, 4.5), (shapes, 3.0)):
        for front, back in pairs:
            assert contrast(colours[f"--{front}"], colours[f"--{back}"]) >= least, (front, back)

"""Secrets stand nowhere: a whole run with made-up secrets of every kind, in which everything fails once, is searched.

The secrets are given where they belong (files, environment, standard input). What is printed on purpose, such as a new
token, is checked to be there, for that shows that the search can find something, and left out of the search.
"""

import base64
import json
import logging
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import requests
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.engine import make_url

import metrics
from connectors.moodle.demo import roster
from connectors.moodle.demo.access import PASS_MARKS
from connectors.moodle.demo.organisation import Organisation
from connectors.moodle.demo.server import create_app, serve
from connectors.sources import connector_of
from plugin.accounts import create_account
from plugin.installation import Installation, utc_now
from plugin.mail.sending import PostOffice
from plugin.openid import Provider as OpenIdProvider
from plugin.roles import ROLES
from plugin.settings import load_settings
from plugin.store import Store
from plugin.web import create_app as create_pages
from tests.end_to_end.canaries import Written, forms
from tests.end_to_end.harness import ANCHOR, PEOPLE
from tests.plugin import test_mail, test_oidc
from webhooks.delivery import open_target
from webhooks.endpoints import find as find_endpoint
from webhooks.tasks import courier

certificate = test_mail.certificate
ROOT = Path(__file__).parents[2]
SEED = 1
SANDBOXES = {"mail.log", "werkzeug", "waitress", "asyncio"}  # what the servers of this test log themselves
MARKER = "planted-for-the-search"  # the name of a source and of an account: no secret, and found wherever we look
CSRF = re.compile(r'name="csrf_token" value="([^"]+)"')
SECRETS = {
    "source token": "cnry+Source/token=5b1f9c27",
    "wrong source token": "cnry+Wrong/token=8e02ad61",
    "SMTP password": "cnry Smtp&password=c94f1e70",
    "wrong SMTP password": "cnry Wrong&smtp=31d8b0a5",
    "OpenID client secret": "cnry+Client/secret=7af3560e",
    "endpoint secret": base64.b64encode(b"cnry endpoint secret 20e9f1").decode(),
    "database password": "cnry:Data@base/word=6d1c",
    "broker password": "cnry:Broker@pass/word=90ab",
    "account password": "cnry Account&password=e5b7",
    "new password": "cnry Chosen&password=f018d",
    "guessed password": "cnry Guessed&password=d7a2",
}

CONFIG = """\
[organisation]
name = "Acme"

[store]
url = "sqlite:///var/certbridge.db"

[web]
port = {port}
public_url = "http://127.0.0.1:{port}"

[log]
level = "DEBUG"

[mail]
host = "127.0.0.1"
port = {smtp}
user = "cb-user"
password = {{ file = "smtp.secret" }}
ca_file = "{certificate}"
sender = "CertBridge <cb@acme.example>"
retry_seconds = [1, 1, 1]
timeout_seconds = 5

[sign_in]
issuer = "{issuer}"
client_id = "certbridge"
client_secret = {{ env = "OIDC_CLIENT_SECRET" }}
link_by = ["login"]

[webhooks]
allow_networks = ["127.0.0.0/8"]
allow_ports = "any"
retry_seconds = [0]
timeout_seconds = 5

[sources.roster]
connector = "connectors.roster"
path = "roster.csv"
"""
MOODLE = """
[sources.{name}]
connector = "connectors.moodle"
every = "{every}"
url = "{url}"
token = {{ file = "{token}" }}
tries = 1
timeout_seconds = 20
alert_failures = 1
"""


class Echo(BaseHTTPRequestHandler):
    """Answers everything with what it was sent: as an error, as Moodle's error, as a page, as a redirect."""

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode("utf-8", "replace")
        said = f"{self.path}\n{self.headers}\n{sent}"
        status, kind, body = 500, "text/plain", said
        if self.path.startswith("/json"):
            status, kind = 200, "application/json"
            body = json.dumps({"exception": "moodle_exception", "errorcode": "invalidtoken", "message": said})
        elif self.path.startswith("/page"):
            status, kind, body = 200, "text/html", f"<html><body>{said}</body></html>"
        elif self.path.startswith("/oidc"):
            status, kind = 400, "application/json"
            body = json.dumps({"error": "invalid_client", "error_description": said})
        self.send_response(302 if self.path.startswith("/redirect") else status)
        if self.path.startswith("/redirect"):
            self.send_header("Location", f"/elsewhere?{quote(sent)}")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@dataclass
class Run:
    """One installation in a folder, the systems around it, and everything that is written."""

    folder: Path
    port: int
    environment: dict[str, str]
    secrets: dict[str, str]
    inbox: test_mail.Inbox
    echo: str
    provider: test_oidc.Provider
    written: Written = field(default_factory=Written, repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self, *arguments: str, said: str = "", shows: str = "", **environment: str) -> str:
        """Run `certbridge`; what it printed. `shows` is the secret that it prints on purpose: a pattern, or its name."""
        done = subprocess.run(
            [sys.executable, "-m", "plugin", *arguments], cwd=self.folder, input=said, capture_output=True, text=True,
            timeout=120, check=False, env={**self.environment, **environment},
        )  # fmt: skip
        printed = done.stdout + done.stderr
        if shows:
            name, _, pattern = shows.partition(": ")
            found = re.search(pattern, printed)
            assert found, (arguments, printed)
            self.secrets[name] = found[1]
            alone = Written([("command", " ".join(arguments), printed.encode())])
            assert list(alone.find({name: found[1]})), "the search does not find what stands there"
            printed = printed.replace(found[1], "")
        self.written.add("command", " ".join(arguments), printed)
        return printed

    @contextmanager
    def running(self, *arguments: str, **environment: str) -> Iterator[None]:
        """A command that goes on, until the end of the block; its output is what is written into the log."""
        log = self.folder / f"{arguments[0]}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "plugin", *arguments], cwd=self.folder, stdout=output, stderr=output,
                stdin=subprocess.DEVNULL, env={**self.environment, **environment},
            )  # fmt: skip
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def keep(self, answer: requests.Response, kind: str = "page") -> requests.Response:
        """Keep what a page or a call answered."""
        self.written.add(kind, f"{answer.request.method} {urlsplit(answer.url).path} {answer.status_code}", answer.text)
        return answer

    def visit(self, browser: requests.Session, path: str) -> requests.Response:
        """Open a page."""
        return self.keep(browser.get(self.url + path, timeout=30))

    def send(self, browser: requests.Session, path: str, place: str | None = None, **fields: str) -> requests.Response:
        """Send the form that stands on the page `place`."""
        token = CSRF.search(self.visit(browser, place or path).text)
        assert token, path
        data = {**fields, "csrf_token": unescape(token[1])}
        return self.keep(browser.post(self.url + path, data=data, timeout=30, allow_redirects=False))

    def sign_in(self, login: str, password: str) -> requests.Session:
        """A browser that is signed in; its session's cookie is a secret."""
        browser = requests.Session()
        assert self.send(browser, "/sign-in", login=login, password=password).status_code == 302
        self.secrets[f"session of {login}"] = browser.cookies["session"]
        return browser


@pytest.fixture(params=[pytest.param("sqlite", marks=pytest.mark.soak), "postgresql"])
def run(
    request: pytest.FixtureRequest, tmp_path: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Run]:
    """The folder with its settings and secrets, a Moodle site, a mail server, a provider and the echo, all running."""
    secrets = dict(SECRETS)
    monkeypatch.setattr(test_oidc, "SECRET", secrets["OpenID client secret"])
    organisation = Organisation(people=PEOPLE, seed=SEED, anchor=ANCHOR)
    roster.write_file(organisation, tmp_path / "roster.csv")
    for name, file in {
        "source token": "moodle.secret", "wrong source token": "wrong.secret", "SMTP password": "smtp.secret",
    }.items():  # fmt: skip
        private(tmp_path / file, secrets[name])
    private(tmp_path / "hr.secret", f"whsec_{secrets['endpoint secret']}")
    with ExitStack() as stack:
        site = stack.enter_context(
            serve(create_app(organisation, tokens=[replace(PASS_MARKS, token=secrets["source token"])]))
        )
        echo = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
        stack.callback(echo.server_close)
        Thread(target=echo.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        stack.callback(echo.shutdown)
        echo_url = f"http://127.0.0.1:{echo.server_address[1]}"
        provider = test_oidc.Provider(utc_now)
        provider.user = {"sub": "u-1", "preferred_username": "auditor"}
        stack.callback(provider.server.server_close)
        stack.callback(provider.server.shutdown)
        inbox = test_mail.Inbox(port=test_mail.free_port())
        stack.callback(mail_server(inbox, certificate, secrets).stop)
        port = test_mail.free_port()
        config = CONFIG.format(port=port, smtp=inbox.port, certificate=certificate, issuer=provider.issuer)
        config += MOODLE.format(every="PT1H", name="moodle", url=site.url, token="moodle.secret")
        config += MOODLE.format(every="PT5S", name="wrong", url=site.url, token="wrong.secret")
        for name, path in {
            MARKER: "/error",
            "echo-json": "/json",
            "echo-page": "/page",
            "echo-moved": "/redirect",
        }.items():
            config += MOODLE.format(every="PT5S", name=name, url=echo_url + path, token="moodle.secret")
        (tmp_path / "config.toml").write_text(config, encoding="utf-8")
        environment = {
            "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "PYTHONUNBUFFERED": "1",
            "COLUMNS": "300", "OIDC_CLIENT_SECRET": secrets["OpenID client secret"],
        }  # fmt: skip
        if request.param == "postgresql":
            place = request.getfixturevalue("postgresql_url")
            password = quote(secrets["database password"], safe="")
            environment["CERTBRIDGE_STORE__URL"] = place.replace("postgres@", f"postgres:{password}@")
        yield Run(tmp_path, port, environment, secrets, inbox, echo_url, provider)


def private(path: Path, secret: str) -> None:
    """Write a file that only its owner reads."""
    path.touch(mode=0o600)
    path.write_text(secret + "\n", encoding="utf-8")


def mail_server(inbox: test_mail.Inbox, certificate: Path, secrets: dict[str, str]) -> Controller:
    """A mail server that repeats the password which it refuses, and every mail that it does not take."""

    def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        given = data.password.decode() if isinstance(data, LoginPassword) else ""
        fits = given == secrets["SMTP password"]
        return AuthResult(success=fits, handled=fits, message=None if fits else f"535 5.7.8 {given} is not right")

    controller = Controller(
        inbox, hostname="127.0.0.1", port=inbox.port, tls_context=test_mail.server_context(certificate),
        require_starttls=True, authenticator=authenticate, auth_required=True,
    )  # fmt: skip
    controller.start()
    return controller


def refuse_with_a_copy(inbox: test_mail.Inbox) -> None:
    """Have the mail server refuse each mail, and say why with what stands in it."""

    def answer(_to: str, mail: Any) -> str:
        return "550 5.7.1 I do not like " + " ".join(test_mail.part(mail, "plain").split())[:400]

    inbox.answer = answer


# ── The run ──


def set_up(run: Run) -> None:
    """Install, make accounts with every role, a token, endpoints, rules; each failure on the way once."""
    run.command("status")
    run.command("keys", "create")
    run.command("addons", "install")
    password = run.secrets["account password"]
    run.command("account", "create", MARKER, "--password-file", "-", said=password + "\n")
    run.command("account", "create", "short", "--password-file", "-", said=password[:6] + "\n")
    run.command("account", "create", MARKER, "--password-file", "-", said=password + "\n")
    home = Installation.open(run.folder / "config.toml")
    if place := run.environment.get("CERTBRIDGE_STORE__URL"):
        home = replace(home, store=Store(place))
    with home.store.write() as session:
        for role in ROLES:
            create_account(session, role, password, [role], home.clock())
    home.store.close()
    run.command("account", "create", "shown", shows=r"first password: shown this once: (\S+)")
    run.command("token", "create", "hr", "--scope", "promotions:write", shows=r"API token: ^(\S+)\s*$")
    run.command("endpoint", "add", "hr", f"{run.echo}/error", "--full", "--secret-file", "hr.secret")
    run.command("endpoint", "add", "hr", f"{run.echo}/error", "--secret-file", "hr.secret")
    address = f"https://user:{quote(run.secrets['account password'])}@hr.example/"
    run.command("endpoint", "add", "far", address, "--secret-file", "hr.secret")
    (run.folder / "bad.secret").write_text(f"whsec_{run.secrets['endpoint secret']}!\n", encoding="utf-8")
    run.command("endpoint", "add", "bad", f"{run.echo}/error", "--secret-file", "bad.secret")
    run.command(
        "endpoint", "add", "own", f"{run.echo}/page", "--show-secret", shows=r"made endpoint secret: whsec_(\S+)"
    )
    rules = map(str, sorted((Path(metrics.__file__).parent / "demo").glob("*.toml")))
    run.command("certification", "import", "--allow-unknown", *rules)  # nothing has been pulled yet


def work(run: Run) -> None:
    """Pull from a good source and from those that fail and repeat the token; derive; deliver to those that refuse."""
    run.command("sync")
    run.command("sync", MARKER)
    run.command("sources", "check")
    run.command("derive")
    run.command("endpoint", "test", "hr")
    run.command("deliver", "--once")
    run.command("deliveries", "list", "--limit", "5")
    run.command("deliveries", "show", "1")
    run.command("deliveries", "replay")
    for name in ("SMTP password", "wrong SMTP password"):
        private(run.folder / "smtp.secret", run.secrets[name])
        run.command("mail", "test", f"{MARKER}@acme.example")
    private(run.folder / "smtp.secret", run.secrets["SMTP password"])
    refuse_with_a_copy(run.inbox)
    run.command("mail", "test", f"{MARKER}@acme.example")
    run.command("mail", "list", "--format", "json")


def look_around(run: Run) -> None:
    """Every page of every role and every export, over HTTP; then whatever can be asked wrongly."""
    for role in ROLES:
        browser = run.sign_in(role, run.secrets["account password"])
        seen, waiting = set(), ["/"]
        while waiting:
            path = waiting.pop()
            page = run.keep(browser.get(run.url + path, timeout=60), "export" if "export" in path else "page")
            links = re.findall(r'href="(/[^"#]*)"', page.text) if "html" in page.headers["Content-Type"] else []
            for link in map(unescape, links):
                kind = re.sub(r"\d+|E\d+|period=[^&]*", "N", link)
                if kind not in seen and not link.startswith("/static"):
                    seen.add(kind)
                    waiting.append(link)
        assert seen, role
        run.visit(browser, "/nothing/here")
        run.keep(
            browser.post(run.url + "/users/1/disable", data={"reason": run.secrets["account password"]}, timeout=30)
        )


def ask_wrongly(run: Run) -> None:
    """Wrong passwords and tokens, rubbish, forms without their token, forms of others, calls that break."""
    browser = requests.Session()
    run.send(browser, "/sign-in", login=MARKER, password=run.secrets["guessed password"])
    run.keep(
        browser.post(run.url + "/sign-in", data={"login": "x", "password": run.secrets["guessed password"]}, timeout=30)
    )
    administrator = run.sign_in(MARKER, run.secrets["account password"])
    guess, new = run.secrets["guessed password"], run.secrets["new password"]
    for old, first, second in (
        (guess, new, new),
        (run.secrets["account password"], new, guess),
        (guess, new[:5], new[:5]),
    ):
        run.send(administrator, "/account/password", old=old, new=first, repeated=second)
    api, token = f"{run.url}/api/v1/promotions", run.secrets["API token"]
    for headers, body in (
        ({"Authorization": f"Bearer {token}"}, "{not json " + token),
        ({"Authorization": f"Bearer {token}"}, '{"promotion_id": ["' + token + '"]}'),
        ({"Authorization": f"Bearer {token}x"}, "{}"),
        ({"Authorization": f"Basic {base64.b64encode(token.encode()).decode()}"}, "{}"),
        ({"Authorization": token, "Content-Type": "nonsense"}, "\udcff".encode("utf-8", "surrogatepass")),
    ):
        run.keep(requests.post(api, data=body, headers={"Content-Type": "application/json", **headers}, timeout=30))
    run.keep(requests.get(f"{api}/{MARKER}", headers={"Authorization": f"Bearer {token}"}, timeout=30))
    for path in ("/people?page=x", "/audit?from=x", "/figures?period=x", "/%00", "/" + "x" * 9000):
        run.visit(administrator, path)
    run.keep(administrator.post(run.url + "/account/password", data=b"x" * 11_000_000, timeout=30))


def sign_in_elsewhere(run: Run) -> None:
    """Sign in at the provider: rightly, and with an answer that is for somebody else."""

    def go() -> None:
        browser = requests.Session()
        there = browser.get(run.url + "/sign-in/openid", timeout=30, allow_redirects=False)
        back = requests.get(there.headers["Location"], timeout=30, allow_redirects=False)
        landed = browser.get(back.headers["Location"], timeout=30)
        run.keep(landed)
        if "session" in browser.cookies and landed.status_code == 200:
            run.secrets["session by the provider"] = browser.cookies["session"]

    go()
    assert "session by the provider" in run.secrets
    run.provider.claims = {"aud": "somebody else"}
    go()


def reset_password(run: Run) -> None:
    """Ask for a link twice: the first mail is refused with a copy of it, the second arrives and is used."""
    run.command("account", "reset", MARKER, shows=r"printed reset token: /reset-password/(\S+)")
    administrator = run.sign_in(MARKER, run.secrets["account password"])
    run.send(administrator, "/users/1/link", "/users/1", number="", email=f"{MARKER}@acme.example")
    browser = requests.Session()
    run.send(browser, "/forgot-password", login=MARKER)
    wait_for(lambda: "password_reset" in run.command("mail", "list", "--state", "failed"))
    run.inbox.answer = lambda _to, _mail: "250 taken"
    run.send(browser, "/forgot-password", login=MARKER)
    wait_for(lambda: any("/reset-password/" in test_mail.part(mail, "plain") for _, _, mail in run.inbox.got))
    link = next(
        found[0]
        for _, _, mail in run.inbox.got
        if (found := re.search(r"http://\S+/reset-password/\S+", test_mail.part(mail, "plain")))
    )
    run.secrets["reset token"] = link.rpartition("/")[2]
    cookies = {"session": run.secrets["session of auditor"]}
    broken(run, "account", lambda: run.keep(requests.get(link, timeout=30, cookies=cookies)), 500)
    run.visit(browser, urlsplit(link).path)
    new = run.secrets["new password"]
    broken(run, "password_reset", lambda: run.keep(browser.get(f"{run.url}/reset-password", timeout=30)))
    run.send(browser, "/reset-password", new=new, repeated=new)
    run.visit(browser, urlsplit(link).path)
    run.sign_in(MARKER, new)


def break_pages(run: Run) -> None:
    """Let pages fail within: the tables that they need are away while they are asked."""
    auditor = run.sign_in("auditor", run.secrets["account password"])
    token = CSRF.search(run.visit(auditor, "/account/password").text)
    assert token
    guess = {
        "csrf_token": unescape(token[1]),
        "old": run.secrets["account password"],
        "new": run.secrets["new password"],
    }
    failing = {
        "audit_entry": "/audit",
        "alert": "/",
        "person": "/people",
        "endpoint": "/deliveries",
        "sync_run": "/sync",
    }
    for table, path in failing.items():
        broken(run, table, lambda path=path: run.visit(auditor, path), 500)
    sent = {"data": {**guess, "repeated": guess["new"]}, "cookies": auditor.cookies, "timeout": 30}
    broken(run, "audit_entry", lambda: run.keep(requests.post(f"{run.url}/account/password", **sent)), 500)
    sign_in = {
        "data": {"login": MARKER, "password": guess["old"], "csrf_token": guess["csrf_token"]},
        "cookies": auditor.cookies,
    }
    broken(run, "account", lambda: run.keep(requests.post(f"{run.url}/sign-in", timeout=30, **sign_in)), 500)
    bearer = {"Authorization": f"Bearer {run.secrets['API token']}"}
    call = f"{run.url}/api/v1/promotions/{MARKER}"
    broken(run, "api_token", lambda: run.keep(requests.get(call, headers=bearer, timeout=30)), 500)


def broken(run: Run, table: str, ask: Callable[[], requests.Response], status: int | None = None) -> None:
    """Ask while a table is away."""
    engine = create_engine(store_url(run))
    try:
        with engine.begin() as connection:
            connection.execute(text(f'ALTER TABLE "{table}" RENAME TO away'))
        try:
            answer = ask()
        finally:
            with engine.begin() as connection:
                connection.execute(text(f'ALTER TABLE away RENAME TO "{table}"'))
    finally:
        engine.dispose()
    assert status is None or answer.status_code == status, (table, answer.text)


def look_after(run: Run) -> None:
    """What an operator asks afterwards, also with a wrong database, a wrong broker, an open key file, missing secrets."""
    run.command("doctor")
    run.command("doctor", "--format", "json")
    run.command("audit", "show", "--format", "json")
    run.command("audit", "verify")
    for what in ("account", "token", "endpoint"):
        run.command(what, "list")
    bad = quote(run.secrets["database password"], safe="")
    for url in (
        f"postgresql://nobody:{bad}@127.0.0.1:1/nothing",
        f"postgresql://nobody@127.0.0.1:1/nothing?password={bad}",
        f"postgresql://nobody:{bad}@127.0.0.1:nothing/nothing",
        f"mysql://nobody:{bad}@127.0.0.1/nothing",
        f"postgresql//nobody:{bad}@",
    ):
        run.command("status", CERTBRIDGE_STORE__URL=url)
        run.command("doctor", "--format", "json", CERTBRIDGE_STORE__URL=url)
    broker = f"redis://:{quote(run.secrets['broker password'], safe='')}@127.0.0.1:1/0"
    run.command("doctor", CERTBRIDGE_BROKER__URL=broker)
    with run.running("worker", CERTBRIDGE_BROKER__URL=broker), run.running("scheduler", CERTBRIDGE_BROKER__URL=broker):
        time.sleep(6)
    run.command("doctor", OIDC_CLIENT_SECRET="")
    run.command("status", CERTBRIDGE_MAIL__PASSWORD=run.secrets["SMTP password"])
    run.command("status", CERTBRIDGE_SIGN_IN__CLIENT_SECRET=run.secrets["OpenID client secret"])
    run.command("sync", "moodle", CERTBRIDGE_SOURCES__MOODLE__TOKEN=run.secrets["source token"])
    (run.folder / "var" / "secret.key").chmod(0o644)
    run.command("deliver", "--once")
    run.command("doctor")
    (run.folder / "var" / "secret.key").chmod(0o600)
    keys = (run.folder / "var" / "secret.key").read_text(encoding="utf-8")
    (run.folder / "var" / "secret.key").write_text("x" + keys, encoding="utf-8")
    run.command("doctor")
    (run.folder / "var" / "secret.key").write_text(keys, encoding="utf-8")
    run.command("keys", "rotate")
    run.command("keys", "prune")
    for number, key in enumerate((keys + (run.folder / "var" / "secret.key").read_text(encoding="utf-8")).split()):
        run.secrets[f"key {number}"] = key
    run.command("privacy", "export", employee(run))


def employee(run: Run) -> str:
    """An employee number of the roster."""
    return (run.folder / "roster.csv").read_text(encoding="utf-8").splitlines()[1].partition(",")[0]


def provoke(run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """What our own objects say of themselves, and the exceptions that they raise, with everything that these hold."""
    for name, value in run.environment.items():
        monkeypatch.setenv(name, value)
    home = Installation.open(run.folder / "config.toml")
    caplog.set_level(logging.DEBUG)
    pages = create_pages(home)
    run.provider.metadata = {"token_endpoint": f"{run.echo}/oidc"}
    browser = pages.test_client()
    refused = test_oidc.come_back(browser, browser.get("/sign-in/openid"))
    assert refused.status_code != 200
    run.written.add("page", "sign-in refused by the provider", refused.text)
    things: list[Any] = [home, home.settings, home.store, home.keys, vars(home.keys), pages, PostOffice.of(home)]
    with home.store.read() as session:
        things.append(find_endpoint(session, "hr"))
        target = open_target(courier(home), things[-1])
    things += [target, courier(home), OpenIdProvider(home.settings.sign_in, home.settings.folder)]
    things += [connector_of(home, source) for source in home.settings.sources]
    for thing in things:
        run.written.add("exception", f"repr of {type(thing).__name__}", repr(thing) + str(thing))
    provoked: list[Callable[[], object]] = [
        lambda: home.keys.decrypt(run.secrets["account password"]),
        lambda: Store(f"postgresql://u:{quote(run.secrets['database password'], safe='')}@127.0.0.1:1/x").check(),
        lambda: Store(
            f"postgresql://u@127.0.0.1:1/x?password={quote(run.secrets['database password'], safe='')}"
        ).check(),
        lambda: Store(run.secrets["database password"]),
        lambda: load_settings(run.folder / "config.toml", {"CERTBRIDGE_MAIL__PASSWORD": run.secrets["SMTP password"]}),
        lambda: connector_of(home, MARKER).check(),
        lambda: [list(stream.pull(None)) for stream in connector_of(home, MARKER).streams()],
        lambda: [list(stream.pull(None)) for stream in connector_of(home, "echo-json").streams()],
        lambda: [list(stream.pull(None)) for stream in connector_of(home, "wrong").streams()],
        lambda: connector_of(home, f"no-{MARKER}"),
    ]
    for number, raising in enumerate(provoked):
        try:
            shown = repr(raising())
        except Exception as error:
            shown = "".join(traceback.format_exception(error)) + everything_in(error)
        # The lines of this file, which tracebacks show, name no secret: they take them out of a dict.
        run.written.add("exception", f"number {number}", shown)
    ours = [record for record in caplog.records if record.name not in SANDBOXES]
    run.written.add(
        "exception", "as this process logs it", "\n".join(f"{one.getMessage()} {one.exc_text}" for one in ours)
    )
    for thing in things:
        if hasattr(thing, "close"):
            thing.close()
    home.store.close()


def everything_in(error: BaseException | None) -> str:
    """What an exception and those that it came from hold."""
    said = ""
    while error is not None:
        said += f"{error!r} {error.args!r} {vars(error)!r}\n"
        error = error.__cause__ or error.__context__
    return said


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until it is so."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come about in time"
        time.sleep(0.5)


def answers(run: Run) -> bool:
    """Whether the pages are served."""
    with suppress(requests.RequestException):
        return requests.get(f"{run.url}/health", timeout=5).ok
    return False


# ── What it left ──


def store_url(run: Run) -> str:
    """The store, as the tests reach it."""
    place = run.environment.get("CERTBRIDGE_STORE__URL")
    if place is None:
        return f"sqlite:///{run.folder}/var/certbridge.db"
    return make_url(place).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def collect(run: Run) -> None:
    """Every cell of every table, every file but those that hold secrets on purpose, every mail."""
    engine = create_engine(store_url(run))
    with engine.connect() as connection:
        for table in inspect(connection).get_table_names():
            for row in connection.execute(text(f'SELECT * FROM "{table}"')):
                run.written.add("store", table, "\n".join(map(str, row)))
    engine.dispose()
    on_purpose = {"moodle.secret", "wrong.secret", "smtp.secret", "hr.secret", "bad.secret", "secret.key"}
    for path in sorted(run.folder.rglob("*")):
        if path.is_file() and path.name not in on_purpose:
            kind = "log" if path.suffix == ".log" else "store" if "certbridge.db" in path.name else "file"
            run.written.add(kind, path.name, path.read_bytes())
    for (_, recipients, mail), raw in zip(run.inbox.got, run.inbox.raw, strict=True):
        if "/reset-password/" in test_mail.part(mail, "plain"):
            continue  # the link's own mail
        bodies = [str(part.get_content()) for part in mail.walk() if part.get_content_maintype() == "text"]
        run.written.add("mail", " ".join(recipients), raw + "\n".join(bodies).encode())


def test_whole_run_leaves_no_secret_anywhere(
    run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """After everything was done and has failed, no secret stands in logs, store, pages, exports, mails, exceptions or
    on the terminal, in clear or in disguise; what was planted is found in each of them."""
    set_up(run)
    work(run)
    with run.running("run"):
        wait_for(lambda: answers(run))
        look_around(run)
        ask_wrongly(run)
        sign_in_elsewhere(run)
        reset_password(run)
        break_pages(run)
    look_after(run)
    provoke(run, monkeypatch, caplog)
    collect(run)
    assert run.written.kinds_with(MARKER) >= {"command", "log", "store", "page", "export", "mail", "exception"}
    assert len(run.secrets) > len(SECRETS) + 10
    found = list(run.written.find(run.secrets))
    assert found == [], "\n".join(f"{one.secret} ({one.disguise}) in {one.place}: {one.around!r}" for one in found)


@pytest.mark.parametrize("secret", [*SECRETS.values(), "with 'quotes\" and \\ 密码"])
def test_search_finds_every_disguise(secret: str) -> None:
    """Each disguise of each secret is found within something longer, also as a part of what is in base64."""
    for disguise, planted in forms(secret):
        written = Written([("log", "planted", b"before" + planted + b"after")])
        assert disguise in {one.disguise for one in written.find({"it": secret})}
    for prefix in ("", "u", "us", "user:"):
        encoded = base64.b64encode(f"{prefix}{secret} and more".encode())
        assert list(Written([("log", "planted", encoded)]).find({"it": secret})), prefix
    assert list(Written([("log", "planted", b"nothing of it")]).find({"it": secret})) == []


def test_search_finds_what_a_database_file_holds(tmp_path: Path) -> None:
    """A secret that a row held is found in the bytes of the file, as the search reads them."""
    with sqlite3.connect(tmp_path / "certbridge.db") as connection:
        connection.execute("CREATE TABLE kept (secret TEXT)")
        connection.execute("INSERT INTO kept VALUES (?)", (SECRETS["source token"],))
    connection.close()
    copied = shutil.copy(tmp_path / "certbridge.db", tmp_path / "copy")
    found = list(Written([("store", "file", Path(copied).read_bytes())]).find(SECRETS))
    assert [one.secret for one in found] == ["source token"]

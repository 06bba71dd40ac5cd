"""Signing in at an OpenID provider: a real one, small, that the tests start on loopback."""

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from flask import Flask, Response, redirect, request
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from sqlalchemy import select
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from plugin.accounts import create_account
from plugin.installation import Installation
from plugin.models import Account, AuditEntry, SignInLink
from plugin.people import Employee, record_employees
from plugin.settings import SignInSettings
from plugin.web import create_app

CLIENT, SECRET = "certbridge", "the client's secret"


class Provider:
    """An OpenID provider: discovery, authorisation, token, keys and user info. Tests change what it says."""

    def __init__(self, now: Callable[[], Any]) -> None:
        self.now = now
        self.key = RSAKey.generate_key(2048, {"kid": "k1"})
        self.published = [self.key]
        self.user: dict[str, Any] = {"sub": "u-1", "preferred_username": "ann"}
        self.user_info: dict[str, Any] | None = None
        self.claims: dict[str, Any] = {}  # what the ID token says otherwise than it should
        self.header: dict[str, Any] = {}
        self.signer: Any = None
        self.metadata: dict[str, Any] = {}  # what discovery says otherwise than it should
        self.declines = False
        self.codes: dict[str, dict[str, str]] = {}
        self.app = Flask("provider")
        for path, view in {
            "/.well-known/openid-configuration": self.discovery,
            "/keys": self.keys,
            "/authorize": self.authorize,
            "/user": self.user_info_view,
        }.items():
            self.app.add_url_rule(path, path, view)
        self.app.add_url_rule("/token", "token", self.token, methods=["POST"])
        self.server = make_server("127.0.0.1", 0, self.app, threaded=True)
        self.issuer = f"http://127.0.0.1:{self.server.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def discovery(self) -> dict[str, Any]:
        found = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "code_challenge_methods_supported": ["S256"],
        }
        if self.user_info is not None:
            found["userinfo_endpoint"] = f"{self.issuer}/user"
        return {**found, **self.metadata}

    def keys(self) -> dict[str, Any]:
        return {"keys": [key.as_dict(private=False) for key in self.published]}

    def authorize(self) -> Any:
        asked = request.args
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        if self.declines:
            return redirect(f"{asked['redirect_uri']}?error=access_denied&state={asked['state']}")
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked.to_dict()
        return redirect(f"{asked['redirect_uri']}?code={code}&state={asked['state']}")

    def token(self) -> Any:
        begun = self.codes.pop(request.form["code"], None)
        signed_in = request.authorization
        verifier = hashlib.sha256(request.form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(verifier).rstrip(b"=").decode()
        if (
            begun is None
            or signed_in is None
            or (signed_in.username, signed_in.password) != (CLIENT, SECRET)
            or challenge != begun["code_challenge"]
            or request.form["redirect_uri"] != begun["redirect_uri"]
        ):
            return {"error": "invalid_grant"}, 400
        now = int(self.now().timestamp())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": begun["nonce"]}
        claims = {name: value for name, value in {**claims, **self.user, **self.claims}.items() if value is not None}
        header = {"alg": "RS256", "kid": self.key.kid, **self.header}
        made = jwt.encode(header, claims, self.signer or self.key, algorithms=[header["alg"]])
        return {"access_token": "a-token", "token_type": "Bearer", "expires_in": 300, "id_token": made}

    def user_info_view(self) -> Any:
        if request.headers.get("Authorization") != "Bearer a-token":
            return Response(status=401)
        return self.user_info


@pytest.fixture
def provider(installation: Installation) -> Iterator[Provider]:
    """The provider, running."""
    running = Provider(installation.clock)
    yield running
    running.server.shutdown()
    running.server.server_close()


@pytest.fixture
def home(installation: Installation, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """An installation that trusts the provider, with Ann and an administrator; nothing links them with it yet."""
    monkeypatch.setenv("OIDC_CLIENT_SECRET", SECRET)
    now = installation.clock()
    with installation.store.write() as session:
        record_employees(session, [Employee("E1", "Ann", "ann@acme.example")], date(2026, 1, 1), now)
        create_account(session, "ann", "correct horse battery", ["employee"], now).person_id = 1
        create_account(session, "root", None, ["administrator"], now)
    return installation


@pytest.fixture
def enter(home: Installation, provider: Provider) -> Callable[..., TestResponse]:
    """Signs in at the provider with a browser and these settings; what the browser is shown in the end."""

    def go(client: FlaskClient | None = None, **settings: Any) -> TestResponse:
        browser = client or application(home, provider, **settings).test_client()
        return come_back(browser, browser.get("/sign-in/openid?next=/account"))

    return go


def application(home: Installation, provider: Provider, **settings: Any) -> Flask:
    """The application with these settings of `[sign_in]`."""
    trusted = SignInSettings.model_validate({"issuer": provider.issuer, "client_id": CLIENT, **settings})
    home.settings = home.settings.model_copy(update={"sign_in": trusted})
    return create_app(home)


def come_back(browser: FlaskClient, answer: TestResponse) -> TestResponse:
    """Follow the browser to the provider and back to the callback."""
    assert answer.status_code == 302, answer.text
    there = requests.get(answer.location, allow_redirects=False, timeout=5)
    back = urlsplit(there.headers["Location"])
    return browser.get(f"{back.path}?{back.query}")


def acts(home: Installation, action: str) -> list[AuditEntry]:
    """The audit trail's entries of this action."""
    with home.store.read() as session:
        return list(session.scalars(select(AuditEntry).where(AuditEntry.action == action)))


def link(home: Installation, provider: Provider, subject: str = "u-1", login: str = "ann") -> None:
    """Link an account with a user of the provider."""
    with home.store.write() as session:
        account = session.scalars(select(Account).where(Account.login == login)).one()
        session.add(SignInLink(issuer=provider.issuer, subject=subject, account_id=account.id, linked_at=home.clock()))


def test_linked_user_signs_in(home: Installation, provider: Provider) -> None:
    """The browser goes to the provider with state, nonce and a challenge, comes back, and is where it wanted to go."""
    link(home, provider)
    browser = application(home, provider, label="Acme SSO").test_client()
    page = browser.get("/sign-in?next=/account").text
    assert "Sign in with Acme SSO" in page
    assert 'href="/sign-in/openid?next=/account"' in page
    begun = browser.get("/sign-in/openid?next=/account")
    asked = parse_qs(urlsplit(begun.location).query)
    assert asked["redirect_uri"] == ["http://127.0.0.1:8800/sign-in/openid/callback"]
    assert len({asked[name][0] for name in ("state", "nonce", "code_challenge")}) == 3
    answer = come_back(browser, begun)
    assert (answer.status_code, answer.location) == (302, "/account")
    assert "ann" in browser.get("/account").text
    with home.store.read() as session:
        assert session.scalars(select(Account).where(Account.login == "ann")).one().last_signed_in_at == home.clock()


def test_installation_without_a_provider_has_no_such_pages(home: Installation) -> None:
    """No button, and no address."""
    browser = create_app(home).test_client()
    assert "/sign-in/openid" not in browser.get("/sign-in").text
    assert browser.get("/sign-in/openid").status_code == 404


def _is_out(home: Installation, answer: TestResponse, status: int = 422) -> None:
    assert answer.status_code == status
    with home.store.read() as session:
        assert session.scalars(select(Account).where(Account.last_signed_in_at.is_not(None))).first() is None


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("nonce", "another"),
        ("nonce", None),
        ("aud", "another client"),
        ("aud", [CLIENT, "another client"]),
        ("aud", None),
        ("iss", "https://another.example"),
        ("exp", 1),
        ("exp", None),
        ("iat", 99999999999),
        ("sub", None),
        ("sub", ""),
        ("azp", "another client"),
        ("at_hash", "wrong"),
    ],
)
def test_wrong_id_token_is_not_accepted(
    home: Installation, provider: Provider, enter: Callable[..., TestResponse], what: str, value: Any
) -> None:
    """A token for another sign-in, client or time, or of another issuer, signs nobody in."""
    link(home, provider)
    provider.claims[what] = value
    answer = enter()
    _is_out(home, answer)
    assert "cannot be accepted" in answer.text


def test_forged_id_token_is_not_accepted(
    home: Installation, provider: Provider, enter: Callable[..., TestResponse]
) -> None:
    """Neither one signed with another key, nor one signed with what everybody knows."""
    link(home, provider)
    provider.signer = RSAKey.generate_key(2048, {"kid": "k1"})
    _is_out(home, enter())
    provider.signer, provider.header = OctKey.import_key(SECRET), {"alg": "HS256"}
    _is_out(home, enter())


def test_new_key_of_the_provider_is_fetched(
    home: Installation, provider: Provider, enter: Callable[..., TestResponse]
) -> None:
    """A provider that changes its keys need not wait until ours are an hour old."""
    link(home, provider)
    app = application(home, provider)
    assert enter(app.test_client()).status_code == 302
    provider.key = RSAKey.generate_key(2048, {"kid": "k2"})
    provider.published = [provider.key]
    assert enter(app.test_client()).status_code == 302


def test_answer_to_no_question_is_refused(home: Installation, provider: Provider) -> None:
    """Without a sign-in that this browser began, with another state, twice, or too late, nobody comes in."""
    link(home, provider)
    app = application(home, provider)
    assert app.test_client().get("/sign-in/openid/callback?code=code-0&state=x").status_code == 422
    browser = app.test_client()
    begun = browser.get("/sign-in/openid")
    state = parse_qs(urlsplit(begun.location).query)["state"][0]
    _is_out(home, browser.get("/sign-in/openid/callback?code=code-0&state=another"))
    _is_out(home, browser.get(f"/sign-in/openid/callback?code=code-0&state={state}"))
    begun = browser.get("/sign-in/openid")
    home.clock.moment += timedelta(minutes=11)  # type: ignore[attr-defined]  # the tests' clock can be set
    answer = come_back(browser, begun)
    _is_out(home, answer)
    assert "taken too long" in answer.text


def test_answer_of_another_issuer_is_refused(home: Installation, provider: Provider) -> None:
    """Where the answer says who sent it, it must be the provider."""
    browser = application(home, provider).test_client()
    state = parse_qs(urlsplit(browser.get("/sign-in/openid").location).query)["state"][0]
    answer = browser.get(f"/sign-in/openid/callback?code=code-0&state={state}&iss=https://another.example")
    _is_out(home, answer)


def test_code_without_its_verifier_is_refused(home: Installation, provider: Provider) -> None:
    """A code that another browser got opens nothing: the provider checks it against the challenge."""
    link(home, provider)
    app = application(home, provider)
    victim, thief = app.test_client(), app.test_client()
    there = requests.get(victim.get("/sign-in/openid").location, allow_redirects=False, timeout=5)
    code = parse_qs(urlsplit(there.headers["Location"]).query)["code"][0]
    state = parse_qs(urlsplit(thief.get("/sign-in/openid").location).query)["state"][0]
    _is_out(home, thief.get(f"/sign-in/openid/callback?code={code}&state={state}"))


def test_declined_sign_in_is_said(home: Installation, provider: Provider, enter: Callable[..., TestResponse]) -> None:
    """Who declines at the provider is told that they are not signed in; the provider's text is not repeated."""
    provider.declines = True
    answer = enter()
    _is_out(home, answer)
    assert "did not sign you in" in answer.text


def test_unknown_user_is_told_and_written_down(
    home: Installation, provider: Provider, enter: Callable[..., TestResponse]
) -> None:
    """Nobody gets an account by signing in: the page says what to tell the administrator, the audit trail has it."""
    provider.user = {"sub": "u-9", "preferred_username": "<Zoe>", "email": "ann@acme.example", "email_verified": True}
    answer = enter()
    _is_out(home, answer, 403)
    assert "&lt;Zoe&gt;" in answer.text
    assert "u-9" in answer.text
    assert "no account here that belongs to you" in answer.text
    [act] = acts(home, "sign_in.refused")
    assert act.after == {"issuer": provider.issuer, "subject": "u-9", "why": "unknown"}
    with home.store.read() as session:
        assert len(session.scalars(select(Account)).all()) == 2


def test_disabled_account_is_told_and_written_down(
    home: Installation, provider: Provider, enter: Callable[..., TestResponse]
) -> None:
    """The provider's word does not open what an administrator has closed."""
    link(home, provider)
    with home.store.write() as session:
        session.scalars(select(Account).where(Account.login == "ann")).one().disabled_at = home.clock()
    answer = enter()
    _is_out(home, answer, 403)
    assert "disabled" in answer.text
    [act] = acts(home, "sign_in.refused")
    assert (act.subject, act.after["why"] if act.after else None) == ("account:ann", "disabled")


@pytest.mark.parametrize(
    ("settings", "user"),
    [
        ({"link_by": ["email"]}, {"email": "Ann@ACME.example", "email_verified": True}),
        ({"link_by": ["employee_number"], "number_claim": "number"}, {"number": "E1"}),
        ({"link_by": ["login"]}, {}),
    ],
)
def test_account_is_linked_at_first_where_that_is_allowed(
    home: Installation,
    provider: Provider,
    enter: Callable[..., TestResponse],
    settings: dict[str, Any],
    user: dict[str, Any],
) -> None:
    """Afterwards it is found by issuer and subject alone, whatever else the provider says of the user."""
    provider.user |= user
    assert enter(**settings).status_code == 302
    [act] = acts(home, "account.provider_link")
    assert act.subject == "account:ann"
    provider.user = {"sub": "u-1", "preferred_username": "renamed"}
    assert enter().status_code == 302
    assert len(acts(home, "account.provider_link")) == 1


@pytest.mark.parametrize(
    ("settings", "user"),
    [
        ({"link_by": ["email"]}, {"email": "ann@acme.example"}),
        ({"link_by": ["email"]}, {"email": "ann@acme.example", "email_verified": False}),
        ({"link_by": ["email"]}, {"email": "ann@acme.example", "email_verified": "false"}),
        ({"link_by": ["email"]}, {"email": "", "email_verified": True}),
        ({"link_by": ["employee_number"], "number_claim": "number"}, {"number": ["E1"]}),
        ({"link_by": ["employee_number"], "number_claim": "number"}, {"number": "E2"}),
    ],
)
def test_account_is_not_linked_by_what_is_not_certain(
    home: Installation,
    provider: Provider,
    enter: Callable[..., TestResponse],
    settings: dict[str, Any],
    user: dict[str, Any],
) -> None:
    """An address that is not verified, or a number that is none of ours, links nothing."""
    provider.user = {"sub": "u-9", **user}
    _is_out(home, enter(**settings), 403)


def test_account_of_another_user_is_not_taken_over(
    home: Installation, provider: Provider, enter: Callable[..., TestResponse]
) -> None:
    """An account that is linked already stays whose it is, though somebody else has its address now."""
    link(home, provider, subject="u-0")
    provider.user |= {"email": "ann@acme.example", "email_verified": True}
    _is_out(home, enter(link_by=["email"]), 403)


def test_address_of_two_accounts_links_neither(
    home: Installation, provider: Provider, enter: Callable[..., TestResponse]
) -> None:
    """Where an address leaves a choice, nobody is linked."""
    with home.store.write() as session:
        create_account(session, "twin", None, ["hr"], home.clock()).email = "ann@acme.example"
    provider.user |= {"email": "ann@acme.example", "email_verified": True}
    _is_out(home, enter(link_by=["email"]), 403)


def test_roles_follow_the_groups_where_they_are_mapped(
    home: Installation, provider: Provider, enter: Callable[..., TestResponse]
) -> None:
    """At each sign-in the roles are those of the groups; without a mapped group nobody comes in."""
    link(home, provider)
    settings = {"roles": {"hr-staff": "hr", "auditors": "auditor"}}
    provider.user["groups"] = ["auditors", "hr-staff", "others", 7]
    assert enter(**settings).status_code == 302
    with home.store.read() as session:
        assert session.scalars(select(Account).where(Account.login == "ann")).one().roles == ["hr", "auditor"]
    [act] = acts(home, "account.roles")
    assert act.actor == f"provider:{provider.issuer}"
    provider.user["groups"] = ["others"]
    answer = enter(**settings)
    assert answer.status_code == 403
    assert "none of your groups has a role here" in answer.text


def test_roles_stay_as_set_here_without_a_mapping(
    home: Installation, provider: Provider, enter: Callable[..., TestResponse]
) -> None:
    """Groups mean nothing until an operator says what they mean."""
    link(home, provider)
    provider.user["groups"] = ["administrator"]
    assert enter().status_code == 302
    assert acts(home, "account.roles") == []


def test_what_only_the_user_info_tells_is_asked_for(
    home: Installation, provider: Provider, enter: Callable[..., TestResponse]
) -> None:
    """Claims that are not in the ID token come from the user info, if it is about the same user."""
    provider.user_info = {"sub": "u-1", "email": "ann@acme.example", "email_verified": True}
    assert enter(link_by=["email"]).status_code == 302
    provider.user_info = {"sub": "u-2", "email": "ann@acme.example", "email_verified": True}
    assert enter(link_by=["email"]).status_code == 422


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://another.example"},
        {"token_endpoint": "ftp://another.example"},
        {"jwks_uri": None},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
)
def test_provider_that_is_not_what_it_should_be_is_not_used(
    home: Installation, provider: Provider, metadata: dict[str, Any]
) -> None:
    """One that calls itself otherwise, or names addresses that cannot be used, is not gone to."""
    provider.metadata = metadata
    answer = application(home, provider).test_client().get("/sign-in/openid")
    assert answer.status_code == 422
    assert "does not answer as it should" in answer.text


def test_provider_that_is_away_is_said_to_be(home: Installation, provider: Provider) -> None:
    """The page says so, and the password still opens."""
    provider.server.shutdown()
    provider.server.server_close()
    browser = application(home, provider).test_client()
    assert "does not answer as it should" in browser.get("/sign-in/openid").text


def test_secret_that_is_not_there_is_said(
    home: Installation, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator is told which environment variable is missing."""
    monkeypatch.delenv("OIDC_CLIENT_SECRET")
    answer = application(home, provider).test_client().get("/sign-in/openid")
    assert answer.status_code == 503
    assert "OIDC_CLIENT_SECRET" in answer.text


def test_first_password_does_not_hinder_who_signs_in_at_the_provider(home: Installation, provider: Provider) -> None:
    """A password that nobody uses need not be changed."""
    link(home, provider)
    with home.store.write() as session:
        session.scalars(select(Account).where(Account.login == "ann")).one().must_change_password = True
    browser = application(home, provider).test_client()
    come_back(browser, browser.get("/sign-in/openid"))
    assert browser.get("/account").status_code == 200


def test_cookie_holds_no_secret_of_ours(home: Installation, provider: Provider) -> None:
    """What the browser keeps until it comes back is of this one sign-in."""
    browser = application(home, provider).test_client()
    browser.get("/sign-in/openid")
    with browser.session_transaction() as cookie:
        assert SECRET not in json.dumps(dict(cookie))
        assert cookie["openid"]["attempt"].keys() == {"state", "nonce", "verifier"}


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"issuer": "http://idp.example", "client_id": "x"}, "https://"),
        ({"issuer": "idp.example", "client_id": "x"}, "no issuer"),
        ({"issuer": "https://idp.example"}, "needs client_id"),
        ({"link_by": ["employee_number"]}, "needs number_claim"),
        ({"link_by": ["name"]}, "pattern"),
        ({"roles": {"a": "king"}}, "no role 'king'"),
        ({"client_secret": "abc"}, "not written here"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], complaint: str) -> None:
    """What is wrong with `[sign_in]` is said when it is read."""
    with pytest.raises(ValueError, match=complaint):
        SignInSettings.model_validate(settings)

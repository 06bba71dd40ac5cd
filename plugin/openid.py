"""OpenID Connect: who somebody is, as a provider says it, and which account that is.

The authorisation code flow with PKCE. What the provider says of itself and its keys are fetched when they are needed and
kept for an hour. An account is found by issuer and subject; at first, and only if `[sign_in] link_by` allows it, by
a verified e-mail address, the employee number or the login. Nobody gets an account by signing in.
"""

import logging
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from plugin.accounts import N_, AccountRefusedError
from plugin.audit import record_act
from plugin.models import Account, Person, SignInLink
from plugin.roles import ROLES
from plugin.settings import SignInSettings

ALGORITHMS = ["RS256", "PS256", "ES256", "RS384", "PS384", "ES384", "RS512", "PS512", "ES512", "EdDSA", "Ed25519"]
KEPT_FOR = timedelta(hours=1)
LEEWAY = 60  # seconds by which the provider's clock may differ
TIMEOUT = 10  # seconds
LARGEST = 1_000_000  # bytes of an answer

AWAY = N_("The sign-in service does not answer as it should. Please try again later.")
NOT_BEGUN = N_("This sign-in was not begun in this browser, or it has taken too long. Please begin again.")
DECLINED = N_("The sign-in service did not sign you in.")
NOT_ACCEPTED = N_("What the sign-in service answered cannot be accepted. Please begin again.")

log = logging.getLogger(__name__)


class OpenIdError(AccountRefusedError):
    """A sign-in at the provider came to nothing; the log says more than the sentence for the page."""


@dataclass(frozen=True)
class Attempt:
    """A sign-in that has been begun: what its answer must fit. It stands in the browser's session."""

    state: str
    nonce: str
    verifier: str


@dataclass
class Provider:
    """The provider of the settings, with what it says of itself."""

    settings: SignInSettings
    folder: Path
    _metadata: dict[str, Any] = field(default_factory=dict)
    _keys: KeySet | None = None
    _fetched_at: datetime | None = None

    def begin(self, redirect_uri: str, now: datetime) -> tuple[str, Attempt]:
        """Where to send the browser, and what to keep until it comes back. Raises OpenIdError."""
        metadata = self.metadata(now)
        attempt = Attempt(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48))
        with self._client(redirect_uri) as client:
            url, _ = client.create_authorization_url(
                metadata["authorization_endpoint"],
                state=attempt.state,
                nonce=attempt.nonce,
                code_verifier=attempt.verifier,
            )
        return str(url), attempt

    def finish(self, code: str, attempt: Attempt, redirect_uri: str, now: datetime) -> dict[str, Any]:
        """The claims about whoever has signed in. Raises OpenIdError for everything that does not fit."""
        metadata = self.metadata(now)
        with self._client(redirect_uri) as client:
            try:
                token = client.fetch_token(
                    metadata["token_endpoint"],
                    code=code,
                    code_verifier=attempt.verifier,
                    grant_type="authorization_code",
                    timeout=TIMEOUT,
                    allow_redirects=False,
                )
            except AuthlibBaseError as error:
                log.warning("The OpenID provider refused the code: %s", _code(error.error))
                raise OpenIdError(NOT_ACCEPTED) from None
            except (requests.RequestException, ValueError) as error:
                log.warning("The OpenID provider's token endpoint failed: %s", type(error).__name__)
                raise OpenIdError(AWAY) from None
        if not isinstance(token.get("id_token"), str):
            log.warning("The OpenID provider sent no ID token; its client must be one for OpenID Connect.")
            raise OpenIdError(NOT_ACCEPTED)
        claims = self._checked(token["id_token"], token.get("access_token"), attempt.nonce, now)
        return self._with_user_info(claims, token.get("access_token"), metadata)

    def metadata(self, now: datetime) -> dict[str, Any]:
        """What the provider says of itself. Raises OpenIdError."""
        if self._fetched_at is None or now - self._fetched_at >= KEPT_FOR:
            issuer = self.settings.issuer
            found = _fetch(issuer.rstrip("/") + "/.well-known/openid-configuration")
            if found.get("issuer") != issuer:
                log.warning(
                    "The OpenID provider calls itself %r, [sign_in] issuer says %r.", found.get("issuer"), issuer
                )
                raise OpenIdError(AWAY)
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                _check_address(name, found.get(name), issuer)
            self._metadata, self._keys, self._fetched_at = found, None, now
        return self._metadata

    def _client(self, redirect_uri: str) -> Any:
        offered = self._metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        method = "client_secret_post" if "client_secret_basic" not in offered else "client_secret_basic"
        return OAuth2Session(
            self.settings.client_id,
            self.settings.client_secret.reveal(self.folder),
            scope=self.settings.scopes,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            token_endpoint_auth_method=method,
        )

    def _checked(self, id_token: str, access_token: str | None, nonce: str, now: datetime) -> dict[str, Any]:
        """The claims of the ID token, when it is the provider's, for us, for this sign-in, and still good."""
        issuer, client = self.settings.issuer, self.settings.client_id
        try:
            found = self._decoded(id_token)
            claims = CodeIDToken(
                found.claims,
                found.header,
                options={"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": client}},
                params={"nonce": nonce, "client_id": client, "access_token": access_token},
            )
            claims.validate(now=int(now.timestamp()), leeway=LEEWAY)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            log.warning("The ID token of the OpenID provider is not acceptable: %s", error)
            raise OpenIdError(NOT_ACCEPTED) from None
        if not claims["sub"] or len(claims["sub"]) > 300:
            raise OpenIdError(NOT_ACCEPTED)
        return dict(claims)

    def _decoded(self, id_token: str) -> jwt.Token:
        """The token, its signature checked; a key that we do not know yet is looked for once more."""
        if self._keys is None:
            self._keys = self._fetch_keys()
        try:
            return jwt.decode(id_token, self._keys, algorithms=ALGORITHMS)
        except InvalidKeyIdError:
            self._keys = self._fetch_keys()
            return jwt.decode(id_token, self._keys, algorithms=ALGORITHMS)

    def _fetch_keys(self) -> KeySet:
        found: Any = _fetch(self._metadata["jwks_uri"])
        return KeySet.import_key_set(found)

    def _with_user_info(
        self, claims: dict[str, Any], access_token: str | None, metadata: dict[str, Any]
    ) -> dict[str, Any]:
        """The claims, with those that the provider tells only when it is asked for them."""
        settings = self.settings
        wanted = {settings.login_claim, settings.number_claim, "email"} | (
            {settings.groups_claim} if settings.roles else set()
        )
        address = metadata.get("userinfo_endpoint")
        if not (wanted - {""}) - claims.keys() or not address or not access_token:
            return claims
        _check_address("userinfo_endpoint", address, settings.issuer)
        more = _fetch(address, {"Authorization": f"Bearer {access_token}"})
        if more.get("sub") != claims["sub"]:
            log.warning("The OpenID provider told of another user than the one who has signed in.")
            raise OpenIdError(NOT_ACCEPTED)
        return {**more, **claims}


def _fetch(url: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
    """The JSON object at an address of the provider. Raises OpenIdError."""
    try:
        answer = requests.get(url, headers=headers, timeout=TIMEOUT, allow_redirects=False)
        found = answer.json() if answer.status_code == 200 and len(answer.content) <= LARGEST else None
    except (requests.RequestException, ValueError) as error:
        log.warning("%s cannot be read: %s", url, type(error).__name__)
        raise OpenIdError(AWAY) from None
    if not isinstance(found, dict):
        log.warning("%s did not answer with a JSON object, but with HTTP %s.", url, answer.status_code)
        raise OpenIdError(AWAY)
    return found


def _check_address(name: str, address: Any, issuer: str) -> None:
    """Raise OpenIdError unless the address is as well protected as the issuer's own."""
    parts = urlsplit(address) if isinstance(address, str) else None
    if parts is None or not parts.hostname or parts.scheme not in {"https", urlsplit(issuer).scheme}:
        log.warning("The OpenID provider's %s is no address that may be used.", name)
        raise OpenIdError(AWAY)


def name_of(claims: dict[str, Any], settings: SignInSettings) -> str:
    """What the provider calls the user, for people."""
    found = claims.get(settings.login_claim) or claims.get("email") or claims["sub"]
    return "".join(sign if sign.isprintable() else " " for sign in str(found))[:200]


def account_of(session: Session, claims: dict[str, Any], settings: SignInSettings, now: datetime) -> Account | None:
    """The account of whoever has signed in at the provider; one that is found for the first time is linked."""
    link = select(SignInLink).where(SignInLink.issuer == settings.issuer, SignInLink.subject == claims["sub"])
    known = session.scalars(link).one_or_none()
    if known is not None:
        return session.get_one(Account, known.account_id, with_for_update=True)
    for rule in settings.link_by:
        found = _found_by(session, rule, claims, settings)
        if found is None:
            continue
        taken = select(SignInLink.id).where(SignInLink.issuer == settings.issuer, SignInLink.account_id == found.id)
        if session.scalar(taken) is not None or found.disabled_at is not None:
            return None  # the account is another user's of the provider already, or nobody's any more
        session.add(SignInLink(issuer=settings.issuer, subject=claims["sub"], account_id=found.id, linked_at=now))
        after = {"issuer": settings.issuer, "by": rule}
        record_act(
            session,
            found.login,
            "account.provider_link",
            f"account:{found.login}",
            now,
            after=after,
            person_id=found.person_id,
        )
        return found
    return None


def _code(error: Any) -> str:
    """The code of a provider's refusal; what else it says may repeat what it was sent, the client's secret with it."""
    return error if isinstance(error, str) and re.fullmatch(r"[a-z_]{1,40}", error) else "without a code"


def _found_by(session: Session, rule: str, claims: dict[str, Any], settings: SignInSettings) -> Account | None:
    """The one account that the rule finds; None when it finds none, or several."""
    query = select(Account).outerjoin(Person, Person.id == Account.person_id).limit(2).with_for_update(of=Account)
    if rule == "email":
        address = claims.get("email")
        if claims.get("email_verified") is not True or not isinstance(address, str) or not address:
            return None
        query = query.where(func.lower(func.coalesce(Account.email, Person.email)) == address.lower())
    else:
        value = claims.get(settings.number_claim if rule == "employee_number" else settings.login_claim)
        if not isinstance(value, str) or not value:
            return None
        query = query.where((Person.employee_number if rule == "employee_number" else Account.login) == value)
    found = session.scalars(query).all()
    return found[0] if len(found) == 1 else None


def roles_of(claims: dict[str, Any], settings: SignInSettings) -> list[str]:
    """The roles that the user's groups bring."""
    groups = claims.get(settings.groups_claim, [])
    listed = [groups] if isinstance(groups, str) else groups if isinstance(groups, list) else []
    given = {settings.roles[group] for group in listed if isinstance(group, str) and group in settings.roles}
    return [role for role in ROLES if role in given]

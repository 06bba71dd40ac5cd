"""The Flask application: every installed addon's pages and API behind one sign-in, in the reader's language.

An addon's `controllers.py` brings `BLUEPRINTS`, and `MENU` for what stands in the navigation. A view says what it needs
with `needs("right")` (a page), `needs_token("scope")` (the API), `signed` (a message that proves by itself who sent it) or
`for_anybody` (it holds nothing of anybody's); one that says nothing is refused when the application is made, unless it is
one of ROOMS_FOR_ANYBODY. About whom the reader has the right is a condition that the view puts into its queries:
`about("right")`.

A session ends when nobody has used it for twelve hours, after a day in any case, and when the account's session number
is no longer the session's: after a change of password, disabling, and signing out everywhere.
"""

import functools
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, ParamSpec, TypeVar, cast

from babel import Locale
from flask import Flask, Response, current_app, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import Babel, format_date, format_datetime, format_percent, get_locale, gettext, lazy_gettext
from flask_wtf import CSRFProtect
from flask_wtf.csrf import CSRFError
from sqlalchemy import ColumnElement
from sqlalchemy.orm import InstrumentedAttribute
from werkzeug.exceptions import (
    Forbidden,
    HTTPException,
    NotAcceptable,
    NotFound,
    TooManyRequests,
    Unauthorized,
    UnprocessableEntity,
)

from plugin.accounts import find_token, note_use, use_is_to_be_noted
from plugin.api import LARGEST_BODY
from plugin.errors import CertBridgeError, NotFoundError, RefusedError, RefusedInWordsError
from plugin.installation import Installation
from plugin.models import Account, ApiToken, Person
from plugin.problems import MEDIA_TYPE, problem
from plugin.rates import Rates
from plugin.roles import Reach, reaches, within

LANGUAGES = {"en": "English", "zh_Hans_CN": "简体中文"}
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
ROOMS_FOR_ANYBODY = frozenset(
    {
        "static",
        "plugin.sign_in",
        "plugin.language",
        "plugin.health",
        "account.forgot",
        "account.reset_link",
        "account.reset",
        "openid.begin",
        "openid.callback",
    }
)
# Where somebody may go who must first change the password that was shown to an administrator.
ROOMS_BEFORE_THE_FIRST_PASSWORD = frozenset({"static", "account.password", "plugin.sign_out", "plugin.language"})

GUARD = "certbridge_guard"  # the right that a page needs; None: any signed-in user
SCOPE = "certbridge_scope"  # the scope that a call of the API needs
ALSO = "certbridge_scope_also"  # scopes that open it as well
SIGNED = "certbridge_signed"  # the view itself checks who sent the request
ANYBODY = "certbridge_anybody"  # the view holds nothing of anybody's
API = "/api/"
SEEN_IS_NOTED_AFTER = 60  # seconds

# What the pages say for these failures; the API says what Werkzeug or the view says.
SENTENCES = {
    400: lazy_gettext("The request was not understood. Please go back, reload the page and try again."),
    403: lazy_gettext("Your roles do not include this page. Ask your administrator if you need it."),
    404: lazy_gettext("There is no page at this address. It may have moved, or the link is mistyped."),
    405: lazy_gettext("This address cannot be opened like that. Please use the links and buttons of the pages."),
    413: lazy_gettext("What was sent is too large."),
    429: lazy_gettext("This was asked too often. Please wait an hour and try again."),
}

P = ParamSpec("P")
R = TypeVar("R")

csrf = CSRFProtect()


@dataclass(frozen=True)
class MenuEntry:
    """An entry of the navigation: its label (translated where it is shown), its endpoint, the right that it needs.

    A personal one stands there only for accounts that are an employee's; a last one stands after all others.
    """

    label: str
    endpoint: str
    right: str | None
    personal: bool = False
    last: bool = False


def installation() -> Installation:
    """The installation that this request is for."""
    return cast(Installation, current_app.extensions["certbridge"])


def needs(right: str | None) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A page for signed-in users who have the right; None for every signed-in user."""

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            if g.account is None:
                raise Unauthorized
            if right is not None and not may(right):
                raise Forbidden
            return view(*args, **kwargs)

        setattr(guarded, GUARD, right)
        return guarded

    return decorate


def needs_token(scope: str, *also: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A call of the API for whoever presents a bearer token with the scope; exempt from CSRF, as it uses no cookie.

    A token with one of the scopes in `also` opens it as well.
    """

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            g.token_name = _token((scope, *also)).name
            return view(*args, **kwargs)

        setattr(guarded, SCOPE, scope)
        setattr(guarded, ALSO, also)
        csrf.exempt(guarded)
        return guarded

    return decorate


def signed(view: Callable[P, R]) -> Callable[P, R]:
    """A call that bears a signature, which the view checks; exempt from CSRF, as it uses no cookie."""
    setattr(view, SIGNED, True)
    csrf.exempt(view)
    return view


def for_anybody(view: Callable[P, R]) -> Callable[P, R]:
    """A call that needs neither account nor token: what it answers is the same for everybody and about nobody."""
    setattr(view, ANYBODY, True)
    return view


def _token(scopes: tuple[str, ...]) -> ApiToken:
    """The request's bearer token; its use is noted, at most once a minute, and each call counts.

    Raises Unauthorized without a token that stands, TooManyRequests, Forbidden when it has none of the scopes.
    """
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    home = installation()
    now = home.clock()
    found = None
    if kind.lower() == "bearer":
        with home.store.read() as unit:
            found = find_token(unit, token.strip(), now)
    if found is None:
        raise Unauthorized(f"This call needs a bearer token with the scope {scopes[0]}.")
    if use_is_to_be_noted(found, now):
        with home.store.write() as unit:
            note_use(unit, found.id, now)
    rates: Rates = current_app.extensions["certbridge_rates"]
    g.rate = rates.count(found.id, now)
    if g.rate is not None and g.rate.exceeded:
        raise TooManyRequests(
            f"The token may make {g.rate.limit} calls a minute; go on in {g.rate.resets_in} seconds.",
            retry_after=g.rate.resets_in,
        )
    if not set(scopes) & set(found.scopes):
        g.lacks_scope = scopes[0]
        raise Forbidden(f"This call needs a bearer token with the scope {scopes[0]}; this one does not have it.")
    return found


def known_scopes() -> list[str]:
    """The scopes that the API of this installation knows."""
    views = current_app.view_functions.values()
    return sorted({getattr(view, SCOPE) for view in views if hasattr(view, SCOPE)})


def create_app(home: Installation) -> Flask:
    """The application of this installation, with the controllers of every installed addon."""
    app = Flask("plugin", static_folder="static", static_url_path="/static")
    app.url_map.merge_slashes = False  # an address with // is another one, not a redirect
    app.extensions["certbridge"] = home
    app.config.update(
        SECRET_KEY=_session_key(home),
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=home.settings.web.public_url.startswith("https:"),
        PERMANENT_SESSION_LIFETIME=timedelta(hours=home.settings.sign_in.longest_hours),
        WTF_CSRF_TIME_LIMIT=None,  # a form is good for as long as the session
        MAX_CONTENT_LENGTH=10 * 1024 * 1024,
        MAX_FORM_MEMORY_SIZE=4 * 1024 * 1024,  # a spreadsheet that was tried comes back with its confirmation
        BABEL_TRANSLATION_DIRECTORIES=";".join(
            str(a.path / "i18n") for a in home.installed if (a.path / "i18n").is_dir()
        ),
        BABEL_DEFAULT_LOCALE=home.settings.organisation.language,
        BABEL_DEFAULT_TIMEZONE=home.settings.organisation.timezone,
    )
    app.extensions["certbridge_rates"] = Rates(home.store, home.settings.web.requests_a_minute)
    app.before_request(_check_call)
    app.before_request(_who)  # before the check of the form, whose failure is a page of the reader's too
    app.before_request(_refuse_other_sites)
    csrf.init_app(app)
    app.before_request(_first_password)
    Babel(app, locale_selector=_language)
    menu: list[MenuEntry] = []
    for addon in home.installed:
        controllers = home.room(addon, "controllers")
        for blueprint in getattr(controllers, "BLUEPRINTS", []):
            app.register_blueprint(blueprint)
        menu += getattr(controllers, "MENU", [])
    app.extensions["certbridge_menu"] = sorted(menu, key=lambda entry: entry.last)
    _check_guards(app)
    app.after_request(_harden)
    app.register_error_handler(Exception, _explain)
    app.context_processor(
        lambda: {
            "menu": navigation(),
            "here": _here(navigation()),
            "languages": LANGUAGES,
            "language": language(),
            "organisation": home.settings.organisation,
            "locale": str(get_locale()),
            "may": may,
            "whole": whole,
            "single_sign_on": home.settings.sign_in.label if home.settings.sign_in.issuer else None,
        }
    )
    app.jinja_env.filters.update(day=day, moment=moment, share=share)
    return app


def _session_key(home: Installation) -> bytes:
    """The key that signs sessions, derived from the key file so that it needs no file of its own."""
    home.keys  # noqa: B018 - reading it checks that the file is there and closed to others
    first_key = home.key_file.read_bytes().strip().partition(b"\n")[0].strip()
    return hashlib.sha256(b"session" + first_key).digest()


def _check_guards(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        if (
            rule.endpoint not in ROOMS_FOR_ANYBODY
            and not rule.endpoint.endswith(".static")
            and not any(hasattr(view, mark) for mark in (GUARD, SCOPE, SIGNED, ANYBODY))
        ):
            raise RuntimeError(
                f"{rule.endpoint} ({rule.rule}) says neither needs() nor needs_token() nor signed nor for_anybody: "
                "anybody could open it"
            )


def _who() -> None:
    """Who asks: the account of the session's cookie, as long as the session lasts."""
    g.account = None
    account_id = session.get("account")
    if account_id is None or request.endpoint == "static":
        return
    home = installation()
    now = home.clock()
    with home.store.read() as unit:
        account = unit.get(Account, account_id)
    if account is None or not _lasts(account, now):
        end_session()
        return
    g.account = account
    if now.timestamp() - session["seen"] >= SEEN_IS_NOTED_AFTER:
        session["seen"] = int(now.timestamp())


def _lasts(account: Account, now: datetime) -> bool:
    """Whether the request's session of this account still holds."""
    settings = installation().settings.sign_in
    try:
        began, seen = (datetime.fromtimestamp(session[key], UTC) for key in ("began", "seen"))
    except (KeyError, TypeError, ValueError):  # a session that an earlier version began
        return False
    return (
        account.disabled_at is None
        and session.get("number") == account.session_number
        and now - seen < timedelta(hours=settings.idle_hours)
        and now - began < timedelta(hours=settings.longest_hours)
    )


def session_of(account: Account, now: datetime) -> dict[str, int]:
    """What stands in the cookie of a session of the account that begins now."""
    moment = int(now.timestamp())
    return {"account": account.id, "number": account.session_number, "began": moment, "seen": moment}


def begin_session(account: Account, now: datetime, *, by_provider: bool = False) -> None:
    """Begin a session of the account in place of whatever the cookie held; the reader's language stays."""
    chosen = session.get("language") or account.language
    session.clear()
    session.permanent = True
    session.update(session_of(account, now))
    if chosen:
        session["language"] = chosen
    if by_provider:
        session["by_provider"] = True


def end_session() -> None:
    """End the request's session; the reader's language stays."""
    chosen = session.get("language")
    session.clear()
    if chosen:
        session["language"] = chosen


def _refuse_other_sites() -> None:
    """Refuse what a browser says that another site sends; the form's token would be missing anyway."""
    if request.method not in {"GET", "HEAD", "OPTIONS"} and request.headers.get("Sec-Fetch-Site") == "cross-site":
        raise Forbidden


def _first_password() -> ResponseReturnValue | None:
    """Somebody whose password was made by an administrator changes it before anything else."""
    if (
        g.account is None
        or not g.account.must_change_password
        or session.get("by_provider")
        or request.endpoint in ROOMS_BEFORE_THE_FIRST_PASSWORD
    ):
        return None
    return redirect(url_for("account.password"))


def _language() -> str | None:
    chosen = session.get("language")
    if chosen in LANGUAGES:
        return cast(str, chosen)
    best = request.accept_languages.best_match(["en", "zh", "zh-CN", "zh-Hans"])
    if best is None:
        return installation().settings.organisation.language
    return "zh_Hans_CN" if best.startswith("zh") else "en"


def language() -> str:
    """The reader's language, `en` or `zh_Hans_CN`."""
    locale = get_locale()
    return "zh_Hans_CN" if isinstance(locale, Locale) and locale.language == "zh" else "en"


def day(value: date | None) -> str:
    """A date, year first in every language; a moment's is that of the organisation's time zone."""
    return "" if value is None else cast(str, format_date(value, "yyyy-MM-dd"))


def moment(value: datetime | None) -> str:
    """A moment on the organisation's wall clock, to the minute."""
    return "" if value is None else cast(str, format_datetime(value, "yyyy-MM-dd HH:mm"))


def share(value: float | Decimal | None) -> str:
    """A share from 0 to 1 as a percentage with one place."""
    return "" if value is None else cast(str, format_percent(value, "0.0%"))


def today() -> date:
    """The organisation's day."""
    home = installation()
    return home.clock().astimezone(home.settings.organisation.zone).date()


def reach(right: str) -> frozenset[Reach]:
    """How far the right reaches for the reader; empty when they do not have it."""
    account = g.get("account")
    return frozenset() if account is None else reaches(account.roles, right, account.person_id)


def may(right: str) -> bool:
    """Whether the reader has the right, about whomever."""
    return bool(reach(right))


def whole(right: str) -> bool:
    """Whether the reader has the right about everybody."""
    return Reach.EVERYBODY in reach(right)


def about(right: str, column: ColumnElement[Any] | InstrumentedAttribute[Any] = Person.id) -> ColumnElement[bool]:
    """The condition that the person in `column` is one about whom the reader has the right."""
    account = g.get("account")
    return within(reach(right), account.person_id if account else None, today(), column)


def right_of(endpoint: str) -> str | None:
    """The right that the page `endpoint` needs; "" when there is no such page, None when being signed in is enough."""
    right: Any = getattr(current_app.view_functions.get(endpoint), GUARD, "")
    return cast("str | None", right)


def navigation() -> list[MenuEntry]:
    """The entries of the navigation that the reader may open."""
    menu: list[MenuEntry] = current_app.extensions["certbridge_menu"]
    account = g.get("account")
    if account is None or (account.must_change_password and not session.get("by_provider")):
        return []
    return [entry for entry in menu if _is_for(entry, account)]


def _is_for(entry: MenuEntry, account: Account) -> bool:
    if entry.personal:
        found = reach(entry.right) if entry.right else {Reach.OWN}
        return account.person_id is not None and not found.isdisjoint({Reach.OWN, Reach.EVERYBODY})
    return entry.right is None or may(entry.right)


def _here(menu: list[MenuEntry]) -> str | None:
    """The entry of the navigation that the request's page belongs to: the one with the longest matching path."""
    places = {url_for(entry.endpoint): entry.endpoint for entry in menu}
    path = request.path
    fitting = [place for place in places if path == place or (place != "/" and path.startswith(place + "/"))]
    return places[max(fitting, key=len)] if fitting else None


def _check_call() -> None:
    """Refuse a call of the API that cannot be meant as it stands, before anything is read or asked."""
    if not request.path.startswith(API):
        return
    if "\x00" in request.path:
        raise NotFound
    if any("\x00" in text for pair in request.args.items(multi=True) for text in pair):
        raise UnprocessableEntity("The query holds a NUL character, which nothing here is called by.")
    view = current_app.view_functions.get(request.endpoint or "")
    if view is not None and not hasattr(view, SIGNED):
        request.max_content_length = LARGEST_BODY
    wanted = request.accept_mimetypes
    if wanted and not (wanted["application/json"] or wanted[MEDIA_TYPE]):
        raise NotAcceptable("The API answers in application/json; say so in the header Accept, or leave it out.")


def _harden(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", POLICY)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    if g.get("account") is not None:
        response.headers.setdefault("Cache-Control", "no-store")
    if g.get("rate") is not None:
        response.headers.update(g.rate.headers)
    return response


def _explain(error: Exception) -> ResponseReturnValue:
    """Every failure as a page or, below /api/, as a problem; what was not foreseen is logged and not shown."""
    status, message = _status(error)
    if request.path.startswith(API):
        return problem(error, status, message, _challenge())
    if isinstance(error, RefusedInWordsError):
        message = gettext(error.sentence, **error.values)
    elif isinstance(error, CSRFError):
        message = gettext("This form is no longer valid. Please go back, reload the page and send it again.")
    elif isinstance(error, HTTPException) and status in SENTENCES:
        message = str(SENTENCES[status])
    if status == 401:
        return redirect(
            url_for("plugin.sign_in", next=request.full_path.rstrip("?") if request.method == "GET" else None)
        )
    return render_template("error.html", status=status, message=message), status


def _challenge() -> str:
    """How a caller of the API proves who it is (the header WWW-Authenticate; RFC 6750 for tokens)."""
    view = current_app.view_functions.get(request.endpoint or "")
    return 'StandardWebhooks realm="CertBridge"' if hasattr(view, SIGNED) else 'Bearer realm="CertBridge"'


def _status(error: Exception) -> tuple[int, str]:
    if isinstance(error, HTTPException):
        return error.code or 500, error.description or error.name
    if isinstance(error, NotFoundError):
        return 404, str(error)
    if isinstance(error, RefusedError):
        return getattr(error, "status", 422), str(error)
    if isinstance(error, CertBridgeError):
        return 503, str(error)
    # The rule, not the path: that of a one-time link holds its token.
    rule = request.url_rule.rule if request.url_rule is not None else "an unknown address"
    logging.getLogger(__name__).exception("%s %s failed", request.method, rule)
    return 500, gettext(
        "Something went wrong here. It has been written to the log; please tell your administrator when it happened."
    )


def same_origin_path(target: str | None) -> str | None:
    """`target`, when it is a path of this site; else None, so that nobody is sent elsewhere after signing in."""
    return target if target and target.startswith("/") and not target.startswith(("//", "/\\")) else None

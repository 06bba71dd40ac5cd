"""The Flask application: every installed addon's pages and API behind one sign-in, in the reader's language.

An addon's `controllers.py` brings `BLUEPRINTS`, and `MENU` for what stands in the navigation. A view says what
it needs with `needs("right")` (a page) or `needs_token("scope")` (the API); one that says neither is refused
when the application is made, unless it is listed in the blueprint's `OPEN`.
"""

import functools
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, ParamSpec, TypeVar, cast

from babel import Locale
from flask import Flask, Response, current_app, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import Babel, format_date, format_datetime, format_percent, get_locale, gettext, lazy_gettext
from flask_wtf import CSRFProtect
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import Forbidden, HTTPException, Unauthorized

from plugin.accounts import token_opens
from plugin.errors import CertBridgeError, NotFoundError, RefusedError
from plugin.installation import Installation
from plugin.models import Account
from plugin.roles import allows

LANGUAGES = {"en": "English", "zh_Hans_CN": "简体中文"}
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
ROOMS_FOR_ANYBODY = frozenset({"static", "plugin.sign_in", "plugin.language", "plugin.health"})

GUARD = "certbridge_guard"  # what _check_guards looks for on a view

# What the pages say for these failures; the API says what Werkzeug or the view says.
SENTENCES = {
    400: lazy_gettext("The request was not understood. Please go back, reload the page and try again."),
    403: lazy_gettext("Your roles do not include this page. Ask your administrator if you need it."),
    404: lazy_gettext("There is no page at this address. It may have moved, or the link is mistyped."),
    405: lazy_gettext("This address cannot be opened like that. Please use the links and buttons of the pages."),
    413: lazy_gettext("What was sent is too large."),
}

P = ParamSpec("P")
R = TypeVar("R")

csrf = CSRFProtect()


@dataclass(frozen=True)
class MenuEntry:
    """An entry of the navigation: its label (translated where it is shown), its endpoint, the right that it needs.

    A personal one stands there only for accounts that are an employee's.
    """

    label: str
    endpoint: str
    right: str | None
    personal: bool = False


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
            if right is not None and not allows(g.account.roles, right):
                raise Forbidden
            return view(*args, **kwargs)

        setattr(guarded, GUARD, right)
        return guarded

    return decorate


def needs_token(scope: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A call of the API for whoever presents a bearer token with the scope; exempt from CSRF, as it uses no cookie."""

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            kind, _, token = request.headers.get("Authorization", "").partition(" ")
            with installation().store.read() as unit:
                found = (
                    token_opens(unit, token.strip(), scope, installation().clock())
                    if kind.lower() == "bearer"
                    else None
                )
            if found is None:
                raise Unauthorized(f"This call needs a bearer token with the scope {scope}.")
            g.token_name = found.name
            return view(*args, **kwargs)

        setattr(guarded, GUARD, scope)
        csrf.exempt(guarded)
        return guarded

    return decorate


def create_app(home: Installation) -> Flask:
    """The application of this installation, with the controllers of every installed addon."""
    app = Flask("plugin", static_folder="static", static_url_path="/static")
    app.extensions["certbridge"] = home
    app.config.update(
        SECRET_KEY=_session_key(home),
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=home.settings.web.public_url.startswith("https:"),
        PERMANENT_SESSION_LIFETIME=timedelta(hours=12),
        WTF_CSRF_TIME_LIMIT=None,  # a form is good for as long as the session
        MAX_CONTENT_LENGTH=10 * 1024 * 1024,
        BABEL_TRANSLATION_DIRECTORIES=";".join(
            str(a.path / "i18n") for a in home.installed if (a.path / "i18n").is_dir()
        ),
        BABEL_DEFAULT_LOCALE=home.settings.organisation.language,
        BABEL_DEFAULT_TIMEZONE=home.settings.organisation.timezone,
    )
    app.before_request(_who)  # before the check of the form, whose failure is a page of the reader's too
    csrf.init_app(app)
    Babel(app, locale_selector=_language)
    menu: list[MenuEntry] = []
    for addon in home.installed:
        controllers = home.room(addon, "controllers")
        for blueprint in getattr(controllers, "BLUEPRINTS", []):
            app.register_blueprint(blueprint)
        menu += getattr(controllers, "MENU", [])
    _check_guards(app)
    app.after_request(_harden)
    app.register_error_handler(Exception, _explain)
    app.context_processor(
        lambda: {
            "menu": _visible(menu),
            "languages": LANGUAGES,
            "language": language(),
            "organisation": home.settings.organisation,
            "locale": str(get_locale()),
            "may": may,
        }
    )
    app.jinja_env.filters.update(day=day, moment=moment, share=share)
    return app


def _session_key(home: Installation) -> bytes:
    """The key that signs sessions, derived from the key file so that it needs no file of its own."""
    home.keys  # noqa: B018 - reading it checks that the file is there and closed to others
    return hashlib.sha256(b"session" + home.key_file.read_bytes()).digest()


def _check_guards(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        if (
            rule.endpoint not in ROOMS_FOR_ANYBODY
            and not rule.endpoint.endswith(".static")
            and not hasattr(view, GUARD)
        ):
            raise RuntimeError(
                f"{rule.endpoint} ({rule.rule}) says neither needs() nor needs_token(): anybody could open it"
            )


def _who() -> None:
    """Who asks: the account of the session's cookie, unless it has been disabled since."""
    g.account = None
    account_id = session.get("account")
    if account_id is not None and request.endpoint != "static":
        with installation().store.read() as unit:
            account = unit.get(Account, account_id)
        if account is not None and account.disabled_at is None:
            g.account = account


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


def may(right: str) -> bool:
    """Whether the reader has the right."""
    account = g.get("account")
    return account is not None and allows(account.roles, right)


def opens(endpoint: str) -> bool:
    """Whether the page `endpoint` exists and the reader's roles open it."""
    view = current_app.view_functions.get(endpoint)
    right: Any = getattr(view, GUARD, "")
    return view is not None and g.get("account") is not None and (right is None or (bool(right) and may(right)))


def _visible(menu: list[MenuEntry]) -> list[MenuEntry]:
    account = g.get("account")
    if account is None:
        return []
    return [
        entry
        for entry in menu
        if (entry.right is None or may(entry.right)) and (account.person_id is not None or not entry.personal)
    ]


def _harden(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", POLICY)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    if g.get("account") is not None:
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def _explain(error: Exception) -> ResponseReturnValue:
    """Every failure as a page or, below /api/, as JSON; what was not foreseen is logged and not shown."""
    status, message = _status(error)
    if request.path.startswith("/api/"):
        return {"error": message}, status
    if isinstance(error, CSRFError):
        message = gettext("This form is no longer valid. Please go back, reload the page and send it again.")
    elif isinstance(error, HTTPException) and status in SENTENCES:
        message = str(SENTENCES[status])
    if status == 401:
        return redirect(
            url_for("plugin.sign_in", next=request.full_path.rstrip("?") if request.method == "GET" else None)
        )
    return render_template("error.html", status=status, message=message), status


def _status(error: Exception) -> tuple[int, str]:
    if isinstance(error, HTTPException):
        return error.code or 500, error.description or error.name
    if isinstance(error, NotFoundError):
        return 404, str(error)
    if isinstance(error, RefusedError):
        return 422, str(error)
    if isinstance(error, CertBridgeError):
        return 503, str(error)
    logging.getLogger(__name__).exception("%s %s failed", request.method, request.path)
    return 500, gettext(
        "Something went wrong here. It has been written to the log; please tell your administrator when it happened."
    )


def same_origin_path(target: str | None) -> str | None:
    """`target`, when it is a path of this site; else None, so that nobody is sent elsewhere after signing in."""
    return target if target and target.startswith("/") and not target.startswith(("//", "/\\")) else None

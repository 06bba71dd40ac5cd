"""The pages on which people say whose the accounts of sources are: who waits, whose it might be, what would change."""

from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, abort, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from connectors import linking
from connectors.account_lists import WAITING, WHICH, accounts, history, part
from connectors.linking import ACTS, LINK, MOVE, NAMING, UNLINK, Decision, LinkingRefused, decide
from connectors.models import SourceUser
from connectors.previewing import preview
from connectors.sources import in_pulling_order
from connectors.suggestions import suggest
from connectors.words import ACT_NAMES, EVIDENCE, HOWS, RULES, SUGGESTED, UNBOUND_REASONS, WHICH_ACCOUNTS
from plugin.errors import RefusedError
from plugin.models import Person
from plugin.moments import parse_moment
from plugin.people import employed_on
from plugin.web import installation, language, needs, today

SHOWN = 20  # persons that a search shows, and pieces of evidence before the rest is folded

blueprint = Blueprint("identities", __name__, template_folder="templates")


@blueprint.app_context_processor
def _words() -> dict[str, object]:
    return {"unbound_reasons": UNBOUND_REASONS, "rules": RULES, "act_names": ACT_NAMES, "suggested": SUGGESTED}


@blueprint.route("/sync/accounts")
@needs("identities.see")
def account_list() -> ResponseReturnValue:
    """The accounts of the sources: those that wait for somebody to say whose they are, or all."""
    home, names = installation(), ("which", "source", "reason", "search")
    chosen = {name: request.args.get(name, "").strip() for name in names}
    chosen["which"] = chosen["which"] if chosen["which"] in WHICH else WAITING
    with home.store.read() as session:
        query = accounts(**chosen)
        total = session.scalar(select(func.count()).select_from(query.with_only_columns(SourceUser.id).subquery()))
        found = part(session, query, request.args.get("after", type=_row_id), request.args.get("before", type=_row_id))
    return render_template(
        "connectors/accounts.html",
        part=found,
        total=total,
        reasons=UNBOUND_REASONS,
        which=WHICH_ACCOUNTS,
        sources=in_pulling_order(home),
        chosen=chosen,
    )


@blueprint.route("/sync/accounts/<int:account_id>")
@needs("identities.see")
def account(account_id: int) -> ResponseReturnValue:
    """One account: whose it is, whose it might be and why, and what was decided about it."""
    search = request.args.get("search", "").strip()
    with installation().store.read() as session:
        user = _user(session, account_id)
        known = history(session, user)
        last = linking.last_act(session, user)
        standing = known.bindings[0] if known.bindings and known.bindings[0][0].unbound_at is None else None
        return render_template(
            "connectors/account.html",
            user=user,
            history=known,
            standing=standing,
            last=last,
            suggestions=suggest(session, user),
            people=_search(session, search) if search else [],
            search=search,
            today=today(),
        )


@blueprint.route("/sync/accounts/<int:account_id>/<act>")
@needs("identities.do")
def confirm(account_id: int, act: str) -> ResponseReturnValue:
    """What an act would change, and the form that does it."""
    try:
        wanted = _wanted(request.args.to_dict(), act)
        with installation().store.read() as session:
            user = _user(session, account_id)
            seen = linking.state(session, user)
        found = preview(installation(), wanted.decision(user, ""), language())
    except LinkingRefused as refused:
        flash(gettext(refused.sentence, **refused.values), "bad")
        return redirect(url_for("identities.account", account_id=account_id))
    except RefusedError as refused:
        flash(str(refused), "bad")
        return redirect(url_for("identities.account", account_id=account_id))
    return render_template(
        "connectors/linking.html",
        user=user,
        wanted=wanted,
        person=f"{found.names.get(wanted.number or '', '')} ({wanted.number})",
        hows=HOWS.get(act, {}),
        today=today().isoformat(),
        seen=seen,
        preview=found,
        kinds=EVIDENCE,
        shown=SHOWN,
    )


@blueprint.route("/sync/accounts/<int:account_id>/<act>", methods=["POST"])
@needs("identities.do")
def decided(account_id: int, act: str) -> ResponseReturnValue:
    """Do what was decided; the persons concerned are derived at once."""
    home = installation()
    back = url_for("identities.account", account_id=account_id)
    try:
        wanted = _wanted(request.form.to_dict(), act)
        with home.store.write() as session:
            decision = wanted.decision(_user(session, account_id), request.form.get("reason", ""))
            outcome = decide(session, decision, g.account.login, home.clock(), home.settings.organisation.zone)
    except LinkingRefused as refused:
        flash(gettext(refused.sentence, **refused.values), "bad")
        return redirect(back)
    except RefusedError as refused:
        flash(str(refused), "bad")
        return redirect(back)
    home.wake("people_touched")
    flash(gettext("Done. What follows from it is derived within seconds."), "ok")
    if outcome.bound:
        flash(gettext("The rules have bound %(count)s more accounts because of it.", count=len(outcome.bound)), "ok")
    return redirect(back)


@dataclass(frozen=True)
class Wanted:
    """What a form asks for."""

    act: str
    number: str | None
    since: datetime | None
    day: str
    seen: str | None

    def decision(self, user: SourceUser, reason: str) -> Decision:
        """What that is about an account."""
        return Decision(self.act, user.source, user.user_key, reason, self.number, self.since, self.seen)


def _wanted(given: dict[str, str], act: str) -> Wanted:
    """What the reader asks for. Raises RefusedError."""
    if act not in ACTS:
        abort(404)
    day = given.get("since", "").strip()
    if given.get("how") == "since" and not day:
        raise RefusedError(gettext("Say since which day."))
    if given.get("how") == "ever":
        day = ""
    try:
        since = parse_moment(day, installation().settings.organisation.zone) if day else None
    except ValueError:
        raise RefusedError(gettext("%(text)s is not a day; write it as 2026-03-01.", text=day)) from None
    return Wanted(
        act=act,
        number=given.get("number", "").strip() if act in NAMING else None,
        since=since if act in (LINK, MOVE, UNLINK) else None,
        day=day if act in (LINK, MOVE, UNLINK) else "",
        seen=given.get("seen") or None,
    )


def _user(session: Session, account_id: int) -> SourceUser:
    return session.get(SourceUser, account_id) or abort(404)


def _search(session: Session, search: str) -> list[Person]:
    """The employees with this in their name, number or address, those who are with the organisation first."""
    columns = (Person.name, Person.employee_number, Person.email)
    query = select(Person).where(or_(*(column.icontains(search, autoescape=True) for column in columns)))
    here = employed_on(today())
    return list(session.scalars(query.order_by(here.desc(), Person.name, Person.id).limit(SHOWN)))


def _row_id(text: str) -> int:
    number = int(text)
    if not 0 <= number < 2**63:
        raise ValueError(text)
    return number

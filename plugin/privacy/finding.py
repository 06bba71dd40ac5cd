"""The rows of a table that are about one person, as a condition: what is exported, counted, blanked and deleted."""

from collections.abc import Callable, Collection, Iterable
from typing import Any

from sqlalchemy import ColumnElement, Table, false, func, or_, select, true, tuple_
from sqlalchemy.orm import Session

from plugin.installation import load_object
from plugin.privacy.declarations import Declarations, Rule
from plugin.privacy.subject import Subject
from plugin.privacy.words import may_mention, mentions
from plugin.store import chunks

Ask = Callable[[Session, Subject], Iterable[Any]]  # gives the keys of rows; what a rule names as `ask:module:function`


def key_of(table: Table) -> ColumnElement[Any]:
    """The column that is the table's key. Tables with a key of several columns are found by their columns only."""
    (column,) = table.primary_key.columns
    return column


def condition(session: Session, declared: Declarations, rule: Rule, subject: Subject) -> ColumnElement[bool]:
    """The condition that a row of the rule's table is about the subject, in the way that the rule says."""
    return or_(false(), *(_by(session, declared, rule, subject, way, what) for way, what in rule.found))


def _by(
    session: Session, declared: Declarations, rule: Rule, subject: Subject, way: str, what: str
) -> ColumnElement[bool]:
    columns = rule.table.c
    if way == "user":
        return _of_users(subject, *(columns[name] for name in what.split(",")))
    if way == "parent":
        column, _, name = what.partition("=")
        parent = declared.of(name)
        return columns[column].in_(select(key_of(parent.table)).where(condition(session, declared, parent, subject)))
    if way == "ask":
        ask: Ask = load_object(what)
        return among(rule.table, ask(session, subject))
    if way in {"text", "name"}:
        words = subject.words | ({subject.name} if way == "name" else frozenset())
        return among(rule.table, mentioning(session, rule.table, what.split(","), words))
    values: dict[str, Collection[Any]] = {
        "person": [subject.person_id],
        "account": subject.account_ids,
        "login": subject.logins,
        "number": [subject.number],
    }
    if way == "email":
        return func.lower(columns[what]).in_(sorted(subject.addresses))
    return columns[what].in_(sorted(values[way]))


def _of_users(subject: Subject, source: Any, user_key: Any, moment: Any = None) -> ColumnElement[bool]:
    """The condition that a row is of an account that is the subject's, or was at the row's moment, where it has one."""
    if moment is None:
        return tuple_(source, user_key).in_(sorted(subject.users)) if subject.users else false()
    wholly = [(name, key) for name, key, since, until in subject.periods if since is None and until is None]
    conditions = [tuple_(source, user_key).in_(sorted(wholly))] if wholly else []
    for name, key, since, until in subject.periods:
        if since is not None or until is not None:
            within = (source == name) & (user_key == key)
            within &= moment >= since if since is not None else true()
            conditions.append(within & (moment < until) if until is not None else within)
    return or_(false(), *conditions)


def among(table: Table, keys: Iterable[Any]) -> ColumnElement[bool]:
    """The condition that a row's key is one of these."""
    return or_(false(), *(key_of(table).in_(chunk) for chunk in chunks(sorted(set(keys)))))


def mentioning(
    session: Session,
    table: Table,
    columns: Collection[str],
    words: Collection[str],
    within: ColumnElement[bool] | None = None,
) -> list[Any]:
    """The keys of the rows in whose columns one of the words stands; `within` narrows where to look."""
    looked = [table.c[name] for name in columns]
    query = select(key_of(table), *looked).where(or_(*(may_mention(column, words) for column in looked)))
    rows = session.execute(query if within is None else query.where(within))
    return [row[0] for row in rows if any(mentions(value, words) for value in row[1:])]

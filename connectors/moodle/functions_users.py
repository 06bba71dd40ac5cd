"""Accounts, as the plain functions show them: all that are not deleted, in one call."""

from collections.abc import Iterator, Mapping
from typing import Any

from connectors import parse
from connectors.moodle.client import MoodleClient
from connectors.moodle.functions_reading import Accounts, name_of
from connectors.moodle.ways import FUNCTIONS
from connectors.records import UserRecord
from connectors.streams import Cursor, Page, Raw, Scope, Stream, pass_number


class Users(Stream):
    """Every account that is not deleted, in one call: the only plain function that lists all."""

    name = "users"
    records = (UserRecord,)
    way = FUNCTIONS

    def __init__(self, client: MoodleClient, accounts: Accounts | None = None) -> None:
        self._accounts = accounts or Accounts(client)

    def pull(self, cursor: Cursor | None) -> Iterator[Page]:
        """One page with all accounts.

        The site's own fields are absent both where an account has none and where they may not be seen: as soon as one
        account shows some, the others have none.
        """
        users = self._accounts.all
        none: dict[str, Any] = {"customfields": []} if any(user.get("customfields") for user in users) else {}
        raws = [Raw(f"user:{name_of(user)}", {**none, **user}) for user in users]
        yield Page((pass_number(cursor) + 1,), raws, Scope((UserRecord,)), key="users", ends_pass=True)

    def parse(self, raw: Mapping[str, Any]) -> UserRecord:
        """An account; empty fields are absent."""
        return UserRecord(
            user_key=parse.key(raw, "id"),
            username=parse.text(raw, "username", 200),
            idnumber=parse.text(raw, "idnumber", 200),
            email=parse.text(raw, "email", 320),
            name=parse.text(raw, "fullname", 300),
            department=parse.text(raw, "department", 300),
            suspended=bool(parse.flag(raw, "suspended")),
            custom=_custom(raw.get("customfields")),
        )


def _custom(fields: Any) -> dict[str, str] | None:
    if not isinstance(fields, list):
        return None
    return {
        str(field["shortname"]): parse.storable(str(field["value"]))
        for field in fields
        if isinstance(field, dict) and "shortname" in field and field.get("value") is not None
    }

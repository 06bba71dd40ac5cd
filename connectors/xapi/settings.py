"""`[sources.NAME]` of a source whose statements are sent to us."""

from typing import Annotated

from pydantic import Field

from plugin.settings import StrictModel


class XapiSettings(StrictModel):
    """The connector's own keys.

    employee_numbers: home pages (`account.homePage`) of which an account's name is the employee number.
    accounts_of: home pages of which an account's name is the number or the user name of an account of another source, by
    that source's name, for instance {"https://moodle.example" = "moodle"}.
    """

    employee_numbers: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    accounts_of: dict[str, str] = Field(default_factory=dict)

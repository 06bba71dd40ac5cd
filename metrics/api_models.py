"""What the API answers about certifications, as models: the OpenAPI document is made of them."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from plugin.api import Limit, Moment, Query

Iso = Annotated[
    str, Field(description="ISO 8601 with the organisation's offset.", json_schema_extra={"format": "date-time"})
]
StatusName = Annotated[
    Literal[
        "exempt", "revoked", "certified", "renewal_due", "grace", "expired", "overdue", "in_progress", "not_started"
    ],
    Field(description="Where the person stands; docs/certification.md explains each."),
]  # fmt: skip

NAME = r"^[^\x00-\x1f\x7f-\x9f]{1,100}$"


class Population(BaseModel):
    """Whom a requirement is for."""

    kind: str
    value: str


class RequiredBy(BaseModel):
    """A requirement that asks for a certification."""

    kind: Literal["duty"]
    requirement: Annotated[int, Field(description="Its number in CertBridge.")]
    population: Population
    due_at: Iso | None


class Explanation(BaseModel):
    """How a person stands with a certification and why: what `certbridge explain --format json` says."""

    employee_number: str
    certification: str
    version: Annotated[int, Field(description="The version of the rule that decides.")]
    name: Annotated[dict[str, str], Field(description="The certification's name by language.")]
    as_of: Iso
    timezone: str
    status: StatusName
    since: Iso | None
    achieved_at: Iso | None
    exempt_from: Annotated[Iso | None, Field(description="When the exemption that holds, or comes next, begins.")]
    exempt_until: Iso | None
    required_due_at: Iso | None
    next_change: Annotated[dict[str, Any] | None, Field(description="When time alone changes the status, and to what.")]
    because: Annotated[dict[str, Any] | None, Field(description="The award that decides, with its evidence and dates.")]
    next: Annotated[dict[str, Any] | None, Field(description="What the next award asks, and what is missing.")]
    awards: Annotated[list[dict[str, Any]], Field(description="Every award, revoked ones too.")]
    required_by: list[RequiredBy]
    history: Annotated[list[dict[str, Any]], Field(description="What changed, when and by whom.")]


class Explanations(BaseModel):
    """Every certification that a person began, held or must hold."""

    employee_number: str
    as_of: Iso
    certifications: list[Explanation]


class RequirementStatus(BaseModel):
    """One requirement that a person is under, and how they stand with it."""

    certification: str
    kind: Literal["duty"]
    requirement: int
    population: Population
    due_at: Annotated[Iso | None, Field(description="By when it must be held; null: no day is set.")]
    status: StatusName
    met: Annotated[bool, Field(description="Whether it is held (certified, renewal_due, grace) or the person exempt.")]
    held_until: Iso | None
    missing: Annotated[
        list[str], Field(description="What is missing, in words; of several ways one line says them all.")
    ]


class Requirements(BaseModel):
    """What a person must hold."""

    employee_number: str
    as_of: Iso
    met: Annotated[bool, Field(description="Whether every one is met.")]
    requirements: list[RequirementStatus]


class Held(BaseModel):
    """Where one person stands with one certification."""

    employee_number: str
    certification: str
    status: StatusName
    since: Iso | None
    achieved_at: Iso | None
    valid_from: Iso | None
    valid_until: Iso | None
    award_id: str | None
    rule_version: int | None
    required: Annotated[bool, Field(description="Whether a requirement asks the person for it now.")]


class HeldList(BaseModel):
    """A part of the list of where people stand."""

    certifications: list[Held]
    next: Annotated[
        str | None, Field(description="What to give as `after` for the part that follows; null: this is the last.")
    ]


class AsOf(Query):
    """As of which moment."""

    as_of: Annotated[Moment | None, Field(description="A moment or a day; left out: now.")] = None


class HeldQuery(Query):
    """Which part of the list of where people stand."""

    certification: Annotated[str, Field(pattern=NAME, description="Only this certification.")] | None = None
    status: StatusName | None = None
    changed_since: Annotated[
        Moment | None, Field(description="Only those of which HR was told something since this moment.")
    ] = None
    after: (
        Annotated[
            str, Field(pattern=r"^[0-9]{1,18}:[^\x00-\x1f\x7f-\x9f]{0,100}$", description="`next` of the part before.")
        ]
        | None
    ) = None
    limit: Limit = 100

"""What is asked of a figure: which period, as of when, about whom."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from metrics.figures.periods import Period
from metrics.figures.words import Words
from plugin.errors import RefusedError

BASES = ("started", "enrolled", "completed")
ATTEMPTS = ("best", "last", "first")
DIMENSIONS = ("content", "lecturer", "organisation", "learning_gain")


@dataclass(frozen=True)
class Question:
    """One question. Departments, positions and grades are asked for by their codes, a course by its object.

    `programme`, `category` and `lecturer` stand for courses: the programme's, the category's, the lecturer's; a programme
    stands for whom it is for as well. `months` is how long after a programme behaviour is looked at. `currency` is the
    organisation's, `dimensions` those of satisfaction. `listed` narrows the population to these employee numbers.
    `exempt` are the employee numbers of those who need not take part; figures whose definition says so leave them out
    and count them.
    """

    period: Period
    as_of: datetime
    department: str | None = None
    with_children: bool = False
    position: str | None = None
    grade: str | None = None
    course: str | None = None
    listed: frozenset[str] | None = None
    exempt: frozenset[str] = frozenset()
    programme: str | None = None
    category: str | None = None
    lecturer: str | None = None
    certification: str | None = None
    competency: str | None = None
    months: int = 3
    currency: str = "EUR"
    dimensions: tuple[str, ...] = DIMENSIONS
    basis: str = "started"
    attempt: str = "best"

    def __post_init__(self) -> None:
        if self.as_of.tzinfo is None:
            raise RefusedError(f"The as-of time {self.as_of.isoformat()} has no offset; say in which time zone it is.")
        if self.basis not in BASES:
            raise RefusedError(f"{self.basis!r} is not a basis of coverage; choose one of {', '.join(BASES)}.")
        if self.attempt not in ATTEMPTS:
            raise RefusedError(f"{self.attempt!r} does not say which attempt; choose one of {', '.join(ATTEMPTS)}.")

    def about_programme(self, code: str) -> "Question":
        """The same about everybody of a programme's target, and its courses."""
        whole: dict[str, Any] = {
            "department": None,
            "with_children": False,
            "position": None,
            "grade": None,
            "listed": None,
        }
        return replace(self, **whole, course=None, category=None, lecturer=None, programme=code)

    @property
    def zone(self) -> ZoneInfo:
        """The organisation's time zone."""
        return self.period.zone

    @property
    def has_begun(self) -> bool:
        """Whether any of the period lies before the as-of time."""
        return self.as_of >= self.period.start

    @property
    def is_over(self) -> bool:
        """Whether all of the period lies before the as-of time."""
        return self.as_of >= self.period.end

    @property
    def population_date(self) -> date:
        """The day on which the population is counted."""
        return self.period.day_at(self.as_of)

    def rule(self, day: date, exempt_out: bool) -> Words:
        """The population's rule in words."""
        english, chinese = [f"employees on {day}"], [f"{day} 的在职员工"]
        if self.department is not None:
            english.append(f"department {self.department}" + (" and those below it" if self.with_children else ""))
            chinese.append(f"部门 {self.department}" + ("及其下级部门" if self.with_children else ""))
        if self.position is not None:
            english.append(f"position {self.position}")
            chinese.append(f"岗位 {self.position}")
        if self.grade is not None:
            english.append(f"grade {self.grade}")
            chinese.append(f"职级 {self.grade}")
        if self.programme is not None:
            english.append(f"the target of the programme {self.programme}")
            chinese.append(f"培训项目 {self.programme} 的目标人群")
        if self.listed is not None:
            english.append(f"among {len(self.listed)} listed people")
            chinese.append(f"限于名单所列 {len(self.listed)} 人")
        if exempt_out and self.exempt:
            english.append("without those exempt")
            chinese.append("不含豁免人员")
        return Words(", ".join(english), "，".join(chinese))

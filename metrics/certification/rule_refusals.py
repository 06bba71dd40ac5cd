"""Why a rule cannot be accepted: each sentence with what varies in it, in English for commands, translated on pages."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from plugin.errors import N_, RefusedError


@dataclass(frozen=True)
class Words:
    """A part of a sentence that is translated too; `str()` is the English."""

    sentence: str
    values: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.sentence % self.values


@dataclass(frozen=True)
class Detail:
    """What a library says, in English, and what is said in its place in other languages."""

    english: str
    sentence: str

    def __str__(self) -> str:
        return self.english


@dataclass(frozen=True)
class Joined:
    """Several texts with words between them, which are translated."""

    texts: tuple[str, ...]
    between: str

    def __str__(self) -> str:
        return self.between.join(self.texts)


class RuleRefused(RefusedError):  # noqa: N818 - it says what happened, as `refused` does in the answer to the person
    """A rule cannot be accepted: `line` (from 1) and `reason`, one sentence saying what is wrong and what to write.

    The reason is `sentence` with its `values`, of which `Words`, `Detail` and `Joined` are translated with it.
    """

    def __init__(self, line: int, sentence: str, **values: object) -> None:
        reason = sentence % values
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason
        self.sentence = sentence
        self.values = values


# What a sentence is about
THE_RULE = Words(N_("the rule"))
THE_NAME = Words(N_("the name"))
EARN_RENEWS = Words(N_("[earn], which also renews,"))
ENTRY_OF = N_("an entry of %(key)s")
OR = N_(" or ")

# The text
NO_TOML = N_("this is not TOML: %(what)s; mend this line, or what was left open before it")
UNREADABLE = N_("it cannot be read here")
KEY_TWICE = Words(N_("a key stands twice in one table"))
TOO_DEEP = N_("the criteria are nested too deeply; write them with fewer levels")
TOO_MANY_DIGITS = N_("the rule holds a whole number of thousands of digits; write a shorter one")

# Keys and their values
WITHIN_AT_TOP = N_("'within' stands only at the top of [earn] or [renew]; move it there")
UNKNOWN_KEY = N_("%(table)s does not know the key %(key)s; it takes %(keys)s")
LACKS = N_("%(table)s lacks %(key)s; write %(example)s")
NO_CHOICE = N_("%(key)s of %(table)s is %(text)s; write one of %(choices)s")
EMPTY_LIST = N_("%(key)s of %(table)s is empty; write at least one entry")
NO_LIST = N_("%(key)s of %(table)s must be a list, in square brackets")
NO_TABLE = N_("%(table)s must be a table of keys and values")
NO_TRUTH = N_("%(key)s of %(table)s must be true or false, without quotes")
NO_DAY = N_("%(key)s of %(table)s must be a date without quotes, such as 2026-01-01")
NO_NUMBER = N_("%(key)s of %(table)s must be a number without quotes, such as 80")
NO_TEXT = N_("%(key)s of %(table)s must be text in quotes")
EMPTY_TEXT = N_("%(key)s of %(table)s is empty; write a text")
NO_DURATION = N_('%(key)s of %(table)s must be a duration in quotes, such as "P60D"')
BAD_DURATION = N_("%(key)s of %(table)s: %(error)s")
SUCH_A_DURATION = N_("write a duration such as P60D or P2Y, without a minus sign and without fractions")

# What is to be written where something is lacking
HOW_MANY = Words(N_("how many are needed, such as n = 2"))
TO_CHOOSE_FROM = Words(N_("the criteria to choose from, such as of = [ ... ]"))
AN_EARN_TABLE = Words(N_("an [earn] table with what earns it"))
A_VALIDITY_TABLE = Words(N_("a [validity] table with how long it lasts"))
HOW_LONG = Words(N_('lasts = "P2Y" or lasts = "forever"'))
WHICH_ANCHOR = Words(N_('the day with which every award ends, such as anchor = "12-31"'))
IT_AS = N_("it as %(key)s = ...")

# Criteria
NO_CRITERION_ENTRY = N_('an entry of %(key)s must be a criterion in braces, such as { completed = { course = "C-1" } }')
N_WHOLE = N_("'n' of 'n_of' must be a whole number without quotes, such as 2")
N_RANGE = N_("'n' of 'n_of' is out of range; write a number from 1 to %(count)s, the number of entries")
HOURS_OF_NOTHING = N_("'hours' lacks 'courses' and 'categories'; write a list of at least one of them")
NO_CRITERION = N_("%(table)s has no criterion; write one of %(criteria)s")
MANY_CRITERIA = N_("%(table)s has more than one criterion, %(keys)s; put them into one all_of or any_of")
NO_OBJECT = N_('%(table)s lacks %(wanted)s; write what it is about, such as %(key)s = "..."')
TWO_OBJECTS = N_("%(table)s has both %(one)s and %(other)s; write only one of them")
NO_PERCENTAGE = N_("'at_least' of %(table)s is %(number)s; write a percentage from 0 to 100")
NO_HOURS = N_("'at_least' of 'hours' is %(number)s; write a number of hours above 0")

# The rule as a whole
LONG_CODE = N_("the code has %(length)s characters; write at most %(most)s")
NO_LANGUAGE = N_("the name has no language; write one such as en, or leave the name out")
WRONG_LANGUAGE = N_("%(language)s is not a language; write a code such as en or zh_CN")
NEEDS_ITSELF = N_("%(code)s needs itself; name another certification or take this one out")
A_CIRCLE = N_("%(code)s needs %(codes)s: a circle; take one of these certifications out of a rule")
WHICH_NEEDS = N_(", which needs ")
RENEWS_ALONE = N_("%(table)s asks for certifications alone; add evidence such as a course to renew by")

# Validity
ONLY_FIXED = N_('%(key)s is only for from = "fixed"; take it out or write from = "fixed"')
NO_LENGTH = N_("'lasts' is zero; write how long the certification holds, or \"forever\"")
NOT_FOR_FIXED = N_("'lasts' is not for from = \"fixed\", where the anchor day ends an award; take it out")
NO_ANCHOR = N_("the anchor %(text)s is not a month and day; write them like 12-31")
NO_SUCH_ANCHOR = N_("the anchor %(text)s is a day that no year has; write one like 12-31")
LONGER_THAN_YEAR = N_("the %(key)s %(given)s is longer than a year, the validity of a fixed one; write a shorter one")
LONGER = N_("the %(key)s %(given)s is longer than the validity, %(longest)s; write a shorter one")

# Names that the store does not know
UNKNOWN_NAME = N_(
    "the %(what)s %(name)s is not known: nothing of this name was pulled; mend the name, or pull it first"
)
UNKNOWN_NAME_IN = N_(
    "the %(what)s %(name)s is not known in %(source)s: nothing of this name was pulled; mend the name, or pull it first"
)
HELD_HERE = N_("the certification %(name)s is held here and not in %(source)s; leave its source out")
WHATS = {
    name: Words(word)
    for name, word in (
        ("course", N_("course")),
        ("category", N_("category")),
        ("activity", N_("activity")),
        ("badge", N_("badge")),
        ("competency", N_("competency")),
        ("certification", N_("certification")),
    )
}

"""What only the whole file shows: numbers that stand twice or have lost their zeros, circles, merged cells, unknown managers."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from connectors.roster.reading import Fault, Reading
from plugin.errors import N_
from plugin.workbooks import column_letters

STANDS_TWICE = N_(
    "%(number)s stands in the file %(times)s times, in the lines %(lines)s; which one is right cannot be guessed."
)
OWN_MANAGER = N_("%(number)s is their own manager.")
CIRCLE = N_("The managers go round in a circle: %(circle)s.")
NO_MANAGER = N_("The manager %(number)s is neither in the file nor known.")
OWN_PARENT = N_("%(number)s belongs to itself.")
PARENT_CIRCLE = N_("The departments go round in a circle: %(circle)s.")
NO_PARENT = N_("The department %(number)s, which it belongs to, is neither in the file nor known.")
NO_EMPLOYEE = N_("There is no employee %(number)s; check the number, or whether it has lost zeros at its beginning.")
LOST_ZEROS = N_(
    "%(number)s is known as %(known)s: a spreadsheet has taken the zeros away. Format the column as text, or set number_width."
)
SHORT = N_(
    "%(number)s has %(digits)s digits, the other numbers %(usual)s with zeros at the beginning: a spreadsheet may have taken "
    "them away. Format the column as text, or set number_width."
)
MERGED = N_("The cell is merged with others (%(area)s); merged cells hold one value only. Take the merging apart.")
LEFT_FIRST = N_("They would leave on %(left)s, before they joined on %(joined)s.")
ENDS_FIRST = N_("It would end on %(until)s, before it begins on %(start)s.")

PERHAPS_REFUSED = N_("%(number)s is in no row whose number can be read; a refused row may be theirs.")

MOST_SHOWN = 6
SHAPE = re.compile(r"[^\W_]")


class Whole:
    """What is remembered of each row while the file is read, and looked at when it has been read."""

    def __init__(self, key: str, above: str | None = None) -> None:
        self.key = key
        self.above = above
        self.lines: dict[str, int] = {}
        self.again: dict[str, list[int]] = {}
        self.parents: dict[str, str] = {}
        self.wanted: dict[str, list[int]] = {}  # whom rows name as theirs above, with the lines
        self.widths: Counter[int] = Counter()
        self.with_zero: Counter[int] = Counter()
        self.left: dict[str, str] = {}  # the last days that the file gives

    def seen(self, line: int, said: dict[str, str], faults: Sequence[Fault]) -> None:
        """Take a row in."""
        if faults and any(fault.field in ("", self.key) for fault in faults):
            return
        number = said.get(self.key, "")
        if not number:
            return
        known = self.lines.setdefault(number, line)
        if known != line:
            self.again.setdefault(number, [known]).append(line)
        if number.isdigit():
            self.widths[len(number)] += 1
            if number[0] == "0":
                self.with_zero[len(number)] += 1
        above = said.get(self.above or "", "")
        if above:
            if number not in self.again:
                self.parents[number] = above
            self.wanted.setdefault(above, []).append(line)
        if said.get("left"):
            self.left[number] = said["left"]


def check_numbers(reading: Reading, whole: Whole, known: Collection[str] | None) -> set[str]:
    """Refuse rows whose number stands twice, or has lost its zeros; the numbers that those rows may have meant."""
    for number, lines in whole.again.items():
        shown = ", ".join(map(str, lines[:MOST_SHOWN])) + (" …" if len(lines) > MOST_SHOWN else "")
        for line in lines:
            reading.fault(line, whole.key, STANDS_TWICE, number=number, times=str(len(lines)), lines=shown)
        whole.parents.pop(number, None)
    spared: set[str] = set()
    padded = {number.lstrip("0"): number for number in known or () if number[:1] == "0" and number.isdigit()}
    digits = sum(whole.widths.values())
    usual, many = whole.widths.most_common(1)[0] if whole.widths else (0, 0)
    guess = many * 20 >= digits * 19 and many >= 20 and whole.with_zero[usual] * 20 >= many
    if not padded and not guess:
        return spared
    for number, line in whole.lines.items():
        if not number.isdigit() or (known is not None and number in known):
            continue
        if number in padded and padded[number] not in whole.lines:
            reading.fault(line, whole.key, LOST_ZEROS, number=number, known=padded[number])
            spared.add(padded[number])
        elif guess and len(number) < usual:
            reading.fault(line, whole.key, SHORT, number=number, digits=str(len(number)), usual=str(usual))
            spared.add(number.zfill(usual))
    return spared


def check_above(reading: Reading, whole: Whole, known: Collection[str] | None, meant: Collection[str] = ()) -> None:
    """Refuse rows that name as above them themselves, somebody below them, or nobody who is known.

    `meant` are numbers that refused rows may have meant. Where the numbers of refused rows cannot be read, as many numbers
    that are like the others, and among them, are taken for theirs: that is noted, and refuses nobody else.
    """
    field = whole.above
    if not field:
        return
    own, circle, unknown = (
        (OWN_MANAGER, CIRCLE, NO_MANAGER) if field == "manager" else (OWN_PARENT, PARENT_CIRCLE, NO_PARENT)
    )
    for members in circles(whole.parents):
        shown = " → ".join([*members[:MOST_SHOWN], *(["…"] if len(members) > MOST_SHOWN else []), members[0]])
        for number in members:
            if len(members) == 1:
                reading.fault(whole.lines[number], field, own, number=number)
            else:
                reading.fault(whole.lines[number], field, circle, circle=shown)
    if known is None:
        return
    missing = [number for number in whole.wanted if number not in whole.lines and number not in known]
    likely = set(meant) | _unreadable(reading, whole, [number for number in missing if number not in meant])
    for number in missing:
        for line in whole.wanted[number]:
            if number in likely:
                reading.note(line, field, (PERHAPS_REFUSED, {"number": number}))
            else:
                reading.fault(line, field, unknown, number=number)


def _unreadable(reading: Reading, whole: Whole, missing: Sequence[str]) -> set[str]:
    """Those of the missing numbers that may be those of rows whose own cannot be read: they lie among the others."""
    rows = sum(not number for number, _ in reading.refused.values())
    if not rows or not missing:
        return set()
    bounds: dict[str, tuple[str, str]] = {}
    for number in whole.lines:
        shape = _shape(number)
        least, most = bounds.get(shape, (number, number))
        bounds[shape] = (min(least, number), max(most, number))
    found = set()
    for number in missing:
        least, most = bounds.get(_shape(number), ("", ""))
        if least < number < most:
            found.add(number)
    return found if len(found) <= rows else set()


def _shape(number: str) -> str:
    """The number with each digit as 9 and each letter as A."""
    return SHAPE.sub(lambda found: "9" if found[0].isdigit() else "A", number)


def circles(parents: Mapping[str, str]) -> list[list[str]]:
    """The circles in a map from each to the one above; what only leads into a circle is none of it."""
    state: dict[str, int] = {}
    found: list[list[str]] = []
    for trip, start in enumerate(parents, start=1):
        path: list[str] = []
        at: str | None = start
        while at is not None and at not in state:
            state[at] = trip
            path.append(at)
            at = parents.get(at)
        if at is not None and state[at] == trip:
            found.append(path[path.index(at) :])
    return found


def check_merged(reading: Reading) -> None:
    """Refuse rows that lack a value because it stands in another cell that theirs is merged with."""
    places = {letter: name for name, letter in reading.letters.items()}
    if not reading.merged or not places:
        return
    for area in reading.merged:
        fields = [
            places[letter]
            for letter in map(column_letters, range(max(area.first_column, 0), min(area.last_column, 16_383) + 1))
            if letter in places
        ]
        if not fields or area.last_line <= reading.header_line:
            continue
        shown = (
            f"{column_letters(area.first_column)}{area.first_line}:{column_letters(area.last_column)}{area.last_line}"
        )
        for line in range(max(area.first_line, reading.header_line + 1), min(area.last_line, 1_048_576) + 1):
            hidden = fields if line > area.first_line else fields[1:]
            if hidden:
                reading.fault(line, hidden[0], MERGED, area=shown)


def check_order(faults: list[Fault], said: Mapping[str, str]) -> None:
    """Refuse a row whose days are the wrong way round; days are written so that they sort as texts."""
    if said.get("joined") and said.get("left") and said["left"] < said["joined"]:
        faults.append(Fault("left", LEFT_FIRST, {"left": said["left"], "joined": said["joined"]}))
    if said.get("valid_from") and said.get("valid_until") and said["valid_until"] <= said["valid_from"]:
        faults.append(Fault("valid_until", ENDS_FIRST, {"until": said["valid_until"], "start": said["valid_from"]}))


def unknown_numbers(reading: Reading, whole: Whole, known: Iterable[str]) -> None:
    """Refuse rows about employees that there are not, in a file that makes none."""
    there = set(known)
    for number, line in whole.lines.items():
        if number not in there:
            reading.fault(line, whole.key, NO_EMPLOYEE, number=number)

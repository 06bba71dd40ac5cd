"""What a row must fulfil beyond its single cells. Each raises RefusedInWordsError that names the column to blame."""

from typing import Any

from metrics.inputs.columns import N_
from plugin.errors import RefusedInWordsError

Values = dict[str, Any]

ENDS_FIRST = N_("%(field)s: it would end before it begins; mend one of the two days.")
ENDS_TOO_EARLY = N_("%(field)s: it would end before it begins, or at once; mend one of the two times.")
NO_END = N_("%(field)s is empty; a completed programme has the day on which it ended, or complete_at.")
END_OF_NONE = N_("%(field)s: only a completed or cancelled programme has ended; set its status, or leave the day out.")
NO_AUDIENCE = N_("%(field)s: it is for everybody, and for some as well; leave one of the two out.")
OFF_THE_SCALE = N_("%(field)s: the score is not between the scale's lowest and highest.")
NO_SCALE = N_("%(field)s: the scale's highest is not above its lowest.")
NO_ANSWER = N_("%(field)s is empty, and so is the answer in words; fill one of the two.")
NO_RATE = N_("%(field)s: a rate is above zero.")
NO_DIMENSION = N_("%(field)s is empty; say what a score of satisfaction is about.")


def nothing(_values: Values) -> None:
    """Every row is as good as its cells."""


def programme(values: Values) -> None:
    """Days in their order, an end where it is completed, and one way to say whom it is for."""
    _in_order(values, "starts_on", "planned_end_on")
    _in_order(values, "starts_on", "actual_end_on")
    ended = values["actual_end_on"] is not None
    if values["status"] == "completed" and not ended and values["complete_at"] is None:
        raise RefusedInWordsError(NO_END, field="actual_end_on")
    if ended and values["status"] not in ("completed", "cancelled"):
        raise RefusedInWordsError(END_OF_NONE, field="actual_end_on")
    if values["everybody"] and any(values[name] for name in ("department", "position", "grade", "tag")):
        raise RefusedInWordsError(NO_AUDIENCE, field="everybody")


def session(values: Values) -> None:
    """The end is after the beginning."""
    if values["ends"] <= values["begins"]:
        raise RefusedInWordsError(ENDS_TOO_EARLY, field="ends")


def rate(values: Values) -> None:
    """Nothing is worth nothing."""
    if not values["rate"]:
        raise RefusedInWordsError(NO_RATE, field="rate")


def rating(values: Values) -> None:
    """The score lies on its scale; what was rated before is no months after."""
    if values["moment"] == "before":
        values["months_after"] = 0
    _on_scale(values)


def survey_answer(values: Values) -> None:
    """There is an answer, and a score lies on its scale and is about a dimension."""
    if values["score"] is None and not values["answer"]:
        raise RefusedInWordsError(NO_ANSWER, field="score")
    if values["score"] is not None:
        _on_scale(values)
        if values["purpose"] == "satisfaction" and not values["dimension"]:
            raise RefusedInWordsError(NO_DIMENSION, field="dimension")


def external(values: Values) -> None:
    """Days in their order."""
    _in_order(values, "began_on", "ended_on")


def _in_order(values: Values, first: str, last: str) -> None:
    if values[first] is not None and values[last] is not None and values[last] < values[first]:
        raise RefusedInWordsError(ENDS_FIRST, field=last)


def _on_scale(values: Values) -> None:
    if values["highest"] <= values["lowest"]:
        raise RefusedInWordsError(NO_SCALE, field="highest")
    if not values["lowest"] <= values["score"] <= values["highest"]:
        raise RefusedInWordsError(OFF_THE_SCALE, field="score")

"""Learner satisfaction, from feedback activities and from imported surveys."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import update

from connectors.models import Course, Survey, SurveyAnswer
from metrics.figures import registry, satisfaction
from metrics.figures.figure import Figure
from metrics.figures.survey_counts import dimension_of
from metrics.inputs import models
from tests.metrics.figures.planned import programme, put
from tests.metrics.figures.world import MOODLE, World, at, question

OPTIONS = ["Very poor", "Poor", "Fair", "Good", "Very good"]
LABELS = {"1": "content", "2": "Content 2", "3": "lecturer", "4": "comments"}


def survey(world: World, key: str = "S", course: str = "1", *, anonymous: bool = False) -> None:
    """A feedback activity: two questions about the content, one about the lecturer, one in words."""
    questions = [
        {"key": each, "kind": "multichoice", "label": label, "text": "?", "options": OPTIONS if each != "4" else []}
        for each, label in LABELS.items()
    ]
    world.session.add(
        Survey(source=MOODLE, survey_key=key, course_key=course, name=key, anonymous=anonymous, questions=questions)
    )
    world.session.flush()


def answer(
    world: World,
    key: str,
    answers: Mapping[str, Any],
    *,
    user: str | None = None,
    when: str | None = "2026-05-01",
    survey: str = "S",
    seen: str = "2026-05-02",
) -> None:
    """One sheet of answers."""
    world.session.add(
        SurveyAnswer(
            source=MOODLE, answer_key=key, survey_key=survey, course_key="1", user_key=user, answers=dict(answers),
            answered_at=at(when) if when else None, first_seen_at=at(seen),
        )
    )  # fmt: skip
    world.session.flush()


def measured(world: World, **options: Any) -> Figure:
    """Satisfaction in 2026Q2."""
    return registry.measure(world.session, "satisfaction", question(**options))


def test_mean_of_dimension_means(world: World) -> None:
    """Content (1 + 0.5 + 0.75 + 0.25) / 4 = 0.625 and lecturer (1 + 0) / 2 = 0.5: satisfaction is 0.5625."""
    world.course("1")
    for number in "12345":
        world.person(number, "D" if number in "13" else "X")
        world.enrol(number, opened="2026-05-01" if number != "5" else None)
    survey(world)
    answer(world, "a", {"1": "5", "2": "3", "3": "5", "4": "Fine."}, user="1")
    answer(world, "b", {"1": "4", "2": "2", "3": "1", "4": ""}, user="2")
    answer(world, "next quarter", {"1": "1"}, user="3", when="2026-07-01")
    figure = measured(world)
    assert figure.parts == {"content": Decimal("0.625"), "lecturer": Decimal("0.5")}
    assert (figure.value, figure.numerator, figure.denominator) == (Decimal("0.5625"), Decimal("1.125"), 2)
    assert (figure.beside["respondents"], figure.beside["participants"]) == (2, 4)
    assert figure.beside["response_rate"] == Decimal("0.5")
    assert (figure.beside["answers"], figure.beside["answers_high"]) == (6, 3)
    assert figure.beside["high_share"] == Decimal("0.5")
    by = registry.measure_by(world.session, "satisfaction", question(), "department")
    assert [(label, one.value) for label, one in by] == [("D", Decimal("0.875")), ("X", Decimal("0.25"))]
    by = registry.measure_by(world.session, "satisfaction", question(), "course")
    assert [(label, one.value) for label, one in by] == [("CRS-1", Decimal("0.5625"))]
    only = measured(world, dimensions=("lecturer",))
    assert (only.value, only.parts) == (Decimal("0.5"), {"lecturer": Decimal("0.5")})
    assert measured(world, as_of=at("2026-05-01T12:00")).value is None


def test_small_anonymous_groups_are_not_shown(world: World) -> None:
    """Four anonymous sheets are not shown, five are; a dimension that four answered is left out of five sheets."""
    world.course("1")
    world.session.execute(update(Course).values(ends_at=at("2026-06-15")))
    survey(world, anonymous=True)
    for n in range(4):
        answer(world, f"a{n}", {"1": "5", "3": "1"}, when=None)
    figure = measured(world)
    assert (figure.value, figure.numerator, figure.denominator) == (None, 0, 0)
    assert figure.reason == satisfaction.SUPPRESSED
    assert not figure.parts
    assert not figure.beside
    assert figure.not_visible == {"dated_by_course": 4, "suppressed": 1}
    answer(world, "a5", {"1": "5"}, when=None)
    figure = measured(world)
    assert figure.parts == {"content": 1}
    assert (figure.value, figure.beside["answers"]) == (1, 5)
    assert figure.not_visible == {"dated_by_course": 5, "suppressed": 1}
    for n in range(3):
        answer(world, f"named {n}", {"1": "5"}, user="nobody known", survey="S")
    by = registry.measure_by(world.session, "satisfaction", question(), "month")
    assert [(label, one.value) for label, one in by] == [("2026-04", None), ("2026-05", 1), ("2026-06", 1)]


def test_anonymous_answers_without_a_time(world: World) -> None:
    """They are dated by their course's end and marked so; where it has none they are left out and counted."""
    world.course("1")
    survey(world, anonymous=True)
    for n in range(5):
        answer(world, f"a{n}", {"1": "5"}, when=None)
    figure = measured(world)
    assert (figure.value, figure.not_visible) == (None, {"no_date": 5})
    world.session.execute(update(Course).values(ends_at=at("2026-07-01")))
    assert measured(world).not_visible == {}
    world.session.execute(update(Course).values(ends_at=at("2026-06-30")))
    assert measured(world).not_visible == {"dated_by_course": 5}
    world.department("D")
    assert measured(world, department="D").not_visible == {"anonymous": 5}


def test_what_is_no_choice_is_left_out(world: World) -> None:
    """Answers that are no single option are left out and counted; empty ones are no answers."""
    world.course("1")
    survey(world)
    answer(world, "a", {"1": "2|3", "2": "6", "3": "3"}, user="1")
    answer(world, "b", {"1": "0", "2": "", "3": "3"}, user="2")
    figure = measured(world)
    assert (figure.value, figure.beside["answers"], figure.not_visible) == (Decimal("0.5"), 2, {"unscaled": 2})


def entry(world: World, respondent: str, dimension: str, score: int, **values: Any) -> None:
    """An answer of an imported survey, on a scale from 1 to 5, about a programme."""
    usual = {
        "survey": "I", "question": dimension, "purpose": "satisfaction", "programme": "P1", "answered_on": date(2026, 5, 1),
        "lowest": Decimal(1), "highest": Decimal(5),
    }  # fmt: skip
    put(
        world,
        models.SurveyEntry,
        respondent=respondent,
        dimension=dimension,
        score=Decimal(score),
        **{**usual, **values},
    )


def test_imported_surveys(world: World) -> None:
    """Imported answers count with those of the LMS, scaled by their own scale; fewer than five anonymous ones do not."""
    programme(world)
    person = world.person("1", "D")
    for n in range(4):
        entry(world, str(n), "content", 5)
    entry(world, "needs", "content", 1, purpose="needs")
    entry(world, "other scale", "content", 0, lowest=Decimal(0), highest=Decimal(10), person_id=person.id)
    figure = measured(world)
    assert (figure.value, figure.beside["respondents"]) == (Decimal("0.8"), 5)
    assert measured(world, programme="P1").value == Decimal("0.8")
    by = registry.measure_by(world.session, "satisfaction", question(), "programme")
    assert [(label, one.value) for label, one in by] == [("P1", Decimal("0.8"))]
    one = measured(world, department="D")
    assert (one.value, one.beside["respondents"], one.not_visible) == (0, 1, {"anonymous": 4})
    world.session.query(models.SurveyEntry).filter_by(respondent="3").update({"ended_at": at("2026-05-10")})
    assert measured(world).not_visible == {"suppressed": 1}
    assert measured(world, as_of=at("2026-05-09")).value == Decimal("0.8")


def test_labels() -> None:
    """A label names its dimension in small letters, without a number at its end."""
    assert [dimension_of(text) for text in ("Content", "content 2", "Learning gain-3", " ORGANISATION_1 ", "", "讲师1")] == [
        "content", "content", "learning_gain", "organisation", "", "讲师",
    ]  # fmt: skip

"""Every figure says what it means, in both languages."""

import re
from pathlib import Path

import pytest

import metrics.figures
from metrics.figures import changes, cost_control, inputs, money, ratio, registry, results, roi, satisfaction
from metrics.figures.groups import GROUPS
from metrics.figures.scope import BREAKDOWNS
from metrics.figures.units import UNITS
from metrics.figures.words import Words
from plugin.errors import NotFoundError

HAN = re.compile("[\u4e00-\u9fff]")


def assert_in_both(words: Words) -> None:
    """The text is there in English and, differently, in Chinese."""
    assert words.en.strip()
    assert not HAN.search(words.en)
    assert HAN.search(words.zh_Hans_CN)
    assert words.in_language("en") == str(words)
    assert words.in_language("zh_Hans_CN") == words.zh_Hans_CN


@pytest.mark.parametrize("name", list(registry.figures()))
def test_a_figure_is_defined_and_translated(name: str) -> None:
    """A figure has a title, a definition, a reason for no value and words for every code it counts, in both languages."""
    figure = registry.definition(name)
    assert figure.name == name
    for words in (figure.title, figure.definition, *figure.words.values()):
        assert_in_both(words)
    assert_in_both(figure.nothing)
    assert_in_both(figure.each)
    assert figure.unit in UNITS
    assert set(figure.breakdowns) <= set(BREAKDOWNS)


def test_the_common_words_are_translated() -> None:
    """What any figure may say about its inputs is there in both languages."""
    for words in (
        ratio.NOT_BEGUN,
        inputs.OPEN,
        inputs.NEVER,
        inputs.NOT_WHOLE,
        inputs.BEFORE_THE_END,
        inputs.IN_QUARANTINE,
        changes.TOO_FEW,
        cost_control.NO_BUDGET,
        money.NO_RATE,
        results.NOT_YET,
        results.SEVERAL,
        roi.NO_BENEFIT,
        roi.NO_COST,
        roi.NO_ISOLATION,
        satisfaction.SUPPRESSED,
    ):
        assert_in_both(words)


def test_one_file_is_one_figure() -> None:
    """A module of the folder that has a figure is in the registry, under the module's name; nothing else is."""
    folder = Path(metrics.figures.__file__).parent
    with_figure = {path.stem for path in folder.glob("*.py") if "\nFIGURE = " in path.read_text(encoding="utf-8")}
    assert set(registry.figures()) == with_figure
    assert len(with_figure) == 20
    with pytest.raises(NotFoundError, match="coverage"):
        registry.definition("happiness")


def test_every_figure_has_its_place() -> None:
    """The page shows every figure, once, under a heading in both languages."""
    assert sorted(name for _, names in GROUPS for name in names) == list(registry.figures())
    for heading, _ in GROUPS:
        assert_in_both(heading)


def test_every_figure_is_documented() -> None:
    """The page of figures has every figure by name and title, and every code that it may count under."""
    page = (Path(metrics.figures.__file__).parents[2] / "docs" / "figures.md").read_text(encoding="utf-8")
    for name, figure in registry.figures().items():
        assert f"`{name}`" in page
        assert figure.title.en in page
        assert [code for code in figure.words if f"`{code}`" not in page] == []

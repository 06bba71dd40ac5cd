"""Charts as SVG, drawn on the server with Altair: to stand in a page, without a script and without a colour.

The page's stylesheet colours marks, axes and text, in light and in dark, by the classes that the drawing has
(`.mark-rect`, `.role-axis` …), and sets the reader's own fonts. The server may have other fonts, or none for
Chinese, so the room for labels is reckoned here and not measured.
"""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from unicodedata import east_asian_width

import altair
import vl_convert
from markupsafe import Markup

WIDTH = 640
SIZE = 13  # of text, in px
LONGEST_LABEL = 200  # px
ROW = 30  # px
COLUMNS_HIGH = 190  # px

Row = tuple[str, Decimal | int | None, str]


def bars(rows: Sequence[Row]) -> Markup:
    """Horizontal bars of shares: rows of a label, a share from 0 to 1 (None: no bar), and the text at its end."""
    names = [fitted(label) for label, _, _ in rows]
    room = max((reckoned_width(name) for name in names), default=0) + 8
    data = altair.InlineData(
        values=[{"n": number, "value": float(value or 0), "text": text} for number, (_, value, text) in enumerate(rows)]
    )
    axis = altair.Axis(
        title=None,
        domain=False,
        ticks=False,
        labelExpr=_labels(names),
        labelLimit=0,
        labelPadding=8,
        minExtent=room,
        maxExtent=room,
    )
    place = altair.Y("n:O", sort=None, axis=axis)
    share = altair.X(
        "value:Q",
        scale=altair.Scale(domain=[0, 1]),
        axis=altair.Axis(
            title=None, format="%", tickCount=5, labelFlush=False, domain=False, ticks=False, labelPadding=6
        ),
    )
    base = altair.Chart(data, width=WIDTH - room - 60, height=altair.Step(ROW))
    return _drawn(
        base.mark_bar(height=16, cornerRadiusEnd=2).encode(y=place, x=share)
        + base.mark_text(align="left", dx=6, fontSize=SIZE).encode(y=place, x=share, text="text:N")
    )


def columns(rows: Sequence[Row]) -> Markup:
    """Columns of counts side by side: rows of a label, a count, and the text above its column."""
    names = [label for label, _, _ in rows]
    data = altair.InlineData(
        values=[{"n": number, "value": float(value or 0), "text": text} for number, (_, value, text) in enumerate(rows)]
    )
    place = altair.X(
        "n:O",
        sort=None,
        axis=altair.Axis(title=None, ticks=False, labelExpr=_labels(names), labelAngle=0, labelLimit=0, labelPadding=6),
    )
    count = altair.Y(
        "value:Q",
        axis=altair.Axis(
            title=None, tickCount=4, tickMinStep=1, format=",d", domain=False, ticks=False, labelPadding=6
        ),
    )
    base = altair.Chart(data, width=WIDTH - 60, height=COLUMNS_HIGH)
    return _drawn(
        base.mark_bar(width=altair.RelativeBandSize(0.6), cornerRadiusEnd=2).encode(x=place, y=count)
        + base.mark_text(baseline="bottom", dy=-4, fontSize=SIZE).encode(x=place, y=count, text="text:N")
    )


def reckoned_width(text: str) -> int:
    """About how wide `text` is in px: a Chinese character is as wide as it is high, a Latin letter a little over half."""
    return round(sum(SIZE if east_asian_width(letter) in "WF" else SIZE * 0.58 for letter in text))


def fitted(text: str) -> str:
    """`text`, cut with an ellipsis to the room that a label has at most."""
    if reckoned_width(text) <= LONGEST_LABEL:
        return text
    while text and reckoned_width(text + "…") > LONGEST_LABEL:
        text = text[:-1]
    return text.rstrip() + "…"


def _labels(names: Sequence[str]) -> str:
    """The Vega expression that names the rows by their place: two rows may have the same name."""
    return f"{json.dumps(list(names))}[datum.value]"


def _drawn(chart: Any) -> Markup:
    plain = chart.configure(background="transparent", font="sans-serif").configure_view(stroke=None)
    spec = plain.configure_axis(labelFontSize=SIZE, grid=True).configure_axisBand(grid=False).to_dict()
    return Markup(vl_convert.vegalite_to_svg(spec))  # noqa: S704 - Vega writes the SVG and escapes what is in the data

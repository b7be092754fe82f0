"""The pictures of the report, each a function from plain values to one SVG element."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from canarywood.evaluation.curves import CalibrationBin, Density, Histogram, Points
from canarywood.evaluation.svg import (
    GLYPH,
    Axis,
    Frame,
    number,
    path,
    percent,
    picture,
    shortened,
    tag,
    text,
    tick_label,
)

WIDTH = 480.0
SQUARE = 300.0  # plotting height of the pictures whose two axes mean the same
LABEL_CHARACTERS = 26
BLUE, ORANGE, QUIET = "blue", "orange", "quiet"  # classes of the style sheet


@dataclass(frozen=True)
class Line:
    """One curve; its name is written where it has room, at `name_at` (in values)."""

    points: Points
    class_: str = BLUE
    name: str = ""
    name_at: tuple[float, float] | None = None
    anchor: str = "start"


@dataclass(frozen=True)
class Bar:
    """One horizontal bar with its value written out; `note` shows on hovering."""

    label: str
    value: float
    shown: str
    note: str = ""


@dataclass(frozen=True)
class Interval:
    """A value with the range it may lie in; a range that is not known is left out."""

    label: str
    value: float
    low: float
    high: float
    note: str


def line_chart(title: str, lines: Sequence[Line], x: Axis, y: Axis) -> Markup:
    """Curves in one square frame."""
    frame = Frame(46, 28, WIDTH - 60, SQUARE, x, y)
    parts = frame.grid(vertical=True)
    for line in lines:
        parts.append(path((frame.at(*point) for point in line.points), f"line {line.class_}"))
        if line.name and line.name_at:
            place = frame.at(*line.name_at)
            parts.append(text(line.name, *place, anchor=line.anchor, class_=f"of {line.class_}"))
    return picture(WIDTH, 28 + SQUARE + 46, title, parts)


def calibration_chart(title: str, bins: Sequence[CalibrationBin], outcome: str) -> Markup:
    """What was said against what came, with the number of rows of each bin below."""
    share = Axis(0, 1, label=percent)
    frame = Frame(46, 28, WIDTH - 60, 232, share, Axis(0, 1, f"Share that was {outcome}", percent))
    parts = frame.grid(vertical=True)
    diagonal = (frame.at(0, 0), frame.at(1, 1))
    parts.append(path(diagonal, "line dashed quiet"))
    parts.append(text("as said", *frame.at(0.99, 0.82), anchor="end", class_="of quiet"))
    parts.append(path((frame.at(each.said, each.came) for each in bins), "line blue"))
    most = max((each.count for each in bins), default=1)
    strip = Frame(46, 292, WIDTH - 60, 52, Axis(0, 1), Axis(0, most))
    for each in bins:
        x, y = frame.at(each.said, each.came)
        note = f"said {percent(each.said)}, came {percent(each.came)}, {each.count:,} rows"
        parts.append(tag("circle", tag("title", note), cx=x, cy=y, r=4.0, class_="dot blue"))
        left, top = strip.at(each.low, each.count)
        right, bottom = strip.at(each.high, 0)
        parts.append(_box(left + 1.5, top, right - 1.5, bottom, "bar quiet", note))
        middle = (left + right) / 2
        parts.append(text(f"{each.count:,}", middle, bottom + 15, anchor="middle", class_="small"))
    parts.append(text("Rows", 0, 340, class_="name"))
    parts.append(text("Probability said", WIDTH - 14, 377, anchor="end", class_="name"))
    return picture(WIDTH, 384, title, parts)


def histogram_chart(title: str, groups: Sequence[tuple[str, str, Histogram]], x: Axis) -> Markup:
    """Groups as (name, class, histogram), laid over each other, each adding up to 100%."""
    top = max((share for _, _, each in groups for share in each.shares), default=0.0) or 1.0
    frame = Frame(46, 46, WIDTH - 60, SQUARE - 18, x, Axis(0, top * 1.05, "", percent, 4))
    parts = frame.grid()
    parts.append(text("Share of rows", 0, 12, class_="name"))
    for _, class_, each in groups:
        outline = []
        for i, share in enumerate(each.shares):
            outline.append(frame.at(each.edges[i], share))
            outline.append(frame.at(each.edges[i + 1], share))
        ends = [frame.at(each.edges[-1], 0), frame.at(each.edges[0], 0)]
        parts.append(path([*ends[1:], *outline, ends[0]], f"area {class_}", closed=True))
        parts.append(path([*ends[1:], *outline, ends[0]], f"line thin {class_}"))
    if frame.x.low < 0 < frame.x.high:
        parts.append(path((frame.at(0, 0), (frame.at(0, 0)[0], frame.top)), "line dashed quiet"))
    if len(groups) > 1:
        parts += _legend([(name, class_) for name, class_, _ in groups])
    return picture(WIDTH, SQUARE + 74, title, parts)


def bar_chart(title: str, bars: Sequence[Bar], class_: str = BLUE) -> Markup:
    """Horizontal bars, longest label first in width, values at their ends."""
    left = _label_width([bar.label for bar in bars])
    room = WIDTH - left - 12 - max((len(bar.shown) for bar in bars), default=0) * GLYPH - 8
    most = max((bar.value for bar in bars), default=0.0) or 1.0
    parts = []
    for i, bar in enumerate(bars):
        y, length = 4 + i * 24.0, max(room * bar.value / most, 0.0)
        note = bar.note or f"{bar.label}: {bar.shown}"
        parts.append(_row_label(bar.label, left, y + 13))
        parts.append(_box(left + 10, y, left + 10 + max(length, 1), y + 17, f"bar {class_}", note))
        parts.append(text(bar.shown, left + 16 + length, y + 13, class_="small"))
    return picture(WIDTH, 8 + len(bars) * 24.0, title, parts)


def interval_chart(title: str, rows: Sequence[Interval], overall: float, name: str) -> Markup:
    """A value and its range for each row, against the value of all rows."""
    known = [value for row in rows for value in (row.value, row.low, row.high) if _known(value)]
    low, high = min([*known, overall]), max([*known, overall])
    spare = (high - low) * 0.06 or 0.05
    left, notes = _label_width([row.label for row in rows]), 64.0
    height = len(rows) * 25.0
    x = Axis(low - spare, high + spare, name, tick_label, 4)
    frame = Frame(left + 10, 24, WIDTH - left - 20 - notes, height, x, Axis(0, 1))
    parts = frame.columns()
    middle, _ = frame.at(overall, 0)
    parts.append(tag("line", x1=middle, x2=middle, y1=20, y2=24 + height, class_="axis dashed"))
    parts.append(text(f"all rows {number(overall)}", middle, 14, anchor="middle", class_="small"))
    parts.append(text("Rows", WIDTH, 14, anchor="end", class_="name"))
    for i, row in enumerate(rows):
        y = 24 + i * 25.0 + 13
        parts.append(_row_label(row.label, left, y + 4))
        parts.append(text(row.note, WIDTH, y + 4, anchor="end", class_="small"))
        if not _known(row.value):
            parts.append(text("undefined", frame.left + 4, y + 4, class_="small quiet"))
            continue
        at, shown = frame.at(row.value, 0)[0], f"{row.label}: {number(row.value)}"
        if _known(row.low) and _known(row.high):
            one, two = frame.at(row.low, 0)[0], frame.at(row.high, 0)[0]
            shown += f" ({number(row.low)} to {number(row.high)})"
            parts.append(tag("line", x1=one, x2=two, y1=y, y2=y, class_="range blue"))
        parts.append(tag("circle", tag("title", shown), cx=at, cy=y, r=4.5, class_="dot blue"))
    return picture(WIDTH, 24 + height + 46, title, parts)


def matrix_chart(title: str, names: Sequence[str], cells: Sequence[Sequence[float]]) -> Markup:
    """The confusion matrix: true classes down, predicted ones across, shade by share of the row."""
    size = len(names)
    left = _label_width(names) + 8
    side = (WIDTH - left - 4) / size
    height = min(side, 96.0)
    room = max(int(side / GLYPH), 3)
    tilted = any(len(name) > room for name in names)
    top = 84.0 if tilted else 44.0
    parts = [text("Predicted", left, 12, class_="name"), text("True", 0, top - 8, class_="name")]
    for i, name in enumerate(names):
        middle = left + (i + 0.5) * side
        parts.append(_column_label(name, middle, top - 8, tilted=tilted))
        parts.append(_row_label(name, left - 8, top + (i + 0.5) * height + 4))
    for i, row in enumerate(cells):
        total = sum(row)
        for k, value in enumerate(row):
            x, y = left + k * side, top + i * height
            share = value / total if total > 0 else 0.0
            note = f"{names[i]} taken for {names[k]}: {number(value)} ({percent(share)})"
            kind = "right" if i == k else "wrong"
            parts += _cell((x, y, side, height), (share, kind), number(value), note)
    return picture(WIDTH, top + size * height + 4, title, parts)


def density_chart(title: str, density: Density, unit: str) -> Markup:
    """Where pairs of (predicted, true) lie: the darker, the more rows; on the line is right."""
    low = float(min(density.x_edges[0], density.y_edges[0]))
    high = float(max(density.x_edges[-1], density.y_edges[-1]))
    scale = Axis(low, high, f"Predicted {unit}")
    frame = Frame(46, 28, WIDTH - 60, SQUARE + 60, scale, Axis(low, high, f"True {unit}"))
    parts = frame.grid()
    parts += _heat(frame, density)
    parts.append(path((frame.at(low, low), frame.at(high, high)), "line dashed quiet"))
    return picture(WIDTH, 28 + SQUARE + 60 + 46, title, parts)


def _heat(frame: Frame, density: Density) -> list[Markup]:
    """One path for each of ten shades: by logarithm, so that single rows stay visible."""
    x_edges, y_edges = density.x_edges, density.y_edges
    most = float(density.values.max()) or 1.0
    shades: dict[int, list[str]] = {}
    for i, k in zip(*density.values.nonzero(), strict=True):
        shade = math.ceil(10 * math.log1p(float(density.values[i, k])) / math.log1p(most))
        x, bottom = frame.at(float(x_edges[i]), float(y_edges[k]))
        right, y = frame.at(float(x_edges[i + 1]), float(y_edges[k + 1]))
        cell = f"M{x:.1f},{y:.1f}H{right:.1f}V{bottom:.1f}H{x:.1f}Z"
        shades.setdefault(shade, []).append(cell)
    return [
        tag("path", d="".join(cells), class_=f"heat h{shade}")
        for shade, cells in sorted(shades.items())
    ]


def _cell(
    place: tuple[float, float, float, float], shade: tuple[float, str], shown: str, note: str
) -> list[Markup]:
    x, y, width, height = place
    share, kind = shade
    box = tag(
        "rect",
        tag("title", note),
        x=x + 1,
        y=y + 1,
        width=width - 2,
        height=height - 2,
        rx=2.0,
        class_=f"cell {kind}",
        style=f"--share:{share:.2f}",
    )
    if len(shown) * GLYPH > width:
        return [box]
    strong = " strong" if share > 0.55 else ""
    place_x, place_y = x + width / 2, y + height / 2 + 4
    if width > 90 and height > 50:
        return [
            box,
            text(shown, place_x, place_y - 8, anchor="middle", class_=f"count{strong}"),
            text(percent(share), place_x, place_y + 12, anchor="middle", class_=f"in{strong}"),
        ]
    return [box, text(shown, place_x, place_y, anchor="middle", class_=f"in{strong}")]


def _legend(names: Sequence[tuple[str, str]]) -> list[Markup]:
    """Names with their colours, in one line at the upper right."""
    parts, right = [], WIDTH - 14
    for name, class_ in reversed(names):
        shown = shortened(name, 18)
        parts.append(text(shown, right, 12, anchor="end", class_=f"of {class_}"))
        right -= len(shown) * GLYPH * 1.22 + 8  # these are bold
        parts.append(_box(right - 12, 2, right, 13, f"area legend {class_}"))
        right -= 28
    return parts


def _label_width(labels: Sequence[str]) -> float:
    longest = max((len(label) for label in labels), default=0)
    return max(min(longest, LABEL_CHARACTERS), 4) * GLYPH + 4


def _row_label(label: str, right: float, y: float) -> Markup:
    shown = shortened(label, LABEL_CHARACTERS)
    return _titled(text(shown, right, y, anchor="end", class_="label"), label, shown)


def _column_label(label: str, x: float, y: float, *, tilted: bool) -> Markup:
    if not tilted:
        return text(label, x, y, anchor="middle", class_="label")
    shown = shortened(label, 14)
    drawn = tag("text", shown, x=x, y=y, class_="label", transform=f"rotate(-35 {x:.1f} {y:.1f})")
    return _titled(drawn, label, shown)


def _titled(drawn: Markup, label: str, shown: str) -> Markup:
    """The whole text on hovering, where it had to be cut."""
    return drawn if shown == label else tag("g", tag("title", label), drawn)


def _box(x: float, y: float, right: float, bottom: float, class_: str, note: str = "") -> Markup:
    content = (tag("title", note),) if note else ()
    size = {"width": max(right - x, 0.0), "height": max(bottom - y, 0.0)}
    return tag("rect", *content, x=x, y=y, class_=class_, **size)


def _known(value: float) -> bool:
    return math.isfinite(value)

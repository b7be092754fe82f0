"""Drawing in SVG: elements, scales, axes. markupsafe only; every text is escaped here.

Colours are not written into the pictures: they are classes that the page's style sheet fills in,
so that one picture serves light, dark and paper.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from markupsafe import Markup, escape

Labeller = Callable[[float], str]
GLYPH = 6.6  # average width of a character at the 12 px of the pictures


def tag(name: str, *content: str, **attributes: object) -> Markup:
    """One element; `class_` becomes class, `stroke_width` stroke-width, content is escaped."""
    written = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _short(value))
        for key, value in attributes.items()
        if value is not None
    )
    # Markup() trusts only the element's own name; attributes and content were escaped above
    opening = Markup("<") + escape(name) + written
    if not content:
        return opening + Markup("/>")
    inside = Markup("").join(content)
    return opening + Markup(">") + inside + Markup("</") + escape(name) + Markup(">")


def text(content: str, x: float, y: float, *, anchor: str = "start", class_: str = "") -> Markup:
    """One line of text; anchor is start, middle or end."""
    return tag(
        "text",
        content,
        x=x,
        y=y,
        text_anchor=None if anchor == "start" else anchor,
        class_=class_ or None,
    )


def picture(width: float, height: float, title: str, parts: Iterable[Markup]) -> Markup:
    """A whole picture that scales with its column; the title is read aloud."""
    return tag(
        "svg",
        *parts,
        viewBox=f"0 0 {_short(width)} {_short(height)}",
        role="img",
        aria_label=title,
    )


def path(points: Iterable[tuple[float, float]], class_: str, *, closed: bool = False) -> Markup:
    """A line through pixels; filled shapes are closed."""
    steps = [f"{_short(x)},{_short(y)}" for x, y in points]
    if not steps:
        return Markup("")
    return tag("path", d="M" + "L".join(steps) + ("Z" if closed else ""), class_=class_)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers from low to high, 1, 2 or 5 times a power of ten apart."""
    if not high > low:
        return [low]
    raw = (high - low) / max(about, 1)
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next(m * magnitude for m in (1, 2, 5, 10) if m * magnitude >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [i * step for i in range(first, last + 1)]


def percent(value: float) -> str:
    """0.253 as 25%; small shares keep their digits, none is shown as nothing."""
    scaled = 100 * value
    digits = 0 if abs(scaled) >= 10 or abs(scaled - round(scaled)) < 0.005 else 1
    shown = f"{scaled:.{digits}f}"
    return "<0.1%" if shown == "0.0" and scaled > 0 else f"{shown}%"


def number(value: float) -> str:
    """A number for people: thousands separated, about three significant digits.

    Four decimals where three would hide what is left: 0.9991, 0.0003.
    """
    if not math.isfinite(value):
        return "n/a"
    size = abs(value)
    if size >= 1000 or size == round(size):
        return f"{value:,.0f}".replace("-", "\N{MINUS SIGN}") if value else "0"
    if size < 0.00005:
        return "<0.0001" if value > 0 else ">\N{MINUS SIGN}0.0001"
    edge = size < 0.0095 or 0.995 <= size < 0.99995
    digits = 1 if size >= 100 else 2 if size >= 1 else 4 if edge else 3
    return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def tick_label(value: float) -> str:
    """A round number as short as it can be."""
    shown = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.6g}"
    return shown.replace("-", "\N{MINUS SIGN}") if float(f"{value:.6g}") else "0"


def shortened(content: str, characters: int) -> str:
    """The text, cut with an ellipsis where it is longer."""
    return content if len(content) <= characters else content[: characters - 1].rstrip() + "…"


@dataclass(frozen=True)
class Axis:
    """One axis of a frame: its ends, its name and how its ticks are written."""

    low: float
    high: float
    name: str = ""
    label: Labeller = tick_label
    about: int = 5

    def share(self, value: float) -> float:
        """Where the value lies: 0 at the low end, 1 at the high one, never outside."""
        if not self.high > self.low:
            return 0.5
        return min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)


@dataclass(frozen=True)
class Frame:
    """The plotting area of a picture, in pixels, with its two axes."""

    left: float
    top: float
    width: float
    height: float
    x: Axis
    y: Axis

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The pixel of a point."""
        return (
            self.left + self.width * self.x.share(x),
            self.top + self.height * (1 - self.y.share(y)),
        )

    def grid(self, *, vertical: bool = False) -> list[Markup]:
        """Both axes: lines, labels of the ticks, names."""
        return [*self.rows(), *self.columns(lines=vertical)]

    def rows(self) -> list[Markup]:
        """The y axis: its lines across, its labels on the left, its name above."""
        right = self.left + self.width
        parts = [text(self.y.name, 0, self.top - 14, class_="name")] if self.y.name else []
        for value in ticks(self.y.low, self.y.high, self.y.about):
            _, y = self.at(self.x.low, value)
            parts.append(tag("line", x1=self.left, x2=right, y1=y, y2=y, class_="grid"))
            parts.append(text(self.y.label(value), self.left - 8, y + 4, anchor="end"))
        return parts

    def columns(self, *, lines: bool = True) -> list[Markup]:
        """The x axis: its lines down, its labels below, its name below them on the right."""
        right, bottom = self.left + self.width, self.top + self.height
        parts = [tag("line", x1=self.left, x2=right, y1=bottom, y2=bottom, class_="axis")]
        for value in ticks(self.x.low, self.x.high, self.x.about):
            x, _ = self.at(value, self.y.low)
            if lines:
                parts.append(tag("line", x1=x, x2=x, y1=self.top, y2=bottom, class_="grid"))
            parts.append(text(self.x.label(value), x, bottom + 18, anchor="middle"))
        if self.x.name:
            parts.append(text(self.x.name, right, bottom + 38, anchor="end", class_="name"))
        return parts


def _short(value: object) -> str:
    """Numbers with at most one decimal: more cannot be seen, and the page stays small."""
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0")
    return str(value)

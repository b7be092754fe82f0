"""Drawing: escaping, ticks, and numbers that people can read."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest

from canarywood.evaluation.svg import Axis, Frame, number, path, percent, picture, tag, text, ticks


def test_text_and_attributes_are_escaped():
    drawn = picture(10, 10, '"><script>', [text("<script>&", 1, 2), tag("g", "</g>", class_='"x')])
    assert "<script>" not in drawn
    root = ElementTree.fromstring(drawn)  # noqa: S314 - made here
    assert root.get("aria-label") == '"><script>'
    assert [child.text for child in root] == ["<script>&", "</g>"]


def test_pixels_have_at_most_one_decimal():
    assert path([(1.0, 2.0), (1 / 3, 2.06)], "line") == '<path d="M1,2L0.3,2.1" class="line"/>'
    assert path([], "line") == ""


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (-5, 9, [-4, -2, 0, 2, 4, 6, 8]),
        (0, 2400, [0, 500, 1000, 1500, 2000]),
        (3, 3, [3]),
    ],
)
def test_ticks_are_round(low, high, expected):
    assert ticks(low, high, 5 if low != -5 else 7) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (1, "1"),
        (27564, "27,564"),
        (0.66354, "0.664"),
        (0.9991, "0.9991"),
        (0.00032, "0.0003"),
        (1e-9, "<0.0001"),
        (-1e-9, ">\N{MINUS SIGN}0.0001"),
        (-2.704, "\N{MINUS SIGN}2.70"),
        (118.75, "118.8"),
        (math.nan, "n/a"),
        (math.inf, "n/a"),
    ],
)
def test_numbers_show_about_three_digits(value, shown):
    assert number(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0%"), (0.279, "28%"), (0.0299, "3.0%"), (0.03, "3%"), (0.0004, "<0.1%"), (1, "100%")],
)
def test_small_shares_keep_their_digits(value, shown):
    assert percent(value) == shown


def test_a_point_outside_the_axes_is_drawn_at_their_end():
    frame = Frame(10, 20, 100, 50, Axis(0, 1), Axis(0, 2))
    assert frame.at(0.5, 1) == (60, 45)
    assert frame.at(9, -9) == (110, 70)


def test_an_axis_without_length_puts_its_value_in_the_middle():
    assert Axis(3, 3).share(3) == 0.5

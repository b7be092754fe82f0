"""A number is the same text to the formats and to the schema."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from canarywood.errors import RequestError
from canarywood.formats import numbers
from canarywood.schema import cells

NOTHING = cells.Missing.of(())
texts = st.one_of(
    st.floats().map(repr),
    st.text(alphabet="0123456789+-.eEinfty_x\u0131\uff11", min_size=1, max_size=8),
    st.sampled_from(["3.4028235677973366e38", "3.4028235677973362e38", "1e39", "-Infinity"]),
)


def test_the_patterns_are_those_of_the_schema() -> None:
    assert numbers.NUMBER == cells.NUMBER
    assert numbers.INFINITY == cells.INFINITY


@given(texts)
def test_a_text_is_the_same_number_or_the_same_fault_to_both(text: str) -> None:
    found: list[tuple[str, float | str]] = []
    for read in (numbers.number, lambda text: cells.number(text, NOTHING)):
        try:
            found.append(("number", read(text)))
        except RequestError as error:
            found.append(("error", error.code))
    assert found[0] == found[1]


def test_a_missing_text_is_nan_but_a_number_among_them_stays_that_number() -> None:
    assert math.isnan(numbers.number("NA", {"NA", "-999"}))
    assert numbers.number("-999", {"NA", "-999"}) == -999

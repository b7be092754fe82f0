"""Media types: what a client may write, and what is chosen for it."""

from __future__ import annotations

import pytest

from canarywood import media
from canarywood.errors import AcceptError, MediaTypeError

OURS = (media.CSV, media.JSON, media.JSON_LINES)


@pytest.mark.parametrize(
    ("header", "name", "parameters"),
    [
        ("text/csv", media.CSV, {}),
        ("Text/CSV", media.CSV, {}),
        (" text/csv ; charset=utf-8", media.CSV, {"charset": "utf-8"}),
        ('text/csv; Charset="UTF-8"', media.CSV, {"charset": "UTF-8"}),
        ("text/csv;label_size=0", media.CSV, {"label_size": "0"}),
        ("text/csv;", media.CSV, {}),
        ("csv", media.CSV, {}),
        ("application/x-ndjson", media.JSON_LINES, {}),
        ("application/jsonl", media.JSON_LINES, {}),
        ("text/json", media.JSON, {}),
        ("application/vnd.apache.parquet", media.PARQUET, {}),
        ("image/png", "image/png", {}),
        ("", "", {}),
    ],
)
def test_a_content_type_is_read(header: str, name: str, parameters: dict[str, str]) -> None:
    assert media.parse(header) == media.MediaType(name, parameters)


@pytest.mark.parametrize("header", [None, "", "  ", "application/xml", "text/csv; charset=utf-16"])
def test_a_type_that_is_not_ours_is_a_415_that_lists_ours(header: str | None) -> None:
    with pytest.raises(MediaTypeError) as caught:
        media.content_type(header, OURS)
    assert caught.value.status == 415
    assert "utf-8" in caught.value.detail or "text/csv, application/json" in caught.value.detail


@pytest.mark.parametrize(
    ("header", "parameters"),
    [
        ("text/csv; label_size=0; charset=UTF-8", {}),
        ("text/csv; Label_Size=1", {"label_size": "1"}),
        ('text/csv; header="absent"; label_size=0', {"header": "absent"}),
        ("text/csv; header=present; q=1", {"header": "present"}),
        ("application/json; header=whatever; label_size=7", {}),
    ],
)
def test_a_type_of_ours_keeps_the_parameters_that_change_how_it_is_read(
    header: str, parameters: dict[str, str]
) -> None:
    assert media.content_type(header, OURS).parameters == parameters


@pytest.mark.parametrize("parameter", ["label_size=2", "label_size=", "header=maybe", "header"])
def test_a_parameter_that_cannot_be_met_is_a_415(parameter: str) -> None:
    with pytest.raises(MediaTypeError, match=r"is not supported; send (label_size=0|header=pres)"):
        media.content_type(f"text/csv; {parameter}", OURS)


@pytest.mark.parametrize(
    ("accept", "outputs", "is_asked"),
    [
        (None, None, False),
        ("*/*", None, False),
        ("*/*; outputs=probability", ("probability",), False),
        ("text/csv", None, True),
        ("text/*;outputs=leaves", ("leaves",), False),
        ("text/csv; outputs=predicted_label,probability", ("predicted_label", "probability"), True),
        ('text/csv; outputs="predicted_label, labels"', ("predicted_label", "labels"), True),
        ("text/csv; outputs=a,b;q=0.9, application/json;q=0.1", ("a", "b"), True),
        ("text/csv; outputs=a,b,json;q=0.1", ("a", "b"), True),
        ("application/json;q=0.1;outputs=x, text/csv", None, True),
        ("text/csv; Outputs=a", ("a",), True),
        ("text/csv; outputs=", ("",), True),
    ],
)
def test_an_accept_may_say_what_the_answer_holds(
    accept: str | None, outputs: tuple[str, ...] | None, is_asked: bool
) -> None:
    assert media.accepted(accept, OURS) == media.Accepted(media.CSV, outputs, is_asked)


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, media.CSV),
        ("", media.CSV),
        ("*/*", media.CSV),
        ("text/*", media.CSV),
        ("application/*", media.JSON),
        ("application/json, text/csv;q=0.5", media.JSON),
        ("text/csv;q=0.5, application/json;q=0.4", media.CSV),
        ("application/json;q=0, */*", media.CSV),
        ("text/csv;q=0, */*", media.JSON),
        ("image/png, application/jsonlines;q=0.1", media.JSON_LINES),
        ("TEXT/CSV;Q=0.2, application/json;q=0.1", media.CSV),
        ("application/x-ndjson", media.JSON_LINES),
        ("text/html, */*;q=0.1", media.CSV),
        ("application/json, text/csv", media.CSV),
        (",, application/json ,", media.JSON),
        ("application/json;q=nan, text/csv;q=0.1", media.CSV),
        ("application/json;q=7, text/csv;q=0.1", media.CSV),
        ("application/json;q=high, text/csv;q=0.1", media.CSV),
    ],
)
def test_the_best_type_is_chosen(accept: str | None, chosen: str) -> None:
    assert media.choose(accept, OURS) == chosen


@pytest.mark.parametrize("accept", ["image/png", "text/csv;q=0", "*/*;q=0", "nonsense", ";", ","])
def test_an_accept_that_cannot_be_met_is_a_406(accept: str) -> None:
    with pytest.raises(AcceptError) as caught:
        media.choose(accept, OURS)
    assert caught.value.status == 406


def test_a_long_header_makes_a_short_message() -> None:
    with pytest.raises(AcceptError) as accept:
        media.choose("x" * 10_000, OURS)
    with pytest.raises(MediaTypeError) as content:
        media.content_type("x" * 10_000, OURS)
    assert len(str(accept.value)) < 300
    assert len(str(content.value)) < 300

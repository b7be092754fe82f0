from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from canarywood import logs
from canarywood.logs import JsonLines, Share, fields


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """The root logger writes here for the time of a test."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    target = io.StringIO()
    logs.configure(logging.INFO, target)
    yield target
    root.handlers[:] = handlers
    root.setLevel(level)


def test_an_event_is_one_line_of_json_with_its_fields(stream: io.StringIO) -> None:
    logging.getLogger("there").info("worker ready", extra=fields(pid=12, path="ü\n"))
    text = stream.getvalue()
    assert text.count("\n") == 1
    line = json.loads(text)
    assert line["event"] == "worker ready"
    assert (line["level"], line["logger"]) == ("info", "there")
    assert (line["pid"], line["path"]) == (12, "ü\n")


def test_events_below_the_level_are_dropped(stream: io.StringIO) -> None:
    logging.getLogger("there").debug("detail")
    assert stream.getvalue() == ""


def test_the_time_is_utc_with_milliseconds() -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, "e", None, None)
    record.created = 1_700_000_000.25
    assert json.loads(JsonLines().format(record))["time"] == "2023-11-14T22:13:20.250Z"


def test_a_value_that_json_does_not_know_is_written_as_text(stream: io.StringIO) -> None:
    logging.getLogger("there").info("odd", extra=fields(value={1}))
    assert json.loads(stream.getvalue())["value"] == "{1}"


def test_an_exception_brings_its_stack_in_the_same_line(stream: io.StringIO) -> None:
    try:
        raise KeyError("k")
    except KeyError:
        logging.getLogger("there").exception("failed")
    assert stream.getvalue().count("\n") == 1
    assert json.loads(stream.getvalue())["stack"].endswith("KeyError: 'k'")


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0.0, "........"),
        (0.25, "x...x..."),
        (0.5, "x.x.x.x."),
        (1.0, "xxxxxxxx"),
    ],
)
def test_a_share_is_picked_evenly(share: float, expected: str) -> None:
    picker = Share(share)
    assert "".join("x" if picker.picks() else "." for _ in range(8)) == expected

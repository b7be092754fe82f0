import io
import re

import pytest

from ops.screen import RED, Screen


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def lines(stream: io.StringIO) -> list[str]:
    return stream.getvalue().splitlines()


def test_in_a_file_a_step_is_one_plain_line() -> None:
    stream, clock = io.StringIO(), Clock()
    screen = Screen(stream, {}, clock)
    with screen.step("train") as line:
        clock.now = 2.34
        line.progress("[1] auc:0.5")
        line.note = "auc 0.668"
    assert lines(stream) == ["  train         2.3 s  auc 0.668"]


def test_a_step_that_raises_is_shown_as_failed() -> None:
    stream = io.StringIO()
    with pytest.raises(ValueError, match="no"), Screen(stream, {}, Clock()).step("train"):
        raise ValueError("no")
    assert lines(stream) == ["  train         0.0 s  failed"]


def test_on_a_terminal_progress_is_drawn_over_ten_times_a_second() -> None:
    stream, clock = Terminal(), Clock()
    with Screen(stream, {}, clock).step("train") as line:
        for moment in (0.05, 0.2, 0.25, 0.31):
            clock.now = moment
            line.progress(f"at {moment}")
    shown = re.findall(r"at (\S+)", stream.getvalue())
    assert shown == ["0.2", "0.31"]


def test_control_characters_of_a_job_never_reach_the_terminal() -> None:
    stream = Terminal()
    with Screen(stream, {"NO_COLOR": "1"}, Clock()).step("train") as line:
        line.note = "a\x1b[31mb\tc"
    assert stream.getvalue().endswith("0.0 s  a [31mb c\n")


@pytest.mark.parametrize(
    ("stream", "environment", "expected"),
    [
        (Terminal(), {}, "\x1b[31mtext\x1b[0m"),
        (Terminal(), {"NO_COLOR": "1"}, "text"),
        (Terminal(), {"NO_COLOR": ""}, "\x1b[31mtext\x1b[0m"),
        (Terminal(), {"TERM": "dumb"}, "text"),
        (io.StringIO(), {}, "text"),
    ],
)
def test_colours_are_for_terminals_alone(
    stream: io.StringIO, environment: dict[str, str], expected: str
) -> None:
    assert Screen(stream, environment).paint("text", RED) == expected


def test_a_table_aligns_numbers_to_the_right() -> None:
    stream = io.StringIO()
    Screen(stream, {}).table(["carrier", "hour"], [["UA", "5"], ["B6", "17"]])
    assert lines(stream) == ["  carrier  hour", "  UA          5", "  B6         17"]

"""The user's functions are found by name, and what is wrong with them is said of their file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from canarywood import steps
from canarywood.steps import StepError

Write = Callable[[str], str]


@pytest.fixture
def write(tmp_path: Path) -> Iterator[Write]:
    """Puts a file into the package `model`, whose folder is found like the user's own."""
    import model

    model.__path__.append(str(tmp_path))

    def write(text: str) -> str:
        (tmp_path / "probe.py").write_text(text)
        return "probe"

    yield write
    model.__path__.remove(str(tmp_path))
    sys.modules.pop("model.probe", None)
    vars(model).pop("probe", None)


def test_a_function_is_found(write: Write) -> None:
    module = write("def double(x):\n    return 2 * x\n")
    assert steps.load(module, "double")(4) == 8
    assert steps.find(module, "halve") is None


def test_a_missing_function_is_named_with_its_file(write: Write) -> None:
    with pytest.raises(StepError, match=r"model/probe\.py lacks the function halve\(\.\.\.\)"):
        steps.load(write(""), "halve")


def test_a_missing_file_is_named() -> None:
    with pytest.raises(StepError, match=r"model/nowhere\.py cannot be imported: No module named"):
        steps.find("nowhere", "train")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import no_such_library", "cannot be imported: No module named 'no_such_library'"),
        ("1 / 0", "fails on import: ZeroDivisionError"),
        ("def f(:", "fails on import: SyntaxError"),
        ("from math import no_such_name", "fails on import: ImportError"),
        ("step = 5", "step is not a function"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(write: Write, text: str, said: str) -> None:
    with pytest.raises(StepError, match=rf"model/probe\.py:? {said}"):
        steps.find(write(text), "step")

"""The documentation is complete: what the code offers is written down, and nothing else is."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from canarywood.__main__ import COMMANDS
from canarywood.artifact import Manifest
from canarywood.preparation import spec
from canarywood.schema import definition
from canarywood.serving import metrics, wsgi
from canarywood.settings import ServeSettings, declarations
from canarywood.training.hyperparameters import OUR_NAMES
from docs.__main__ import PAGES, REFERENCE
from ops.__main__ import cli
from tests.house_rules import tree
from tests.house_rules.tree import ROOT

SPECS = (
    spec.ColumnSpec,
    spec.JoinSpec,
    spec.DerivedSpec,
    spec.TargetSpec,
    spec.SplitSpec,
    spec.DataSpec,
)
SCHEMA = (
    definition.Column,
    definition.Derived,
    definition.Target,
    definition.Schema,
    Manifest,
)
FURTHER_KEYS = ("data", "train", "serve", "files", "leakage", "threshold")
RENAMED = {"leakage_threshold"}  # `leakage: {threshold: ...}` in the file


def page(name: str) -> str:
    return tree.text(REFERENCE / name)


def unnamed(names: list[str], text: str) -> list[str]:
    """Those of the names that a page does not hold as `code`."""
    return [name for name in names if f"`{name}`" not in text]


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_up_to_date(name: str) -> None:
    assert (REFERENCE / name).read_text(encoding="utf-8") == PAGES[name](), "run `make docs`"


def test_every_command_of_the_image_has_a_chapter() -> None:
    headings = re.findall(r"^### `(\w+)`", page("commands.md"), re.MULTILINE)
    assert headings == list(COMMANDS)


def test_every_command_and_option_of_the_operator_is_documented() -> None:
    text = page("commands.md")
    names = [f"python -m ops {name}" for name in cli.commands]
    options = [
        option
        for command in cli.commands.values()
        for parameter in command.params
        for option in parameter.opts
        if option.startswith("--")
    ]
    assert [name for name in names + options if name not in text] == []


def test_every_make_target_is_documented() -> None:
    targets = re.findall(r"^([a-z-]+):.*## ", tree.text(ROOT / "Makefile"), re.MULTILINE)
    text = page("commands.md")
    assert [name for name in targets if f"make {name}" not in text] == []


def test_every_setting_is_documented() -> None:
    names = [name for item in declarations(ServeSettings).values() for name in item.names]
    assert unnamed(names, page("settings.md")) == []


def test_every_route_is_documented() -> None:
    headings = re.findall(r"^## `(?:GET|POST) (/[\w./-]+)`", page("http.md"), re.MULTILINE)
    assert sorted(headings) == sorted([*wsgi.ROUTES, "/ping"])


def test_every_counter_is_documented() -> None:
    source = tree.text(Path(metrics.__file__))
    assert unnamed(re.findall(r'"(canarywood_\w+)"', source), _counters(page("http.md"))) == []


def _counters(text: str) -> str:
    """Prometheus adds `_total` to the name of a counter."""
    return text.replace("_total`", "`")


def test_every_code_of_an_error_is_documented() -> None:
    image = tree.below("container", suffix=".py")
    codes = {code for path in image for code in re.findall(r'\bcode="(\w+)"', tree.text(path))}
    codes |= {
        code for path in image for code in re.findall(r'^    code = "(\w+)"', tree.text(path), re.M)
    }
    never_raised_as_such = {"body", "rows"}  # defaults of classes whose every use gives a code
    assert unnamed(sorted(codes - never_raised_as_such), page("errors.md")) == []


def test_every_key_of_the_project_file_is_documented() -> None:
    keys = {item.name for kind in SPECS for item in dataclasses.fields(kind)}
    assert unnamed(sorted((keys - RENAMED) | {*FURTHER_KEYS}), page("project.md")) == []


def test_every_hyperparameter_of_our_own_is_documented() -> None:
    assert unnamed(list(OUR_NAMES), page("project.md")) == []


def test_every_field_of_the_artifacts_files_is_documented() -> None:
    names = {item.name for kind in SCHEMA for item in dataclasses.fields(kind)}
    assert unnamed(sorted(names), page("schema.md")) == []


def test_every_page_is_reached_from_the_contents() -> None:
    contents = tree.text(ROOT / "docs" / "README.md")
    pages = [path for path in tree.pages() if path.relative_to(ROOT).parts[0] == "docs"]
    names = [path.relative_to(ROOT / "docs").as_posix() for path in pages]
    assert [name for name in names if name != "README.md" and f"({name})" not in contents] == []

"""What the pages say works: links lead somewhere, blocks run, settings files are read."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost
import yaml

from canarywood.preparation.spec import DataSpec
from ops import project
from ops.yaml_file import read_yaml
from tests.house_rules import tree
from tests.house_rules.tree import ROOT, Block

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
TARGETS = set(re.findall(r"^([a-z-]+):", tree.text(ROOT / "Makefile"), re.MULTILINE))


def test_every_link_leads_to_a_file_and_a_heading() -> None:
    lost = []
    for page in tree.pages():
        for link in LINK.findall(tree.prose(page)):
            if link.startswith(("http://", "https://")):
                continue
            file, _, anchor = link.partition("#")
            target = (page.parent / file).resolve() if file else page
            if not target.exists() or (anchor and anchor not in anchors(target)):
                lost.append(f"{tree.name(page)}: {link}")
    assert lost == []


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    titles = HEADING.findall(tree.prose(page))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_readme_shows_a_command_before_it_explains() -> None:
    lines = tree.text(ROOT / "README.md").splitlines()
    assert lines.index("make run") < 14


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    """A folder with an unpacked model artifact, as the pages speak of one."""
    random = np.random.default_rng(0)
    rows = xgboost.DMatrix(random.normal(size=(50, 3)), random.normal(size=50))
    (tmp_path / "model").mkdir()
    made = tmp_path / "model" / "xgboost-model.ubj"
    xgboost.train({}, rows, 2).save_model(made)
    made.rename(tmp_path / "model" / "xgboost-model")
    return tmp_path


def test_every_python_block_runs(artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(artifact)
    names: dict[Path, dict[str, Any]] = {}
    found = tree.blocks("python")
    for block in found:
        program = compile("\n" * block.line + block.text, str(block.page), "exec")
        exec(program, names.setdefault(block.page, {}))  # noqa: S102 - our own pages
    assert found


def test_every_make_target_in_a_block_is_in_the_makefile() -> None:
    used = {
        (block.place, target)
        for block in tree.blocks("sh")
        for line in block.text.splitlines()
        for target in re.findall(r"(?:^|[;&|] *)make ([a-z-]+)", line)
    }
    assert used
    assert {(place, target) for place, target in used if target not in TARGETS} == set()


def test_every_program_in_a_block_is_there() -> None:
    lost = []
    for block in tree.blocks("sh"):
        modules = re.findall(r"python3? -m ([\w.]+)", block.text)
        scripts = re.findall(r"(?<!\S)((?:scripts|ops)/[\w./-]+)", block.text)
        lost += [f"{block.place}: {name}" for name in modules if not find_spec(name)]
        lost += [f"{block.place}: {name}" for name in scripts if not (ROOT / name).exists()]
    assert lost == []


@pytest.mark.parametrize("block", tree.blocks("yaml"), ids=lambda block: block.place)
def test_every_settings_file_in_a_page_is_read(block: Block, tmp_path: Path) -> None:
    """A part of a file is completed: with a name, files and a target, where it has none."""
    path = tmp_path / "project.yml"
    path.write_text(block.text, encoding="utf-8")
    value: Any = read_yaml(path)
    if not {"name", "data", "train", "serve"} & value.keys():
        value = {"data": value}
    data = value.setdefault("data", {})
    value.setdefault("name", "part")
    data.setdefault("files", "data.csv")
    data.setdefault("target", "y")
    path.write_text(yaml.safe_dump(value), encoding="utf-8")
    assert DataSpec.from_json(project.load(path).data).target.column

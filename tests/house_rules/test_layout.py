"""Rules for where things stand and who may import whom."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import xgboost

from tests.house_rules import tree
from tests.house_rules.tree import ROOT

CODE = ROOT / "container" / "code"
# Folders of tests that drive the whole and have no module of their own.
OF_THE_WHOLE = {"system", "docker", "house_rules"}
HEAVY = ("xgboost", "scipy", "pandas", "pyarrow", "sklearn", "jinja2.ext", "matplotlib")


def test_the_import_rules_hold() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(CODE), str(ROOT)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_container_code_is_an_import_root_and_no_package() -> None:
    assert not (CODE / "__init__.py").exists()
    assert sorted(path.name for path in CODE.iterdir() if path.name != "__pycache__") == [
        "canarywood",
        "model",
    ]


def test_serving_a_model_loads_neither_the_xgboost_package_nor_tables(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rows = xgboost.DMatrix(random.normal(size=(50, 3)), random.integers(0, 2, 50))
    booster = xgboost.train({"objective": "binary:logistic"}, rows, 2)
    (tmp_path / "model").mkdir()
    booster.save_model(tmp_path / "model" / "model.ubj")
    (tmp_path / "model" / "model.ubj").rename(tmp_path / "model" / "xgboost-model")
    (tmp_path / "metrics").mkdir()
    program = (
        "import sys; from canarywood.serving.wsgi import create; create();"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(CODE),
            "SAGEMAKER_BASE_DIR": str(tmp_path),
            "CANARYWOOD_RUN_FOLDER": str(tmp_path),
            "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "metrics"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines()[-1:] == ["[]"], done.stdout + done.stderr


def test_every_folder_of_tests_mirrors_one_of_the_sources() -> None:
    folders = {path.parent.relative_to(ROOT / "tests") for path in tree.below("tests")}
    lost = [
        folder.as_posix()
        for folder in folders
        if folder.parts and folder.parts[0] not in OF_THE_WHOLE and not _source_of(folder).is_dir()
    ]
    assert lost == []


def _source_of(folder: Path) -> Path:
    """tests/container/serving -> container/code/canarywood/serving; tests/ops -> ops."""
    first, *rest = folder.parts
    if first != "container":
        return ROOT / folder
    top = CODE if rest[:1] == ["model"] else CODE / "canarywood"
    return top.joinpath(*rest)


def test_folders_of_tests_are_no_packages() -> None:
    tests = [tree.name(path) for path in tree.below("tests", suffix=".py")]
    assert [name for name in tests if name.endswith("/__init__.py")] == []

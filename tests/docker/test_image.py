"""What the image is, before anything runs in it: configuration, weight, what it does not hold."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.docker import engine

ROOT = Path(__file__).parents[2]
LIMIT_BYTES = 450_000_000


def test_the_entry_point_is_the_command_in_exec_form_and_gets_sigterm_itself(image: str) -> None:
    configuration = engine.inspect(image)["Config"]
    assert configuration["Entrypoint"] == ["/opt/venv/bin/python", "-m", "canarywood"]
    assert configuration["Cmd"] == ["serve"]
    assert configuration["StopSignal"] == "SIGTERM"
    assert configuration["ExposedPorts"] == {"8080/tcp": {}}


def test_the_image_names_no_user_because_the_platform_starts_it_as_root(image: str) -> None:
    assert engine.inspect(image)["Config"]["User"] == ""


def test_the_labels_say_what_the_image_can_and_where_it_comes_from(image: str) -> None:
    labels = engine.inspect(image)["Config"]["Labels"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert labels["com.amazonaws.sagemaker.capabilities.accept-bind-to-port"] == "true"
    assert "com.amazonaws.sagemaker.capabilities.multi-models" not in labels
    assert labels["org.opencontainers.image.version"] == project["version"]
    assert labels["org.opencontainers.image.licenses"] == project["license"]
    assert re.fullmatch("[0-9a-f]{40}(-dirty)?", labels["org.opencontainers.image.revision"])


def test_python_writes_at_once_and_never_into_the_image(image: str) -> None:
    environment = dict(pair.split("=", 1) for pair in engine.inspect(image)["Config"]["Env"])
    assert environment["PYTHONPATH"] == "/opt/program"
    assert environment["PYTHONUNBUFFERED"] == "1"
    assert environment["PYTHONDONTWRITEBYTECODE"] == "1"
    assert environment["PATH"].split(":")[0] == "/opt/venv/bin"


def test_the_image_weighs_at_most_450_mb(image: str) -> None:
    assert engine.inspect(image)["Size"] <= LIMIT_BYTES


@pytest.mark.parametrize("tool", ["gcc", "cc", "g++", "make", "ld", "git", "curl"])
def test_the_image_holds_no_build_tool(tool: str) -> None:
    assert engine.shell(f"command -v {tool} || echo none").strip() == "none"


@pytest.mark.parametrize("tool", ["bash", "python3", "pip", "pip3"])
def test_the_driver_of_model_trainer_finds_its_tools(tool: str) -> None:
    assert engine.shell(f"command -v {tool} || echo none").strip() != "none"


def test_the_image_holds_no_caches_and_no_package_lists() -> None:
    folders = "$HOME/.cache /var/lib/apt/lists /var/cache/apt /build"
    assert engine.shell(f"find {folders} -type f 2>/dev/null || true") == ""


def test_what_the_platform_mounts_is_not_baked_in() -> None:
    assert engine.shell("ls -d /opt/ml 2>/dev/null || echo none").strip() == "none"


def test_the_installed_packages_are_exactly_those_of_the_lock() -> None:
    lock = (ROOT / "container" / "requirements.txt").read_text()
    locked = dict(re.findall(r"^([a-z0-9-]+)==([^ ]+)", lock, re.MULTILINE))
    printed = python(
        "from importlib.metadata import distributions\n"
        "for each in distributions(): print(each.name.lower().replace('_', '-'), each.version)"
    )
    installed = dict(line.split() for line in printed.splitlines())
    del installed["pip"]  # the virtual environment's own
    assert installed == locked


def test_workers_have_a_user_of_their_own_without_shell_or_home() -> None:
    assert engine.shell("getent passwd canarywood").strip() == (
        "canarywood:x:10001:10001::/nonexistent:/usr/sbin/nologin"
    )


def test_every_module_has_its_bytecode_so_that_a_start_compiles_nothing() -> None:
    script = """
import importlib.util, pathlib, sysconfig
for root in ("/opt/program", sysconfig.get_path("purelib"), sysconfig.get_path("stdlib") + "/json"):
    sources = list(pathlib.Path(root).rglob("*.py"))
    print(root, bool(sources), [
        str(source) for source in sources
        if not pathlib.Path(importlib.util.cache_from_source(str(source))).exists()
    ])
"""
    lines = python(script).splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == ["True []"] * 3


def test_a_replaced_module_of_ours_is_run_though_its_old_bytecode_is_there() -> None:
    printed = engine.shell(
        "echo 'print(6 * 7)' >>/opt/program/canarywood/errors.py; python3 -m canarywood.errors"
    )
    assert printed.strip() == "42"


def test_what_was_pruned_is_missed_by_no_library_that_the_commands_use() -> None:
    script = """
import pyarrow as pa, pyarrow.csv, pyarrow.dataset, pyarrow.parquet as parquet
import flask, gunicorn.app.base, jinja2, orjson, prometheus_client, xgboost
import numpy, scipy.optimize, scipy.sparse, scipy.stats
key = pa.array(["x", "y"]).dictionary_encode()
table = pa.table({"number": [1.5, None], "text": ["a", None], "key": key})
for codec in ("snappy", "zstd", "gzip", "lz4", "brotli", "none"):
    parquet.write_table(table, "/tmp/t.parquet", compression=codec)
    assert parquet.read_table("/tmp/t.parquet").equals(table), codec
    assert pyarrow.dataset.dataset("/tmp/t.parquet").to_table().equals(table), codec
pyarrow.csv.write_csv(table.select(["number", "text"]), "/tmp/t.csv")
print(pyarrow.csv.read_csv("/tmp/t.csv").to_pydict(), xgboost.build_info()["USE_OPENMP"])
"""
    assert python(script).strip() == "{'number': [1.5, None], 'text': ['a', '']} True"


@pytest.mark.parametrize("command", ["preprocess", "train", "evaluate", "serve"])
def test_each_command_finds_everything_that_it_imports(command: str) -> None:
    script = f"from canarywood.commands.{command} import run; print(run.__name__)"
    assert python(script).strip() == "run"


def test_an_unknown_command_is_a_wrong_call() -> None:
    outcome = engine.run("deploy")
    assert outcome.code == 2
    said = "canarywood: no command 'deploy'; there are preprocess, train, evaluate, serve\n"
    assert outcome.stderr.startswith(said)


def python(script: str) -> str:
    """What a Python script prints inside the image."""
    return engine.must(
        engine.docker("run", "--rm", "--entrypoint", "python3", engine.IMAGE, "-c", script)
    )

from pathlib import Path

import pytest

from canarywood.errors import SettingsError
from ops.project import Project, Table, load

ROOT = Path(__file__).parents[2]


def project(folder: Path, text: str) -> Project:
    (folder / "project.yml").write_text(text)
    return load(folder)


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        project(folder, text)
    first, *rest = str(caught.value).split("\n  ")
    assert first == f"{folder / 'project.yml'}:"
    return rest


def test_the_data_section_goes_to_preprocess_without_the_places_of_files(tmp_path: Path) -> None:
    text = """
name: toy
data:
  files: [a.csv, more]
  target: {column: y}
  joins:
    - {table: rain, files: rain.csv, on: [day], columns: [mm]}
    - {table: wind, on: [day], columns: [speed]}
"""
    found = project(tmp_path, text)
    assert found.data == {
        "name": "toy",
        "target": {"column": "y"},
        "joins": [
            {"table": "rain", "on": ["day"], "columns": ["mm"]},
            {"table": "wind", "on": ["day"], "columns": ["speed"]},
        ],
    }
    assert found.tables == (
        Table("data", ("a.csv", "more")),
        Table("rain", ("rain.csv",)),
        Table("wind", ("wind",)),
    )
    assert found.folder == tmp_path


def test_hyperparameters_and_environment_become_strings(tmp_path: Path) -> None:
    text = """
name: toy
data: {files: a, target: {column: y}}
train: {eta: 1e-3, max_depth: 6, verbose: true, eval_metric: [auc, logloss]}
serve: {MODEL_SERVER_WORKERS: 2, DEBUG: false}
"""
    found = project(tmp_path, text)
    assert found.hyperparameters == {
        "eta": "0.001",
        "max_depth": "6",
        "verbose": "true",
        "eval_metric": "auc,logloss",
    }
    assert found.environment == {"MODEL_SERVER_WORKERS": "2", "DEBUG": "false"}


def test_yes_no_on_and_dates_are_texts(tmp_path: Path) -> None:
    text = """
name: toy
data:
  files: a
  target: {column: y, classes: [No, Yes]}
  split: {by: time, column: t, validation: 2013-03-18, test: 2013-04-01}
  joins: [{table: b, on: [k], columns: [c]}]
"""
    found = project(tmp_path, text)
    assert found.data["target"]["classes"] == ["No", "Yes"]
    assert found.data["split"]["test"] == "2013-04-01"
    assert found.data["joins"][0]["on"] == ["k"]


def test_every_fault_is_told_at_once_with_its_place(tmp_path: Path) -> None:
    text = """
name: My Model
data:
  file: a.csv
  target: {column: y}
  columns: {a: nmber, b: {kind: number, featre: false}}
  split: {by: randm}
train: {eta: {a: 1}}
serve: {workers: 2}
trian: {}
"""
    assert faults(tmp_path, text) == [
        "data.columns.a: expected one of number, category, time, found 'nmber'; "
        "did you mean number?",
        "data.columns.b.featre: there is no such key; did you mean feature?",
        "data.file: there is no such key; did you mean files?",
        "data.files: is missing",
        "data.split.by: expected one of random, group, time, found 'randm'; did you mean random?",
        "name: 'My Model' must be 1 to 30 small letters, digits and single hyphens",
        "serve.workers: an environment variable has capital letters, digits and _",
        "train.eta: expected a text or a number, found a mapping",
        "trian: there is no such key; did you mean train?",
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [("rows.csv", "a,b\n1,2\n" * 99), ("rows.csv", "a: b: c"), ("project.yml", "a,b\n1,2\n" * 99)],
)
def test_a_table_given_as_the_project_is_told_in_a_line(
    tmp_path: Path, name: str, text: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(SettingsError) as caught:
        load(tmp_path / name)
    said = f"{tmp_path / name} is no project.yml; name the folder that holds one"
    assert str(caught.value) == said


def test_a_long_value_is_cut_in_a_message(tmp_path: Path) -> None:
    text = f"name: toy\ndata: {{files: a, target: y, split: {'x' * 999}}}"
    assert faults(tmp_path, text) == [f"data.split: expected a mapping, found '{'x' * 56}..."]


def test_an_empty_file_is_told_what_it_lacks(tmp_path: Path) -> None:
    assert faults(tmp_path, "") == ["the file: expected a mapping, found nothing"]
    assert faults(tmp_path, "name: toy") == ["data: is missing"]


def test_a_key_of_another_split_is_refused(tmp_path: Path) -> None:
    text = "name: a\ndata: {files: a, target: {column: y}, split: {by: random, column: c}}"
    assert faults(tmp_path, text) == ["data.split.column: there is no such key"]


def test_a_key_written_twice_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"line 3, column 1: the key 'name' is written twice"):
        project(tmp_path, "name: a\ndata: {}\nname: b\n")


def test_broken_yaml_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"project\.yml, line 2, column 1: "):
        project(tmp_path, "data: [a\n")


def test_code_in_yaml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="could not determine a constructor"):
        project(tmp_path, "name: !!python/object/apply:os.getcwd []\n")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path / "none.yml")
    assert str(caught.value) == f"{tmp_path / 'none.yml'} is not there"


@pytest.mark.parametrize(
    ("folder", "name"),
    [(".", "flights"), ("examples/telco", "telco"), ("examples/abalone", "abalone")],
)
def test_our_own_projects_are_right(folder: str, name: str) -> None:
    assert load(ROOT / folder).name == name

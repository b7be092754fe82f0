"""The command preprocess, on the files that SageMaker gives and takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from canarywood.commands import preprocess
from canarywood.contract import Layout
from canarywood.errors import DataError, SettingsError
from canarywood.schema.definition import Schema
from canarywood.schema.table import LABEL, encode

CODE = Path(__file__).parents[3] / "container" / "code"
ROWS = 40


def world(base: Path, data: Any = None, **tables: str) -> Layout:
    """A job's inputs: 40 rows of two columns and a target."""
    layout = Layout(base)
    rows = [f"{i / 8},{('red', 'blue', '')[i % 3]},{('no', 'yes')[i % 2]}" for i in range(ROWS)]
    main = "size,color,bought\n" + "\n".join(rows) + "\n"
    for name, text in {"data": main, **tables}.items():
        folder = layout.processing_input(name)
        folder.mkdir(parents=True)
        (folder / f"{name}.csv").write_text(text)
    config = layout.processing_input("config")
    config.mkdir(parents=True)
    (config / "data.json").write_text(json.dumps(data or {"target": "bought"}))
    return layout


def report(layout: Layout, name: str) -> Any:
    return json.loads((layout.processing_output("report") / name).read_text())


def test_it_writes_parts_schema_and_report(tmp_path: Path) -> None:
    layout = world(tmp_path, {"target": "bought", "name": "shop", "slices": ["color"]})
    assert preprocess.run(layout) == 0
    counts = {}
    for name in ("train", "validation", "test"):
        part = pyarrow.parquet.read_table(layout.processing_output(name) / "part-0.parquet")
        assert part.column_names == ["size", "color", LABEL]
        assert [str(kind) for kind in part.schema.types] == ["double", "string", "float"]
        counts[name] = part.num_rows
    assert counts == {"train": 28, "validation": 6, "test": 6}
    schema = Schema.read(layout.processing_output("schema") / "schema.json")
    assert (schema.name, schema.features, schema.slices) == ("shop", ("size", "color"), ("color",))
    assert schema.column("color").categories == ("blue", "red")
    facts = report(layout, "preprocess.json")
    assert facts["rows"]["read"] == ROWS
    assert facts["rows"]["train"]["rows"] == 28
    assert sum(facts["rows"]["train"]["classes"].values()) == 28
    assert {item["column"] for item in facts["leakage"]} == {"size", "color"}
    assert facts["warnings"] == []
    statistics = report(layout, "statistics.json")
    assert statistics["dataset"]["item_count"] == 28
    assert [feature["name"] for feature in statistics["features"]] == ["size", "color"]


def test_the_sample_is_rows_of_the_test_part_as_a_request_carries_them(tmp_path: Path) -> None:
    layout = world(tmp_path)
    preprocess.run(layout)
    path = layout.processing_output("report") / "sample.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    test = pyarrow.parquet.read_table(layout.processing_output("test") / "part-0.parquet")
    assert [line["row"] for line in lines] == [
        {"size": row["size"], "color": row["color"]} for row in test.to_pylist()
    ]
    assert [line["truth"] for line in lines] == test.column(LABEL).to_pylist()


def test_a_job_without_test_rows_has_an_empty_part_and_sample(tmp_path: Path) -> None:
    layout = world(tmp_path, {"target": "bought", "split": {"validation": 0, "test": 0}})
    preprocess.run(layout)
    for name, rows in (("train", ROWS), ("validation", 0), ("test", 0)):
        part = pyarrow.parquet.read_table(layout.processing_output(name) / "part-0.parquet")
        assert part.num_rows == rows
        schema = Schema.read(layout.processing_output("schema") / "schema.json")
        assert encode(part, schema).shape == (rows, 2)
    assert (layout.processing_output("report") / "sample.jsonl").read_text() == ""


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    contents = []
    for name in ("a", "b"):
        layout = world(tmp_path / name)
        preprocess.run(layout)
        files = sorted(layout.processing.joinpath("output").rglob("*.*"))
        contents.append([(path.name, path.read_bytes()) for path in files])
    assert contents[0] == contents[1]


def test_tables_of_joins_and_lookups_are_inputs_of_their_own(tmp_path: Path) -> None:
    data = {
        "target": "bought",
        "joins": [{"table": "shelf", "on": "color", "columns": ["row"]}],
        "derived": {
            "hue": {"op": "lookup", "of": "color", "table": "hues", "key": "c", "value": "h"}
        },
    }
    tables = {"shelf": "color,row\nred,1\nblue,2\n", "hues": "c,h\nred,0.5\n"}
    layout = world(tmp_path / "a", data, **tables)
    preprocess.run(layout)
    schema = Schema.read(layout.processing_output("schema") / "schema.json")
    assert schema.input_names == ("size", "color", "row")
    assert schema.derived[0].table == {"red": 0.5}
    with pytest.raises(DataError, match="give the table 'hues' as an input of the job"):
        preprocess.run(world(tmp_path / "b", data))


@pytest.mark.parametrize(
    ("data", "error", "said"),
    [
        ({"target": "buoght"}, SettingsError, "did you mean 'bought'"),
        ({"targt": "bought"}, SettingsError, "data: no key 'targt'; did you mean 'target'"),
        ({"target": "bought", "split": {"test": 2}}, SettingsError, "data.split.test: 2"),
    ],
)
def test_a_fault_is_raised_before_anything_is_written(
    tmp_path: Path, data: Any, error: type[Exception], said: str
) -> None:
    layout = world(tmp_path, data)
    with pytest.raises(error, match=said):
        preprocess.run(layout)
    assert not (layout.processing / "output").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "size,bought\n1,yes\n2,no,3\n",
            "data.csv is not readable CSV: row 2 has 3 values, 2 colu",
        ),
        ("size,bought\n1,yes\n,no\n" + "4,yes\nx,no\n" * 9, "data.csv, row 4, column size: 'x' is"),
        ("", "holds no data"),
    ],
)
def test_a_bad_file_leaves_a_message_that_names_its_place(
    tmp_path: Path, content: str, said: str
) -> None:
    layout = world(tmp_path, {"target": "bought", "kinds": {"size": "number"}})
    (layout.processing_input("data") / "data.csv").write_text(content)
    environment = {**os.environ, "PYTHONPATH": str(CODE), "SAGEMAKER_BASE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "canarywood", "preprocess"], env=environment, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    message = layout.message.read_text()
    assert message.startswith("UserError: ")
    assert said in message
    assert "Traceback" not in done.stderr

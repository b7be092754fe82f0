from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from canarywood.contract import Layout
from canarywood.schema.definition import Column, Target
from tests.container.training.loans import SCHEMA, fault, put, read_all


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "ml")
    layout.channel("train").mkdir(parents=True)
    return layout


def test_without_header_the_label_stands_first(layout: Layout) -> None:
    put(layout, "1,0.5,2\n0,,4\n")

    found = read_all(layout)

    assert found.schema.features == ("f0", "f1")
    assert found.schema.target == Target("label", "regression")
    assert found.train.labels.tolist() == [1, 0]
    np.testing.assert_array_equal(
        found.train.features, np.array([[0.5, 2], [np.nan, 4]], dtype=np.float32)
    )
    assert found.train.weights is None
    assert found.train.content_type == "csv"
    assert found.validation is None


def test_with_csv_weights_the_weight_stands_second(layout: Layout) -> None:
    put(layout, "1,0.25,2\n0,3,4\n")

    found = read_all(layout, csv_weights="1")

    assert found.train.weights is not None
    assert found.train.weights.tolist() == [0.25, 3]
    assert found.train.features.tolist() == [[2], [4]]
    assert found.schema.features == ("f0",)


def test_a_header_names_the_features(layout: Layout) -> None:
    put(layout, "y,age,income\n1,2,3\n")
    put(layout, "income,y,age\n5,0,4\n", "validation")

    found = read_all(layout)

    assert found.schema.features == ("age", "income")
    assert found.schema.target == Target("y", "regression")
    assert found.validation is not None
    assert found.validation.features.tolist() == [[4, 5]]
    assert found.validation.labels.tolist() == [0]


def test_several_files_are_read_in_the_order_of_their_names(layout: Layout) -> None:
    put(layout, "2,20\n", name="b.csv")
    put(layout, "1;10\n", name="a.csv")

    assert read_all(layout).train.features.tolist() == [[10], [20]]


def test_texts_of_a_parquet_file_are_categories(layout: Layout) -> None:
    table = pa.table(
        {"y": [1.0, 2.0, 3.0], "color": pa.array(["red", "blue", None]).dictionary_encode()}
    )
    pa.parquet.write_table(table, layout.channel("train") / "a.parquet")

    found = read_all(layout)

    assert found.schema.inputs == (Column("color", "category", ("blue", "red")),)
    np.testing.assert_array_equal(
        found.train.features, np.array([[1], [0], [np.nan]], dtype=np.float32)
    )
    assert found.train.content_type == "parquet"


def test_the_objective_gives_the_target_its_task(layout: Layout) -> None:
    put(layout, "1,5\n0,6\n")

    binary = read_all(layout, objective="binary:logistic").schema.target
    classes = read_all(layout, objective="multi:softmax", num_class="3").schema.target

    assert binary == Target("label", "binary", above=0.5)
    assert classes == Target("label", "multiclass", classes=("0", "1", "2"))


@pytest.mark.parametrize("place", ["schema", "train"])
def test_a_schema_reads_columns_by_name(layout: Layout, place: str) -> None:
    SCHEMA.write(layout.channel(place) / "schema.json")
    put(layout, "home,share,paid,age\nrent,2,yes,41\nboat,1,no,\n")

    found = read_all(layout)

    assert found.schema == SCHEMA
    assert found.train.labels.tolist() == [1, 0]
    assert found.train.weights is not None
    assert found.train.weights.tolist() == [2, 1]
    np.testing.assert_array_equal(
        found.train.features, np.array([[41, 1], [np.nan, np.nan]], dtype=np.float32)
    )


def test_a_schema_reads_texts_without_header_in_its_order(layout: Layout) -> None:
    SCHEMA.write(layout.channel("schema") / "schema.json")
    put(layout, "yes,1,30,own\nno,1,40,rent\n")

    found = read_all(layout)

    assert found.train.labels.tolist() == [1, 0]
    assert found.train.features.tolist() == [[30, 0], [40, 1]]


def test_labels_that_preprocess_wrote_are_taken_as_they_are(layout: Layout) -> None:
    SCHEMA.write(layout.channel("schema") / "schema.json")
    table = pa.table({"age": [1, 2], "home": ["own", "rent"], "_label": [0.0, 1.0]})
    pa.parquet.write_table(table, layout.channel("train") / "part-0.parquet")

    assert read_all(layout).train.labels.tolist() == [0, 1]


def test_an_empty_channel_says_which_folder_and_what_it_must_hold(layout: Layout) -> None:
    folder = layout.channel("train")

    assert fault(layout) == (
        f"channel train: {folder} holds no data; it must hold csv, parquet, libsvm or recordio "
        "files"
    )


def test_an_empty_validation_channel_is_an_error_and_not_no_validation(layout: Layout) -> None:
    put(layout, "1,2\n")
    layout.channel("validation").mkdir()

    assert fault(layout).startswith("channel validation: ")


def test_a_schema_channel_without_a_schema_is_an_error(layout: Layout) -> None:
    put(layout, "1,2\n")
    layout.channel("schema").mkdir()

    assert fault(layout).endswith("holds no schema.json")


@pytest.mark.parametrize(
    ("text", "hyperparameters", "sentence"),
    [
        ("1,2\n0,x\n", {}, "channel train: a.csv, row 2, column f0: 'x' is not a number"),
        ("1,2\n,3\n", {}, "channel train: a.csv, row 2: the label is missing"),
        (
            "0,2\n3,3\n",
            {"objective": "binary:logistic"},
            "channel train: a.csv, row 2: the label 3 must lie between 0 and 1 for binary:logistic",
        ),
        (
            "0,2\n1.5,3\n",
            {"objective": "multi:softprob", "num_class": "3"},
            "channel train: a.csv, row 2: the label 1.5 must be a whole number from 0 to 2 "
            "for multi:softprob",
        ),
        (
            "1,-1,2\n",
            {"csv_weights": "1"},
            "channel train: a.csv, row 1, column weight: a weight must be 0 or more",
        ),
        ("1,0,2\n", {"csv_weights": "1"}, "channel train: every weight is 0"),
        ("1\n2\n", {}, "channel train: no features: the only columns are label"),
        ("y,age\n", {}, "channel train: a.csv has no rows"),
        (
            "1,2\n1,2,3\n",
            {},
            "channel train: a.csv is not readable CSV: row 2 has 3 values, 2 columns",
        ),
    ],
)
def test_a_fault_in_the_data_is_named_with_its_place(
    layout: Layout, text: str, hyperparameters: dict[str, str], sentence: str
) -> None:
    put(layout, text)

    assert fault(layout, **hyperparameters) == sentence


def test_the_content_type_of_the_job_is_obeyed(layout: Layout) -> None:
    put(layout, "1 0:2\n")
    layout.write_training_input({}, {"train": "text/csv"})
    assert "a.csv" in fault(layout)

    layout.write_training_input({}, {"train": "text/libsvm; charset=utf-8"})
    assert read_all(layout).train.features.tolist() == [[2]]

    layout.write_training_input({}, {"train": "image/png"})
    assert fault(layout) == (
        "channel train: content type image/png of a.csv is not supported; use text/csv, "
        "application/x-parquet, text/libsvm or application/x-recordio-protobuf"
    )


def test_validation_must_have_the_columns_of_train(layout: Layout) -> None:
    put(layout, "y,age\n1,2\n")
    put(layout, "y,size\n1,2\n", "validation")

    assert fault(layout) == "channel validation: the table lacks age; it has y, size"

"""Formats and input modes give the same rows."""

from __future__ import annotations

import gzip
import os
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from canarywood.contract import Layout, write_json
from canarywood.errors import DataError, HyperparameterError
from canarywood.formats import recordio
from canarywood.schema.definition import Column, Schema, Target
from canarywood.training.channels import Channels, NoDataError, read, read_schema
from canarywood.training.hyperparameters import check
from canarywood.training.sources import Sources

FEATURES = np.array([[1.5, -2], [0.25, 4], [3, 5e-3]])
LABELS = np.array([1.0, 0, 1])


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "ml")
    layout.channel("train").mkdir(parents=True)
    return layout


def put(layout: Layout, content: bytes | str, name: str = "a", channel: str = "train") -> None:
    layout.channel(channel).mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    (layout.channel(channel) / name).write_bytes(data)


def read_all(layout: Layout, **hyperparameters: str) -> Channels:
    schema = read_schema(layout)
    given = check(hyperparameters, schema.target if schema else None)
    with Sources(layout, pipe_wait_s=5) as sources:
        return read(sources, given, schema)


def csv_bytes(features: np.ndarray = FEATURES, labels: np.ndarray = LABELS) -> bytes:
    rows = zip(labels.tolist(), features.tolist(), strict=True)
    return "".join(f"{y},{','.join(map(repr, row))}\n" for y, row in rows).encode()


def libsvm_bytes(base: int = 0) -> bytes:
    rows = zip(LABELS.tolist(), FEATURES.tolist(), strict=True)
    return "".join(
        f"{y} {' '.join(f'{i + base}:{v!r}' for i, v in enumerate(row))}\n" for y, row in rows
    ).encode()


def recordio_bytes() -> bytes:
    return recordio.write(FEATURES.astype(np.float32), LABELS.astype(np.float32))


def parquet_bytes(features: np.ndarray = FEATURES, labels: np.ndarray = LABELS) -> bytes:
    sink = pa.BufferOutputStream()
    table = pa.table({"label": labels, "f0": features[:, 0], "f1": features[:, 1]})
    pyarrow.parquet.write_table(table, sink)
    return bytes(sink.getvalue())


FORMATS = {
    "text/csv": csv_bytes,
    "text/libsvm": libsvm_bytes,
    "application/x-recordio-protobuf": recordio_bytes,
    "application/x-parquet": parquet_bytes,
}


@pytest.mark.parametrize("content_type", FORMATS)
@pytest.mark.parametrize("said", [True, False])
def test_every_format_gives_the_same_rows(layout: Layout, content_type: str, said: bool) -> None:
    put(layout, FORMATS[content_type]())
    if said:
        layout.write_training_input({}, {"train": content_type})

    found = read_all(layout, objective="binary:logistic")

    np.testing.assert_array_equal(found.train.features, FEATURES.astype(np.float32))
    assert found.train.labels.tolist() == LABELS.tolist()
    assert found.schema.features == ("f0", "f1")
    assert found.schema.target is not None
    assert found.schema.target.task == "binary"


@pytest.mark.parametrize("base", [0, 1])
def test_libsvm_that_counts_from_one_has_no_empty_first_column(layout: Layout, base: int) -> None:
    put(layout, libsvm_bytes(base), "a.libsvm")
    put(layout, f"1 {1 + base}:7\n", "a.libsvm", "validation")

    found = read_all(layout)

    assert found.schema.index_base == base
    np.testing.assert_array_equal(found.train.features, FEATURES.astype(np.float32))
    assert found.validation is not None
    np.testing.assert_array_equal(found.validation.features, [[np.nan, 7]])


def test_an_index_zero_in_validation_alone_decides_as_well(layout: Layout) -> None:
    put(layout, "1 1:5\n")
    put(layout, "0 0:3 1:4\n", channel="validation")

    found = read_all(layout)

    assert found.schema.index_base == 0
    np.testing.assert_array_equal(found.train.features, [[np.nan, 5]])


def test_a_column_that_only_validation_has_is_missing_in_train(layout: Layout) -> None:
    put(layout, "1 0:5\n")
    put(layout, "0 0:3 2:4\n", channel="validation")

    np.testing.assert_array_equal(read_all(layout).train.features, [[5, np.nan, np.nan]])


def test_libsvm_brings_its_groups(layout: Layout) -> None:
    put(layout, "1 qid:7 0:1\n0 qid:3 0:2\n2 qid:7 0:3\n")

    found = read_all(layout, objective="rank:ndcg").train

    assert found.extras["qid"].tolist() == [0, 1, 1]
    assert found.features.tolist() == [[2], [1], [3]]


def test_libsvm_columns_have_a_schemas_names(layout: Layout) -> None:
    Schema(
        name="two",
        target=Target("y", "binary", above=0.5),
        inputs=(Column("a"), Column("b")),
        features=("a", "b"),
        index_base=1,
    ).write(layout.channel("schema") / "schema.json")
    put(layout, "1 2:5\n0 1:4\n")

    found = read_all(layout)

    assert found.schema.features == ("a", "b")
    np.testing.assert_array_equal(found.train.features, [[np.nan, 5], [4, np.nan]])


def test_several_files_are_one_table(layout: Layout) -> None:
    put(layout, "1 0:5\n", "a.libsvm")
    put(layout, gzip.compress(b"0 0:3 1:4\n"), "b.libsvm")
    layout.write_training_input({}, {"train": "text/libsvm"})

    np.testing.assert_array_equal(read_all(layout).train.features, [[5, np.nan], [3, 4]])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("1 0:1\n1 0:1 0:2\n", "channel train: b, row 2: index 0 occurs twice in the row"),
        ("1 0:1\n1 0:x\n", "channel train: b, row 2: 'x' is not a number"),
        ("0:1\n1 0:2\n", "channel train: b, row 1: the label is missing"),
    ],
)
def test_a_fault_in_libsvm_is_named_with_file_and_row(
    layout: Layout, text: str, sentence: str
) -> None:
    put(layout, "1 0:1\n", "a")
    put(layout, text, "b")
    layout.write_training_input({}, {"train": "text/libsvm"})

    with pytest.raises(DataError) as caught:
        read_all(layout)
    assert str(caught.value) == sentence


def test_libsvm_has_no_columns_to_name(layout: Layout) -> None:
    put(layout, "1 0:1\n")

    with pytest.raises(HyperparameterError) as caught:
        read_all(layout, weight_column="w")
    assert str(caught.value) == "weight_column: libsvm files have no column names"


def test_fast_file_is_file(layout: Layout) -> None:
    put(layout, csv_bytes())
    write_json(
        layout.config / "inputdataconfig.json",
        {"train": {"ContentType": "text/csv", "TrainingInputMode": "FastFile"}},
    )

    np.testing.assert_array_equal(read_all(layout).train.features, FEATURES.astype(np.float32))


def pipe(
    layout: Layout, content: bytes, content_type: str, *, wrapper: str = "None", delay: float = 0
) -> threading.Thread:
    """A channel `train` as a FIFO that appears, and is written, by another thread."""
    layout.channel("train").rmdir()
    write_json(
        layout.config / "inputdataconfig.json",
        {
            "train": {
                "ContentType": content_type,
                "TrainingInputMode": "Pipe",
                "RecordWrapperType": wrapper,
            }
        },
    )
    path = layout.channel("train_0")

    def write() -> None:
        threading.Event().wait(delay)
        os.mkfifo(path)
        with path.open("wb") as stream:
            stream.write(content)

    thread = threading.Thread(target=write)
    thread.start()
    return thread


@pytest.mark.parametrize("content_type", FORMATS)
@pytest.mark.parametrize("delay", [0, 0.2])
def test_a_pipe_gives_the_rows_of_its_file(layout: Layout, content_type: str, delay: float) -> None:
    writer = pipe(layout, FORMATS[content_type](), content_type, delay=delay)

    found = read_all(layout)
    writer.join()

    np.testing.assert_array_equal(found.train.features, FEATURES.astype(np.float32))
    assert found.train.labels.tolist() == LABELS.tolist()


def test_parquet_objects_behind_each_other_are_taken_apart(layout: Layout) -> None:
    content = parquet_bytes() + parquet_bytes(FEATURES + 1) + parquet_bytes(FEATURES + 2)
    writer = pipe(layout, content, "application/x-parquet")

    found = read_all(layout)
    writer.join()

    expected = np.concatenate([FEATURES, FEATURES + 1, FEATURES + 2]).astype(np.float32)
    np.testing.assert_array_equal(found.train.features, expected)


@pytest.mark.parametrize("make", [csv_bytes, parquet_bytes])
def test_wrapped_objects_are_files_of_their_own(layout: Layout, make: object) -> None:
    assert callable(make)
    content = recordio.framed(make()) + recordio.framed(make(FEATURES + 1))
    kind = "text/csv" if make is csv_bytes else "application/x-parquet"
    writer = pipe(layout, content, kind, wrapper="RecordIO")

    found = read_all(layout)
    writer.join()

    expected = np.concatenate([FEATURES, FEATURES + 1]).astype(np.float32)
    np.testing.assert_array_equal(found.train.features, expected)


def test_an_empty_pipe_is_a_host_without_data(layout: Layout) -> None:
    writer = pipe(layout, b"", "text/csv")

    with pytest.raises(NoDataError):
        read_all(layout)
    writer.join()


def test_a_pipe_that_never_appears_is_named(layout: Layout) -> None:
    layout.channel("train").rmdir()
    write_json(layout.config / "inputdataconfig.json", {"train": {"TrainingInputMode": "Pipe"}})

    with Sources(layout, pipe_wait_s=0.01) as sources, pytest.raises(DataError) as caught:
        sources.open("train")
    assert str(caught.value).startswith("channel train: ")
    assert str(caught.value).endswith("train_0 did not appear")

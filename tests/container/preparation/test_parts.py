"""Preparation as a whole: the three parts, and the rows in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canarywood.errors import DataError
from canarywood.preparation.pipeline import prepare
from canarywood.preparation.spec import DataSpec
from canarywood.schema.table import LABEL, WEIGHT, encode, labels, weights
from tests.container.preparation.world import ROWS, prepared, refused

# ---- the parts


def test_parts_are_distinct_and_together_all_rows() -> None:
    numbers = [[row["number"] for row in part.to_pylist()] for part in prepared().parts.values()]
    train, validation, test = map(set, numbers)
    assert [len(part) for part in numbers] == [42, 9, 9]
    assert not train & validation
    assert not train & test
    assert not validation & test
    assert train | validation | test == {i / 4 for i in range(ROWS)}


def test_rows_that_stand_in_two_parts_are_counted() -> None:
    found = prepared(None, {"number": ["1"] * ROWS, "color": ["red"] * ROWS})
    assert found.facts["test_rows_also_in_train"] == 9
    assert found.facts["validation_rows_also_in_train"] == 9
    assert prepared().facts["test_rows_also_in_train"] == 0


def test_the_same_seed_gives_the_same_parts_and_another_others() -> None:
    first, again = prepared(), prepared()
    other = prepared({"split": {"seed": 1}})
    assert first.parts["test"].equals(again.parts["test"])
    assert not first.parts["test"].equals(other.parts["test"])


def test_weights_and_slices_go_with_the_rows() -> None:
    more = {"w": [str(i) for i in range(ROWS)], "city": [f" town {i % 2} " for i in range(ROWS)]}
    found = prepared({"weight": "w", "exclude": ["city"], "slices": ["city", "color"]}, more)
    assert found.schema.features == ("number", "color")
    for part in found.parts.values():
        for row in part.to_pylist():
            assert row[WEIGHT] == row["number"] * 4
            assert row["city"] == f"town {row[WEIGHT] % 2:g}"
        assert part.column_names == ["number", "color", "city", WEIGHT, LABEL]
    refused("column w: a weight must be 0 or more", {"weight": "w"}, {"w": ["-1"] * ROWS})


def test_a_bad_cell_is_named_by_its_row_in_the_file(tmp_path: Any) -> None:
    from canarywood.schema.table import read_tables

    lines = [f"{i},{i % 2}" for i in range(ROWS)]
    lines[0], lines[41] = "5,", "oops,1"  # the first row has no label and is left out
    (tmp_path / "a.csv").write_text("n,y\n" + "\n".join(lines) + "\n")
    spec = DataSpec.from_json({"target": "y", "kinds": {"n": "number"}})
    for seed in range(4):  # in whichever part the row is
        keys = DataSpec.from_json(
            {"target": "y", "kinds": {"n": "number"}, "split": {"seed": seed}}
        )
        with pytest.raises(DataError, match=r"a\.csv, row 42, column n: 'oops' is not a number"):
            prepare(keys, {"data": read_tables(tmp_path)})
    assert spec.target.column == "y"


numbers = st.one_of(
    st.floats(-1e6, 1e6).map(repr), st.sampled_from(["", "NA", "-0", "+.5", " 7 ", "1e-50"])
)
colors = st.sampled_from(["red", " red", "7", "7.0", "", "?", "NA ", "-999"])
times = st.sampled_from(["2013-04-01", "2013-04-01T06:00:00Z", "", "NA", " 2013-05-01 07:00 "])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(numbers, colors, times), min_size=20, max_size=40))
def test_the_files_of_preprocess_read_as_the_raw_rows_do(
    rows: list[tuple[str, str, str]],
) -> None:
    table = pa.table(
        {
            "n": [row[0] for row in rows],
            "c": [row[1] for row in rows],
            "t": [row[2] for row in rows],
            "k": ["fixed"] * len(rows),
            "y": [str(i % 2) for i in range(len(rows))],
            "w": [str(i) for i in range(len(rows))],
        }
    )
    spec = DataSpec.from_json(
        {
            "target": "y",
            "weight": "w",
            "columns": {
                "n": "number",
                "c": {"kind": "category", "categories": ["red", 7]},
                "t": "time",
                "k": "category",
            },
            "derived": {
                "hour": {"op": "time_hour", "of": "t"},
                "gap": {"op": "is_missing", "of": "c"},
            },
            "split": {"validation": 0, "test": 0},
            "missing": ["NA", "?", -999],
        }
    )
    found = prepare(spec, {"data": table})
    schema, clean = found.schema, found.parts["train"]
    raw = encode(table, schema)
    assert encode(clean, schema).view(np.uint32).tolist() == raw.view(np.uint32).tolist()
    assert labels(clean, schema).tolist() == labels(table, schema).tolist()
    assert (weights(clean, schema) == weights(table, schema)).all()  # type: ignore[union-attr]  # both are there
    again = prepare_again(clean)
    assert encode(again, schema).view(np.uint32).tolist() == raw.view(np.uint32).tolist()


def prepare_again(clean: pa.Table) -> pa.Table:
    """The cells as text, as if the files of preprocess were written to CSV and read again."""
    return pa.table(
        {
            name: ["" if v is None else str(v) for v in clean.column(name).to_pylist()]
            for name in clean.column_names
        }
    )

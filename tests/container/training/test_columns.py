"""Columns with a role go by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from canarywood.contract import Layout
from canarywood.errors import HyperparameterError
from canarywood.schema.definition import Target
from tests.container.training.loans import SCHEMA, fault, put, read_all


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "ml")
    layout.channel("train").mkdir(parents=True)
    return layout


def parquet(layout: Layout, columns: dict[str, object], channel: str = "train") -> None:
    layout.channel(channel).mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pa.table(columns), layout.channel(channel) / "a.parquet")


def test_ranking_takes_groups_by_name_and_sorts_rows_by_them(layout: Layout) -> None:
    put(layout, "y,qid,age\n1,b,10\n0,a,20\n2,b,30\n")

    found = read_all(layout, objective="rank:ndcg").train

    assert found.extras["qid"].tolist() == [0, 0, 1]
    assert found.features.tolist() == [[10], [30], [20]]
    assert found.labels.tolist() == [1, 2, 0]


def test_qid_is_a_feature_where_nothing_is_ranked(layout: Layout) -> None:
    put(layout, "y,qid,age\n1,5,10\n")

    assert read_all(layout).schema.features == ("qid", "age")


def test_roles_are_given_by_name(layout: Layout) -> None:
    parquet(
        layout,
        {
            "age": [1.0, 2.0],
            "query": ["q", "r"],
            "share": [0.5, 2.0],
            "start": [0.1, 0.2],
            "clicks": [3, 4],
        },
    )

    found = read_all(
        layout,
        objective="rank:pairwise",
        label_column="clicks",
        qid_column="query",
        weight_column="share",
        base_margin_column="start",
    )

    assert found.schema.features == ("age",)
    assert found.schema.target == Target("clicks", "regression")
    assert found.schema.weight == "share"
    assert found.train.labels.tolist() == [3, 4]
    assert found.train.extras["qid"].tolist() == [0, 1]
    assert found.train.extras["base_margin"].tolist() == pytest.approx([0.1, 0.2])
    assert found.train.for_matrix()["weight"].tolist() == [0.5, 2]


def test_survival_takes_bounds_by_name_and_an_open_end(layout: Layout) -> None:
    put(layout, "label_lower_bound,age,label_upper_bound\n1,10,1\n2,20,inf\n3,30,\n")

    found = read_all(layout, objective="survival:aft").train

    assert found.extras["label_lower_bound"].tolist() == [1, 2, 3]
    assert found.extras["label_upper_bound"].tolist() == [1, np.inf, np.inf]
    assert found.features.tolist() == [[10], [20], [30]]


def test_survival_without_bounds_takes_every_event_as_seen(layout: Layout) -> None:
    put(layout, "1,10\n2,20\n")

    found = read_all(layout, objective="survival:aft").train

    assert found.extras["label_upper_bound"].tolist() == [1, 2]
    assert found.extras["label_lower_bound"].tolist() == [1, 2]


def test_several_label_columns_are_several_targets(layout: Layout) -> None:
    put(layout, "y,age,z\n1,10,5\n2,20,6\n")

    found = read_all(layout, label_column="y,z")

    assert found.train.labels.tolist() == [[1, 5], [2, 6]]
    assert found.schema.features == ("age",)
    assert found.schema.target is None


def test_roles_go_by_name_beside_a_schema(layout: Layout) -> None:
    SCHEMA.write(layout.channel("schema") / "schema.json")
    put(layout, "home,share,paid,age,base_margin\nrent,2,yes,41,0.5\n")

    assert read_all(layout).train.extras["base_margin"].tolist() == [0.5]


@pytest.mark.parametrize(
    ("text", "hyperparameters", "sentence"),
    [
        (
            "y,age\n1,2\n",
            {"objective": "rank:ndcg"},
            "channel train: rank:ndcg ranks within groups: name their column qid, or give "
            "qid_column (in text/libsvm: qid:<number> behind the label)",
        ),
        (
            "y,qid,age\n1,a,2\n1,,2\n",
            {"objective": "rank:ndcg"},
            None,
        ),
        (
            "y,qid,age\n-1,a,2\n",
            {"objective": "rank:ndcg"},
            "channel train: a.csv, row 1: the label -1 must be 0 or more for rank:ndcg",
        ),
        (
            "y,base_margin,age\n1,,2\n",
            {},
            "channel train: a.csv, row 1, column base_margin: the value is missing",
        ),
        (
            "label_lower_bound,age,label_upper_bound\n1,2,3\n4,2,3\n",
            {"objective": "survival:aft"},
            "channel train: a.csv, row 2, column label_upper_bound: the value must not be less "
            "than label_lower_bound",
        ),
        (
            "y,age,label_upper_bound\n1,2,3\n",
            {"objective": "survival:aft"},
            "channel train: label_lower_bound and label_upper_bound go together; the table has "
            "one of them",
        ),
    ],
)
def test_a_fault_of_a_column_with_a_role_is_named(
    layout: Layout, text: str, hyperparameters: dict[str, str], sentence: str | None
) -> None:
    put(layout, text)

    if sentence is None:  # an empty text is a group as any other
        assert read_all(layout, **hyperparameters).train.extras["qid"].tolist() == [0, 1]
    else:
        assert fault(layout, **hyperparameters) == sentence


def test_a_column_that_is_not_there_is_named_with_a_hint(layout: Layout) -> None:
    put(layout, "y,wieght,age\n1,1,2\n")

    with pytest.raises(HyperparameterError) as caught:
        read_all(layout, weight_column="weight")
    assert str(caught.value) == ("there is no column 'weight' for weight; did you mean wieght?")


def test_a_feature_of_the_schema_has_no_other_role(layout: Layout) -> None:
    SCHEMA.write(layout.channel("schema") / "schema.json")
    put(layout, "home,share,paid,age\nrent,2,yes,41\n")

    with pytest.raises(HyperparameterError) as caught:
        read_all(layout, weight_column="age")
    assert str(caught.value) == "column 'age' is a feature; it has no other role"

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from canarywood.errors import DataError
from canarywood.training.rows import Rows, concatenate


def test_weights_within_a_group_must_agree() -> None:
    rows = Rows(
        np.zeros((3, 1), dtype=np.float32),
        np.zeros(3, dtype=np.float32),
        np.array([1, 2, 2], dtype=np.float32),
        "csv",
        {"qid": np.array([0, 1, 1], dtype=np.uint32)},
    )
    assert rows.for_matrix()["weight"].tolist() == [1, 2]

    uneven = dataclasses.replace(rows, weights=np.array([1, 2, 3], dtype=np.float32))
    with pytest.raises(DataError) as caught:
        uneven.for_matrix()
    assert str(caught.value).startswith("group 1 has rows of different weights")


def test_the_digest_of_rows_changes_with_any_of_their_arrays() -> None:
    one = np.ones((1, 1), dtype=np.float32)
    label = np.ones(1, dtype=np.float32)
    group = {"qid": np.zeros(1, dtype=np.uint32)}
    different = {
        Rows(one, label, None, "csv").digest(),
        Rows(one * 2, label, None, "csv").digest(),
        Rows(one, label * 2, None, "csv").digest(),
        Rows(one, label, label, "csv").digest(),
        Rows(one, label, None, "csv", group).digest(),
    }

    assert len(different) == 5
    assert Rows(one, label, None, "parquet").digest() == Rows(one, label, None, "csv").digest()


def test_groups_of_both_channels_stay_apart_when_they_are_joined() -> None:
    def part(groups: list[int]) -> Rows:
        size = len(groups)
        return Rows(
            np.full((size, 1), size, dtype=np.float32),
            np.zeros(size, dtype=np.float32),
            None,
            "csv",
            {"qid": np.array(groups, dtype=np.uint32)},
        )

    one = part([0, 0, 1])
    joined = concatenate(one, part([0, 1]))

    assert joined.extras["qid"].tolist() == [0, 0, 1, 2, 3]
    assert joined.features.ravel().tolist() == [3, 3, 3, 2, 2]
    assert one.extras["qid"].tolist() == [0, 0, 1]
    with pytest.raises(DataError, match="the same columns"):
        concatenate(one, dataclasses.replace(one, extras={}))
